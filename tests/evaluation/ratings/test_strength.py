"""Strengths by Davidson's model: held against published figures and against simulations whose truth is known."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from evaluation.ratings.model import Item, Rating
from evaluation.ratings.strength import strengths

TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
WON = (
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)


def test_published_strengths_are_found() -> None:
    """American League 1987: A. Agresti, "Categorical Data Analysis" (2002), section 10.6: 1.58, 1.44, 1.29, 1.25,
    1.11, 0.68 against Baltimore."""
    ratings = [
        Rating(f"game {game}", place, (one, other), {one: 1, other: 2})
        for place, one in enumerate(TEAMS)
        for against, other in enumerate(TEAMS)
        for game in range(WON[place][against])
    ]
    found = {one.approach: one.log.value for one in strengths(ratings, TEAMS, draws=2, prior=1e-6).of}
    gaps = [found[team] - found["Baltimore"] for team in TEAMS[:-1]]
    assert gaps == pytest.approx([1.581, 1.436, 1.294, 1.248, 1.108, 0.684], abs=0.001)
    assert sum(found.values()) == pytest.approx(0, abs=1e-9)


def _simulated(count: int, truth: dict[str, float], tie: float, seed: int = 0) -> list[Rating]:
    """Ratings of two answers each, from Davidson's model."""
    drawn, found = random.Random(seed), []
    for number in range(count):
        one, other = drawn.sample(sorted(truth), 2)
        gap = truth[one] - truth[other]
        (said,) = drawn.choices((1, 0, -1), (math.exp(gap / 2), math.exp(tie), math.exp(-gap / 2)))
        ranks = {one: 1 + (said < 0), other: 1 + (said > 0)}
        found.append(Rating(f"rater {number % 20}", number % 50, (one, other), ranks))
    return found


def test_what_was_simulated_is_found_ties_included() -> None:
    truth = {"raw": -0.8, "rag": 0.6, "paid_api": 0.2}
    found = strengths(_simulated(6_000, truth, tie=-0.3), tuple(truth), draws=100)
    for one in found.of:
        assert one.log.value == pytest.approx(truth[one.approach], abs=0.08)
        assert one.log.low < truth[one.approach] < one.log.high
        gap, tie = truth[one.approach], math.exp(-0.3)
        half = math.exp(gap / 2)
        assert one.beats.value == pytest.approx((half + tie / 2) / (half + 1 / half + tie), abs=0.02)
    assert [one.approach for one in found.of] == ["rag", "paid_api", "raw"]


def test_a_ranking_is_one_observation_and_no_more() -> None:
    """Four answers in an order carry the weight of one pair: with the same prior they move strengths as little."""
    ranked = [Rating("ada", 0, tuple("abcd"), {name: rank for rank, name in enumerate("abcd", 1)})]
    paired = [Rating("ada", 0, ("a", "d"), {"a": 1, "d": 2})]
    whole, pair = strengths(ranked, tuple("abcd"), draws=2), strengths(paired, ("a", "d"), draws=2)
    first = {one.approach: one.log.value for one in whole.of}
    only = {one.approach: one.log.value for one in pair.of}
    assert 0 < first["a"] < only["a"]
    assert first["a"] == pytest.approx(-first["d"], abs=1e-9)
    many = strengths(ranked * 50, tuple("abcd"), draws=2).of
    assert many[0].log.value > 3 * first["a"]


def test_an_approach_that_always_won_has_a_finite_strength() -> None:
    ratings = [Rating(f"r{n % 3}", n, ("a", "b"), {"a": 1, "b": 2}) for n in range(30)]
    first, last = strengths(ratings, ("a", "b"), draws=50).of
    assert first.approach == "a"
    assert 1 < first.log.value < 5
    assert first.log.low <= first.log.value <= first.log.high
    assert last.beats.value == pytest.approx(1 - first.beats.value, abs=1e-9)


def test_the_interval_is_wider_where_raters_differ_than_rows_would_say() -> None:
    """Two raters with opposite tastes: another panel could say anything."""
    ratings = [
        Rating(rater, item, ("a", "b"), {"a": 1 + flip, "b": 2 - flip})
        for item in range(40)
        for rater, flip in (("ada", 0), ("bo", 1))
    ]
    found = strengths(ratings, ("a", "b")).of[0]
    assert found.log.value == pytest.approx(0, abs=1e-9)
    assert found.log.low < -2
    assert found.log.high > 2


def test_without_comparisons_it_says_why() -> None:
    assert strengths([], ("a", "b")).why == "nothing was compared"
    apart = [Rating("r", 0, ("a", "b"), {"a": 1, "b": 2}), Rating("r", 1, ("c", "d"), {"c": 1, "d": 2})]
    assert "never rated beside" in strengths(apart, tuple("abcd")).why


def test_what_length_does_is_taken_off_if_that_is_wanted() -> None:
    """Raters like what is long, and nothing else: `b` writes twice as much in the mean, and leads for that alone."""
    drawn = random.Random(5)
    items, ratings = {}, []
    for number in range(400):
        sizes = {"a": 2 ** drawn.uniform(5, 8), "b": 2 ** drawn.uniform(6, 9)}
        items[number] = Item(number, "?", {name: "x" * round(size) for name, size in sizes.items()})
        gap = 0.9 * math.log2(len(items[number].answers["b"]) / len(items[number].answers["a"]))
        for rater in range(5):
            b_wins = drawn.random() < 1 / (1 + math.exp(-gap))
            ratings.append(Rating(f"r{rater}", number, ("a", "b"), {"a": 1 + b_wins, "b": 2 - b_wins}))
    plain = {one.approach: one.log for one in strengths(ratings, ("a", "b"), draws=50).of}
    style = strengths(ratings, ("a", "b"), items, draws=50)
    adjusted = {one.approach: one.log for one in style.of}
    assert plain["b"].low > 0.2
    assert adjusted["b"].value == pytest.approx(0, abs=0.1)
    assert adjusted["b"].low < 0 < adjusted["b"].high
    assert style.doubling is not None
    assert style.doubling.value == pytest.approx(0.9, abs=0.12)
    assert style.doubling.low < 0.9 < style.doubling.high
    assert style.citing is None  # nobody cites
    cited = {n: replace(one, facts={"b": {"cites": n % 2 == 0}}) for n, one in items.items()}
    found = strengths(ratings, ("a", "b"), cited, draws=50).citing
    assert found is not None
    assert found.low < 0 < found.high
