"""Which words of an answer are those of its reference."""

from __future__ import annotations

import pytest

from evaluation.word_difference import MOST, Piece, word_difference


@pytest.mark.parametrize(
    ("reference", "answer", "pieces"),
    [
        ("It is red.", "It is green.", [("same", "It is"), ("missing", "red."), ("added", "green.")]),
        ("It is red.", "it IS\n\nRED!", [("same", "it IS RED!")]),
        ("It is red", "red", [("missing", "It is"), ("same", "red")]),
        ("", "a b", [("added", "a b")]),
        ("a - b", "a b", [("same", "a"), ("missing", "-"), ("same", "b")]),
        ("a", "", [("missing", "a")]),
        ("", " ", []),
    ],
)
def test_words_are_compared_without_case_and_punctuation(
    reference: str, answer: str, pieces: list[tuple[str, str]]
) -> None:
    assert word_difference(reference, answer) == [Piece(kind, text) for kind, text in pieces]  # type: ignore[arg-type]


def test_texts_that_would_take_too_long_are_not_compared() -> None:
    assert word_difference("a " * MOST, "b") is None
    assert word_difference("a " * (MOST - 1), "b") is not None
