"""A part of many pairs, for when all of them would take too long."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from backends.fine_tuned.held_out import groups
from backends.fine_tuned.pairs import Pair


def sample_pairs(pairs: Sequence[Pair], n: int, seed: int = 0) -> list[Pair]:
    """About `n` pairs, never more, by whole groups of paraphrases, in their order.

    The same pairs and seed give the same sample, in whichever order the pairs come. If no group is small enough, its
    first pairs are taken.
    """
    if len(pairs) <= n:
        return list(pairs)
    drawn = sorted(groups(pairs), key=lambda group: min(_place(pairs[position], seed) for position in group))
    chosen: list[int] = []
    for group in drawn:
        if len(chosen) + len(group) <= n:
            chosen += group
    return [pairs[position] for position in sorted(chosen or drawn[0][:n])]


def _place(pair: Pair, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{pair.question}\n{pair.answer}".encode()).hexdigest()
