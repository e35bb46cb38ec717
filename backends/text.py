"""What a question may contain: cleaned the same way for every approach, or refused with a sentence."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from backends.base import Question
from backends.errors import BackendError

MAX_CHARACTERS = 100_000
"""Longer than any question; about 25,000 tokens of English."""

# C0 and C1 controls except tab and line feed; bidirectional marks, embeddings, overrides and isolates; deprecated
# format characters and interlinear annotations; zero-width no-break space. They cannot be seen and can make text read
# other than it is (Unicode TR 36, section 2.3).
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb]")
_NO_SHAPE = {"Cc", "Cf", "Zs", "Zl", "Zp"}
"""Unicode categories of which alone no question can be made: controls, formats (zero width), spaces."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` without control characters and bidirectional overrides; lone surrogates become U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return encodable(_INVISIBLE.sub("", text))


def encodable(text: str) -> str:
    """`text` with U+FFFD for lone surrogates, which no UTF-8 can carry."""
    return _SURROGATE.sub("\ufffd", text)


def clean(question: Question) -> Question:
    """The question as every approach gets it. Raises `BackendError` if it is blank or too long."""
    if len(question.text) > MAX_CHARACTERS:
        raise BackendError(
            f"The question has {len(question.text):,} characters; the limit is {MAX_CHARACTERS:,}.",
            "Shorten it, or put long texts into documents for the RAG approach.",
        )
    text = visible(question.text).strip()
    if all(unicodedata.category(character) in _NO_SHAPE for character in text):
        raise BackendError("The question is empty.", "Type a question first.")
    return replace(question, text=text, system_prompt=visible(question.system_prompt).strip())
