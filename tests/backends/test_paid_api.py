"""Who answers for the paid API, with which key, and what it costs."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from backends.base import Answer, Question, Timings, Usage
from backends.errors import BackendError
from backends.paid_api import STAND_IN_LABEL, PaidApiBackend
from backends.remote.stand_in import StandIn
from backends.run.lane import THIS_MACHINE
from backends.run.timing import run_timed
from backends.settings import OPENAI_URL, Settings, load_settings
from backends.spend.estimate import expect_cost
from backends.spend.pricing import machine_cost, price
from tests.backends.openai_server import PATH, paris

ENVIRONMENT_KEY, OWN_KEY = "environment-key-0123", "own-key-0123456789"
GATEWAY, OTHER = "https://gateway.example/v1", "https://other.example/v1"
STAND_IN = StandIn("http://127.0.0.1:5/v1", "some-folder", 1)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "CROSSROADS_PAID_API__API_KEY", "CROSSROADS_PAID_API__BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def settings(monkeypatch: pytest.MonkeyPatch, environment: str = "", **paid: object) -> Settings:
    """Settings with OPENAI_API_KEY, and OPENAI_BASE_URL if `environment` names one."""
    monkeypatch.setenv("OPENAI_API_KEY", ENVIRONMENT_KEY)
    if environment:
        monkeypatch.setenv("OPENAI_BASE_URL", environment)
    return load_settings({f"paid_api.{name}": value for name, value in paid.items()})


@pytest.mark.parametrize(
    ("environment", "paid", "url", "key"),
    [
        ("", {}, OPENAI_URL, ENVIRONMENT_KEY),
        ("", {"api_key": OWN_KEY}, OPENAI_URL, OWN_KEY),
        ("", {"base_url": OPENAI_URL + "/"}, OPENAI_URL + "/", ENVIRONMENT_KEY),
        ("", {"base_url": OTHER}, OTHER, ""),
        ("", {"base_url": OTHER, "api_key": OWN_KEY}, OTHER, OWN_KEY),
        ("", {"base_url": "https://api.openai.com.evil.example/v1"}, "https://api.openai.com.evil.example/v1", ""),
        ("", {"base_url": "http://api.openai.com/v1"}, "http://api.openai.com/v1", ""),
        (GATEWAY, {}, GATEWAY, ENVIRONMENT_KEY),
        (GATEWAY, {"api_key": OWN_KEY}, GATEWAY, ENVIRONMENT_KEY),
        (GATEWAY, {"base_url": GATEWAY}, GATEWAY, ENVIRONMENT_KEY),
        (GATEWAY, {"base_url": OTHER}, OTHER, ""),
        (GATEWAY, {"base_url": OPENAI_URL}, OPENAI_URL, ""),
    ],
)
def test_a_key_goes_only_where_it_was_configured_for(
    monkeypatch: pytest.MonkeyPatch, environment: str, paid: dict[str, object], url: str, key: str
) -> None:
    backend = PaidApiBackend(settings(monkeypatch, environment, **paid))
    assert (backend.connection.base_url, backend.connection.key) == (url, key)


def test_an_answer_over_http_is_measured_and_priced(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    url = httpserver.url_for("/v1")
    backend = PaidApiBackend(load_settings({"paid_api.base_url": url, "paid_api.api_key": OWN_KEY}))
    answer = list(run_timed(backend, Question("Capital of France?", "Be brief."), threading.Event()))[-1]
    assert isinstance(answer, Answer)
    assert (answer.status, answer.text, answer.model, answer.stand_in) == ("ok", "Paris.", "gpt-4.1-mini", False)
    assert answer.usage == Usage(12, 3, source="server")
    assert answer.cost.usd is None
    assert answer.cost.basis.startswith("no price is known for gpt-4.1-mini at localhost")
    assert backend.identity == {"server": f"localhost:{httpserver.port}", "model": "gpt-4.1-mini"}
    assert backend.at_once == 8
    request, _ = httpserver.log[0]
    assert request.headers["Authorization"] == f"Bearer {OWN_KEY}"
    assert request.get_json()["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of France?"},
    ]
    assert OWN_KEY not in repr(answer)


def test_the_paid_price(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = PaidApiBackend(settings(monkeypatch))
    usage = Usage(1000, 100, source="server")
    assert backend.cost(usage, Timings(latency_s=1)) == price(usage, "gpt-4.1-mini", OPENAI_URL)
    assert backend.cost(Usage(), Timings()).usd is None
    assert (backend.lane, backend.stand_in) == (None, False)


def test_no_key_and_no_stand_in_says_what_to_do_and_what_it_would_cost() -> None:
    backend = PaidApiBackend(load_settings())
    assert backend.needs_key is True
    answer = list(run_timed(backend, Question("Hello"), threading.Event()))[-1]
    assert isinstance(answer, Answer)
    assert answer.status == "not_asked"
    assert answer.error == (
        "There is no API key for https://api.openai.com/v1. "
        "Enter one, set OPENAI_API_KEY, or let a stand-in answer in its place (paid_api.stand_in)."
    )
    assert (answer.cost.usd, answer.cost.basis) == (Decimal(0), "nothing was sent, so nothing was charged")
    told = expect_cost(backend, Question("Hello, you!", "Hi.", max_tokens=160), backend.settings).cost
    assert told.usd == Decimal("0.0002628")  # 17 tokens in (6, and 11 of the chat format), 160 out


@pytest.mark.parametrize("key", ["", "   "])
def test_an_empty_key_is_no_key(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(BackendError, match="There is no API key"):
        list(PaidApiBackend(load_settings()).load(threading.Event()))


def test_the_stand_in_answers_where_there_is_no_key() -> None:
    backend = PaidApiBackend(load_settings(), STAND_IN)
    assert (backend.stand_in, backend.lane, backend.model) == (True, THIS_MACHINE, STAND_IN_LABEL)
    assert backend.needs_key is False
    assert (
        STAND_IN_LABEL
        == "stand-in: HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1 weights, transformers serve on this machine)"
    )
    assert (backend.connection.base_url, backend.connection.model) == (STAND_IN.url, STAND_IN.model)
    assert backend.connection.key == ""
    cost = backend.cost(Usage(10, 10, source="server"), Timings(latency_s=36))
    assert cost.usd == Decimal("0.001")
    assert cost.basis.startswith("stand-in, so no paid price applies: 36 s × 0.10 USD/hour")


def test_the_stand_in_stays_out_where_there_is_a_key_or_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not PaidApiBackend(settings(monkeypatch), STAND_IN).stand_in
    assert not PaidApiBackend(load_settings({"paid_api.base_url": OTHER}), STAND_IN).stand_in


def test_the_stand_ins_own_address_is_the_stand_in_and_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings(monkeypatch, base_url=STAND_IN.url + "/", api_key=OWN_KEY, model="gpt-4.1")
    backend = PaidApiBackend(chosen, STAND_IN)
    assert (backend.stand_in, backend.model) == (True, STAND_IN_LABEL)
    assert (backend.connection.model, backend.connection.key) == (STAND_IN.model, "")


def test_a_server_on_this_machine_waits_for_its_turn_and_costs_machine_time() -> None:
    local = {"paid_api.base_url": "http://127.0.0.1:8000/v1", "paid_api.on_this_machine": True}
    backend = PaidApiBackend(load_settings(local))
    assert backend.lane == THIS_MACHINE  # the raw model's lane, so that they take turns
    assert backend.cost(Usage(1, 1), Timings(latency_s=2.31)) == machine_cost(2.31, Decimal("0.10"))


def test_a_refused_address_is_a_sentence() -> None:
    backend = PaidApiBackend(load_settings({"paid_api.base_url": "http://169.254.169.254/v1"}))
    with pytest.raises(BackendError, match="link-local or metadata address"):
        list(backend.load(threading.Event()))


# --- what fits ----------------------------------------------------------------------------------


def test_a_listed_models_window_says_what_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paid = PaidApiBackend(settings(monkeypatch, model="gpt-4"))
    counted = paid.prompt_tokens(Question("Hi", "Be brief."))
    assert counted is not None
    assert counted.exact
    assert paid.fits(Question("Hi", "Be brief.", max_tokens=8192 - counted.tokens)) is True
    assert paid.fits(Question("Hi", "Be brief.", max_tokens=8193 - counted.tokens)) is False


def test_no_vocabulary_is_read_for_a_prompt_that_fits_anyhow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PaidApiBackend, "prompt_tokens", lambda *_: pytest.fail("counted while an answer is timed"))
    assert PaidApiBackend(settings(monkeypatch, model="gpt-4.1-mini")).fits(Question("a" * 100_000)) is True


def test_where_tokens_are_guessed_no_prompt_is_taken_for_shorter_than_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paid = PaidApiBackend(
        settings(monkeypatch, base_url="https://api.anthropic.com/v1", model="claude-3-5-haiku-latest")
    )
    assert paid.prompt_tokens(Question("Hi")) is None
    assert paid.fits(Question("a" * 199_000, max_tokens=100)) is True
    assert paid.fits(Question("a" * 200_000, max_tokens=100)) is False


def test_an_unlisted_model_and_a_stand_in_have_no_known_window(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PaidApiBackend(settings(monkeypatch, base_url=OTHER, model="gpt-4.1-mini")).fits(Question("Hi")) is None
    assert PaidApiBackend(settings(monkeypatch, model="no-such-model")).fits(Question("Hi")) is None
    monkeypatch.delenv("OPENAI_API_KEY")
    assert PaidApiBackend(load_settings(), STAND_IN).fits(Question("Hi")) is None
