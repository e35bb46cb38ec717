"""The Paid API page with several connections: choosing, adding and testing one, against a real local server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from streamlit.testing.v1 import AppTest
from werkzeug import Response

from backends.base import Question, TextDelta
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.remote import stand_in
from backends.remote.stand_in import StandIn
from backends.run.live import LiveComparison
from backends.scripted import ScriptedBackend
from backends.settings import Settings, load_settings
from backends.spend.ledger import entries
from tests.backends.openai_server import KEY, PATH, error, paris
from tests.backends.test_recorded import export
from tests.pages.opening import HOME, everything, markdown_in, opened
from tests.scripted import PATIENCE_S, Gate, Scripted, finished
from ui.shared.text import escaped

pytestmark = pytest.mark.usefixtures("no_local_models")


def configured(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("one", "two"):
        for field, value in (("BASE_URL", url), ("MODEL", f"model-{name}"), ("API_KEY", KEY)):
            monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__{name.upper()}__{field}", value)


def titles(at: AppTest) -> list[str]:
    return [element.value for element in at.markdown if element.value.startswith("### :violet")]


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
    assert titles(at) == ["### :violet[:material/payments: **Paid API**]"] * 2
    assert [one.value for one in at.markdown if one.value in ("**one**", "**two**")] == ["**one**", "**two**"]
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
    assert titles(at) == ["### :violet[:material/payments: **Paid API · two**]"]
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


def test_a_test_is_of_what_the_page_shows(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is typed, and the button clicked at once: the browser sends both together."""
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("CROSSROADS_PAID_API__BASE_URL", "http://127.0.0.1:9/v1")
    at = opened("paid_api")
    at.text_input(key="setting:paid_api.base_url").input(httpserver.url_for("/v1"))
    at.button(key="test_connection:").click().run()
    said = [element.value for element in at.caption if element.value.startswith("Tested at")]
    said = [one.replace("\\", "").replace(":small[]", "") for one in said]
    assert len(said) == 1
    assert said[0].endswith(f"gpt-4.1-mini at {httpserver.url_for('/v1')}, without a key.")
    assert len(passed(at)) == 4
    at.selectbox(key="setting:paid_api.model").select("gpt-4.1").run()
    assert passed(at) == []  # another model was not tested
    assert any("Test it again" in element.value for element in at.caption)


def passed(at: AppTest) -> list[str]:
    return [element.value for element in at.markdown if element.value.startswith(":material/check_c")]


def test_a_stand_in_is_not_tested_in_place_of_the_paid_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in, "running", lambda data: StandIn("http://127.0.0.1:9/v1", "small", 1))
    at = opened("paid_api")
    at.button(key="test_connection:").click().run()
    (failed,) = [element.value for element in at.markdown if element.value.startswith(":material/error:")]
    assert "There is no API key for https" in failed.replace("\\", "")
    assert "127.0.0.1" not in failed.replace("\\", "")


def test_who_stands_in_is_named_before_asking_and_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__STAND_IN", "true")
    for page in ("compare", "paid_api"):
        at = opened(page)
        (named,) = [one.value.replace("\\", "") for one in at.markdown if "stand-in]" in one.value]
        assert named.endswith("A small model of this machine answers here, in place of gpt-4.1-mini.")
    at.button(key="stop_stand_in:paid_api").click().run()
    assert not [one for one in at.markdown if "stand-in]" in one.value]
    assert "Start the stand-in" in [button.label for button in at.button]


def test_a_stand_in_that_is_started_while_answers_come_is_asked_once_they_are_there(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "false")
    started: list[StandIn] = []
    monkeypatch.setattr(stand_in, "running", lambda data: started[0] if started else None)
    control = stand_in.control(load_settings().data)
    monkeypatch.setattr(control, "begin", lambda: started.append(StandIn(httpserver.url_for("/v1"), "small", 1)))
    at = opened("compare")
    nobody = PaidApiBackend(load_settings())
    writes = Scripted(TextDelta("Paris, too."), finished(), approach="raw", lane=None)
    running = LiveComparison([writes, nobody], Question("Capital of France?", run="r"), hold=True)  # the page starts it
    at.session_state["live_comparisons"] = {"compare": running}
    at.button(key="stand_in:compare").click().run()
    assert not at.exception
    assert [answer.status for answer in running.answers] == ["ok", "not_asked"]
    assert markdown_in(at, "answer-") == ["Paris, too\\.", "Paris\\."]
    assert len(httpserver.log) == 1


def test_the_stand_in_is_offered_under_the_column_while_other_answers_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "false")
    gate = Gate()
    monkeypatch.setattr("ui.ask.stand_in_offer._would_cost", lambda current, question: gate.opened.set() or "")
    writes = Scripted(gate, TextDelta("Paris."), finished(), approach="raw", lane=None)
    running = LiveComparison([writes, PaidApiBackend(load_settings())], Question("Capital?", run="r"), hold=True)
    at = opened("compare")
    at.session_state["live_comparisons"] = {"compare": running}
    at.run()  # ends only if the offer was there before the other answer
    assert not at.exception
    assert [answer.status for answer in running.answers] == ["ok", "not_asked"]
    assert [button.label for button in at.button].count("Start the stand-in") == 1


def test_an_answer_stays_where_another_one_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in a callback would leave nothing on the page but itself."""
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "false")
    writes = Scripted(TextDelta("Paris."), finished(), approach="raw", lane=None)
    asked = LiveComparison([writes, PaidApiBackend(load_settings())], Question("Capital?", run="r"))
    assert asked.wait(PATIENCE_S)
    monkeypatch.setattr(stand_in.Control, "begin", lambda self: None)
    at = opened("compare")
    at.session_state["live_comparisons"] = {"compare": asked}
    at.run()

    def fails(*_: object) -> None:
        raise BackendError("The store is in use.", "Try again.")

    monkeypatch.setattr("ui.resources.prepare_question", fails)
    (start,) = [button for button in at.button if button.label == "Start the stand-in"]
    start.click().run()
    assert not at.exception
    assert "The store is in use" in everything(at).replace("\\", "")
    assert "Paris" in everything(at)


def test_a_key_typed_under_a_question_answers_it(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setattr("backends.paid_api.same_address", lambda one, other: True)  # a local server for OpenAI's
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", "no/such/folder")
    at = opened("compare")
    at.session_state["chosen:compare"] = ["raw", "paid_api"]
    at.text_area(key="question:compare").input("Capital of France?")
    at.button(key="ask:compare").click().run()
    assert ":gray-badge[:material/pending: not asked]" in [element.value for element in at.markdown]
    assert httpserver.log == []
    at.text_input(key="key:compare:typed").input(KEY)
    at.button(key="FormSubmitter:key:compare-Use this key").click().run()
    assert not at.exception
    ((request, _),) = httpserver.log  # and the raw model is not asked again
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert "Paris\\." in [element.value for element in at.markdown]
    assert KEY not in everything(at)


def test_a_key_typed_beside_an_answer_of_the_stand_in_asks_the_paid_model(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "false")
    monkeypatch.setenv("CROSSROADS_PAID_API__STAND_IN", "true")
    monkeypatch.setattr("backends.paid_api.same_address", lambda one, other: True)  # a local server for OpenAI's
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    raw = Scripted(TextDelta("Oslo."), finished(), approach="raw", lane=None)
    stands_in = ScriptedBackend(TextDelta("Bergen."), finished(), approach="paid_api", lane=None)
    at = opened("compare")
    at.session_state["live_comparisons"] = {"compare": LiveComparison([raw, stands_in], Question("Capital?", run="r"))}
    at.run()
    assert markdown_in(at, "answer-") == ["Oslo\\.", "Bergen\\."]
    at.text_input(key="key:compare:typed").input(KEY)
    at.button(key="FormSubmitter:key:compare-Use this key").click().run()
    assert not at.exception
    assert markdown_in(at, "answer-") == ["Oslo\\.", "Paris\\."]
    assert len(httpserver.log) == 1


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
    assert choice.value == "groq"  # the page is about what was just made
    assert at.selectbox(key="setting:connections.groq.model").value == "some-model"
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
    (shown,) = [table.value for table in at.table if "Attempt" in table.value]
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


def test_recorded_answers_are_loaded_shown_and_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at = opened("paid_api")
    load = at.button(key="FormSubmitter:form:recorded-Load")
    at.file_uploader(key="recorded_files").set_value([("a.csv.json", b"a,b", "application/json")])
    load.click().run()
    assert any(error.value.startswith("a\\.csv\\.json is not JSON") for error in at.error)
    answers = json.dumps(export()) + json.dumps(export(model="gpt-4.1-2025-04-14"))
    at.file_uploader(key="recorded_files").set_value([("answers.json", answers.encode(), "application/json")])
    at.button(key="FormSubmitter:form:recorded-Load").click().run()
    assert not at.exception
    assert not at.error
    names = ["recorded-gpt-4-1-mini", "recorded-gpt-4-1"]
    assert at.button_group(key="connection").options == ["default", *map(escaped, sorted(names))]
    assert at.button_group(key="connection").value == names[0]
    at.selectbox(key=f"recorded_question:{names[0]}").select("Capital of France?").run()
    assert not at.exception
    shown = [element.value for element in at.markdown]
    assert any("recorded 2 Nov 2026" in text for text in shown)
    assert "Paris\\." in [element.value for element in at.markdown]
    assert str(tmp_path) not in everything(at)
    at.button(key=f"recorded_drop:{names[0]}").click().run()
    assert at.button_group(key="connection").options == ["default", escaped(names[1])]
