"""The Costs page as a person meets it: empty, measured, changed, reset; its history; and a ledger that is damaged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.base import Answer, Cost, Status, Timings, Usage
from backends.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, BudgetSettings
from backends.spend import budget, ledger
from backends.spend.ledger import Kind, Purpose, ledger_file
from evaluation.costs import right_answers
from evaluation.costs.monthly import monthly
from tests.backends.spend.stored_rows import stored_rows
from tests.evaluation.costs.made_inputs import made_inputs
from tests.scripted import PATIENCE_S
from ui.costs.per_month import table

HOME = Path(__file__).resolve().parents[2]
HOSTILE = "=evil ![x](http://evil.example/x.png) $z$ **b**"


pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark result in place of the one that this machine may have."""
    file = tmp_path / "latest.json"
    answers = [{"answers": {"raw": {"right": False}, "fine_tuned": {"right": n < 3}}} for n in range(4)]
    file.write_text(json.dumps({"date": "2026-11-22T10:00:00+00:00", "raw": {"quality": {"samples": answers}}}))
    monkeypatch.setattr(right_answers, "BENCHMARK", file)
    return file


def run(acted: AppTest | Widget) -> AppTest:
    at = acted.run()
    assert not at.exception, at.exception
    return at


def opened(section: str | None = None, app: bool = False) -> AppTest:
    file = HOME / "streamlit_app.py" if app else HOME / "pages" / "costs.py"
    at = AppTest.from_file(str(file), default_timeout=PATIENCE_S)
    if app:
        run(at).switch_page("pages/costs.py")
    if section:
        at.query_params["costs"] = section
    return run(at)


def turn_to(at: AppTest, section: str) -> AppTest:
    return run(at.button_group(key="costs").set_value(section))


def record(
    data: Path,
    approach: str,
    model: str = "base",
    status: Status = "ok",
    usd: str | None = "0.001",
    kind: Kind = "real",
    days_ago: int = 0,
    latency_s: float = 2.0,
    purpose: Purpose = "answer",
) -> None:
    cost = Cost(None if usd is None else Decimal(usd), "a basis")
    answer = Answer(approach, model, "", status, timings=Timings(latency_s=latency_s), usage=Usage(100, 50), cost=cost)
    ledger.append(data, answer, kind, datetime.now(UTC) - timedelta(days=days_ago), purpose=purpose)


IN_FORCE = {
    "raw": "",
    "fine_tuned": " + adapter brambleworth (sha256 0123456789ab)",
    "rag": f" + handbook searched with {DEFAULT_EMBEDDER}",
}
"""What stands behind the base model's name where these approaches answer with the default settings."""


@pytest.fixture
def asked(data: Path) -> Path:
    """A data folder in which every approach has answered, ahead of everything that is rented by the month."""
    for approach, more in IN_FORCE.items():
        record(data, approach, f"{DEFAULT_MODEL} (Q4_1 weights){more}")
    record(data, "paid_api", "gpt-4.1-mini", usd="0.00012")
    return data


def markdown(at: AppTest) -> str:
    return "\n".join(element.value.replace("\\", "") for element in at.markdown)


def captions(at: AppTest) -> str:
    """What stands in small letters below something."""
    small = [element for element in at.markdown if element.value.startswith(":small[")]
    return "\n".join(element.value.replace("\\", "") for element in [*at.caption, *small])


def cells(at: AppTest, index: int = 0) -> dict[str, dict[str, str]]:
    """A table by column and row, as it is read."""

    def read(cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        text = cell.replace(":small[]", "").replace("\\", "")
        return text[2:-2] if text.startswith("**") and text.endswith("**") else text

    shown: dict[str, dict[str, str]] = at.table[index].value.map(read).rename(index=read, columns=read).to_dict()
    return shown


# --- the page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("app", [True, False])
def test_the_page_opens_in_the_app_and_by_its_own_address(app: bool) -> None:
    at = opened(app=app)
    assert [title.value for title in at.title] == ["Costs"]


@pytest.mark.parametrize(
    "section", ["Per month", "Per right answer", "What if", "Price list", "From scratch", "History"]
)
def test_every_section_opens_empty_and_filled(section: str, data: Path, benchmark: Path) -> None:
    assert not opened(section).error
    for approach in ("raw", "fine_tuned", "rag"):
        record(data, approach)
    assert not opened(section).error


def test_with_nothing_measured_the_page_says_so_and_leads_to_compare() -> None:
    at = opened()
    assert "Nothing was measured here yet" in markdown(at)
    assert at.button(key="ask_first").label == "Ask a few questions on Compare first"
    assert "straighten: measured here" not in captions(at)
    at = opened(app=True)
    run(at.button(key="ask_first").click())
    assert [title.value for title in at.title] == ["Crossroads"]


def test_measured_inputs_say_from_how_many_answers(asked: Path) -> None:
    at = opened()
    assert "Nothing was measured" not in markdown(at)
    today = datetime.now(UTC)
    note = f"measured here: · mean of 1 answer since {today.day} {today:%b %Y} (gpt-4.1-mini)"
    assert note.replace(": ·", "] ·") in captions(at)
    assert at.number_input(key="cost:paid_api.prompt_tokens").value == 100
    assert at.number_input(key="cost:raw.machine_s").value == 2.0
    assert "price list] · OpenAI gpt-4.1-mini, list price" in captions(at)


def test_a_month_by_part(asked: Path) -> None:
    shown = cells(opened())
    # 10,000 × 100 tokens at 0.4 and 50 at 1.6 USD a million; a machine for 730 hours at 0.10 USD
    assert shown["gpt-4.1-mini"]["Tokens in"] == "$0.4"
    assert shown["gpt-4.1-mini"]["Tokens out"] == "$0.8"
    assert shown["gpt-4.1-mini"]["A month"] == "$1.2"
    assert shown["gpt-4.1-mini"]["An answer (mean)"] == "$0.00012"
    assert shown["Raw model"]["Rented machines"] == "$73"
    assert shown["Raw model"]["Tokens in"] == ""
    assert shown["Fine-tuned"]["Training"] == "$0.0114"


def test_the_formulas_are_shown_with_their_numbers(asked: Path) -> None:
    at = opened()
    assert "**Tokens out** = questions × tokens out ÷ 1,000,000 × price of a million tokens out" in markdown(at)
    assert "= 10,000 × 50 tokens ÷ 1,000,000 × 1.6 USD\n= $0.8" in [text.value for text in at.text]


def test_what_is_typed_counts_and_can_be_reset(asked: Path) -> None:
    at = opened()
    assert at.button(key="reset_costs").disabled
    run(at.number_input(key="cost:questions").set_value(1_000_000))
    assert cells(at)["gpt-4.1-mini"]["A month"] == "$120"
    assert "At 1,000,000 questions a month" in markdown(at)
    assert not at.button(key="reset_costs").disabled
    assert "Machines rented: Raw model 3, Fine-tuned 3, RAG 3." in captions(at)
    run(at.number_input(key="cost:machine.utilisation").set_value(80.0))
    assert cells(at)["Raw model"]["Rented machines"] == "$73"  # 2,000,000 s of 730 × 3,600 × 0.8
    run(at.button(key="reset_costs").click())
    assert at.number_input(key="cost:questions").value == 10_000
    assert at.number_input(key="cost:machine.utilisation").value == 30.0


def test_an_emptied_box_goes_back_to_what_was_measured(asked: Path) -> None:
    at = opened()
    run(at.number_input(key="cost:raw.machine_s").set_value(9.0))
    assert at.number_input(key="cost:raw.machine_s").value == 9.0
    run(at.number_input(key="cost:raw.machine_s").set_value(None))
    assert at.number_input(key="cost:raw.machine_s").value == 2.0


def test_what_is_typed_survives_a_change_of_section_and_of_page(asked: Path) -> None:
    at = opened(app=True)
    run(at.number_input(key="cost:questions").set_value(77))
    turn_to(at, "What if")
    assert at.number_input(key="cost:questions").value == 77
    run(at.switch_page("pages/raw.py"))
    run(at.switch_page("pages/costs.py"))
    assert at.number_input(key="cost:questions").value == 77


def test_break_evens_are_named_in_sentences_and_drawn(asked: Path) -> None:
    at = opened()
    assert (
        "The raw model never gets cheaper than gpt-4.1-mini: an answer costs $0.000185 at best, against $0.00012; a "
        "machine would have to give 1.54 times as many answers." in markdown(at)
    )
    run(at.number_input(key="cost:machine.at_once").set_value(4.0))
    # 73 USD ÷ 0.00012 = 608,333; a machine answers 1,576,800 of them
    assert "From 609,000 questions a month on, the raw model is cheaper than gpt-4.1-mini." in markdown(at)
    (chart,) = at.get("vega_lite_chart")
    assert "gpt-4.1-mini" in chart.proto.spec


def test_paying_by_the_second_has_no_machines(asked: Path) -> None:
    at = opened()
    run(at.radio(key="cost:billing").set_value("pay per second used"))
    assert cells(at)["Raw model"]["Machine time"] == "$0.556"
    assert "At every volume, the raw model is cheaper than gpt-4.1-mini." in markdown(at)
    assert "Machines rented" not in captions(at)


def test_an_unknown_price_is_told_and_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__MODEL", "nonesuch")
    at = opened()
    assert cells(at)["nonesuch"]["A month"] == "\u2014"
    assert "nonesuch: no price per token is known for nonesuch at api.openai.com" in captions(at)
    assert "Whether the raw model is ever cheaper than nonesuch cannot be said" in markdown(at)
    assert "Type its price per million tokens under nonesuch in the inputs." in markdown(at)
    run(at.number_input(key="cost:paid_api.price.input").set_value(1.0))
    run(at.number_input(key="cost:paid_api.price.output").set_value(2.0))
    assert cells(at)["nonesuch"]["A month"] == "$1.4"


def test_a_column_per_approach() -> None:
    inputs = made_inputs(rented=False)
    costs = [monthly(way.approach, inputs) for way in inputs.profiles]
    assert list(table(costs, inputs).columns) == ["Raw model", "Fine-tuned", "gpt-4.1-mini", "RAG"]


def test_nobody_asking_is_a_month_too(asked: Path, benchmark: Path) -> None:
    at = opened()
    run(at.number_input(key="cost:questions").set_value(0))
    assert cells(at)["gpt-4.1-mini"]["A month"] == "$0"
    assert cells(at)["Raw model"]["A month"] == "$73"
    assert cells(at)["Raw model"]["An answer (mean)"] == "\u2014"
    turn_to(at, "Per right answer")
    assert cells(at)["A right answer"]["Fine-tuned"] == "unknown: no question is asked"
    for section in ("What if", "From scratch", "History"):
        turn_to(at, section)


# --- several paid models --------------------------------------------------------------------------


@pytest.fixture
def two_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BASE_URL": "http://127.0.0.1:9/v1",
        "MODEL": "gpt-4.1-mini",
        "PRICE__INPUT_USD": "1",
        "PRICE__OUTPUT_USD": "4",
        "PRICE__DATE": "2026-11-01",
    }.items():
        monkeypatch.setenv(f"CROSSROADS_CONNECTIONS__OWN__{name}", value)


@pytest.mark.usefixtures("two_connections")
def test_a_named_connection_is_a_curve_and_can_be_the_one_to_compare_with(asked: Path) -> None:
    at = opened()
    assert list(cells(at)) == ["Raw model", "Fine-tuned", "gpt-4.1-mini", "RAG"]
    run(at.multiselect(key="cost:paid").set_value(["paid_api:own", "paid_api"]))
    own, default = "gpt-4.1-mini (Paid API \u00b7 own)", "gpt-4.1-mini (Paid API)"
    assert list(cells(at)) == ["Raw model", "Fine-tuned", own, default, "RAG"]
    assert cells(at)[own]["A month"] == "$3"
    assert "entered by hand] \u00b7 gpt-4.1-mini, price entered by hand on 2026-11-01" in captions(at)
    assert f"the raw model is cheaper than {own}." in markdown(at)
    (chart,) = at.get("vega_lite_chart")
    assert own in json.loads(json.dumps(chart.proto.spec)).encode().decode("unicode_escape")
    run(at.multiselect(key="cost:paid").set_value([]))
    assert list(cells(at)) == ["Raw model", "Fine-tuned", "gpt-4.1-mini", "RAG"]
    for section in ("Per right answer", "What if"):
        turn_to(at, section)


def test_a_model_can_be_entered_with_its_price_and_its_date(asked: Path) -> None:
    at = opened()
    run(at.button(key="FormSubmitter:price_by_hand-Draw it").click())
    assert "A model needs a name, a price for tokens in and out" in at.error[0].value
    at.text_input(key="price_by_hand:model").set_value(HOSTILE)
    at.number_input(key="price_by_hand:input").set_value(2.0)
    at.number_input(key="price_by_hand:output").set_value(10.0)
    run(at.button(key="FormSubmitter:price_by_hand-Draw it").click())
    assert not at.error
    assert cells(at)[HOSTILE]["A month"] == "$7"  # 10,000 × (100 × 2 + 50 × 10) ÷ 1,000,000, tokens as gpt-4.1-mini's
    assert "as measured of gpt-4.1-mini: mean of 1 answer" in captions(at)
    assert f"price entered by hand on {datetime.now(UTC).date()}" in captions(at)
    turn_to(at, "Per right answer")
    turn_to(at, "Per month")
    assert cells(at)[HOSTILE]["A month"] == "$7"


def test_a_model_is_found_in_the_price_list_and_drawn(asked: Path) -> None:
    at = opened("Price list")
    rows = at.dataframe[0].value
    months = list(rows["A month"])
    of_makers = int((rows["Sold by"] == "its maker").sum())
    assert 0 < of_makers < len(months)
    for part in (months[:of_makers], months[of_makers:]):
        assert part == sorted(part)
    assert {"OpenAI", "Anthropic", "Mistral"} < set(rows["Provider"][:of_makers])
    assert not {"OpenRouter", "Microsoft Azure", "AWS Bedrock"} & set(rows["Provider"][:of_makers])
    measured = "10,000 questions a month of 100 tokens in, 50 out each: measured of gpt-4.1-mini, mean of 1 answer"
    assert measured in captions(at)
    assert at.button(key="compare_listed").disabled
    run(at.text_input(key="price_list_search").set_value("HAIKU-4-5 anthropic"))
    rows = at.dataframe[0].value
    assert 0 < len(rows) < len(months)
    names = [f"{row['Model']} {row['Provider']}".casefold() for row in rows.to_dict("records")]
    assert all("haiku-4-5" in name and "anthropic" in name for name in names)
    at.session_state["price_list:HAIKU-4-5 anthropic"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    run(at)
    assert at.button(key="compare_listed").label == "Compare 1 on Per month"
    run(at.button(key="compare_listed").click())
    assert list(cells(at)) == ["Raw model", "Fine-tuned", "gpt-4.1-mini", rows["Model"][0], "RAG"]
    turn_to(at, "Price list")
    run(at.text_input(key="price_list_search").set_value("no such model"))
    assert at.info[-1].value.startswith("No model of the list has all these words")


# --- right answers ------------------------------------------------------------------------------


def test_a_right_answer_costs_more_than_an_answer(asked: Path, benchmark: Path) -> None:
    shown = cells(opened("Per right answer"))
    assert shown["Right answers"] == {
        "Raw model": "0 % (0 of 4; 0\u201349)",
        "Fine-tuned": "75 % (3 of 4; 30\u201395)",
        "gpt-4.1-mini": "unknown",
        "RAG": "unknown",
    }
    assert shown["A right answer"]["Fine-tuned"].startswith("$0.00973 ($0.00765 to $0.0243)")
    assert shown["A right answer"]["Raw model"].startswith("no right answer; at least $0.0149")
    assert shown["A right answer"]["gpt-4.1-mini"] == "unknown: it is not known how many answers are right"


def test_accuracies_can_be_typed_and_reset(asked: Path, benchmark: Path) -> None:
    at = opened("Per right answer")
    run(at.number_input(key="accuracy:paid_api:right").set_value(50))
    assert at.number_input(key="accuracy:paid_api:asked").value == 100
    assert cells(at)["A right answer"]["gpt-4.1-mini"].startswith("$0.00024 ")
    run(at.button(key="reset_accuracies").click())
    assert cells(at)["Right answers"]["gpt-4.1-mini"] == "unknown"


def test_more_right_answers_than_questions_are_not_taken(asked: Path, benchmark: Path) -> None:
    at = opened("Per right answer")
    run(at.number_input(key="accuracy:fine_tuned:right").set_value(9))
    assert cells(at)["Right answers"]["Fine-tuned"].startswith("100 % (4 of 4;")


# --- what if, from scratch ------------------------------------------------------------------------


def test_what_if_tells_the_change_for_the_chosen_approach(asked: Path) -> None:
    at = opened("What if")
    run(at.button_group(key="what_if").set_value("paid_api"))
    assert "gpt-4.1-mini: $1.2 a month now." in markdown(at)
    shown = cells(at)
    changes = dict(zip(shown["What if"].values(), shown["Change"].values(), strict=True))
    assert changes["paid prices halve"] == "\u2212$0.6"
    assert changes["ten times the questions"] == "+$10.8"
    assert changes["machine rate doubles"] == "$0"


def test_from_scratch_makes_its_point_and_takes_other_prices() -> None:
    at = opened("From scratch")
    assert "Do not train from scratch: even the small base model used here took about $2,840" in markdown(at)
    assert list(cells(at)) == ["Parameters", "Tokens", "FLOPs", "GPU hours"]
    assert cells(at, 1)["Cost"][3] == "$1,030,000"
    run(at.number_input(key="box:scratch_usd").set_value(5.0))
    assert cells(at, 1)["Cost"][3] == "$2,060,000"
    assert "arXiv:2001.08361" in captions(at)


# --- history ------------------------------------------------------------------------------------


def test_without_answers_the_history_says_what_it_is_for() -> None:
    at = opened("History")
    assert at.info[1].value.startswith("Every answer of every session is recorded from now on")
    assert at.button(key="ask_first_history").label == "Ask something on Compare"


def test_an_answer_whose_process_died_is_shown_and_counted_as_the_bill_says(data: Path) -> None:
    caps = BudgetSettings(per_day_usd=Decimal(1))
    budget.reserve(data, caps, "run", "paid_api:one", HOSTILE, Decimal("0.811"))
    assert "process ended" not in markdown(opened("History"))  # it is under way
    with stored_rows(data) as connection:
        connection.execute("UPDATE charges SET began = began - 100")
    at = opened("History")
    assert "**$0.811 of answers whose process ended before they were counted**" in markdown(at)
    assert "http://" not in markdown(at)  # a link that is shown as text has a joiner in it
    assert at.number_input(key="uncounted:1:usd").value == 0.811
    at.number_input(key="uncounted:1:usd").set_value(0.25)
    run(at.button(key="FormSubmitter:uncounted:1-Count it").click())
    assert "process ended" not in markdown(at)
    assert budget.spent_today(data) == budget.Spent(Decimal("0.25"), Decimal(0), 0)


def history(at: AppTest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = at.dataframe[0].value.to_dict("records")
    return rows


def test_history_by_approach_and_model(data: Path) -> None:
    record(data, "raw", usd="0.001", latency_s=1.0)
    record(data, "raw", usd="0.002", latency_s=3.0, days_ago=3)
    record(data, "raw", status="error", usd=None, days_ago=3)
    record(data, "raw", usd="9", days_ago=40)
    record(data, "paid_api", HOSTILE, usd=None)
    at = opened("History")
    assert "$0.003 for 4 answers; the cost of 2 of them is unknown." in markdown(at)
    assert len(at.get("vega_lite_chart")) == 4
    raw, paid = sorted(history(at), key=lambda row: row["Approach"] != "Raw model")
    assert raw == {
        "Approach": "Raw model",
        "Model": "base",
        "Answers": "3",
        "Spent": "$0.003",
        "Cost unknown": "1",
        "Latency p50": "2 s",
        "p95": "2.9 s",
        "Errors": "1",
        "Error rate": "33.3 %",
    }
    assert (paid["Model"], paid["Spent"]) == (f"'{HOSTILE}", "\u2014")  # the table can be saved
    assert list(raw)[-1] == "Model"  # a long name must not push the figures off a small screen
    run(at.button_group(key="history_days").set_value("90 days"))
    assert "$9 for 5 answers" in markdown(at)


def test_tests_of_connections_are_in_what_was_spent_and_not_in_how_answers_did(data: Path) -> None:
    record(data, "paid_api", "gpt", usd="0.5", latency_s=9.0, purpose="test")
    at = opened("History")
    assert "$0.5 for 1 test of a connection." in markdown(at)
    record(data, "paid_api", "gpt", usd="1", latency_s=1.0)
    record(data, "raw", usd="2")
    at = opened("History")
    assert "$3.5 for 2 answers and 1 test of a connection." in markdown(at)
    paid, raw = sorted(history(at), key=lambda row: str(row["Approach"]))
    assert [paid[of] for of in ("Answers", "Tests", "Spent", "Latency p50")] == ["1", "1", "$1.5", "1 s"]
    assert [raw[of] for of in ("Answers", "Tests", "Spent")] == ["1", "0", "$2"]


def test_costs_that_are_all_unknown_are_no_zero(data: Path) -> None:
    record(data, "paid_api", "gpt", usd=None)
    assert "The cost of 1 answer is unknown." in markdown(opened("History"))


def test_stand_ins_and_the_script_are_shown_apart(data: Path) -> None:
    record(data, "paid_api", kind="stand-in", usd="5")
    at = opened("History")
    assert "Only answers of the stand-in so far: they are not what a model costs." in captions(at)
    record(data, "paid_api", usd="1")
    at = opened("History")
    assert "$1 for 1 answer." in markdown(at)
    run(at.button_group(key="history_kind").set_value("stand-in"))
    assert "$5 for 1 answer." in markdown(at)


def test_what_is_asked_in_the_app_is_in_the_ledger() -> None:
    at = run(AppTest.from_file(str(HOME / "streamlit_app.py"), default_timeout=PATIENCE_S))
    at.text_area(key="question:compare").input("hello there")
    run(at.button(key="ask:compare").click())
    run(at.switch_page("pages/costs.py"))
    turn_to(at, "History")
    assert "$0.000016 for 4 answers." in markdown(at)
    assert "Only answers of the script so far" in captions(at)


# --- faults -------------------------------------------------------------------------------------


def test_a_damaged_ledger_is_named_and_set_aside_on_request(data: Path) -> None:
    data.mkdir()
    ledger_file(data).write_bytes(b"no database at all, but something long enough to be read" * 20)
    at = opened()
    assert "The ledger ledger.sqlite is damaged, so answers are not recorded." in at.error[0].value.replace("\\", "")
    run(at.button(key="set_ledger_aside").click())
    assert not at.error
    assert "The damaged ledger is kept as ledger.damaged-" in at.info[1].value.replace("\\", "")
    assert len(list(data.glob("ledger.damaged-*.sqlite"))) == 1
    run(at)
    assert len(at.info) == 1


def test_answers_go_on_without_the_ledger_and_that_is_said_once(data: Path) -> None:
    data.mkdir()
    ledger_file(data).write_bytes(b"no database at all, but something long enough to be read" * 20)
    at = run(AppTest.from_file(str(HOME / "streamlit_app.py"), default_timeout=PATIENCE_S))
    at.text_area(key="question:compare").input("hello there")
    run(at.button(key="ask:compare").click())
    assert [one.value for one in at.markdown if one.value.startswith("raw heard")]
    assert ["is damaged, so answers are not recorded" in warning.value for warning in at.warning] == [True]
    assert not run(at).warning
