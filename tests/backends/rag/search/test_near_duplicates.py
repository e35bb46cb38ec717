"""Passages that repeat another one."""

from __future__ import annotations

import numpy as np

from backends.rag.search.retriever import merge_near_duplicates
from backends.rag.store.library import StoredChunk

NEAR = np.array([1.0, 0.0], dtype=np.float32)
ALIKE = np.array([0.98, 0.199], dtype=np.float32)
FAR = np.array([0.0, 1.0], dtype=np.float32)


def groups(*chunks: tuple[str, int, int, str, np.ndarray], above: float = 0.95, k: int = 9) -> list[list[int]]:
    stored = {
        row: StoredChunk(row, "", document, None, start, end, "", text)
        for row, (document, start, end, text, _) in enumerate(chunks)
    }
    vectors = {row: vector for row, (*_, vector) in enumerate(chunks)}
    return merge_near_duplicates(list(stored), stored, vectors, above, k)


def test_the_same_in_other_words_is_merged_into_the_first() -> None:
    one = ("a", 0, 50, "Goods go back within 30 days.", NEAR)
    other = ("b", 0, 50, "Within 30 days goods go back.", ALIKE)
    assert groups(one, ("c", 0, 9, "Else.", FAR), other) == [[0, 2], [1]]
    assert groups(one, other, above=0.99) == [[0], [1]]


def test_other_figures_are_never_merged() -> None:
    assert groups(("k2", 0, 50, "The K2 holds 1.7 litres.", NEAR), ("k3", 0, 50, "The K3 holds 1.5 litres.", NEAR)) == [
        [0],
        [1],
    ]


def test_chunks_that_share_most_of_their_text_are_merged() -> None:
    assert groups(("a", 0, 100, "x", NEAR), ("a", 40, 140, "y", FAR)) == [[0, 1]]
    assert groups(("a", 0, 100, "x", NEAR), ("a", 75, 175, "y", FAR)) == [[0], [1]]
    assert groups(("a", 0, 100, "x", NEAR), ("b", 0, 100, "y", FAR)) == [[0], [1]]


def test_it_stops_when_there_are_enough() -> None:
    chunks = [("a", place * 100, place * 100 + 50, f"number {place}", NEAR) for place in range(5)]
    assert groups(*chunks, k=2) == [[0], [1]]
    assert groups() == []


def test_figures_are_whole_words_with_a_digit() -> None:
    one, other = (f"{'a' * 50_000} the {name}, b_2 and 3rd" for name in ("K2", "K3"))
    assert groups(("a", 0, 9, one, NEAR), ("b", 0, 9, other, NEAR)) == [[0], [1]]
    assert groups(("a", 0, 9, one, NEAR), ("b", 0, 9, f"b_2, 3rd, K2 {'a' * 50_000}", NEAR)) == [[0, 1]]
