"""What a question is expected to cost before it is asked: from what, of whom, and how wrong that was so far."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import backends
from backends.base import Answer, Backend, BackendEvent, Cost, Question, Timings, Usage
from backends.settings import Settings, load_settings
from backends.spend import ledger
from backends.spend.estimate import expect_cost, same_model, track_record
from backends.spend.ledger import Entry, ExpectedCost, Kind, ledger_file

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
LOADED = f"{BASE} (Q4_1 weights)"
TEXT = "cat" + " cat" * 21
PROMPT_TOKENS = 51
"""22 and the system prompt's 18, and 11 of chat; guessed from 87 and 71 characters it is the same."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def settings_of(data: Path, **overrides: object) -> Settings:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    system_prompt = "s" * 71
    return load_settings({"data": str(data), "system_prompt": system_prompt, **named})


def record(
    data: Path,
    approach: str,
    model: str,
    usage: Usage = Usage(),  # noqa: B008
    latency_s: float | None = None,
    usd: str | None = None,
    before: ExpectedCost | None = None,
    kind: Kind = "real",
) -> None:
    cost = Cost(None if usd is None else Decimal(usd), "")
    answer = Answer(approach, model, "", "ok", timings=Timings(latency_s=latency_s), usage=usage, cost=cost)
    ledger.append(data, answer, kind, expected=before)


def of(approach: str, settings: Settings, text: str = TEXT) -> ExpectedCost:
    return expect_cost(backends.make(approach, settings), settings.question(text), settings)


# --- by tokens ----------------------------------------------------------------------------------


def test_a_paid_question_without_a_past_is_reckoned_with_the_longest_answer(data: Path) -> None:
    found = of("paid_api", settings_of(data))
    assert (found.prompt_tokens, found.completion_tokens, found.past_answers) == (PROMPT_TOKENS, 160, 0)
    assert found.cost.usd == Decimal("0.0002764")  # 51 at 0.4 and 160 at 1.6 USD a million
    assert found.cost.basis.startswith(
        "expected, with 51 tokens in (counted by tiktoken, o200k_base) and the longest answer, 160: 51 tokens in at 0.4"
    )
    assert found.error == "estimate; its error is not known yet"


def test_the_test_of_a_connection_is_no_answer_to_take_a_mean_of(data: Path) -> None:
    one = Answer("paid_api", "gpt-4.1-mini", "", "ok", usage=Usage(9, 1), cost=Cost(Decimal("0.000005"), ""))
    ledger.append(data, one, "real", purpose="test")
    found = of("paid_api", settings_of(data))
    assert (found.completion_tokens, found.past_answers) == (160, 0)


def test_a_paid_question_is_expected_to_get_a_mean_answer(data: Path) -> None:
    for tokens, cached in ((20, 50), (31, None)):
        record(data, "paid_api", "gpt-4.1-mini", Usage(100, tokens, cached), usd="0.0001")
    record(data, "paid_api", "gpt-4.1", Usage(100, 900), usd="0.1")
    found = of("paid_api", settings_of(data))
    assert (found.completion_tokens, found.past_answers) == (26, 2)
    # a quarter of all prompts was charged as cached: 13 tokens at 0.1 USD a million, 38 at 0.4; 26 out at 1.6
    assert found.cost.usd == Decimal("0.0000581")
    assert "an answer of 26, as the mean of 2 answers had" in found.cost.basis
    assert of("paid_api", settings_of(data, max_tokens=9)).completion_tokens == 9


def test_a_model_without_a_price_says_so(data: Path) -> None:
    found = of("paid_api", settings_of(data, paid_api__model="nonesuch"))
    assert found.cost.usd is None
    assert found.error.startswith("unknown: no price is known for nonesuch at api.openai.com")


def test_a_price_entered_by_hand_counts(data: Path) -> None:
    price = {"input_usd": "10", "output_usd": "100", "date": "2026-11-01"}
    given = {f"connections.own.price.{name}": value for name, value in price.items()}
    settings = settings_of(
        data, **{"connections.own.base_url": "http://127.0.0.1:9/v1", "connections.own.model": "m", **given}
    )
    found = of("paid_api:own", settings)
    assert found.cost.usd == Decimal("0.01651")
    assert found.method == "guessed, longest answer"
    assert found.cost.basis.startswith("expected, with 51 tokens in (4 characters a token) and ")
    assert found.cost.basis.endswith("m, price entered by hand on 2026-11-01")


def test_a_server_on_this_machine_without_a_price_costs_its_time(data: Path) -> None:
    settings = settings_of(
        data,
        **{
            "connections.own.base_url": "http://127.0.0.1:9/v1",
            "connections.own.model": "m",
            "connections.own.on_this_machine": True,
        },
    )
    assert of("paid_api:own", settings).error == "unknown: no answer of it was timed here yet"
    record(data, "paid_api:own", "m", latency_s=36.0)
    assert of("paid_api:own", settings).cost.usd == Decimal("0.001")


# --- by time ------------------------------------------------------------------------------------


def test_a_local_question_is_unknown_until_an_answer_was_timed(data: Path) -> None:
    settings = settings_of(data)
    for approach in ("raw", "fine_tuned", "rag"):
        found = of(approach, settings)
        assert found.cost.usd is None
        assert found.error == "unknown: no answer of it was timed here yet"
    record(data, "raw", LOADED, latency_s=20.0)
    record(data, "raw", LOADED, latency_s=52.0)
    record(data, "raw", "another (Q4_1 weights)", latency_s=1.0)
    found = of("raw", settings)
    assert found.cost.usd == Decimal("0.001")  # 36 s at 0.10 USD an hour
    assert found.cost.basis == (
        "expected, as the mean of 2 answers was timed: 36 s × 0.10 USD/hour (machine rate, assumed)"
    )
    assert (found.method, found.past_answers, found.prompt_tokens) == ("seconds", 2, None)
    assert of("raw", settings_of(data, machine_usd_per_hour="0")).cost.usd == 0


def test_a_fine_tuned_question_bears_its_share_of_the_training_before_anything_is_loaded(data: Path) -> None:
    record(data, "fine_tuned", f"{LOADED} + adapter brambleworth (sha256 0123)", latency_s=36.0)
    settings = settings_of(data, fine_tuned__answers_per_training=1)
    found = of("fine_tuned", settings)
    assert found.cost.usd == Decimal("0.0124389")  # 0.001 and 411.8 s of training at 0.10 USD an hour
    assert "of training ÷ 1 answers" in found.cost.basis
    assert of("fine_tuned", settings_of(data, fine_tuned__adapter="nonesuch")).cost.usd is None


def test_the_stand_in_and_the_script_have_a_past_of_their_own(data: Path) -> None:
    scripted = settings_of(data, scripted=True)
    record(data, "raw", "scripted answers (raw)", Usage(3, 50), kind="real")
    assert of("raw", scripted).completion_tokens == 160
    record(data, "raw", "scripted answers (raw)", Usage(3, 50), kind="scripted")
    assert of("raw", scripted).completion_tokens == 50


# --- documents ----------------------------------------------------------------------------------


def test_documents_read_by_a_paid_model_need_an_index_to_be_reckoned(data: Path) -> None:
    found = of("rag", settings_of(data, rag__generator="paid_api"))
    assert found.error == "unknown: nothing is indexed in the collection handbook yet"


# --- how wrong it was ---------------------------------------------------------------------------


def entries(data: Path, ratios: list[str], by: str = "seconds") -> list[Entry]:
    before = ExpectedCost("raw", Cost(Decimal(1), ""), by)
    for ratio in reversed(ratios):
        record(data, "raw", LOADED, latency_s=36.0, usd=ratio, before=before)
    return ledger.complete_answers(data, "raw")


def test_few_answers_are_all_in_the_range_that_is_told(data: Path) -> None:
    entries(data, ["1.25", "0.8", "1"])
    assert of("raw", settings_of(data)).error == "estimate; last 3: 0.8 to 1.2 times it"


def test_answers_that_came_out_alike_are_told_as_one_figure(data: Path) -> None:
    entries(data, ["1.001", "0.999", "1"])
    assert of("raw", settings_of(data)).error == "estimate; last 3: 1 times it"


def test_of_many_answers_one_in_ten_may_be_outside_and_old_ones_are_forgotten(data: Path) -> None:
    past = entries(data, ["0.001", "0.5", *["1"] * 36, "2", "1000", "5000"])
    found = track_record(past, "seconds")
    assert found is not None
    assert (found.answers, found.within, found.low, found.high) == (40, 36, 1.0, 1.0)


def test_other_ways_of_reckoning_and_unknown_costs_do_not_count(data: Path) -> None:
    past = entries(data, ["3"], by="guessed, longest answer")
    assert track_record(past, "seconds") is None
    assert track_record([replace(past[0], cost_usd=None)], "guessed, longest answer") is None
    assert of("raw", settings_of(data)).error == "estimate; its error is not known yet"
    assert ExpectedCost("raw", Cost(Decimal(1), ""), track=track_record(past, "guessed, longest answer")).error == (
        "estimate; the last answer was 3 times it"
    )


@pytest.mark.parametrize(
    ("recorded", "named", "found"),
    [
        (LOADED, LOADED, True),
        (LOADED, BASE, True),
        (f"{BASE}-v2", BASE, False),
        (f"{LOADED} + adapter a (sha256 1)", f"{BASE} + adapter a", True),
        (f"{LOADED} + adapter ab (sha256 1)", f"{BASE} + adapter a", False),
        (f"{LOADED} + adapter a (sha256 1)", BASE, False),
        ("m via one + c searched with e", "m + c searched with e", False),
    ],
)
def test_weights_go_by_their_id_until_they_are_loaded(recorded: str, named: str, found: bool) -> None:
    assert same_model(recorded, named) is found


# --- faults -------------------------------------------------------------------------------------


def test_an_empty_question_and_a_damaged_ledger_are_reasons_and_no_faults(data: Path) -> None:
    settings = settings_of(data)
    assert of("raw", settings, "  ").error == "unknown: The question is empty."
    data.mkdir()
    ledger_file(data).write_bytes(b"no database at all, but something long enough to be read" * 20)
    assert of("paid_api", settings).error == "unknown: past answers cannot be read"


def test_a_backend_without_a_price_says_so(data: Path) -> None:
    class Free(Backend):
        approach = "mine"

        @property
        def model(self) -> str:
            return "m"

        def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
            yield from ()

    settings = settings_of(data)
    found = expect_cost(Free(), settings.question("q"), settings)
    assert found.error == "unknown: this approach has no price"


def test_a_model_is_the_same_whether_its_weights_are_loaded_or_not() -> None:
    assert same_model("base (Q4_1 weights) + adapter a", "base + adapter a")
    assert same_model("base + adapter a", "base (Q4_1 weights) + adapter a")
    assert not same_model("base + adapter a", "base + adapter b")
    assert not same_model("base + adapter a", "base")
