"""The order in which answers are shown, and what a rating says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from backends.errors import BackendError
from evaluation.ratings.model import Item, Plan, order_of, outcome

ORDER = ("rag", "raw", "paid_api")


def test_every_answer_stands_at_each_place_equally_often(items: list[Item]) -> None:
    for rater in ("a", "b", "c"):
        orders = [order_of(7, rater, Item(number, one.question, one.answers)) for number, one in enumerate(items)]
        for place in range(3):
            assert Counter(order[place] for order in orders) == {"raw": 3, "rag": 3, "paid_api": 3}


def test_orders_differ_by_rater_and_are_the_same_again(items: list[Item]) -> None:
    drawn = {rater: [order_of(7, rater, Item(n, "?", items[0].answers)) for n in range(30)] for rater in "abcd"}
    assert len({tuple(orders) for orders in drawn.values()}) == 4
    assert drawn["a"] == [order_of(7, "a", Item(n, "?", items[0].answers)) for n in range(30)]
    assert drawn["a"] != [order_of(7, "a", Item(n, "?", items[0].answers), again=True) for n in range(30)]


@pytest.mark.parametrize(
    ("plan", "said", "ranks"),
    [
        (Plan(), {"best": [2]}, {"rag": 2, "raw": 1, "paid_api": 2}),
        (Plan(), {"best": [1, 3]}, {"rag": 1, "raw": 2, "paid_api": 1}),
        (Plan(), {"best": [1, 2, 3]}, {"rag": 1, "raw": 1, "paid_api": 1}),
        (Plan("rank"), {"ranks": [3, 1, 1]}, {"rag": 2, "raw": 1, "paid_api": 1}),
        (Plan("rank"), {"ranks": [3, 2, 1]}, {"rag": 3, "raw": 2, "paid_api": 1}),
        (
            Plan("scale", ("correct", "clear")),
            {"scores": {"correct": [5, 1, 3], "clear": [1, 1, 3]}},
            {"rag": 1, "raw": 2, "paid_api": 1},
        ),
    ],
)
def test_what_is_said_of_places_is_said_of_approaches(plan: Plan, said: dict[str, Any], ranks: dict[str, int]) -> None:
    found = outcome(plan, ORDER, said)
    assert dict(found.ranks) == ranks
    assert (found.skipped, found.all_bad) == (False, False)


def test_all_bad_and_skipped_are_outcomes_of_their_own() -> None:
    assert outcome(Plan(), ORDER, {"all_bad": True}).all_bad
    assert outcome(Plan(), ORDER, {"skip": True}).skipped
    with pytest.raises(BackendError, match="does not take that all answers are bad"):
        outcome(Plan(all_bad=False), ORDER, {"all_bad": True})


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(), {}),
        (Plan(), {"best": []}),
        (Plan(), {"best": [4]}),
        (Plan(), {"best": [0]}),
        (Plan(), {"best": ["1"]}),
        (Plan(ties=False), {"best": [1, 2]}),
        (Plan("rank"), {"ranks": [1, 2]}),
        (Plan("rank"), {"ranks": [1, 2, 4]}),
        (Plan("rank", ties=False), {"ranks": [1, 1, 2]}),
        (Plan("scale", ("correct",)), {"scores": {"correct": [1, 2, 6]}}),
        (Plan("scale", ("correct",)), {"scores": {"clear": [1, 2, 3]}}),
        (Plan("scale", ("correct",)), {}),
    ],
)
def test_what_the_plan_does_not_take_is_refused_in_a_sentence(plan: Plan, said: dict[str, Any]) -> None:
    with pytest.raises(BackendError) as refused:
        outcome(plan, ORDER, said)
    assert refused.value.next_step


@pytest.mark.parametrize("plan", [Plan("scale"), Plan(per_item=2), Plan(repeated=0.6), Plan("scale", ("a", "a"))])
def test_a_plan_that_cannot_be_asked_is_refused(plan: Plan) -> None:
    with pytest.raises(BackendError):
        plan.checked()
