"""Costs in sentences: what a user reads about break-evens, cheapest approaches and training from scratch."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from evaluation.costs.break_even import BreakEven
from evaluation.costs.monthly import monthly
from evaluation.costs.scratch import from_scratch
from tests.evaluation.costs.made_inputs import WAYS, made_inputs
from ui.costs.scratch import conclusion, days, table
from ui.costs.sentences import break_even_sentence, cheapest_sentence, price_step, rounded_count, unknown_cost
from ui.shared import numbers

LEAST, PAID = Decimal("0.0003"), Decimal("0.0001")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            BreakEven("fine_tuned", "from", 12_346, 12_346),
            "From 12,400 questions a month on, the fine-tuned model is cheaper than gpt-4.1-mini.",
        ),
        (
            BreakEven("raw", "from", 61, 121),
            "From 121 questions a month on (now and then from 61 on), the raw model is cheaper than gpt-4.1-mini.",
        ),
        (BreakEven("rag", "always", 1, 1), "At every volume, RAG is cheaper than gpt-4.1-mini."),
        (
            BreakEven("raw", "never", least=LEAST, paid=PAID),
            "The raw model never gets cheaper than gpt-4.1-mini: an answer costs $0.0003 at best, against $0.0001; "
            "a machine would have to give 3 times as many answers.",
        ),
        (
            BreakEven("raw", "never", least=PAID, paid=Decimal(0)),
            "The raw model never gets cheaper than gpt-4.1-mini: an answer costs $0.0001 at best, against $0.",
        ),
        (
            BreakEven("raw", "unknown", why="no price is known"),
            "Whether the raw model is ever cheaper than gpt-4.1-mini cannot be said: no price is known.",
        ),
    ],
)
def test_a_break_even_in_a_sentence(found: BreakEven, sentence: str) -> None:
    assert break_even_sentence(found, made_inputs()) == sentence


@pytest.mark.parametrize(
    ("exact", "shown"),
    [(1, "1"), (999, "999"), (1000, "1,000"), (1001, "1,010"), (12_300, "12,300"), (99_901, "100,000")],
)
def test_a_number_of_questions_is_rounded_up(exact: int, shown: str) -> None:
    assert rounded_count(exact) == shown


def test_amounts_that_read_the_same_cost_least_together() -> None:
    inputs = made_inputs(training__per_month="0.001", documents__chunks="1")  # 262.8 each, and a fraction of a cent
    costs = [monthly(approach, inputs) for approach in ("raw", "fine_tuned", "rag")]
    assert len({cost.usd for cost in costs}) == 3
    assert cheapest_sentence(costs, inputs) == (
        "At 10,000 questions a month, the raw model, the fine-tuned model and RAG cost least: $263 a month."
    )


def test_an_unknown_cost_says_what_to_do() -> None:
    ways = tuple(replace(way, by_token=not way.paid, why_unknown="no price") if way.paid else way for way in WAYS)
    unpriced = made_inputs(ways=ways)
    step = "Type its price per million tokens under gpt-4.1-mini in the inputs."
    assert (price_step(unpriced), price_step(made_inputs())) == (step, "")
    assert unknown_cost(monthly("paid_api", unpriced), unpriced) == f"Its cost is unknown: no price. {step}"
    untimed = made_inputs(raw__machine_s=None)
    told = unknown_cost(monthly("raw", untimed), untimed)
    assert told == "Its cost is unknown: no raw.machine_s. Fill in what is unknown in the inputs."


def test_who_is_cheapest() -> None:
    inputs = made_inputs()
    costs = [monthly(way.approach, inputs) for way in inputs.profiles]
    assert cheapest_sentence(costs, inputs) == ("At 10,000 questions a month, gpt-4.1-mini costs least: $1.12 a month.")
    assert cheapest_sentence([costs[0], costs[0]], inputs) == (
        "At 10,000 questions a month, the raw model and the raw model cost least: $263 a month."
    )
    unknown = made_inputs(paid_api__price__input=None)
    assert cheapest_sentence([monthly("paid_api", unknown)], unknown) == "No approach has a known cost."


@pytest.mark.parametrize(
    ("value", "shown"),
    [("28.09", "28.1 days"), ("0.5", "12 hours"), ("0.01", "14.4 min"), ("0.0001", "8.64 s"), ("0", "under a second")],
)
def test_days_hours_minutes(value: str, shown: str) -> None:
    assert days(Decimal(value)) == shown


def test_large_numbers_have_their_power_of_ten() -> None:
    assert numbers.power(Decimal(2_700_000_000)) == "2.7 × 10⁹"
    assert numbers.power(Decimal("7.68E+21")) == "7.68 × 10²¹"


def test_the_point_about_training_from_scratch() -> None:
    rows = from_scratch(Decimal("0.01"))
    assert conclusion(rows, Decimal("0.01")) == (
        "Do not train from scratch: even the small base model used here took about $2,840, and one of 8B parameters "
        "takes $13,500 and 28.1 days on 8 GPUs at least. A fine-tuning costs $0.01: 284,000 times and 1,350,000 times "
        "less."
    )
    assert conclusion(from_scratch(None), None).endswith("28.1 days on 8 GPUs at least.")
    assert list(table(from_scratch(None))["Times fine-tuning"]) == ["\u2014"] * 5
