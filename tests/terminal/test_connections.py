"""`crossroads connections`, and asking connections by their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner, Result

from backends.settings import load_settings
from backends.spend.ledger import entries
from terminal.commands import app
from tests.backends.openai_server import KEY, PATH, error, paris
from tests.backends.test_recorded import export


@pytest.fixture(autouse=True)
def _two_connections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, httpserver: HTTPServer) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__LOCAL__BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__LOCAL__API_KEY", KEY)
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__LOCAL__MODEL", "some-model")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__GROQ__MODEL", "fast-model")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert KEY not in result.output
    return result


def test_the_list_says_what_is_configured_and_never_a_key(httpserver: HTTPServer) -> None:
    found = json.loads(run("connections", "--json").stdout)["connections"]
    assert [(one["approach"], one["has_key"], one["key_variable"]) for one in found] == [
        ("paid_api", False, "OPENAI_API_KEY"),
        ("paid_api:groq", False, "GROQ_API_KEY"),
        ("paid_api:local", True, "CROSSROADS_CONNECTIONS__LOCAL__API_KEY"),
    ]
    lines = run("connections").stdout.splitlines()
    assert lines[1] == "paid_api:groq: fast-model at https://api.groq.com/openai/v1, no key in GROQ_API_KEY"
    assert httpserver.log == []


@pytest.mark.parametrize("wrong", [f"http://me:{KEY}@127.0.0.1:9/v1", f"http://127.0.0.1:9/v1?key={KEY}"])
def test_a_key_in_an_address_is_refused_and_not_repeated(wrong: str) -> None:
    result = run("connections", "--test", "local", "--set", f"connections.local.base_url={wrong}")
    assert result.exit_code == 1
    assert "some-model at http://127.0.0.1:9/v1, no key" in result.output
    assert "FAILED address: The base URL contains" in result.output


@pytest.mark.parametrize("name", ["local", "paid_api:local"])
def test_a_connection_is_tested_by_its_name_and_as_the_list_calls_it(name: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_response(error(404, "no list"))
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    assert run("connections", "--test", name).exit_code == 0


@pytest.mark.parametrize(("works", "status"), [(True, 0), (False, 1)])
def test_a_test_tells_every_step_and_its_cost_is_recorded(httpserver: HTTPServer, works: bool, status: int) -> None:
    httpserver.expect_request("/v1/models").respond_with_response(error(404, "no list"))
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris() if works else error(401, f"not {KEY}"))
    result = run("connections", "--test", "local", "--json")
    (found,) = json.loads(result.stdout)["connections"]
    assert (result.exit_code, found["works"]) == (status, works)
    assert [(step["step"], step["passed"]) for step in found["steps"]] == [
        ("DNS", True),
        ("TCP", True),
        ("models", True),
        ("chat", works),
    ]
    assert [(entry.approach, entry.purpose) for entry in entries(load_settings().data)] == [("paid_api:local", "test")]


def test_a_connection_that_does_not_exist_is_a_sentence() -> None:
    result = run("connections", "--test", "nobody")
    assert result.exit_code == 1
    assert "There is no connection called 'nobody'; there are: " in result.stderr


def test_a_connection_is_asked_by_its_name(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    result = run("ask", "Capital of France?", "--approach", "paid_api:local", "--json")
    answers: list[dict[str, Any]] = json.loads(result.stdout)["answers"]
    assert [(answer["approach"], answer["model"], answer["text"]) for answer in answers] == [
        ("paid_api:local", "some-model", "Paris.")
    ]


def test_an_unknown_name_is_wrong_usage() -> None:
    result = run("ask", "x", "--approach", "paid_api:nobody")
    assert result.exit_code == 2
    assert "paid_api:groq, paid_api:local" in result.stderr


# --- nobody to ask --------------------------------------------------------------------------------


def test_without_a_key_the_price_is_told_and_nobody_is_asked(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    result = run("ask", "Capital of France?", "--approach", "paid_api", "--approach", "paid_api:local", "--json")
    paid, local = json.loads(result.stdout)["answers"]
    assert result.exit_code == 0  # one of them answered
    assert (paid["status"], local["status"]) == ("not_asked", "ok")
    assert paid["error"].startswith("There is no API key for https://api.openai.com/v1.")
    assert 0 < float(paid["expected_cost_usd"]) < 0.001
    assert "list price" in paid["expected_cost_basis"]
    assert [entry.approach for entry in entries(load_settings().data)] == ["paid_api:local"]
    result = run("ask", "Capital of France?", "--approach", "paid_api")
    assert result.exit_code == 1
    assert "[not asked] There is no API key" in result.stdout
    assert "It would cost about $0.000" in result.stdout
    assert "cost $0" not in result.stdout


def test_recorded_answers_are_listed_and_asked(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(export()))
    recorded = ("--set", f"connections.then.recorded={file}")
    (one,) = [c for c in json.loads(run("connections", "--json", *recorded).stdout)["connections"] if c["recorded"]]
    assert (one["approach"], one["recorded"]["questions"]) == ("paid_api:then", ["Capital of France?"])
    assert "paid_api:then: 1 recorded answers of gpt-4.1-mini" in run("connections", *recorded).stdout
    shown = run("ask", "Capital of France?", "--approach", "paid_api:then", *recorded).stdout
    assert "recorded: gpt-4.1-mini · RECORDED 2026-11-02" in shown
    printed = run("ask", "Capital of France?", "--approach", "paid_api:then", "--json", *recorded)
    (answer,) = json.loads(printed.stdout)["answers"]
    assert answer["recorded"] == {"at": "2026-11-02T10:00:00+00:00", "source": "crossroads ask --json"}
    assert (answer["latency_s"], answer["cost_usd"]) == (0.82, "0.0000128")


def test_a_printed_answer_can_be_recorded(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    printed = run("ask", "Capital of France?", "--approach", "paid_api:local", "--json").stdout
    (tmp_path / "answers.json").write_text(printed)
    recorded = ("--set", f"connections.then.recorded={tmp_path / 'answers.json'}")
    again = run("ask", "Capital of France?", "--approach", "paid_api:then", "--json", *recorded).stdout
    (before,), (after,) = json.loads(printed)["answers"], json.loads(again)["answers"]
    for field in ("text", "status", "usage", "latency_s", "ttft_s", "cost_usd"):
        assert after[field] == before[field], field
