"""Passages that say the same twice: found among candidates, so that one place in the list is enough for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backends.rag.library import StoredChunk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OVERLAP = 0.5
"""Share of the shorter of two chunks of one document that they must have in common to count as one passage."""

_FIGURE = re.compile(r"\b[^\W\d]*+\d\w*")


def merged(
    order: Sequence[int],
    chunks: Mapping[int, StoredChunk],
    vectors: Mapping[int, NDArray[np.float32]],
    above: float,
    k: int,
) -> list[list[int]]:
    """The first `k` rows of `order` that say something new, each followed by the rows that only repeat it.

    Two chunks are near-duplicates if their cosine similarity is at least `above` and they hold the same figures, or
    if they share more than half of the shorter one. The figures matter: paragraphs on two products or of two editions
    of a rule reach 0.97 and differ in nothing but a number. With both rules no sample question lost a passage that
    answers it (November 2026). Pairs are compared one by one, as few are needed, and because a product of whole
    matrices wakes the threads of the numerical library, which cost 16 ms a query where the cores were busy.
    """
    groups: list[list[int]] = []
    for row in order:
        for group in groups:
            one, other = chunks[group[0]], chunks[row]
            alike = float(vectors[group[0]] @ vectors[row]) >= above and _figures(one) == _figures(other)
            if alike or _overlap(one, other):
                group.append(row)
                break
        else:
            if len(groups) == k:
                break
            groups.append([row])
    return groups


def _figures(one: StoredChunk) -> Counter[str]:
    return Counter(_FIGURE.findall(one.text))


def _overlap(one: StoredChunk, other: StoredChunk) -> bool:
    if one.document != other.document:
        return False
    common = min(one.end, other.end) - max(one.start, other.start)
    return common > OVERLAP * min(one.end - one.start, other.end - other.start)
