"""What a right answer costs, with the accuracy's interval, and where there is none."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from evaluation.costs.monthly import as_decimal
from evaluation.costs.right_answers import Accuracy, CostPerRight, cost_per_right
from evaluation.statistics import wilson


def test_the_cost_of_an_answer_over_the_share_of_right_ones() -> None:
    found = cost_per_right(Decimal("0.003"), Accuracy(60, 80, "measured here"))
    low, high = wilson(60, 80)
    assert found.usd == Decimal("0.004")
    assert found.low == as_decimal(Fraction(3, 1000) / Fraction(high))
    assert found.high == as_decimal(Fraction(3, 1000) / Fraction(low))
    assert found.low < found.usd < found.high


def test_all_right_costs_what_an_answer_costs() -> None:
    found = cost_per_right(Decimal("0.003"), Accuracy(10, 10, "measured here"))
    assert (found.usd, found.low) == (Decimal("0.003"), Decimal("0.003"))


def test_no_right_answer_is_said_and_never_divided_by() -> None:
    found = cost_per_right(Decimal("0.003"), Accuracy(0, 126, "measured here"))
    assert (found.usd, found.high, found.why) == (None, None, "no right answer")
    assert found.low == as_decimal(Fraction(3, 1000) / Fraction(wilson(0, 126)[1]))


@pytest.mark.parametrize(
    ("per_answer", "accuracy", "why", "told"),
    [
        (None, Accuracy(1, 2, "measured here"), "no price is known", "no price is known"),
        (None, None, "", "the cost of an answer is unknown"),
        (Decimal(1), None, "", "it is not known how many answers are right"),
    ],
)
def test_unknown_has_its_reason(per_answer: Decimal | None, accuracy: Accuracy | None, why: str, told: str) -> None:
    assert cost_per_right(per_answer, accuracy, why) == CostPerRight(None, why=told)


def test_an_answer_for_nothing_is_free_when_right_too() -> None:
    assert cost_per_right(Decimal(0), Accuracy(1, 2, "measured here")) == CostPerRight(
        Decimal(0), Decimal(0), Decimal(0)
    )
