"""Which drafted pairs are worth a reviewer's time. Small models write much that is not."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePath
from typing import Literal

from backends.fine_tuned.draft_prompt import SourceChunk
from backends.fine_tuned.near_identical import normalised, words
from backends.rag.terms import Terms, terms

Refusal = Literal[
    "unreadable",
    "cut off",
    "incomplete",
    "too long",
    "speaks of the passage",
    "says nothing",
    "not in the passage",
    "duplicate",
    "more than asked for",
    "failed",
]
"""Why a draft was dropped; `unreadable` and `failed` count replies, since there is no draft to count."""

_FEWEST_WORDS, _MOST_QUESTION, _MOST_ANSWER = 3, 300, 600
_IN_PASSAGE = 0.5
"""Share of an answer's words that the passage must hold in some form; the rest is how the answer is put."""

_PASSAGE = re.compile(
    r"\b(the|this|that|above|given|following) (passage|text|excerpt|paragraph|extract|snippet|section above)\b",
    re.IGNORECASE,
)


def refusal(question: str, answer: str, chunk: SourceChunk) -> Refusal | None:
    """Why a draft is no use, or None. Not whether it is true: only a person who reads the source can tell that.

    Question and answer are held against the chunk and its document's name: their numbers (with units, where both have
    one) and names must stand there, and half of the answer's other words. Names are told by their capitals.
    """
    if not (question and answer) or len(words(question)) < _FEWEST_WORDS:
        return "incomplete"
    if len(question) > _MOST_QUESTION or len(answer) > _MOST_ANSWER:
        return "too long"
    if _PASSAGE.search(question) or _PASSAGE.search(answer):
        return "speaks of the passage"
    claim = terms(answer)
    if claim.empty or normalised(answer) == normalised(question):
        return "says nothing"
    source = _source(f"{PurePath(chunk.document).stem}\n{chunk.text}")
    held = _share(claim, source) >= _IN_PASSAGE and _mentions(source, claim) and _mentions(source, terms(question))
    return None if held else "not in the passage"


@lru_cache(maxsize=8)
def _source(text: str) -> Terms:
    return terms(text, sentence_start=False)


def _mentions(source: Terms, claim: Terms) -> bool:
    """Every number, with its unit where both have one, and every part of every name."""
    numbers = all(any(number.agrees(there) for there in source.numbers) for number in claim.numbers)
    return numbers and all(part in source.stems for name in claim.names for part in name)


def _share(claim: Terms, source: Terms) -> float:
    """The share of the claim's words that the source holds in some form; 1 if it has none."""
    return len(claim.words & source.stems) / len(claim.words) if claim.words else 1.0
