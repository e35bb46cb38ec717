"""Net preference and its intervals, the matrix of wins, places, and what a plan promises."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.ratings.model import Rating
from evaluation.ratings.planner import Components, components_of, half_width, plan_words
from evaluation.ratings.preference import (
    Crossed,
    pair_preference,
    place_effects,
    preferences,
    two_way,
    wins,
)

ORDER = ("rag", "raw")


def _rated(rater: str, item: int, rag: int, raw: int, order: tuple[str, ...] = ORDER, again: bool = False) -> Rating:
    return Rating(rater, item, order, {"rag": rag, "raw": raw}, again=again)


def test_net_preference_is_won_minus_lost_and_a_repeated_item_counts_once() -> None:
    said = [_rated("a", 0, 1, 2), _rated("a", 1, 1, 1), _rated("b", 0, 2, 1), _rated("b", 1, 1, 2)]
    said += [_rated("a", 0, 2, 1, again=True), Rating("b", 2, ORDER, {})]
    rag, raw = preferences(said, ("rag", "raw"))
    assert rag.net is not None
    assert raw.net is not None
    assert (rag.net.value, raw.net.value) == (0.25, -0.25)
    assert (rag.ratings, rag.raters, rag.items) == (4, 2, 2)
    (found,) = wins(said, ("rag", "raw"))
    assert (found.won, found.lost, found.tied) == (2, 1, 1)
    pair = pair_preference(said, "rag", "raw")
    assert pair is not None
    assert pair.value == 0.25


def test_an_order_of_three_is_one_observation() -> None:
    said = [Rating("a", 0, ("x", "y", "z"), {"x": 1, "y": 2, "z": 3})]
    by_name = {one.approach: one for one in preferences(said, ("x", "y", "z", "w"))}
    assert [by_name[name].net.value for name in "xyz"] == [1.0, 0.0, -1.0]  # type: ignore[union-attr]
    assert {by_name[name].ratings for name in "xyz"} == {1}
    assert by_name["w"].net is None


def test_the_place_of_an_answer_is_told_from_the_answer() -> None:
    first_wins = [
        Rating("a", item, order, {order[0]: 1, order[1]: 2})
        for item, order in enumerate([("rag", "raw"), ("raw", "rag")] * 10)
    ]
    assert [one.net.value for one in place_effects(first_wins)] == [1.0, -1.0]
    assert [one.net.value for one in preferences(first_wins, ORDER)] == [0.0, 0.0]  # type: ignore[union-attr]


def test_intervals_of_panels_hold_the_truth_where_those_of_rows_do_not() -> None:
    """Simulated with effects of raters and items; a nominal 95 % (docs/measurements.md has more runs)."""
    drawn = np.random.default_rng(3)
    covered = {"rows": 0, "two ways": 0}
    raters, items, runs = 10, 100, 60
    truth = 0.2
    places = np.divmod(np.arange(raters * items), items)
    for _ in range(runs):
        values = truth + drawn.normal(0, 0.3, (raters, 1)) + drawn.normal(0, 0.5, (1, items))
        values = (values + drawn.normal(0, 0.8, (raters, items))).ravel()
        half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
        covered["rows"] += abs(values.mean() - truth) <= half
        found = two_way(Crossed(values, *places), draws=400)
        covered["two ways"] += found.low <= truth <= found.high
    assert covered["rows"] <= 0.7 * runs
    assert covered["two ways"] >= 0.85 * runs


def test_one_rater_of_one_item_has_an_interval_without_width() -> None:
    (found, _) = preferences([_rated("a", 0, 1, 2)], ORDER)
    assert found.net is not None
    assert (found.net.low, found.net.value, found.net.high) == (1.0, 1.0, 1.0)


def test_a_plan_says_what_more_raters_and_items_buy() -> None:
    parts = Components(0.04, 0.16, 0.4, "tried")
    assert half_width(parts, 5, 40) == pytest.approx(1.959964 * (0.04 / 5 + 0.16 / 40 + 0.4 / 200) ** 0.5)
    assert half_width(parts, 10, 40) < half_width(parts, 5, 40)
    assert half_width(parts, 5, 80, 3) < half_width(parts, 5, 40, 3)
    words = plan_words(parts, 5, 40)
    assert "5 raters and 40 items" in words[0]
    assert words[-1] == "Basis: tried."


def test_the_variances_of_raters_and_items_are_found_again() -> None:
    """Over many panels with missing ratings, on the mean."""
    drawn = np.random.default_rng(1)
    found = []
    for _ in range(60):
        wins_by = drawn.normal(0, 0.35, (8, 1)) + drawn.normal(0, 0.5, (1, 40)) + drawn.normal(0, 0.6, (8, 40))
        said = [
            _rated(str(rater), item, 1 if wins_by[rater, item] > 0 else 2, 2 if wins_by[rater, item] > 0 else 1)
            for rater in range(8)
            for item in range(40)
            if drawn.random() < 0.7
        ]
        components = components_of(said, ORDER)
        assert components is not None
        found.append((components.raters, components.items, components.rest))
    raters, items, rest = np.mean(found, axis=0)
    assert raters < items < rest
    assert raters + items + rest == pytest.approx(1.0, abs=0.12)
    assert components_of([_rated("a", 0, 1, 2)], ORDER) is None
