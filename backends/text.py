"""What a text may contain, whoever it comes from: nothing that hides, reorders, cannot be written, or is a command.

A question is cleaned the same way for every approach, or refused with a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from backends.base import Question
from backends.errors import BackendError

MAX_CHARACTERS = 100_000
"""Longer than any question; about 25,000 tokens of English."""

CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
"""C0 and C1 controls except tab and line feed, as part of a class of a regular expression."""

FORMATS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\U000e0000-\U000e007f"
"""What cannot be seen and can make text read other than it is (Unicode TR 36, section 2.3), as part of a class:
bidirectional marks, embeddings, overrides and isolates; deprecated format characters and interlinear annotations; tags.
"""

ZERO_WIDTH = "\u00ad\u200b-\u200d\u2060-\u2065"
"""What takes no room but may belong to a word (soft hyphen, joiners), as part of a class."""

_INVISIBLE = re.compile(f"[{CONTROLS}{FORMATS}\ufeff\ufffe\uffff]")
_FORMATS = re.compile(f"[{FORMATS}]")
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028]")
_NO_SHAPE = {"Cc", "Cf", "Zs", "Zl", "Zp"}
"""Unicode categories of which alone no question can be made: controls, formats (zero width), spaces."""
_SURROGATE = re.compile("[\ud800-\udfff]")

OPEN, CLOSE = "<<<", ">>>"
"""The lines around each passage. Text from documents cannot contain them."""

# Control tokens of chat formats: <|im_end|> (ChatML, Llama 3, Phi), <｜User｜> (DeepSeek), <end_of_turn> (Gemma),
# <s>, [INST] and <<SYS>> (Llama 2, Mistral). A server may read them as such wherever they stand.
_CONTROL_TOKEN = re.compile(
    r"<(?=\|[^|<>\n]{1,60}\|>|｜[^｜<>\n]{1,60}｜>|/?(?:s|bos|eos|pad|unk|(?:start|end)_of_\w{1,30})>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])",
    re.IGNORECASE,
)
_TURN_MARK = re.compile(r"<[^<>\s{}'\"]{1,60}>|<</?[A-Z]+>>|\[/?[A-Z_]{2,40}\]")

_MOST_MARKS = 30
_JOINER = "\u034f"
_HIDDEN_MARKS = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")
"""Of combining class 0, but they decompose into combining marks."""


def normalised(form: Literal["NFC", "NFKC"], text: str) -> str:
    """`text` in a Unicode normalisation form, in linear time.

    Python sorts the combining marks behind a letter in quadratic time: 100,000 of them take half a minute. As in the
    Stream-Safe Text Format (Unicode Annex 15, section 13), a joiner without width parts more than 30 of them.
    """
    if text.isascii():
        return text
    pieces, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) or character in _HIDDEN_MARKS else 0
        if marks > _MOST_MARKS:
            pieces.append(_JOINER)
            marks = 1
        pieces.append(character)
    return unicodedata.normalize(form, "".join(pieces))


def visible(text: str) -> str:
    """`text` without control characters and bidirectional overrides; lone surrogates become U+FFFD."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return encodable(_INVISIBLE.sub("", text))


def visible_lines(text: str) -> str:
    """The text of a document: `visible`, with line feeds for all that ends a line or page, without lone surrogates."""
    return visible(_SURROGATE.sub("", _BREAKS.sub("\n", text).replace("\u2029", "\n\n")))


def count_hiding(text: str) -> int:
    """How many characters of `text` hide or reorder others; `visible` leaves them out."""
    return len(_FORMATS.findall(text))


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word: "1 chunk", "3 chunks"; `many` where an s at the end does not make it."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def encodable(text: str) -> str:
    """`text` with U+FFFD for lone surrogates, which no UTF-8 can carry."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def without_control_tokens(text: str) -> str:
    """`text` in which a space takes apart what chat formats read as control tokens."""
    return _CONTROL_TOKEN.sub(r"\g<0> ", text)


def without_tokens(text: str, tokens: Iterable[str]) -> str:
    """`text` in which a space takes apart each of a model's own `tokens`."""
    for token in tokens:
        text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def with_system_prompt(system_prompt: str, question: str) -> str:
    """The question as a model gets it that has no role for a system prompt: that goes in front."""
    return f"{system_prompt}\n\n{question}"


def turn_marks(template: str) -> set[str]:
    """What looks like a mark between turns in a chat template: `<|im_end|>`, `<tool_call>`, `[/INST]`."""
    return set(_TURN_MARK.findall(template))


def quoted_for_prompt(text: str) -> str:
    """Text that can neither close its block nor be read as a control token of a chat format.

    Runs of three or more angle brackets become two; a space takes control tokens apart.
    """
    text = re.sub(r">{3,}", ">>", re.sub(r"<{3,}", "<<", text))
    return without_control_tokens(text)


def clean_question(question: Question) -> Question:
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
