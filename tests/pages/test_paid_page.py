"""The Paid API page with several connections: choosing, adding and testing one, against a real local server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from streamlit.testing.v1 import AppTest
from werkzeug import Response

from backends.settings import Settings, load_settings
from backends.spend.ledger import entries
from tests.backends.openai_server import KEY, PATH, error, paris
from tests.pages.opening import HOME, everything, opened
from tests.scripted import PATIENCE_S

pytestmark = pytest.mark.usefixtures("no_local_models")


def configured(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("one", "two"):
        for field, value in (("BASE_URL", url), ("MODEL", f"model-{name}"), ("API_KEY", KEY)):
            monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__{name.upper()}__{field}", value)


def titles(at: AppTest) -> list[str]:
    return [element.value for element in at.markdown if element.value.startswith("#### :violet")]


def test_each_connection_is_a_column_of_the_comparison(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    configured(monkeypatch, httpserver.url_for("/v1"))
    at = opened("compare")
    (taking_part,) = [group for group in at.button_group if group.key == "chosen:compare"]
    assert taking_part.options[2:5] == ["Paid API", "Paid API · one", "Paid API · two"]
    at.session_state["chosen:compare"] = ["paid_api:one", "paid_api:two"]
    at.text_area(key="question:compare").input("Capital of France?")
    at.button(key="ask:compare").click().run()
    assert not at.exception
    assert titles(at) == [f"#### :violet[:material/payments: **Paid API · {name}**]" for name in ("one", "two")]
    captions = [element.value for element in at.caption]
    assert "model\\-one" in captions
    assert "model\\-two" in captions
    recorded = entries(load_settings().data)
    assert sorted(entry.approach for entry in recorded) == ["paid_api:one", "paid_api:two"]
    assert KEY not in json.dumps([element.value for element in (*at.markdown, *at.caption, *at.text)])


def test_a_connection_is_chosen_and_asked_on_its_page(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    configured(monkeypatch, httpserver.url_for("/v1"))
    at = opened("paid_api")
    (choice,) = [group for group in at.button_group if group.key == "connection"]
    assert choice.options == ["default", "one", "two"]
    choice.set_value("two").run()
    assert at.text_input(key="setting:connections.two.base_url").value == httpserver.url_for("/v1")
    at.text_area(key="question:paid_api:two").input("Capital of France?")
    at.button(key="ask:paid_api:two").click().run()
    assert not at.exception
    assert titles(at) == ["#### :violet[:material/payments: **Paid API · two**]"]
    assert httpserver.log[0][0].get_json()["model"] == "model-two"


def test_a_connection_is_tested_and_its_models_can_be_chosen(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("small", "large")]}
    httpserver.expect_request("/v1/models").respond_with_response(
        Response(json.dumps(models), content_type="application/json")
    )
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("CROSSROADS_PAID_API__API_KEY", KEY)
    at = opened("paid_api")
    at.button(key="test_connection:").click().run()
    assert not at.exception
    steps = [element.value.split("**")[1] for element in at.markdown if element.value.startswith(":material/check_c")]
    assert steps == ["DNS", "TCP", "models", "chat"]
    assert at.selectbox(key="setting:paid_api.model").options == ["gpt-4.1-mini", "large", "small"]
    assert [(entry.approach, entry.purpose) for entry in entries(load_settings().data)] == [("paid_api", "test")]


def test_a_test_that_fails_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", "http://192.168.7.7/v1")
    at = opened("paid_api")
    at.button(key="test_connection:").click().run()
    (failed,) = [element.value for element in at.markdown if element.value.startswith(":material/error:")]
    assert "**address**" in failed
    assert "private network" in failed


def test_a_connection_is_added_for_the_session() -> None:
    at = opened("paid_api")
    at.selectbox(key="add_connection:provider").select("groq")
    at.text_input(key="add_connection:model").input("some-model")
    at.button(key="FormSubmitter:add_connection-Add").click().run()
    assert not at.exception
    (choice,) = [group for group in at.button_group if group.key == "connection"]
    assert choice.options == ["default", "groq"]
    assert at.session_state["setting_overrides"] == {
        "connections.groq.provider": "groq",
        "connections.groq.model": "some-model",
    }


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"provider": "another server", "name": "mine"}, "The address is missing"),
        ({"provider": "azure"}, "The address is missing"),
        ({"provider": "groq", "name": "My Groq"}, "A connection cannot be called"),
    ],
)
def test_what_cannot_be_added_is_said(fields: dict[str, str], fault: str) -> None:
    at = opened("paid_api")
    at.selectbox(key="add_connection:provider").select(fields["provider"])
    at.text_input(key="add_connection:name").input(fields.get("name", ""))
    at.button(key="FormSubmitter:add_connection-Add").click().run()
    assert any(element.value.startswith(fault) for element in at.error)
    assert at.session_state["setting_overrides"] == {}


def test_every_attempt_is_shown_with_its_time_and_end(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = error(429, "Slow down")
    refusal.headers["Retry-After"] = "0"
    httpserver.expect_ordered_request(PATH).respond_with_response(refusal)
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    configured(monkeypatch, httpserver.url_for("/v1"))
    at = opened("paid_api")
    at.button_group(key="connection").set_value("one").run()
    at.text_area(key="question:paid_api:one").input("Capital of France?")
    at.button(key="ask:paid_api:one").click().run()
    assert not at.exception
    shown = at.table[1].value
    assert list(shown["Attempt"]) == ["1", "2"]
    assert list(shown["Ended"]) == ["429 from the server", "answered"]
    assert list(shown["Tokens"]) == ["—", "3"]


def test_what_was_spent_today_stands_beside_the_ask_button(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    configured(monkeypatch, httpserver.url_for("/v1"))
    for field, value in (("INPUT_USD", "1000"), ("OUTPUT_USD", "1000"), ("DATE", "2026-11-01")):
        monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__ONE__PRICE__{field}", value)
    monkeypatch.setenv("CROSSROADS_BUDGET__PER_DAY_USD", "5")

    def line() -> list[str]:
        return [element.value for element in at.caption if element.value.startswith("Spent today")]

    at = opened("paid_api")
    assert line() == [r"Spent today \(UTC\)\: \$0\.00 of \$5\.00"]
    at.button_group(key="connection").set_value("one").run()
    at.text_area(key="question:paid_api:one").input("Capital of France?")
    at.button(key="ask:paid_api:one").click().run()
    assert line() == [r"Spent today \(UTC\)\: \$0\.015 of \$5\.00"]
    at = opened("raw")
    assert line() == []


PASSWORD = "pass-word-0123"


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "CROSSROADS_PAID_API__BASE_URL"])
@pytest.mark.parametrize("address", ["http://me:{}@127.0.0.1:9/v1", "http://127.0.0.1:9/v1?key={}", "me:{}@host/v1"])
def test_a_password_in_an_address_is_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str, address: str) -> None:
    monkeypatch.setenv(variable, address.format(PASSWORD))
    at = opened("paid_api")
    assert PASSWORD not in everything(at)
    at.button(key="test_connection:").click().run()
    at.text_area(key="question:paid_api").input("Hello")
    at.button(key="ask:paid_api").click().run()
    assert not at.exception
    assert PASSWORD not in everything(at)
    field = at.text_input(key="setting:paid_api.base_url")
    assert (field.value or field.placeholder) in ("http://127.0.0.1:9/v1", "host/v1")


def test_a_password_in_the_address_of_a_served_adapter_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__BASE_URL", f"http://me:{PASSWORD}@127.0.0.1:9/v1")
    monkeypatch.setenv("CROSSROADS_FINE_TUNED__SERVED_MODEL", "merged")
    for section in ("Ask", "Adapters"):
        at = AppTest.from_file(str(HOME / "pages" / "fine_tuned.py"), default_timeout=PATIENCE_S)
        at.query_params["section"] = section
        at.run()
        assert not at.exception
        assert "127.0.0.1" in everything(at)
        assert PASSWORD not in everything(at)


def test_a_key_that_is_entered_goes_to_the_address_that_the_page_shows(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    at = opened("paid_api")
    at.text_input(key="setting:paid_api.api_key").input(KEY).run()
    at.text_area(key="question:paid_api").input("Capital of France?")
    at.button(key="ask:paid_api").click().run()
    assert not at.exception
    assert httpserver.log[0][0].headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in everything(at)
    at.text_input(key="setting:paid_api.base_url").input("https://b.example/v1").run()
    assert "paid_api.api_key" not in at.session_state["setting_overrides"]


def test_a_key_that_is_not_sent_is_told(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(401, "no key"))
    Path(".env").write_text(f"OPENAI_BASE_URL={httpserver.url_for('/v1')}\n", encoding="utf-8")
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    at = opened("paid_api")
    at.text_area(key="question:paid_api").input("Capital of France?")
    at.button(key="ask:paid_api").click().run()
    assert not at.exception
    said = everything(at)
    assert said.count("The key in the environment is not sent to") >= 2  # beside the field, and in the answer
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer no-key"
