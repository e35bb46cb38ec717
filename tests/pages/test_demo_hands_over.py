"""What `crossroads demo` hands over to the browser app."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner

from backends.settings import STARTED_WITH, load_settings, started_with
from terminal.commands import app
from tests.backends.openai_server import KEY, PATH, paris
from tests.pages.opening import opened

TYPED = "typed-key-0123456789"


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[list[str], dict[str, str]]]:
    """Command and environment of every child that would have been started."""
    started: list[tuple[list[str], dict[str, str]]] = []

    def run(command: list[str], env: dict[str, str], **others: Any) -> subprocess.CompletedProcess[bytes]:
        started.append((command, env))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("terminal.servers.subprocess.run", run)
    return started


@pytest.mark.usefixtures("no_local_models")
def test_an_address_given_to_demo_does_not_get_the_key_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, handed_over: list[tuple[list[str], dict[str, str]]], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", "https://a.example/v1")
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", KEY)
    CliRunner().invoke(app, ["demo", "--set", f"paid_api.base_url={httpserver.url_for('/v1')}"])
    ((_, environment),) = handed_over
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    at = opened("paid_api")
    at.text_area(key="question:paid_api").input("Capital of France?")
    at.button(key="ask:paid_api").click().run()
    assert not at.exception
    ((request, _),) = httpserver.log
    assert request.headers["Authorization"] == "Bearer no-key"
    warned = [element.value for element in at.warning if "is not sent to" in element.value]
    assert len(warned) == 1
    assert KEY not in warned[0]


@pytest.mark.usefixtures("no_local_models")
def test_a_key_given_to_demo_does_not_go_to_an_address_that_is_entered_later(
    monkeypatch: pytest.MonkeyPatch, handed_over: list[tuple[list[str], dict[str, str]]], httpserver: HTTPServer
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    given = ["--set", "paid_api.base_url=https://a.example/v1", "--set", f"paid_api.api_key={TYPED}"]
    CliRunner().invoke(app, ["demo", *given, "--set", "data=here"])
    ((command, environment),) = handed_over
    assert TYPED not in " ".join(command)
    assert [name for name, value in environment.items() if TYPED in value] == [STARTED_WITH]
    monkeypatch.setenv(STARTED_WITH, environment[STARTED_WITH])
    settings = load_settings(started_with())
    assert settings.data == Path("here").resolve()
    assert settings.paid_api.api_key is not None
    at = opened("paid_api")
    at.text_input(key="setting:paid_api.base_url").input(httpserver.url_for("/v1")).run()
    at.text_area(key="question:paid_api").input("Capital of France?")
    at.button(key="ask:paid_api").click().run()
    assert not at.exception
    assert [request.headers["Authorization"] for request, _ in httpserver.log] == ["Bearer no-key"]


def test_what_is_not_key_and_value_is_not_repeated() -> None:
    result = CliRunner().invoke(app, ["demo", "--set", "seed=1", "--set", f"paid_api.api_key:{TYPED}"])
    assert result.exit_code == 2
    assert "Number 2 is not KEY=VALUE." in result.output
    assert TYPED not in result.output
