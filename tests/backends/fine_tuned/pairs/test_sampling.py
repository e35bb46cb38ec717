"""A sample of many pairs keeps groups of paraphrases together."""

from __future__ import annotations

from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.pairs.held_out import sample_pairs

PAIRS = [
    Pair(f"{how} number {n}?", f"Answer {n}.", f"g{n}") for n in range(20) for how in ("Who is", "What about", "And")
]


def test_whole_groups_in_their_order_and_never_more() -> None:
    sample = sample_pairs(PAIRS, 16, seed=1)
    assert len(sample) == 15
    assert sample == [pair for pair in PAIRS if pair.group in {one.group for one in sample}]


def test_the_same_seed_gives_the_same_sample_in_whichever_order() -> None:
    assert sample_pairs(PAIRS, 9, seed=1) == sample_pairs(PAIRS, 9, seed=1)
    assert set(sample_pairs(PAIRS[::-1], 9, seed=1)) == set(sample_pairs(PAIRS, 9, seed=1))
    assert sample_pairs(PAIRS, 9, seed=1) != sample_pairs(PAIRS, 9, seed=2)


def test_few_pairs_are_all_taken_and_a_large_group_is_cut() -> None:
    assert sample_pairs(PAIRS, 60) == PAIRS
    alike = [Pair(f"Question {n} of many?", "Yes.", "all") for n in range(30)]
    assert len(sample_pairs(alike, 7)) == 7
