"""Agreement of raters with each other, with themselves and with gold items; blinding."""

from __future__ import annotations

import pytest

from evaluation.ratings.agreement import alpha, blinding, disputed, gold_accuracy, self_consistency
from evaluation.ratings.model import Item, Rater, Rating

KRIPPENDORFF = {
    "A": [None, None, None, None, None, 3, 4, 1, 2, 1, 1, 3, 3, None, 3],
    "B": [1, None, 2, 1, 3, 3, 4, 3, None, None, None, None, None, None, None],
    "C": [None, None, 2, 1, 3, 4, 4, None, 2, 1, 1, 3, 3, None, 4],
}
"""The example of K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011); interval alpha is 0.811."""


def _scored(values: dict[str, list[int | None]]) -> list[Rating]:
    return [
        Rating(rater, item, ("x",), {"x": 1}, scores={"correct": {"x": value}})
        for rater, said in values.items()
        for item, value in enumerate(said)
        if value is not None
    ]


def test_alpha_is_that_of_the_published_example() -> None:
    found = alpha(_scored(KRIPPENDORFF), criterion="correct")
    assert found.value == pytest.approx(0.811, abs=0.001)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high  # type: ignore[operator]


def test_alpha_of_unanimous_or_single_ratings_is_undefined_and_says_why() -> None:
    same = [Rating(rater, item, ("x", "y"), {"x": 1, "y": 2}) for rater in "ab" for item in range(5)]
    assert alpha(same).value is None
    assert "everybody said the same" in alpha(same).why
    assert "no item was rated by two people" in alpha(same[:5]).why


def test_alpha_of_preferences_is_high_where_raters_agree_and_low_where_they_do_not() -> None:
    def said(rater: str, item: int, first: str) -> Rating:
        return Rating(rater, item, ("x", "y"), {"x": 1 if first == "x" else 2, "y": 2 if first == "x" else 1})

    agreed = [said(rater, item, "xy"[item % 2]) for rater in "abc" for item in range(12)]
    crossed = [
        said(rater, item, "xy"[(item // (place + 1)) % 2]) for place, rater in enumerate("abc") for item in range(12)
    ]
    assert alpha(agreed).value == pytest.approx(1.0)
    low = alpha(crossed).value
    assert low is not None
    assert low < 0.4


def test_self_consistency_gold_and_disputes() -> None:
    items = {0: Item(0, "?", {"x": "a", "y": "b"}, gold="x"), 1: Item(1, "?", {"x": "a", "y": "b"})}
    said = [
        Rating("a", 0, ("x", "y"), {"x": 1, "y": 2}),
        Rating("a", 0, ("y", "x"), {"x": 1, "y": 2}, again=True),
        Rating("b", 0, ("x", "y"), {"x": 2, "y": 1}),
        Rating("b", 0, ("y", "x"), {"x": 1, "y": 2}, again=True),
        Rating("a", 1, ("x", "y"), {"x": 1, "y": 2}),
        Rating("b", 1, ("x", "y"), {"x": 1, "y": 2}),
        Rating("c", 0, ("x", "y"), {"x": 1, "y": 1}, all_bad=True),
    ]
    consistency = self_consistency(said)
    assert (consistency.hits, consistency.of) == (1, 2)
    gold = gold_accuracy(said, items)
    assert {rater: (one.hits, one.of) for rater, one in gold.items()} == {"a": (1, 1), "b": (0, 1), "c": (0, 1)}
    assert disputed(said) == [(0, 1.0)]


def test_guesses_are_held_against_chance() -> None:
    names = ("a", "b", "c", "d")
    right = dict(zip(names, names, strict=True))
    turned = dict(zip(names, names[1:] + names[:1], strict=True))
    assert blinding([Rater("1", "x")], names).p is None
    once = blinding([Rater("1", "x", guess=right)], names)
    assert (once.right, once.of, once.expected) == (4, 4, 1.0)
    assert once.p == pytest.approx(1 / 24)
    twice = blinding([Rater("1", "x", guess=right), Rater("2", "y", guess=turned)], names)
    assert (twice.right, twice.expected) == (4, 2.0)
    assert twice.p is not None
    assert 1 / 24 < twice.p < 0.2
    assert blinding([Rater("1", "x", guess=turned)], names).p == pytest.approx(1.0)
