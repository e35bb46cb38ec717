"""At a cap on spending: a clear stop, nothing lost, and going on by raising it, in the page and over real HTTP."""

from __future__ import annotations

import pytest
from pytest_httpserver import HTTPServer

from backends.settings import load_settings
from backends.spend.budget import spent_today
from backends.spend.ledger import entries
from evaluation.runs.background import works
from evaluation.runs.records import find_run
from tests.backends.openai_server import KEY, PATH, paris
from tests.pages.opening import everything, opened
from tests.scripted import PATIENCE_S

pytestmark = pytest.mark.usefixtures("no_local_models")


@pytest.fixture
def server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    """Two priced connections, and one on this machine that costs nobody's money."""
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    monkeypatch.setenv("CROSSROADS_MAX_TOKENS", "3")
    monkeypatch.setenv("CROSSROADS_SYSTEM_PROMPT", "")
    for name in ("one", "two", "here"):
        given = {"BASE_URL": httpserver.url_for("/v1"), "MODEL": f"model-{name}", "API_KEY": KEY, "MAX_RETRIES": "0"}
        if name == "here":
            given["ON_THIS_MACHINE"] = "true"
        else:
            given |= {"PRICE__INPUT_USD": "1000", "PRICE__OUTPUT_USD": "1000", "PRICE__DATE": "2026-11-01"}
        for field, value in given.items():
            monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__{name.upper()}__{field}", value)
    return httpserver


def asked_models(server: HTTPServer) -> list[str]:
    return [request.get_json()["model"] for request, _ in server.log]


def test_raising_the_cap_asks_those_that_it_stopped_and_keeps_the_other_answers(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSROADS_BUDGET__PER_RUN_USD", "0.01")
    at = opened("compare")
    at.session_state["chosen:compare"] = ["paid_api:one", "paid_api:two", "paid_api:here"]
    at.text_area(key="question:compare").input("Paris?")
    at.button(key="ask:compare").click().run()
    assert not at.exception
    assert asked_models(server) == ["model-here"]
    stops = [text.value for text in at.text if "budget of $0.01 does not cover this question" in text.value]
    assert len(stops) == 2
    assert "it could cost $0.029" in stops[0]
    form = "cap:compare:paid_api:one"
    wanted = at.number_input(key=f"{form}:usd")
    assert (wanted.value, wanted.min) == (0.06, 0.03)
    at.button(key=f"FormSubmitter:{form}-Raise it and ask again").click().run()
    assert not at.exception
    assert sorted(asked_models(server)) == ["model-here", "model-one", "model-two"]
    assert not [text for text in at.text if "does not cover this question" in text.value]
    assert at.session_state["setting_overrides"]["budget.per_run_usd"] == "0.06"
    titles = [element.value for element in at.markdown if element.value.startswith("### :violet")]
    assert titles == ["### :violet[:material/payments: **Paid API**]"] * 3
    names = [element.value for element in at.markdown if element.value in ("**one**", "**two**", "**here**")]
    assert names == ["**here**", "**one**", "**two**"]  # as they stand in the list, however they were chosen
    data = load_settings().data
    assert str(spent_today(data).usd) == "0.03"
    assert sorted(entry.status for entry in entries(data)) == ["error", "error", "ok", "ok", "ok"]
    paid = [entry for entry in entries(data) if entry.approach != "paid_api:here"]
    assert [entry.expected_usd is not None for entry in paid] == [True] * 4


def test_the_page_of_a_connection_goes_on_too(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_BUDGET__PER_DAY_USD", "0.02")
    at = opened("paid_api")
    at.button_group(key="connection").set_value("one").run()
    at.text_area(key="question:paid_api:one").input("Paris?")
    at.button(key="ask:paid_api:one").click().run()
    form = "cap:paid_api:one:paid_api:one"
    assert at.number_input(key=f"{form}:usd").label == "The day's budget for this browser session (USD)"
    assert "What happened inside" not in [heading.value for heading in at.header]  # nothing was sent
    at.button(key=f"FormSubmitter:{form}-Raise it and ask again").click().run()
    assert not at.exception
    assert asked_models(server) == ["model-one"]
    assert "What happened inside" in [heading.value for heading in at.header]
    assert r"Spent today \(UTC\)\: \$0\.015 of \$0\.03" in [caption.value for caption in at.caption]
    assert not [number for number in at.number_input if number.key.startswith("cap:")]


def test_a_price_is_entered_by_hand_and_goes_with_the_address(server: HTTPServer) -> None:
    at = opened("paid_api")
    at.button_group(key="connection").set_value("here").run()
    section = "price:connections.here"
    unknown = [
        caption.value for caption in at.caption if caption.value.startswith(r"Price\: no price per token is known")
    ]
    assert unknown[0].endswith(r"It computes here, so machine time is charged\.")
    at.number_input(key=f"{section}:input_usd").set_value(2.5)
    at.button(key=f"FormSubmitter:{section}-Use this price").click().run()
    assert [error.value.replace("\\", "") for error in at.error] == ["Out is missing; 0 is a price too."]
    at.number_input(key=f"{section}:output_usd").set_value(10.0)
    at.button(key=f"FormSubmitter:{section}-Use this price").click().run()
    assert not at.exception
    assert not at.error
    entered = at.session_state["setting_overrides"]
    assert [entered[f"connections.here.price.{field}"] for field in ("input_usd", "output_usd")] == ["2.5", "10.0"]
    assert any(r"2\.5 USD in" in caption.value for caption in at.caption)
    at.text_input(key="setting:connections.here.base_url").set_value("http://127.0.0.1:9/v1").run()
    assert not [name for name in at.session_state["setting_overrides"] if ".price." in name]
    assert any(caption.value.startswith(r"Price\: no price per token is known") for caption in at.caption)


@pytest.mark.usefixtures("no_works")
def test_a_run_stops_at_its_cap_says_what_it_may_cost_and_goes_on_with_another_one(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__ONE__MAX_AT_ONCE", "1")
    at = opened("evaluate")
    at.session_state["evaluate_new"] = True
    at.session_state["evaluate_origin"] = "A file"
    at.run()
    at.file_uploader(key="evaluate_file").set_value(("q.csv", b"question\nParis?\nRome?\n", "text/csv")).run()
    at.button_group(key="evaluate_approaches").set_value(["paid_api:one"]).run()
    suggested = next(one for one in at.number_input if str(one.key).startswith("evaluate_cap"))
    assert "Charged at most" in everything(at)
    suggested.set_value(0.03).run()
    at.button(key="evaluate_start").click().run()
    assert not at.exception
    (work,) = works()
    assert work.job.wait(PATIENCE_S)
    assert asked_models(server) == ["model-one"]
    stopped = find_run(work.store, work.run.id).approaches[0].stopped
    assert "The run's budget of $0.03 does not cover this question: $0.01" in stopped
    again = opened("evaluate", run=work.run.id)
    again.session_state[f"run_ask:{work.run.id}:open"] = True
    again.run()
    assert "of which $0.01" in everything(again)
    again.button(key=f"run_ask:{work.run.id}").click().run()
    (work,) = works()
    assert work.job.wait(PATIENCE_S)
    assert asked_models(server) == ["model-one", "model-one"]
    assert find_run(work.store, work.run.id).state == "done"
