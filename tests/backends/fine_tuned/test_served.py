"""The fine-tuned column where a server answers: whose answer it is said to be, with which key, at what cost."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

import backends
from backends.base import Answer, Timings, Usage
from backends.fine_tuned.approach import FineTunedBackend
from backends.fine_tuned.served import ServedFineTunedBackend
from backends.run.compare import compare
from backends.run.lane import THIS_MACHINE
from backends.settings import BudgetSettings, Settings, load_settings
from backends.spend.budget import spent_today
from backends.storage.files import sha256
from tests.backends.models.made_adapters import QUESTION, fault, make_lora
from tests.backends.openai_server import PATH, error, paris

FAR = "https://models.example/v1"
TIMINGS = Timings(latency_s=36.0)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An adapter in the data folder that took an hour to train."""
    return make_lora(tmp_path / "data" / "adapters" / "doors", card={"base_model": "tiny", "seconds": 3600})


def settings(**fine_tuned: object) -> Settings:
    """Settings that point at a server."""
    chosen = {"base_url": FAR, "served_model": "acme/doors"} | fine_tuned
    return load_settings({f"fine_tuned.{name}": value for name, value in chosen.items()})


def ask(backend: ServedFineTunedBackend) -> Answer:
    """The answer, through the comparison."""
    *_, (_, last) = compare([backend], QUESTION, threading.Event())
    assert isinstance(last, Answer)
    return last


def test_the_address_decides_who_answers() -> None:
    assert isinstance(backends.make("fine_tuned", load_settings()), FineTunedBackend)
    assert isinstance(backends.make("fine_tuned", settings()), ServedFineTunedBackend)


def test_an_answer_says_what_it_is_said_to_be(httpserver: HTTPServer, adapter: Path) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_response(paris())
    backend = ServedFineTunedBackend(settings(base_url=httpserver.url_for("/v1"), served_adapter="doors"))
    answer = ask(backend)
    assert (answer.text, answer.status) == ("Paris.", "ok")
    digest = sha256(adapter / "adapter_model.safetensors")
    where = f"localhost:{httpserver.port}"
    assert answer.model == (
        f"acme/doors at {where} (said to be adapter doors, sha256 {digest[:12]}; as served, not verified)"
    )
    assert backend.identity == {"server": where, "model": "acme/doors", "adapter sha256": digest}
    assert [trace.name for trace in answer.traces] == ["adapter", "request"]
    shown = json.loads(answer.traces[0].value)
    assert (shown["claim"], shown["name"], shown["sha256"]) == ("as served, not verified", "doors", digest)
    sent = json.loads(httpserver.log[0][0].get_data())
    assert (sent["model"], [message["role"] for message in sent["messages"]]) == ("acme/doors", ["system", "user"])


def test_without_a_claim_the_adapter_is_not_stated(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_response(paris())
    answer = ask(ServedFineTunedBackend(settings(base_url=httpserver.url_for("/v1"))))
    assert answer.model == f"acme/doors at localhost:{httpserver.port} (its adapter is not stated)"
    assert json.loads(answer.traces[0].value) == {"claim": "as served, not verified"}


@pytest.mark.parametrize(
    ("url", "lane"), [(FAR, None), ("http://127.0.0.1:8000/v1", THIS_MACHINE), ("http://localhost:1/v1", THIS_MACHINE)]
)
def test_a_server_on_this_machine_waits_for_its_turn(url: str, lane: str | None) -> None:
    assert ServedFineTunedBackend(settings(base_url=url)).lane == lane


def test_cost_is_machine_time_here_and_unknown_elsewhere(adapter: Path) -> None:
    far = ServedFineTunedBackend(settings(served_adapter="doors"))
    list(far.load(threading.Event()))
    cost = far.cost(Usage(1, 1), TIMINGS)
    assert (cost.usd, cost.basis) == (None, "what models.example costs is not known here")
    near = ServedFineTunedBackend(settings(base_url="http://127.0.0.1:8000/v1", served_adapter="doors"))
    assert near.cost(Usage(1, 1), TIMINGS).usd == Decimal("0.001")
    list(near.load(threading.Event()))
    assert near.cost(Usage(1, 1), TIMINGS).usd == Decimal("0.001") + Decimal("0.1") / 10_000


PRICE = {"price.input_usd": "1000", "price.output_usd": "1000", "price.date": "2026-11-01"}


def test_with_a_price_it_is_charged_by_the_token_and_within_the_budget(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_response(paris())
    priced = settings(base_url=httpserver.url_for("/v1"), **PRICE)
    answer = ask(ServedFineTunedBackend(priced))
    assert answer.cost.usd == Decimal("0.015")
    assert "price entered by hand on 2026-11-01" in answer.cost.basis
    assert spent_today(priced.data).usd == Decimal("0.015")
    capped = priced.model_copy(update={"budget": BudgetSettings(per_day_usd=Decimal("0.02"))})
    stopped = ask(ServedFineTunedBackend(capped))
    assert (stopped.error or "").startswith("The day's budget of $0.02 does not cover this question: $0.015 spent")
    assert stopped.stopped_by is not None
    assert len(httpserver.log) == 1


def test_without_a_price_one_that_is_elsewhere_is_refused_under_a_cap_and_one_here_is_not(
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_response(paris())
    caps = {"budget": BudgetSettings(per_day_usd=Decimal(1))}
    here = settings(base_url=httpserver.url_for("/v1")).model_copy(update=caps)
    assert ask(ServedFineTunedBackend(here)).status == "ok"
    assert spent_today(here.data).usd == 0
    refused = ask(ServedFineTunedBackend(settings().model_copy(update=caps)))
    assert (refused.error or "").startswith("What acme/doors costs is not known")


def test_a_price_belongs_to_the_address_it_was_entered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__BASE_URL", FAR)
    for name, value in PRICE.items():
        monkeypatch.setenv(f"CROSSROADS_FINE_TUNED__{name.upper().replace('.', '__')}", value)
    assert load_settings().fine_tuned.price is not None
    assert load_settings({"fine_tuned.base_url": "https://other.example/v1"}).fine_tuned.price is None


def test_the_model_has_to_be_named() -> None:
    answer = ask(ServedFineTunedBackend(settings(served_model=None)))
    assert answer.error == (
        "It is not set which model the server is to answer with. "
        "Set fine_tuned.served_model to its name there; `transformers serve` takes the folder's path."
    )


def test_an_adapter_that_is_not_there_cannot_be_claimed() -> None:
    backend = ServedFineTunedBackend(settings(served_adapter="gates"))
    assert fault(lambda: list(backend.load(threading.Event())))[0].startswith("There is no adapter called 'gates'")


def test_a_fault_names_this_columns_settings(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_response(error(404, "no such model"))
    answer = ask(ServedFineTunedBackend(settings(base_url=httpserver.url_for("/v1"))))
    assert answer.error is not None
    assert "Check fine_tuned.served_model, and that the base URL ends" in answer.error
    httpserver.clear()
    httpserver.expect_request(PATH, method="POST").respond_with_response(error(401, "no"))
    answer = ask(ServedFineTunedBackend(settings(base_url=httpserver.url_for("/v1"))))
    assert answer.error is not None
    assert answer.error.endswith("Set CROSSROADS_FINE_TUNED__API_KEY.")


def test_the_key_is_sent_to_its_own_address_only(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH, method="POST").respond_with_response(paris())
    monkeypatch.setenv("OPENAI_API_KEY", "someone-elses-key")
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__API_KEY", "own-key-0123456789")
    here = httpserver.url_for("/v1")
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__BASE_URL", here)
    ask(ServedFineTunedBackend(load_settings({"fine_tuned.served_model": "m"})))
    ask(ServedFineTunedBackend(load_settings({"fine_tuned.served_model": "m", "fine_tuned.base_url": here + "/"})))
    sent = [request.headers["Authorization"] for request, _ in httpserver.log]
    assert sent == ["Bearer own-key-0123456789", "Bearer no-key"]
