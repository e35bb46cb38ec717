"""The formulas of a month's cost, each with its exact value."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from evaluation.costs.inputs import PaymentProfile, UnknownValue
from evaluation.costs.monthly import as_decimal, curve, monthly
from tests.evaluation.costs.made_inputs import made_inputs

TOKENS = {"tokens in": Decimal("0.3"), "cached tokens in": Decimal("0.025"), "tokens out": Decimal("0.8")}


def parts(approach: str, rented: bool = True, **changes: str | None) -> dict[str, Decimal | None]:
    return {part.name: part.usd for part in monthly(approach, made_inputs(rented, **changes)).parts}


def test_tokens_are_charged_by_the_million_and_cached_ones_apart() -> None:
    assert parts("paid_api") == TOKENS
    assert monthly("paid_api", made_inputs()).usd == Decimal("1.125")
    assert monthly("paid_api", made_inputs()).per_answer == Decimal("0.0001125")


def test_nothing_cached_is_no_part() -> None:
    assert parts("paid_api", paid_api__cached_share="0") == {
        "tokens in": Decimal("0.4"),
        "tokens out": Decimal("0.8"),
    }


def test_machine_time_by_the_second() -> None:
    assert parts("raw", rented=False) == {"machine time": Decimal(2)}  # 10,000 × 2 s at 0.36 USD an hour
    assert parts("raw", rented=False, machine__at_once="8") == {"machine time": Decimal("0.25")}
    assert monthly("raw", made_inputs(rented=False)).machines == 0


@pytest.mark.parametrize(
    ("questions", "machines", "usd"),
    [
        ("1", 1, "262.8"),
        ("657000", 1, "262.8"),  # 730 × 3,600 × 0.5 / 2: full to the last answer
        ("657001", 2, "525.6"),
        ("1314001", 3, "788.4"),
    ],
)
def test_machines_are_rented_whole(questions: str, machines: int, usd: str) -> None:
    cost = monthly("raw", made_inputs(questions=questions))
    assert (cost.machines, cost.usd) == (machines, Decimal(usd))


def test_busier_machines_and_answers_at_once_need_fewer_machines() -> None:
    assert monthly("raw", made_inputs(questions="1314000", machine__utilisation="1")).machines == 1
    assert monthly("raw", made_inputs(questions="1314000", machine__at_once="2")).machines == 1
    assert monthly("raw", made_inputs(questions="1314000")).machines == 2


def test_training_and_documents_belong_to_their_approaches() -> None:
    assert parts("fine_tuned", rented=False) == {"machine time": Decimal(2), "training": Decimal("1.44")}
    assert parts("rag", rented=False) == {
        "machine time": Decimal(4),
        "embedding the documents": Decimal("0.03"),
        "storing the documents": Decimal("0.001"),
    }


def test_documents_searched_here_and_answered_by_the_paid_model_cost_both() -> None:
    over_paid = (
        PaymentProfile("rag", "handbook", on_machine=True, by_token=True, documents=True, priced_by="paid_api"),
    )
    cost = monthly("rag", made_inputs(rented=False, ways=over_paid))
    assert {part.name: part.usd for part in cost.parts} == {
        "tokens in": Decimal("2.4"),
        "tokens out": Decimal("0.8"),
        "machine time": Decimal(4),
        "embedding the documents": Decimal("0.03"),
        "storing the documents": Decimal("0.001"),
    }
    assert cost.usd == Decimal("7.231")


def test_the_formula_is_told_in_words_and_in_numbers() -> None:
    (time,) = monthly("raw", made_inputs(rented=False)).parts
    assert time.formula == "questions × seconds per answer ÷ answers at once ÷ 3,600 × machine rate per hour"
    assert time.numbers == "10,000 × 2 ÷ 1 ÷ 3,600 × 0.36"


@pytest.mark.parametrize("rented", [True, False])
def test_the_sum_is_that_of_the_parts(rented: bool) -> None:
    for way in ("raw", "fine_tuned", "paid_api", "rag"):
        cost = monthly(way, made_inputs(rented))
        assert cost.usd == sum((part.usd for part in cost.parts if part.usd is not None), Decimal(0))


def test_what_is_unknown_stays_unknown_with_its_reason() -> None:
    cost = monthly("paid_api", made_inputs(paid_api__price__output=None))
    assert (cost.usd, cost.per_answer, cost.why) == (None, None, "no paid_api.price.output")
    assert [(part.usd, part.why) for part in cost.parts] == [
        (TOKENS["tokens in"], ""),
        (TOKENS["cached tokens in"], ""),
        (None, "no paid_api.price.output"),
    ]
    assert cost.parts[2].numbers == "10,000 × 50 ÷ 1,000,000 × unknown"


def test_without_any_price_there_is_a_reason_and_no_zero() -> None:
    nobody = (PaymentProfile("paid_api", "nonesuch", why_unknown="no price is known"),)
    cost = monthly("paid_api", made_inputs(ways=nobody))
    assert (cost.usd, cost.parts, cost.why) == (None, (), "no price is known")
    with pytest.raises(UnknownValue, match="no price is known"):
        curve("paid_api", made_inputs(ways=nobody))


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"machine__utilisation": "0"}, "never busy"), ({"machine__at_once": "0"}, "at least one answer at once")],
)
def test_machines_that_answer_nothing_have_no_cost(changes: dict[str, str], why: str) -> None:
    cost = monthly("raw", made_inputs(**changes))  # type: ignore[arg-type]
    assert cost.usd is None
    assert why in cost.why


def test_answers_that_take_no_time_still_need_one_machine() -> None:
    assert monthly("raw", made_inputs(raw__machine_s="0")).usd == Decimal("262.8")


def test_a_fraction_that_ends_is_exact_as_a_decimal() -> None:
    assert as_decimal(Fraction(1, 8)) == Decimal("0.125")
    assert as_decimal(Fraction(1, 3)) == Decimal("0.3333333333333333333333333333")
