"""One input at a time turns out otherwise: costs and break-evens after it, exactly."""

from __future__ import annotations

from decimal import Decimal

from evaluation.costs.sensitivity import CHANGES, Effect, sensitivity
from tests.evaluation.costs.made_inputs import made_inputs


def effects(rented: bool = True, **changes: str | None) -> dict[str, Effect]:
    return {effect.name: effect for effect in sensitivity(made_inputs(rented, **changes))}


def test_every_change_is_told_once_and_in_order() -> None:
    assert list(effects()) == [change.name for change in CHANGES]


def test_prices_move_the_paid_model_alone() -> None:
    found = effects(rented=False)
    assert found["paid prices halve"].difference == {
        "raw": 0,
        "fine_tuned": 0,
        "paid_api": Decimal("-0.5625"),
        "rag": 0,
    }
    assert found["paid prices double"].difference["paid_api"] == Decimal("1.125")


def test_longer_answers_double_tokens_out_and_machine_time() -> None:
    found = effects(rented=False)["answers twice as long"]
    assert found.difference == {"raw": 2, "fine_tuned": 2, "paid_api": Decimal("0.8"), "rag": 4}


def test_the_machine_rate_moves_training_and_embedding_too() -> None:
    found = effects(rented=False)["machine rate halves"]
    assert found.difference == {
        "raw": -1,
        "fine_tuned": Decimal("-1.72"),
        "paid_api": 0,
        "rag": Decimal("-2.015"),
    }


def test_utilisation_counts_for_rented_machines_and_stops_at_all_of_them() -> None:
    found = effects(questions="657000", machine__utilisation="0.8")
    assert found["machines half as busy"].costs["raw"].machines == 2
    assert found["machines twice as busy (100 % at most)"].costs["raw"].machines == 1
    assert {effects(rented=False)["machines half as busy"].difference["raw"]} == {0}


def test_ten_times_the_questions() -> None:
    found = effects(rented=False)["ten times the questions"]
    assert found.costs["raw"].questions == 100_000
    assert found.costs["raw"].usd == 20


def test_a_break_even_moves_with_its_inputs() -> None:
    found = effects(rented=False, fine_tuned__machine_s="1")
    fine_tuned = {name: effect.break_evens[1] for name, effect in found.items()}
    assert fine_tuned["ten times the questions"].first == 115_201
    assert fine_tuned["paid prices double"].first == 11_521
    assert fine_tuned["paid prices halve"].kind == "never"


def test_what_is_unknown_has_no_difference() -> None:
    found = effects(paid_api__price__output=None)["paid prices double"]
    assert (found.costs["paid_api"].usd, found.difference["paid_api"]) == (None, None)
