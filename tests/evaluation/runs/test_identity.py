"""What a run records of its circumstances, and that it goes on with its own settings and nobody's key."""

from __future__ import annotations

import json

import pytest

from backends.errors import BackendError
from backends.remote import connections
from backends.settings import load_settings
from evaluation.runs.identity import new_run, recorded_settings, settings_as_then
from tests.evaluation.runs.made_runs import SAMPLES

KEY = "sk-a-key-0123456789"


def test_no_secret_is_recorded() -> None:
    settings = load_settings(
        {
            "paid_api.api_key": KEY,
            "connections.groq.api_key": KEY,
            "connections.groq.headers": json.dumps({"X-Key": KEY}),
            "connections.own.base_url": f"https://user:{KEY}@example.org/v1?key={KEY}",
            "connections.own.model": "a-model",
            "rag.chroma_api_key": KEY,
            "rag.chroma_headers": json.dumps({"X-Key": KEY}),
            "fine_tuned.api_key": KEY,
            "store.url": f"postgresql://a:{KEY}@b/c",
        }
    )
    recorded = recorded_settings(settings)
    assert KEY not in json.dumps(recorded)
    assert recorded["connections"]["own"]["base_url"] == "https://example.org/v1"
    assert recorded["rag"]["k"] == 3
    assert {"data", "store", "budget"}.isdisjoint(recorded)


def test_a_run_records_its_circumstances() -> None:
    run = new_run(load_settings({"seed": 7}), SAMPLES, "colours.csv", ["raw", "rag", "raw"], 2)
    assert [one.approach for one in run.approaches] == ["raw", "rag"]
    assert (run.seed, run.questions, run.repeats, run.cells) == (7, 6, 2, 24)
    assert len(run.set_hash) == 64
    assert run.prices.startswith("genai-prices ")
    assert {"cores", "processor", "system", "python"} <= run.machine.keys()
    assert {"torch", "sqlalchemy"} <= run.packages.keys()
    with pytest.raises(BackendError, match="There is nothing to ask"):
        new_run(load_settings(), [], "nothing.csv", ["raw"])


def test_a_run_goes_on_with_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAG__K", "5")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__GROQ__MODEL", "a-model")
    recorded = json.loads(json.dumps(recorded_settings(load_settings({"max_tokens": "20", "rag.languages": "en;de"}))))
    monkeypatch.setenv("CROSSROADS_RAG__K", "9")
    monkeypatch.setenv("CROSSROADS_RAG__RERANKER", "another/one")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__GROQ__MODEL", "another-model")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__GROQ__MAX_AT_ONCE", "3")
    then = settings_as_then(recorded, {"budget.per_run_usd": "2"})
    assert (then.rag.k, then.max_tokens, then.rag.reranker, then.rag.languages) == (5, 20, None, ("en", "de"))
    assert (then.connections["groq"].model, then.connections["groq"].max_at_once) == ("a-model", 3)
    assert then.budget.per_run_usd == 2
    with pytest.raises(BackendError, match=r"The run keeps the settings that it began with, so rag\.k cannot be set"):
        settings_as_then(recorded, {"rag.k": "4"})


def test_a_price_that_is_not_set_any_more_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    price = {"input_usd": "1", "output_usd": "2", "date": "2026-11-30"}
    given = {f"paid_api.price.{name}": value for name, value in price.items()}
    recorded = json.loads(json.dumps(recorded_settings(load_settings(given))))
    with pytest.raises(BackendError, match=r"began with paid_api\.price\.input_usd = '1', and now it is None"):
        settings_as_then(recorded, {})
    assert settings_as_then(recorded, given).paid_api.price is not None


def test_a_record_sends_no_key_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write to a shared store must not be able to have a key sent to another address."""
    recorded = recorded_settings(load_settings({"paid_api.base_url": "https://elsewhere.example/v1"}))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", KEY)
    recorded["paid_api"] = {**recorded["paid_api"], "key_variable": "OPENAI_API_KEY"}
    with pytest.raises(BackendError, match="key_variable"):
        settings_as_then(recorded, {})
    del recorded["paid_api"]["key_variable"]
    then = settings_as_then(recorded, {})
    assert connections.resolved(then, "").base_url == "https://elsewhere.example/v1"
    assert not connections.resolved(then, "").key
