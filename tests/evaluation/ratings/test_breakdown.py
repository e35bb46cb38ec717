"""Ratings by tag, by length and citations, and against automatic scores."""

from __future__ import annotations

import pytest

from evaluation.ratings.breakdown import by_score, by_tag, citing, longer
from evaluation.ratings.model import Item, Rating


def _rated(item: int, best: str, rater: str = "ada") -> Rating:
    ranks = {name: 1 if name == best else 2 for name in ("raw", "rag")}
    return Rating(rater, item, ("raw", "rag"), ranks)


def test_each_tag_with_enough_items_has_its_own_preference() -> None:
    tags = [("price",)] * 4 + [("date",)] * 6
    items = {n: Item(n, "?", {"raw": "a", "rag": "b"}, tags=tags[n]) for n in range(10)}
    ratings = [_rated(n, "rag" if n < 4 else "raw", rater) for n in range(10) for rater in ("ada", "bo")]
    found = {one.tag: one for one in by_tag(ratings, items, ("raw", "rag"))}
    assert list(found) == ["date", "price"]
    assert found["price"].items == 4
    price = {one.approach: one.net for one in found["price"].of}
    assert price["rag"] is not None
    assert price["rag"].value == 1.0
    date = {one.approach: one.net for one in found["date"].of}
    assert date["rag"] is not None
    assert date["rag"].value == -1.0


def test_a_tag_with_two_items_is_left_out() -> None:
    items = {n: Item(n, "?", {"raw": "a", "rag": "b"}, tags=("few",) if n < 2 else ()) for n in range(5)}
    assert by_tag([_rated(n, "rag") for n in range(5)], items, ("raw", "rag")) == []


def test_whether_the_longer_answer_won_is_counted_pair_by_pair() -> None:
    items = {n: Item(n, "?", {"raw": "long answer", "rag": "short"}) for n in range(8)}
    ratings = [_rated(n, "raw" if n < 6 else "rag") for n in range(8)]
    found = longer(ratings, items)
    assert found is not None
    assert found.net.value == pytest.approx((6 - 2) / 8)
    assert (found.ratings, found.pairs) == (8, 8)
    assert found.net.low < found.net.value < found.net.high
    assert longer(ratings, {n: Item(n, "?", {"raw": "same", "rag": "size"}) for n in range(8)}) is None


def test_answers_that_cite_are_held_against_those_that_do_not() -> None:
    facts = {"rag": {"cites": True}, "raw": {"cites": False}}
    items = {n: Item(n, "?", {"raw": "a", "rag": "b"}, facts=facts if n < 4 else {}) for n in range(6)}
    found = citing([_rated(n, "rag" if n < 3 else "raw") for n in range(6)], items)
    assert found is not None
    assert (found.net.value, found.pairs) == (0.5, 4)


def test_a_score_is_held_against_what_people_prefer() -> None:
    """`good` says what people say, `bad` the opposite, `flat` tells nothing apart, and one answer has no score."""
    scored = {
        "raw": {"scores": {"good": 0.0, "bad": 1.0, "flat": 0.5}},
        "rag": {"scores": {"good": 1.0, "bad": 0.0, "flat": 0.5}},
    }
    items = {n: Item(n, "?", {"raw": "a", "rag": "b"}, facts=scored if n else {"raw": scored["raw"]}) for n in range(6)}
    found = by_score([_rated(n, "rag") for n in range(6)], items)
    assert {name: one.net.value for name, one in found.items()} == {"good": 1.0, "bad": -1.0}
    assert found["good"].pairs == 5
