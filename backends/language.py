"""Which language a text is in."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CHARACTERS = 20_000
"""How much of a text is looked at, from its beginning."""

MIN_LETTERS = 20
"""Fewer letters than this say nothing."""

_MIN_CONFIDENCE = 0.5
_NO_LANGUAGE = "zxx"
_NOT_WORDS = re.compile(r"https?://\S+|[\W\d_]+")


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None if it is too short or no language is likely."""
    words = _NOT_WORDS.sub(" ", text[:CHARACTERS]).strip()
    if len(words) - words.count(" ") < MIN_LETTERS:
        return None
    language, confidence = _identifier().classify(words)
    return str(language) if confidence >= _MIN_CONFIDENCE and language != _NO_LANGUAGE else None


@functools.cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
