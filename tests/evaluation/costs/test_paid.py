"""Several paid models in one calculation: connections, prices by hand, and documents that one of them reads."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from backends.base import Answer, Cost, Timings, Usage
from backends.remote.connection_settings import ManualPrice
from backends.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings, load_settings
from backends.spend import ledger
from backends.spend.pricing import price_list
from evaluation.costs.break_even import break_evens
from evaluation.costs.current_inputs import current_inputs
from evaluation.costs.monthly import month_at, monthly
from evaluation.costs.paid import ManualModel, PickedModel, paid_models, priced_connections
from evaluation.costs.sensitivity import sensitivity

SEARCHED = f"handbook searched with {DEFAULT_EMBEDDER}"
OFFER = ManualModel("Our own. Model", ManualPrice(input_usd=Decimal(2), output_usd=Decimal(10), date=date(2026, 11, 3)))


def settings_of(data: Path, **overrides: str) -> Settings:
    connections = {
        "connections.own.base_url": "http://127.0.0.1:9/v1",
        "connections.own.model": "big",
        "connections.own.price.input_usd": "1",
        "connections.own.price.cached_usd": "0.5",
        "connections.own.price.output_usd": "4",
        "connections.own.price.date": "2026-11-01",
        "connections.router.base_url": "https://api.openai.com/v1",
        "connections.router.model": "gpt-4.1-mini",
        "connections.bare.base_url": "http://10.0.0.1/v1",
        "connections.bare.model": "nonesuch",
    }
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings({"data": str(data), **connections, **named})


def record(data: Path, approach: str, model: str, usage: Usage, latency_s: float = 1.0, usd: str | None = None) -> None:
    timings = Timings(latency_s=latency_s, retrieval_s=latency_s / 8)
    cost = Cost(None if usd is None else Decimal(usd), "")
    ledger.append(data, Answer(approach, model, "", "ok", timings=timings, usage=usage, cost=cost), "real")


def test_a_connection_has_its_own_tokens_and_its_price_by_hand_with_its_date(tmp_path: Path) -> None:
    record(tmp_path, "paid_api:own", "big", Usage(200, 20))
    inputs = current_inputs(settings_of(tmp_path), compared=["paid_api:own", "paid_api"])
    price = inputs.values["paid_api:own.price.cached"]
    assert (price.value, price.origin, price.note) == (
        Decimal("0.5"),
        "entered by hand",
        "big, price entered by hand on 2026-11-01",
    )
    assert inputs.values["paid_api:own.prompt_tokens"].origin == "measured here"
    assert inputs.values["paid_api.prompt_tokens"].note.startswith("as measured of big: mean of 1 answer")
    # 10,000 × (200 × 1 + 20 × 4) ÷ 1,000,000 and the same tokens at 0.4 and 1.6
    assert monthly("paid_api:own", inputs).usd == Decimal("2.8")
    assert monthly("paid_api", inputs).usd == Decimal("1.12")
    assert inputs.reference == "paid_api:own"
    assert [one.approach for one in break_evens(inputs)] == ["raw", "fine_tuned", "rag"]


def test_a_model_that_is_no_connection_is_computed_at_the_price_that_was_entered(tmp_path: Path) -> None:
    record(tmp_path, "paid_api", "gpt-4.1-mini", Usage(100, 50))
    inputs = current_inputs(settings_of(tmp_path), compared=["paid_api", OFFER.approach], added=[OFFER])
    assert OFFER.approach == "paid_api:our-own-model:by-hand"
    cost = monthly(OFFER.approach, inputs)
    assert (cost.model, cost.usd) == ("Our own. Model", Decimal(7))  # 10,000 × (100 × 2 + 50 × 10) ÷ 1,000,000
    assert cost.parts[0].formula == "questions × tokens in × (1 − share that is cached) ÷ 1,000,000 × " + (
        "price of a million tokens in"
    )
    assert inputs.values[f"{OFFER.approach}.price.input"].note == "Our own. Model, price entered by hand on 2026-11-03"
    assert ManualModel("***", OFFER.price).approach == "paid_api:model:by-hand"


def test_a_model_of_the_price_list_is_computed_at_its_list_price(tmp_path: Path) -> None:
    record(tmp_path, "paid_api", "gpt-4.1-mini", Usage(100, 50))
    found = {(one.provider_id, one.model): one for one in price_list()}
    listed = found["anthropic", "claude-haiku-4-5"]
    picked = PickedModel(listed)
    inputs = current_inputs(settings_of(tmp_path), compared=["paid_api", picked.approach], added=[picked])
    cost = monthly(picked.approach, inputs)
    assert cost.model == "claude-haiku-4-5"
    assert cost.usd == month_at(listed.rates, inputs)
    expected = 10_000 * (100 * listed.rates.input_mtok + 50 * listed.rates.output_mtok) / 1_000_000
    assert cost.usd == expected > 0
    price = inputs.values[f"{picked.approach}.price.input"]
    assert (price.value, price.origin, price.note) == (listed.rates.input_mtok, "price list", listed.rates.basis)
    assert month_at(found["openai", "gpt-4.1-mini"].rates, inputs) == monthly("paid_api", inputs).usd


def test_every_model_of_the_price_list_stands_for_itself(tmp_path: Path) -> None:
    listed = price_list()
    assert len(listed) > 500
    picked = [PickedModel(one) for one in listed]
    assert len({one.approach for one in picked}) == len(picked)
    inputs = current_inputs(settings_of(tmp_path), compared=[one.approach for one in picked], added=picked)
    assert len([way for way in inputs.profiles if way.paid]) == len(picked)


def test_what_is_not_there_any_more_is_left_out(tmp_path: Path) -> None:
    inputs = current_inputs(settings_of(tmp_path), compared=["paid_api:gone", OFFER.approach])
    assert [way.approach for way in inputs.profiles if way.paid] == ["paid_api"]
    current_inputs(settings_of(tmp_path), {"paid_api:gone.price.input": Decimal(1)})


def test_an_approach_without_a_price_is_unknown_and_the_others_are_not(tmp_path: Path) -> None:
    inputs = current_inputs(settings_of(tmp_path), compared=["paid_api", "paid_api:bare"])
    assert monthly("paid_api:bare", inputs).why.startswith("no price per token is known for nonesuch at 10.0.0.1")
    assert monthly("paid_api", inputs).usd is not None
    typed = {f"paid_api:bare.price.{of}": Decimal(1) for of in ("input", "output")}
    known = current_inputs(settings_of(tmp_path), typed, compared=["paid_api", "paid_api:bare"])
    assert monthly("paid_api:bare", known).usd == Decimal(1)  # 10,000 × (60 + 40) tokens, assumed


def test_documents_pay_the_prices_of_whoever_writes(tmp_path: Path) -> None:
    record(tmp_path, "rag", f"big via own + {SEARCHED}", Usage(800, 100), 2.0)
    record(tmp_path, "rag", f"gpt-4.1-mini + {SEARCHED}", Usage(600, 10), 2.0)
    record(tmp_path, "rag", f"{DEFAULT_MODEL} (Q4_1 weights) + {SEARCHED}", Usage(700, 30), 4.0)
    for writer in ("big via own", "gpt-4.1-mini", f"{DEFAULT_MODEL} (Q4_1 weights)"):  # of another embedder: in no mean
        record(tmp_path, "rag", f"{writer} + handbook searched with another/embedder", Usage(9000, 900), 90.0)
    over_own = current_inputs(settings_of(tmp_path, rag__generator="paid_api:own"), rented=False)
    assert over_own.profile("rag").model == "handbook, written by big"
    parts = {part.name: part.usd for part in monthly("rag", over_own).parts}
    assert (parts["tokens in"], parts["tokens out"]) == (Decimal(8), Decimal(4))
    assert over_own.values["rag.machine_s"].value == Decimal("0.25")
    over_default = current_inputs(settings_of(tmp_path, rag__generator="paid_api"))
    assert over_default.values["rag.prompt_tokens"].value == 600
    local = current_inputs(settings_of(tmp_path))
    assert (local.values["rag.prompt_tokens"].value, local.values["rag.machine_s"].value) == (700, 4)
    assert local.profile("rag").priced_by == ""


def test_longer_answers_of_a_paid_writer_do_not_make_the_search_slower(tmp_path: Path) -> None:
    record(tmp_path, "rag", f"big via own + {SEARCHED}", Usage(800, 100), 2.0)
    inputs = current_inputs(settings_of(tmp_path, rag__generator="paid_api:own"), rented=False)
    (longer,) = [effect for effect in sensitivity(inputs) if effect.name == "answers twice as long"]
    assert round(longer.difference["rag"] or 0, 9) == 4
    (halved,) = [effect for effect in sensitivity(inputs) if effect.name == "paid prices halve"]
    assert round(halved.difference["rag"] or 0, 9) == -6


def test_what_shows_recorded_answers_is_no_model_to_compare(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, connections__router__recorded="answers.json")
    assert priced_connections(settings) == ["paid_api", "paid_api:bare", "paid_api:own"]
    assert [one.approach for one in paid_models(settings, ["paid_api:router", "paid_api:own"], ())] == ["paid_api:own"]
    assert [one.approach for one in paid_models(settings, ["paid_api:router"], ())] == ["paid_api"]
