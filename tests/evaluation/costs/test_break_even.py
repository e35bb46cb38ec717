"""From when on an approach is cheaper than the paid model, by the inputs; and the order just below and above."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.costs.break_even import BreakEven, break_even, break_evens
from evaluation.costs.inputs import Inputs, PaymentProfile
from evaluation.costs.monthly import monthly
from tests.evaluation.costs.made_inputs import made_inputs

ASKED = Decimal("0.0001125")  # what the paid model asks for an answer


def at(questions: int, inputs: Inputs, approach: str) -> Decimal:
    cost = monthly(approach, inputs.assuming({"questions": Decimal(questions)})).usd
    assert cost is not None
    return cost


def test_pay_per_second_crosses_where_the_training_is_earned_back() -> None:
    inputs = made_inputs(rented=False, fine_tuned__machine_s="1")
    # 1.44 USD of training; an answer costs 0.0001 here and 0.0001125 there: equal at 115,200
    assert break_even("fine_tuned", inputs) == BreakEven(
        "fine_tuned", "from", 115_201, 115_201, least=Decimal("0.0001"), paid=ASKED
    )
    assert at(115_200, inputs, "fine_tuned") == at(115_200, inputs, "paid_api")
    assert at(115_201, inputs, "fine_tuned") < at(115_201, inputs, "paid_api")


def test_always_and_never() -> None:
    inputs = made_inputs(rented=False, raw__machine_s="1")
    assert break_even("raw", inputs) == BreakEven("raw", "always", 1, 1, least=Decimal("0.0001"), paid=ASKED)
    assert break_even("rag", inputs) == BreakEven("rag", "never", least=Decimal("0.0004"), paid=ASKED)


def test_rented_machines_are_scanned_step_by_step() -> None:
    inputs = made_inputs(machine__usd_per_hour="0.1", machine__at_once="2", raw__machine_s="2")
    # 73 USD for 1,314,000 answers; 73 / 0.0001125 = 648,888.9; a second machine makes it 146: 1,297,777.8 < 1,314,000
    found = break_even("raw", inputs)
    assert (found.kind, found.first, found.lasting) == ("from", 648_889, 648_889)
    tight = made_inputs(machine__usd_per_hour="0.18", machine__at_once="2", raw__machine_s="2")
    # 131.4 USD each: 1,168,000 of 1,314,000; the second from 2,336,000 on, ... the n-th is earned by n × 1,168,000
    found = break_even("raw", tight)
    assert (found.kind, found.first, found.lasting) == ("from", 1_168_001, 9_344_001)
    assert at(9_344_000, tight, "raw") == at(9_344_000, tight, "paid_api")
    assert at(9_344_001, tight, "raw") < at(9_344_001, tight, "paid_api")
    assert at(9_198_000, tight, "raw") < at(9_198_000, tight, "paid_api")


def test_every_approach_but_the_paid_one_is_told() -> None:
    assert [one.approach for one in break_evens(made_inputs())] == ["raw", "fine_tuned", "rag"]


def test_what_is_unknown_is_told_with_its_reason() -> None:
    assert break_even("raw", made_inputs(paid_api__price__input=None)) == BreakEven(
        "raw", "unknown", why="no paid_api.price.input"
    )
    own = (PaymentProfile("raw", "base", on_machine=True), PaymentProfile("paid_api", "served", on_machine=True))
    assert break_even("raw", made_inputs(ways=own)).why == (
        "the paid model runs on a machine of yours, not at a price per token"
    )


AMOUNT = st.decimals(Decimal("0.001"), Decimal(100), places=3).map(str)


@pytest.mark.parametrize("rented", [True, False])
@settings(max_examples=60, deadline=None)
@given(seconds=AMOUNT, rate=AMOUNT, price=AMOUNT, utilisation=st.integers(1, 100), training=st.integers(0, 10**5))
def test_one_question_fewer_changes_the_order(
    rented: bool, seconds: str, rate: str, price: str, utilisation: int, training: int
) -> None:
    inputs = made_inputs(
        rented,
        fine_tuned__machine_s=seconds,
        machine__usd_per_hour=rate,
        machine__utilisation=str(Decimal(utilisation) / 100),
        training__seconds=str(training),
        paid_api__price__output=price,
    )
    found = break_even("fine_tuned", inputs)
    if found.first is None or found.lasting is None:
        assert found.kind == "never"
        return
    for number in (found.first, found.lasting):
        assert at(number, inputs, "fine_tuned") < at(number, inputs, "paid_api")
        if number > 1:
            assert at(number - 1, inputs, "fine_tuned") >= at(number - 1, inputs, "paid_api")
