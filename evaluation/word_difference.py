"""Where an answer departs from its reference, word by word."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST = 2_000
"""Words of both texts together that are compared: the time grows with their product."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Words that both texts have (`same`, as the answer spells them), only the reference (`missing`), or only the
    answer (`added`)."""

    kind: Literal["same", "missing", "added"]
    text: str


def word_difference(reference: str, answer: str) -> list[Piece] | None:
    """The pieces in their order; None for texts that are too long. Case, and punctuation around words, do not count."""
    one, other = reference.split(), answer.split()
    if len(one) + len(other) > MOST:
        return None
    found: list[Piece] = []
    matcher = SequenceMatcher(None, list(map(_compared, one)), list(map(_compared, other)), autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        ours = _piece("same" if kind == "equal" else "added", other[other_start:other_end])
        found += ours if kind == "equal" else _piece("missing", one[start:end]) + ours
    return found


def _piece(kind: Literal["same", "missing", "added"], words: Sequence[str]) -> list[Piece]:
    return [Piece(kind, " ".join(words))] if words else []


def _compared(word: str) -> str:
    return word.casefold().strip(string.punctuation) or word
