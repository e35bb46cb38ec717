"""Where the inputs come from: answers recorded here, the price list, adapters, documents; else labelled assumptions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import Answer, Cost, Timings, Usage
from backends.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, OPENAI_URL, Settings, load_settings
from backends.spend import ledger
from backends.spend.pricing import rates
from evaluation.costs.current_inputs import anything_measured, current_inputs
from evaluation.costs.inputs import Input, Inputs
from evaluation.costs.monthly import monthly

AT = datetime(2026, 11, 12, 12, tzinfo=UTC)
BASE = f"{DEFAULT_MODEL} (Q4_1 weights)"
_TRAINED = {"fine_tuned": Decimal("411.8"), "rag": Decimal(90)}
SEARCHED = f"handbook searched with {DEFAULT_EMBEDDER}"


def settings_of(data: Path, **overrides: object) -> Settings:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_settings({"data": str(data), **named})


def record(data: Path, approach: str, model: str, usage: Usage, latency_s: float, days: int = 0) -> None:
    timings = Timings(latency_s=latency_s, retrieval_s=latency_s / 8 if approach == "rag" else None)
    answer = Answer(approach, model, "", "ok", timings=timings, usage=usage, cost=Cost(None, ""))
    ledger.append(data, answer, "real", AT + timedelta(days=days))


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    record(data, "raw", BASE, Usage(40, 30), 1.0)
    record(data, "raw", BASE, Usage(45, 33), 2.0, days=1)
    record(data, "paid_api", "gpt-4.1-mini", Usage(100, 50, 25), 0.5)
    record(data, "paid_api", "gpt-4.1-mini", Usage(100, 60, None), 0.5)
    record(data, "rag", f"{BASE} + {SEARCHED}", Usage(500, 40), 4.0)
    return data


def found(inputs: Inputs, name: str) -> tuple[Decimal | None, str, str]:
    one = inputs.values[name]
    return one.value, one.origin, one.note


def test_tokens_and_seconds_are_the_means_of_what_was_recorded(asked: Path) -> None:
    inputs = current_inputs(settings_of(asked))
    assert anything_measured(inputs)
    note = f"mean of 2 answers since 12 Nov 2026 ({BASE})"
    assert found(inputs, "raw.prompt_tokens") == (Decimal("42.5"), "measured here", note)
    assert found(inputs, "raw.completion_tokens") == (Decimal("31.5"), "measured here", note)
    assert found(inputs, "raw.machine_s") == (Decimal("1.500"), "measured here", note)
    assert inputs.values["paid_api.prompt_tokens"].value == 100
    assert inputs.values["paid_api.cached_share"].value == Decimal("0.125")
    assert inputs.values["paid_api.completion_tokens"].value == 55
    assert inputs.values["rag.machine_s"].note == f"mean of 1 answer since 12 Nov 2026 ({BASE} + {SEARCHED})"


def test_what_was_not_asked_yet_is_assumed_like_the_raw_model_and_labelled(asked: Path) -> None:
    inputs = current_inputs(settings_of(asked, paid_api__model="gpt-4.1"))
    note = "as measured of the raw model: mean of 2 answers since 12 Nov 2026"
    for name in ("fine_tuned.machine_s", "paid_api.completion_tokens"):
        assert inputs.values[name].origin == "assumption"
        assert inputs.values[name].note == note
    assert inputs.values["paid_api.completion_tokens"].value == Decimal("31.5")


def test_with_nothing_measured_everything_is_a_labelled_assumption(tmp_path: Path) -> None:
    inputs = current_inputs(settings_of(tmp_path / "data"))
    assert not anything_measured(inputs)
    assert {one.origin for one in inputs.values.values()} == {"assumption", "price list"}
    assert all(one.note for one in inputs.values.values())
    assert all(monthly(way.approach, inputs).usd for way in inputs.profiles)


def test_stand_ins_and_the_script_are_not_measured(tmp_path: Path) -> None:
    for kind in ("stand-in", "scripted"):
        ledger.append(tmp_path, Answer("paid_api", "gpt-4.1-mini", "", "ok", usage=Usage(9, 9)), kind)  # type: ignore[arg-type]
    assert not anything_measured(current_inputs(settings_of(tmp_path)))


def test_the_test_of_a_connection_is_not_measured(tmp_path: Path) -> None:
    one = Answer("paid_api", "gpt-4.1-mini", "", "ok", usage=Usage(9, 1))
    ledger.append(tmp_path, one, "real", purpose="test")
    assert not anything_measured(current_inputs(settings_of(tmp_path)))


def test_prices_are_the_lists(tmp_path: Path) -> None:
    inputs = current_inputs(settings_of(tmp_path, paid_api__model="gpt-5.6-luna"))
    listed = rates("gpt-5.6-luna", OPENAI_URL)
    assert found(inputs, "paid_api.price.input") == (listed.input_mtok, "price list", listed.basis)
    assert "since 2026-07-30" in listed.basis
    assert inputs.values["paid_api.price.output"].value == listed.output_mtok


def test_a_model_without_a_price_stays_unknown_until_one_is_typed(tmp_path: Path) -> None:
    nobody = settings_of(tmp_path, paid_api__model="nonesuch")
    cost = monthly("paid_api", current_inputs(nobody))
    assert cost.usd is None
    assert cost.why.startswith("no price per token is known for nonesuch at api.openai.com")
    typed = {"paid_api.price.input": Decimal(1), "paid_api.price.output": Decimal(2)}
    assert monthly("paid_api", current_inputs(nobody, typed)).usd == Decimal("1.4")  # 60 in, 40 out, assumed


def test_a_server_on_this_machine_without_a_price_costs_machine_time(tmp_path: Path) -> None:
    own = settings_of(tmp_path, paid_api__base_url="http://localhost:8000/v1", paid_api__on_this_machine=True)
    inputs = current_inputs(own)
    assert inputs.profile("paid_api").on_machine
    assert [part.name for part in monthly("paid_api", inputs).parts] == ["rented machines"]


def test_what_is_typed_is_the_users(asked: Path) -> None:
    inputs = current_inputs(settings_of(asked), {"raw.machine_s": Decimal(9)}, rented=False)
    assert inputs.values["raw.machine_s"] == Input(Decimal(9), "s", "your assumption")
    assert inputs.values["machine.usd_per_hour"].origin == "assumption"
    chosen = current_inputs(settings_of(asked, machine_usd_per_hour=Decimal(2))).values["machine.usd_per_hour"]
    assert (chosen.value, chosen.origin) == (Decimal(2), "your assumption")
    assert [part.name for part in monthly("raw", inputs).parts] == ["machine time"]


def test_documents_answered_by_the_paid_model_pay_tokens_and_the_search(asked: Path) -> None:
    over_paid = settings_of(asked, rag__generator="paid_api")
    assert current_inputs(over_paid).values["rag.prompt_tokens"].origin == "assumption"
    record(asked, "rag", f"gpt-4.1-mini + {SEARCHED}", Usage(600, 20), 2.0)
    inputs = current_inputs(over_paid)
    assert inputs.values["rag.prompt_tokens"].value == 600
    assert inputs.values["rag.machine_s"].value == Decimal("0.25")
    assert (inputs.profile("rag").by_token, inputs.profile("rag").on_machine) == (True, True)
    local = current_inputs(settings_of(asked))
    assert local.values["rag.prompt_tokens"].value == 500


def test_another_model_or_collection_is_not_what_was_measured(asked: Path) -> None:
    assert (
        current_inputs(settings_of(asked, raw__model="other/model")).values["raw.machine_s"].origin != "measured here"
    )
    elsewhere = current_inputs(settings_of(asked, rag__collection="manuals"))
    assert elsewhere.values["rag.prompt_tokens"].origin == "assumption"
    assert elsewhere.values["raw.machine_s"].origin == "measured here"
    record(asked, "rag", f"{BASE} + manuals searched with {DEFAULT_EMBEDDER}", Usage(900, 10), 9.0)  # asked last
    assert current_inputs(settings_of(asked)).values["rag.prompt_tokens"].value == 500


def test_a_refusal_that_no_model_wrote_does_not_make_answers_cheaper(asked: Path) -> None:
    record(asked, "rag", f"{BASE} + {SEARCHED}", Usage(0, 0), 0.1)
    inputs = current_inputs(settings_of(asked))
    assert inputs.values["rag.completion_tokens"].value == 40
    assert inputs.values["rag.machine_s"].value == Decimal("4.000")


def test_training_time_is_the_adapters_own(tmp_path: Path) -> None:
    sample = current_inputs(settings_of(tmp_path)).values["training.seconds"]
    assert (sample.value, sample.origin) == (Decimal("411.8"), "assumption")
    assert sample.note == "the card of the adapter brambleworth, trained elsewhere"
    folder = tmp_path / "adapters" / "mine"
    folder.mkdir(parents=True)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / name).write_bytes(b"{}")
    (folder / "card.json").write_text(json.dumps({"seconds": 90}))
    mine = current_inputs(settings_of(tmp_path, fine_tuned__adapter="mine")).values["training.seconds"]
    assert (mine.value, mine.origin, mine.note) == (Decimal("90.0"), "measured here", "the card of the adapter mine")
    reads = current_inputs(settings_of(tmp_path, rag__generator="fine_tuned", rag__adapter="mine"))
    assert (reads.values["training.seconds"].value, reads.values["rag.training.seconds"].value) == (
        Decimal("411.8"),
        Decimal("90.0"),
    )
    told = {way: next(one for one in monthly(way, reads).parts if one.name == "training") for way in _TRAINED}
    assert {way: part.usd for way, part in told.items()} == {
        way: seconds * Decimal("0.1") / 3600 for way, seconds in _TRAINED.items()
    }
    unused = current_inputs(settings_of(tmp_path, rag__adapter="mine"))
    assert "rag.training.seconds" not in unused.values
