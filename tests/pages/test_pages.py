"""Every page as a person meets it: asked, answered, stopped, left and found again. Answers come from the script."""

from __future__ import annotations

import json
import re
import threading
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.base import Cost, Passage, Question, Retrieved, TextDelta
from backends.errors import BackendError
from backends.run.live import LiveComparison
from backends.settings import load_settings
from evaluation.marks import marks
from evaluation.samples import Sample
from evaluation.suggestions import RECALLED, UNKNOWABLE
from tests.pages.opening import markdown_in
from tests.scripted import PATIENCE_S, Clock, Gate, Scripted, finished
from ui.shared.text import escaped

HOME = Path(__file__).resolve().parents[2]
APPROACHES = ["raw", "fine_tuned", "paid_api", "rag"]
NAMES = ["Raw model", "Fine-tuned", "Paid API", "RAG"]
PAGES = ["compare", *APPROACHES]
LANE = "pages-test"
HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](http://evil.example) $z$ :smile: **b**"

DONE = ":green-badge[:material/check_circle: done]"
FAILED = ":red-badge[:material/error: failed]"
NOT_ASKED = ":gray-badge[:material/pending: not asked]"
STOPPED = ":gray-badge[:material/stop_circle: stopped]"
CUT_OFF = ":orange-badge[:material/content_cut: cut off]"
EMPTY = ":orange-badge[:material/hide_source: empty answer]"
STAND_IN = " :orange-badge[:material/swap_horiz: stand-in]"
WRONG = ":red[:material/cancel: Not right]"


pytestmark = pytest.mark.usefixtures("scripted")


def app(page: str = "app") -> AppTest:
    """The whole app, or one page opened without it."""
    file = HOME / "streamlit_app.py" if page == "app" else HOME / "pages" / f"{page}.py"
    return AppTest.from_file(str(file), default_timeout=PATIENCE_S)


def run(acted: AppTest | Widget) -> AppTest:
    """The page after what was done to it."""
    at = acted.run()
    assert not at.exception, at.exception
    return at


def opened(page: str = "app") -> AppTest:
    return run(app(page))


def turn_to(at: AppTest, page: str) -> AppTest:
    return run(at.switch_page(f"pages/{page}.py"))


def ask(at: AppTest, question: str, page: str = "compare") -> AppTest:
    if any(button.key == f"edit:{page}" for button in at.button):
        run(at.button(key=f"edit:{page}").click())
    at.text_area(key=f"question:{page}").input(question)
    at.button(key=f"ask:{page}").click()
    return run(at)


def showing(comparison: LiveComparison, page: str = "compare") -> AppTest:
    """The page of a browser session in which `comparison` was asked."""
    at = app(page)
    at.session_state["live_comparisons"] = {page: comparison}
    return at


def badges(at: AppTest) -> list[str]:
    """How the columns stand, in their order."""
    known = {DONE, FAILED, STOPPED, CUT_OFF, EMPTY, WRONG, NOT_ASKED}
    states = [one.value.removesuffix(STAND_IN) for one in at.markdown]
    return [state for state in states if state in known]


def answers(at: AppTest) -> list[str]:
    """The texts of the answers, letter by letter."""
    return [re.sub(r"\\(.)", r"\1", value.replace(":small[]", "")) for value in markdown_in(at, "answer-")]


def captions(at: AppTest) -> list[str]:
    return [one.value.replace("\\", "") for one in at.caption]


def headings(at: AppTest) -> list[str]:
    """The names of the columns, in their order."""
    found = [re.fullmatch(r"##?# :\w+\[:material/\w+: \*\*(.+)\*\*\]", element.value) for element in at.markdown]
    return [match.group(1) for match in found if match]


_OF_CONNECTIONS = ("Add", "Load", "Test connection", "Use this price")


def buttons(at: AppTest) -> list[str]:
    """The buttons for asking; those that manage connections are tested with their page."""
    return [button.label for button in at.button if button.label not in _OF_CONNECTIONS]


def texts(at: AppTest) -> list[str]:
    return [element.value for element in at.text]


def charts(at: AppTest) -> list[tuple[str, pd.DataFrame]]:
    """What the charts are told to draw, and the rows of each."""
    return [
        (
            chart.proto.spec,
            pd.concat(pa.ipc.open_stream(table.data.data).read_pandas() for table in chart.proto.datasets),
        )
        for chart in at.get("vega_lite_chart")
    ]


# --- every page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["app", *PAGES])
def test_a_page_opens_by_its_own_address(address: str) -> None:
    at = opened(address)
    titles = dict(zip(APPROACHES, NAMES, strict=True)) | {"app": "Crossroads", "compare": "Crossroads"}
    assert [title.value for title in at.title] == [titles[address]]
    assert at.info[0].value == "Answers come from a script, not from models."
    assert buttons(at) == ["Ask"]
    assert not at.warning
    assert not at.error


def test_the_empty_main_page_says_what_each_approach_is() -> None:
    at = opened("compare")
    assert headings(at) == NAMES
    assert any(caption.value.startswith("Retrieval-augmented generation: your documents") for caption in at.caption)
    assert not at.dataframe
    assert not at.get("vega_lite_chart")


def test_the_app_leads_to_every_page() -> None:
    at = opened()
    for page, name in zip(APPROACHES, NAMES, strict=True):
        assert [title.value for title in turn_to(at, page).title] == [name]
    assert [title.value for title in turn_to(at, "compare").title] == ["Crossroads"]


# --- asking -------------------------------------------------------------------------------------


def test_four_answers_side_by_side_with_their_numbers() -> None:
    at = ask(opened("compare"), "hello there")
    assert [heading.value for heading in at.header] == [
        "hello there",
        "Latency and what it is made of",
        "Cost",
        "Every number",
    ]
    assert headings(at) == NAMES
    assert badges(at) == [DONE] * 4
    assert answers(at) == [f"{approach} heard: hello there" for approach in APPROACHES]
    assert texts(at) == ["A scripted passage for: hello there"]
    small = [element.value for element in at.markdown]
    assert len([text for text in small if text.startswith(":small[Latency")]) == 4
    assert len([text for text in small if text.startswith(":small[Cost")]) == 4
    assert len([caption for caption in captions(at) if "Tokens 2 in, 4 out (tokenizer)" in caption]) == 4
    assert len([text for text in small if text.endswith(STAND_IN)]) == 4
    assert [element.value for element in at.markdown].count("**\\$0\\.000004**") == 4
    assert not [button for button in at.button if button.label == "Stop"]


def test_the_table_and_the_charts_name_every_approach() -> None:
    at = ask(opened("compare"), "hello there")
    (table,) = at.dataframe
    assert list(table.value.columns) == [f"{name} (stand-in)" for name in NAMES]
    assert list(table.value.index) == [
        "Status",
        "Right",
        "Latency",
        "First text",
        "Cost",
        "Tokens/s",
        "Prompt tokens",
        "Completion tokens",
        "Tokens counted by",
        "Retrieval (in latency)",
        "Queued (not in latency)",
        "Loading (not in latency)",
    ]
    assert list(table.value.loc["Status"]) == ["done"] * 4
    assert list(table.value.loc["Completion tokens"]) == ["4"] * 4
    assert list(table.value.loc["Cost"]) == ["$0.000004"] * 4
    assert [value == "\u2014" for value in table.value.loc["Retrieval (in latency)"]] == [True, True, True, False]
    drawn = charts(at)
    assert len(drawn) == 2
    for spec, rows in drawn:
        assert all(name in spec for name in NAMES)
        assert set(rows["approach"]) == {f"{name} (stand-in)" for name in NAMES}
    parts = drawn[0][0]
    assert all(part in parts for part in ("retrieval", "until the first text", "writing"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def priced(usd: str | None) -> Cost:
    return Cost(None if usd is None else Decimal(usd), "a price")


def test_the_best_of_each_row_is_marked(clock: Clock) -> None:
    def answering(approach: str, first_s: float, rest_s: float, tokens: int, usd: str | None) -> Scripted:
        steps = (first_s, TextDelta("a"), rest_s, TextDelta("b"), finished(tokens))
        return Scripted(*steps, approach=approach, lane=LANE, clock=clock, price=priced(usd))

    comparison = LiveComparison(
        [
            answering("raw", 0.5, 3.5, 8, "0.002"),
            answering("fine_tuned", 1.0, 1.0, 8, "0.001"),
            answering("paid_api", 1.5, 1.5, 13, None),
            Scripted(BackendError("No documents.", "Add some."), approach="rag", lane=LANE, clock=clock),
        ],
        Question("q"),
    )
    assert comparison.wait(PATIENCE_S)
    at = run(showing(comparison))
    table = at.dataframe[0].value
    assert list(table.loc["Latency"]) == ["4 s", "\u2605 2 s", "3 s", "0 s"]
    assert list(table.loc["First text"]) == ["\u2605 500 ms", "1 s", "1.5 s", "\u2014"]
    assert list(table.loc["Tokens/s"]) == ["2", "7", "\u2605 8", "\u2014"]
    assert list(table.loc["Cost"]) == ["$0.002", "\u2605 $0.001", "\u2014", "\u2014"]
    shown = [element.value for element in at.markdown]
    fastest, cheapest = ":gray-badge[\u2605 fastest]", ":gray-badge[\u2605 cheapest]"
    latency, cost = ":small[Latency]", ":small[Cost]"
    assert [text for text in shown if text in (latency, fastest)] == [latency, fastest, latency, latency]
    assert [text for text in shown if text in (cost, cheapest)] == [cost, cheapest, cost, cost]
    (_, bars), (_, costs) = charts(at)
    labels = dict(zip(costs["approach"], costs["label"], strict=True))
    assert labels == {"Raw model": "$2", "Fine-tuned": "$1", "Paid API": "unknown", "RAG": "unknown"}
    lengths = bars.dropna(subset="seconds").groupby("approach")["seconds"].sum()
    assert dict(lengths) == {"Raw model": 4.0, "Fine-tuned": 2.0, "Paid API": 3.0, "RAG": 0.0}


def test_those_who_take_part_can_be_chosen() -> None:
    at = opened("compare")
    at.button_group(key="chosen:compare").set_value(["rag", "raw"])
    ask(at, "hello")
    assert set(headings(at)) == {"Raw model", "RAG"}
    assert badges(at) == [DONE] * 2
    assert len(at.dataframe[0].value.columns) == 2


def test_a_click_on_a_sample_asks_it() -> None:
    at = opened("compare")
    at.button_group(key="sample:compare").set_value(UNKNOWABLE.question)
    run(at)
    assert at.header[0].value == escaped(UNKNOWABLE.question)
    assert badges(at) == [WRONG] * 4
    assert not at.text_area
    run(at.button(key="edit:compare").click())
    assert at.text_area(key="question:compare").value == UNKNOWABLE.question
    assert badges(at) == [WRONG] * 4


@pytest.mark.parametrize("question", ["", "  \n "])
def test_an_empty_question_asks_nothing(question: str) -> None:
    at = ask(opened("compare"), question)
    assert [warning.value for warning in at.warning] == ["The question is empty. Type a question first."]
    assert "live_comparisons" not in at.session_state or not at.session_state["live_comparisons"]
    assert not run(at).warning
    ask(at, "hello there")
    asked = at.session_state["live_comparisons"]["compare"]
    ask(at, question)
    assert [warning.value for warning in at.warning] == ["The question is empty. Type a question first."]
    assert at.session_state["live_comparisons"]["compare"] is asked
    assert badges(at) == [DONE] * 4


def test_once_asked_the_box_folds_into_a_bar_and_back() -> None:
    at = ask(opened("compare"), "hello there")
    assert [one.value for one in at.container(key="unseen-title").title] == [one.value for one in at.title]
    assert not at.text_area
    assert not at.button_group
    assert buttons(at)[:2] == ["Edit", "Ask again"]
    run(at.button(key="edit:compare").click())
    assert at.title[0].value == "Crossroads"
    assert at.text_area(key="question:compare").value == "hello there"
    assert answers(at) == [f"{approach} heard: hello there" for approach in APPROACHES]
    run(at.button(key="close:compare").click())
    assert not at.text_area
    assert badges(at) == [DONE] * 4


def test_asking_again_asks_those_who_took_part() -> None:
    at = opened("compare")
    at.button_group(key="chosen:compare").set_value(["rag", "raw"])
    ask(at, "hello")
    before = at.session_state["live_comparisons"]["compare"]
    run(at.button(key="again:compare").click())
    again = at.session_state["live_comparisons"]["compare"]
    assert again is not before
    assert (again.question.text, len(again.answers)) == ("hello", 2)
    assert badges(at) == [DONE] * 2
    run(at.button(key="edit:compare").click())
    assert set(at.button_group(key="chosen:compare").value) == {"rag", "raw"}


def test_one_column_is_asked_again_alone() -> None:
    at = ask(opened("compare"), "hello there")
    before = {one.approach: one for one in at.session_state["live_comparisons"]["compare"].answers}
    run(at.button(key="again:compare:raw").click())
    after = {one.approach: one for one in at.session_state["live_comparisons"]["compare"].answers}
    assert [approach for approach in APPROACHES if after[approach] is not before[approach]] == ["raw"]
    assert badges(at) == [DONE] * 4


def test_a_question_goes_to_the_search_of_rag_with_one_click() -> None:
    at = ask(opened(), "hello there")
    run(at.button(key="search:compare:rag").click())
    assert [title.value for title in at.title] == ["RAG"]
    assert at.session_state["section"] == "Search"
    assert at.session_state["rag_query"] == "hello there"


def test_a_long_answer_is_shown_in_part_until_a_click() -> None:
    long = "word " * 99 + "end"
    at = run(showing(done(Scripted(TextDelta(long), finished(100), approach="raw"))))
    assert answers(at) == ["word " * 38 + "word \u2026"]
    (reveal,) = [button for button in at.button if button.label == "Show all"]
    run(reveal.click())
    assert answers(at) == [long]
    (hide,) = [button for button in at.button if button.label == "Show less"]
    run(hide.click())
    assert answers(at) == ["word " * 38 + "word \u2026"]


# --- who is right -------------------------------------------------------------------------------

RIGHT = ":green[:material/check_circle: Right]"
REFUSED = ":orange[:material/block: Refused]"


def done(*asked: Scripted, question: str = "q") -> LiveComparison:
    comparison = LiveComparison(asked, Question(question, run=f"run of {question}"))
    assert comparison.wait(PATIENCE_S)
    return comparison


def saying(text: str, approach: str, clock: Clock, latency_s: float) -> Scripted:
    return Scripted(TextDelta(text), latency_s, finished(3), approach=approach, lane=LANE, clock=clock)


def test_where_there_is_a_reference_each_column_is_judged_and_only_a_right_one_gets_a_star(clock: Clock) -> None:
    asked = (
        saying("It costs \u00a350.", "raw", clock, 1.0),
        saying("GBP 95.", "fine_tuned", clock, 3.0),
        saying("The documents do not say.", "paid_api", clock, 0.5),
        saying("The fixed repair price is \u00a395.", "rag", clock, 2.0),
    )
    at = run(showing(done(*asked, question=RECALLED.question)))
    assert markdown_in(at, "state-") == [WRONG, RIGHT, REFUSED, RIGHT]
    table = at.dataframe[0].value
    assert list(table.index)[:3] == ["Status", "Right", "Latency"]
    assert list(table.loc["Right"]) == ["not right", "right", "refused", "right"]
    assert list(table.loc["Latency"]) == ["1 s", "3 s", "500 ms", "\u2605 2 s"]
    rule = "Right holds every key fact of the reference, however it is spelled."
    assert f"{rule} \u2605 is the best of several right answers." in captions(at)
    assert ":green-badge[\u2605 fastest]" in [one.value for one in at.markdown]
    assert "Reference answer" in [one.proto.popover.label for one in at.get("popover")]
    reference = escaped("The fixed repair price of an Ember One is \u00a395.")
    assert f"**{reference}**" in [one.value for one in at.markdown]
    assert not at.get("feedback")


def test_where_all_are_wrong_nobody_gets_a_star(clock: Clock) -> None:
    asked = [saying("I guess 50.", approach, clock, at) for at, approach in enumerate(APPROACHES, 1)]
    at = run(showing(done(*asked, question=RECALLED.question)))
    assert badges(at) == [WRONG] * 4
    assert not [value for value in at.dataframe[0].value.to_numpy().ravel() if "\u2605" in value]
    assert not [one.value for one in at.markdown if "\u2605" in one.value]


def test_ones_own_question_is_judged_with_thumbs_which_are_kept(clock: Clock, tmp_path: Path) -> None:
    comparison = done(saying("Blue.", "raw", clock, 1.0), saying("Green.", "rag", clock, 2.0), question="Which colour?")
    at = run(showing(comparison))
    assert [text for text in (one.value for one in at.markdown) if "fastest" in text] == [
        ":gray-badge[\u2605 fastest]"  # it is no verdict, and the line above says so
    ]
    assert captions(at)[0].endswith("\u2605 says who was fastest or cheapest, not who is right.")
    assert list(at.dataframe[0].value.loc["Latency"]) == ["\u2605 1 s", "2 s"]
    first, _ = at.get("feedback")
    run(first.set_value(0))
    assert list(at.dataframe[0].value.loc["Right"]) == ["not right", "\u2014"]
    assert list(at.dataframe[0].value.loc["Latency"]) == ["1 s", "2 s"]
    run(at.text_input[0].input("It is green."))
    (kept,) = marks(load_settings().data)
    assert (kept.question, kept.approach, kept.answer) == ("Which colour?", "raw", "Blue.")
    assert (kept.good, kept.note, kept.kind) == (False, "It is green.", "scripted")


def test_a_question_of_an_uploaded_set_is_judged_by_it(clock: Clock) -> None:
    at = showing(done(saying("It is blue.", "raw", clock, 1.0), question="Which colour?"))
    at.session_state["question_sets"] = {"mine.csv": [Sample("7", "which colour?", "Blue.", (("blue",),))]}
    run(at)
    assert RIGHT in [one.value for one in at.markdown]
    assert "Question 7 of mine.csv." in captions(at)


@pytest.mark.parametrize(
    ("question", "badge", "sentence", "status"),
    [
        ("please fail", FAILED, "The script says to fail. Ask without the word fail.", "failed"),
        (
            "please cut",
            CUT_OFF,
            "The stream ended without saying why; the answer may be incomplete. Ask again.",
            "cut off",
        ),
        ("say nothing", EMPTY, "The model answered with nothing. Ask again or rephrase the question.", "empty answer"),
    ],
)
def test_an_answer_that_is_not_complete_keeps_its_column_and_says_why(
    question: str, badge: str, sentence: str, status: str
) -> None:
    at = ask(opened("compare"), question)
    assert headings(at) == NAMES
    assert badges(at) == [badge] * 4
    assert [*texts(at), *(caption.removeprefix(":material/info: ") for caption in captions(at))].count(sentence) == 4
    table = at.dataframe[0].value
    assert list(table.loc["Status"]) == [status] * 4
    assert not [value for value in table.to_numpy().ravel() if "\u2605" in value]


def test_a_failed_column_leaves_the_others_alone() -> None:
    comparison = LiveComparison(
        [
            Scripted(TextDelta("Yes"), finished(1), approach="raw", lane=LANE),
            Scripted(ValueError("key-0123456789"), approach="fine_tuned", lane=LANE),
            Scripted(BackendError("No key.", "Set one."), approach="paid_api"),
            Scripted(TextDelta("No"), finished(1), approach="rag", lane=LANE),
        ],
        Question("q"),
    )
    assert comparison.wait(PATIENCE_S)
    at = run(showing(comparison))
    assert badges(at) == [DONE, FAILED, FAILED, DONE]
    assert ":material/error: Fine-tuned, Paid API failed: the column says why." in captions(at)
    assert answers(at) == ["Yes", "No"]
    assert texts(at) == [
        "fine_tuned failed unexpectedly (ValueError). The log has the details; ask again.",
        "No key. Set one.",
    ]


@pytest.mark.parametrize(("approach", "name"), list(zip(APPROACHES, NAMES, strict=True)))
def test_one_approach_on_its_own_page(approach: str, name: str) -> None:
    at = ask(opened(approach), "hello there", approach)
    assert headings(at) == [name]
    assert badges(at) == [DONE]
    assert answers(at) == [f"{approach} heard: hello there"]
    assert "What happened inside" in [heading.value for heading in at.header]
    assert at.code[0].value.endswith("\n\nhello there")
    evidence = ["Evidence: 0 of 1 sentence supported"] if approach == "rag" else []
    sources = [*evidence, "How it was measured", *(["Sources (1)"] if approach == "rag" else [])]
    settings = ["Let a server answer instead"] if approach == "fine_tuned" else []
    assert [one.label for one in at.expander] == [*sources, "Prompt as sent, after the chat template", *settings]


# --- stopping, leaving, coming back ---------------------------------------------------------------


def endless(begun: threading.Event) -> Scripted:
    def go_on(cancel: threading.Event) -> None:
        begun.set()
        assert cancel.wait(PATIENCE_S), "nobody stopped it"

    return Scripted(TextDelta("So far"), go_on, finished(1, "cancelled"), approach="raw", lane=LANE)


def waiting() -> Scripted:
    return Scripted(TextDelta("never"), finished(1), approach="rag", lane=LANE)


def stop_button_alone() -> None:
    import streamlit as st

    from ui.ask.bar import stop_button

    stop_button("compare", st.empty())


def test_the_stop_button_ends_every_column_and_keeps_the_text() -> None:
    begun = threading.Event()
    comparison = LiveComparison([endless(begun), waiting()], Question("q"))
    assert begun.wait(PATIENCE_S)
    # A page that draws a running comparison comes to its end with it, so the button is looked at by itself.
    at = AppTest.from_function(stop_button_alone, default_timeout=PATIENCE_S)
    at.session_state["live_comparisons"] = {"compare": comparison}
    run(at)
    assert [button.label for button in at.button] == ["Stop"]
    assert not comparison.done
    run(at.button(key="stop:compare").click())
    assert comparison.wait(PATIENCE_S)
    assert not run(at).button
    page = run(showing(comparison))
    assert badges(page) == [STOPPED, STOPPED]
    assert answers(page) == ["So far"]
    assert ":material/info: Stopped; the text is what had arrived." in captions(page)
    assert texts(page) == ["Stopped before it began."]


def test_a_page_that_draws_a_running_comparison_ends_with_it() -> None:
    begun = threading.Event()
    comparison = LiveComparison([endless(begun), waiting()], Question("q"))
    at = showing(comparison)
    drawing = threading.Thread(target=at.run)
    drawing.start()
    assert begun.wait(PATIENCE_S)
    comparison.stop()
    drawing.join(PATIENCE_S)
    assert not at.exception
    assert badges(at) == [STOPPED, STOPPED]
    assert answers(at) == ["So far"]


def test_asking_again_stops_what_was_running() -> None:
    begun = threading.Event()
    first = LiveComparison([endless(begun), waiting()], Question("the first"))
    assert begun.wait(PATIENCE_S)
    at = opened("compare")
    at.session_state["live_comparisons"] = {"compare": first}
    ask(at, "the second")
    assert first.wait(PATIENCE_S)
    assert [answer.status for answer in first.answers] == ["cancelled", "cancelled"]
    assert at.header[0].value == "the second"
    assert badges(at) == [DONE] * 4


def test_a_comparison_survives_a_rerun_and_is_not_asked_again() -> None:
    at = ask(opened("compare"), "hello there")
    before, table = at.session_state["live_comparisons"]["compare"], at.dataframe[0].value
    run(at)
    assert at.session_state["live_comparisons"]["compare"] is before
    assert badges(at) == [DONE] * 4
    assert at.dataframe[0].value.equals(table)


def test_a_comparison_survives_a_page_change_and_each_page_keeps_its_own() -> None:
    at = opened()
    ask(at, "to everyone")
    turn_to(at, "raw")
    assert headings(at) == []
    ask(at, "to raw alone", "raw")
    turn_to(at, "compare")
    assert at.header[0].value == "to everyone"
    assert badges(at) == [DONE] * 4
    turn_to(at, "raw")
    assert at.header[0].value == "to raw alone"
    assert badges(at) == [DONE]


def test_leaving_in_mid_stream_loses_nothing() -> None:
    gate = Gate()
    comparison = LiveComparison(
        [Scripted(TextDelta("Half"), gate, TextDelta(" and whole"), finished(2), approach="raw", lane=LANE)],
        Question("q"),
    )
    assert gate.reached.wait(PATIENCE_S)
    at = app()
    at.session_state["live_comparisons"] = {"compare": comparison}
    # The compare page would stay with the stream, so the session starts on it only after the answer is there.
    other = app("raw")
    other.session_state["live_comparisons"] = {"compare": comparison}
    assert headings(run(other)) == []
    assert not comparison.done
    gate.opened.set()
    assert comparison.wait(PATIENCE_S)
    assert answers(run(at)) == ["Half and whole"]


# --- text that is not ours -----------------------------------------------------------------------


def live_markdown(at: AppTest) -> list[str]:
    """Everything on the page that is read as Markdown, with what is escaped taken out."""
    shown = [element.value for kind in (at.markdown, at.caption, at.header, at.title) for element in kind]
    shown += [expander.label for expander in at.expander]
    return [re.sub(r"\\.", "", value) for value in shown]


@pytest.mark.parametrize("address", PAGES)
def test_a_hostile_question_is_shown_as_text(address: str) -> None:
    at = ask(opened(address), HOSTILE, address)
    assert at.header[0].value == escaped(HOSTILE)
    asked = APPROACHES if address == "compare" else [address]
    assert [text for text in answers(at) if "heard:" in text] == [f"{approach} heard: {HOSTILE}" for approach in asked]
    cites = [button.key for button in at.button if button.label == ":blue[\\[1\\]]" and "text:" in str(button.key)]
    assert len(cites) == asked.count("rag")  # its passage repeats the question
    for value in live_markdown(at):
        assert not re.search(r"<script|!\[|\]\(|evil\.example|\$z\$|:smile:|\*\*b\*\*", value), value
    assert not at.get("html")
    assert not at.get("iframe")
    assert not at.get("imgs")


def test_hostile_names_and_faults_are_shown_as_text() -> None:
    passage = Passage(HOSTILE, 3, "c", 0.5, 0, 1, HOSTILE)
    comparison = LiveComparison(
        [
            Scripted(Retrieved((passage,)), TextDelta(HOSTILE), finished(1), approach="rag", price=Cost(None, HOSTILE)),
            Scripted(BackendError(HOSTILE, "Ask again."), approach="paid_api"),
        ],
        Question(HOSTILE),
    )
    assert comparison.wait(PATIENCE_S)
    at = run(showing(comparison))
    assert (texts(at).count(HOSTILE), answers(at)) == (1, [HOSTILE])
    assert f"{HOSTILE} Ask again." in texts(at)
    for value in live_markdown(at):
        assert not re.search(r"<script|!\[|\]\(|evil\.example|\$z\$|:smile:|\*\*b\*\*", value), value


# --- settings ------------------------------------------------------------------------------------


def test_a_setting_holds_for_the_next_question_and_across_pages() -> None:
    at = opened()
    run(at.text_area(key="setting:system_prompt").input("Be brief."))
    run(at.number_input(key="setting:max_tokens").set_value(21))
    turn_to(at, "raw")
    assert at.number_input(key="setting:max_tokens").value == 21
    ask(at, "hello", "raw")
    asked = at.session_state["live_comparisons"]["raw"].question
    assert (asked.system_prompt, asked.max_tokens) == ("Be brief.", 21)
    assert at.code[0].value == "Be brief.\n\nhello"


def test_an_unusable_setting_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_MAX_TOKENS", "many")
    at = opened()
    assert [error.value.split(":")[0].replace("\\", "") for error in at.error] == ["The setting max_tokens was refused"]
    assert not at.text_area


# --- with real approaches, but no weights --------------------------------------------------------


@pytest.fixture
def no_weights(scripted: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The app as it is, in a place where no model can be loaded."""
    monkeypatch.delenv("CROSSROADS_SCRIPTED")
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", str(tmp_path / "no-such-folder"))


def warmed_up() -> None:
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.mark.usefixtures("no_weights")
def test_approaches_that_cannot_be_loaded_are_named() -> None:
    at = opened("compare")
    warmed_up()
    run(at)
    warnings = dict(warning.value.split(": ", 1) for warning in at.warning)
    assert list(warnings) == ["**raw**", "**fine\\_tuned**", "**rag**"]
    assert all(warnings.values())
    assert "no\\-such\\-folder" in warnings["**raw**"]
    assert "no\\-such\\-folder" in warnings["**rag**"]
    assert not at.progress


def offer(at: AppTest) -> list[str]:
    return [element.value for element in at.markdown if "**No API key.**" in element.value]


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("address", ["compare", "paid_api"])
def test_without_a_key_the_paid_column_says_so_and_offers_the_stand_in(address: str) -> None:
    at = opened(address)
    warmed_up()
    assert offer(at) == [":material/key_off: **No API key.** Nobody is asked, and nothing is charged."]
    assert "Start the stand-in" in buttons(at)
    keys = [field for field in at.text_input if field.label == "API key"]
    assert len(keys) == 1  # the panel's on its own page, the offer's on any other


@pytest.mark.usefixtures("no_weights")
def test_without_a_key_a_question_still_gets_its_price() -> None:
    at = opened("paid_api")
    warmed_up()
    ask(at, "What is the capital of France?", "paid_api")
    assert badges(at) == [NOT_ASKED]
    assert any(text.startswith("There is no API key for https://api.openai.com/v1.") for text in texts(at))
    (estimate,) = [one.value.replace("\\", "") for one in at.markdown if "this question would cost" in one.value]
    assert re.fullmatch(r"With gpt-4\.1-mini, this question would cost about \*\*\$0\.000\d+\*\*\.", estimate)
    assert any("list price" in one.value and "genai" in one.value for one in at.caption)
    assert "Start the stand-in" in buttons(at)


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("address", ["compare", "paid_api"])
def test_with_a_key_there_is_no_offer(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-0123456789")
    at = opened(address)
    warmed_up()
    assert offer(at) == []
    assert "Start the stand-in" not in buttons(at)
    assert "key-0123456789" not in json.dumps([str(at), *texts(at), *live_markdown(at)])


# --- before the call ------------------------------------------------------------------------------


def expected(at: AppTest) -> str:
    """The one line that says what a question is expected to cost."""
    (line,) = [caption for caption in captions(at) if caption.startswith("Expected cost: ")]
    return line.removeprefix("Expected cost: ")


def test_what_a_question_is_expected_to_cost_is_one_line_before_it_is_asked() -> None:
    at = opened("compare")
    assert expected(at) == "type a question."
    at.text_area(key="question:compare").input("hello there")
    run(at)
    amounts = ", ".join(f"{name} **$0.00016**" for name in NAMES)  # 160 tokens out
    assert expected(at) == f"{amounts} (longest answer, untested)"
    assert list(at.table[0].value["Past error"]) == [escaped("estimate; its error is not known yet")] * 4
    run(at.button(key="ask:compare").click())
    ask(at, "hello again")  # the first estimate was made with the longest answer, this one with the mean
    run(at.button(key="edit:compare").click())
    assert expected(at) == ", ".join(f"{name} **$0.000004**" for name in NAMES) + " (mean answer, close)"
    assert list(at.table[0].value["Past error"]) == [escaped("estimate; the last answer was 1 times it")] * 4


def test_an_answer_that_ended_changes_what_the_next_one_is_expected_to_cost_at_once() -> None:
    at = ask(opened("compare"), "hello there")
    run(at.button(key="edit:compare").click())
    assert expected(at) == ", ".join(f"{name} **$0.000004**" for name in NAMES) + " (mean answer, untested)"
    at.button(key="ask:compare").click()
    run(at)
    run(at.button(key="edit:compare").click())
    assert "(mean answer, close)" in expected(at)


def test_an_amount_is_unknown_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "false")
    monkeypatch.setattr("ui.resources.WarmUp.start", lambda self: self)
    at = opened("raw")
    at.text_area(key="question:raw").input("hello")
    run(at)
    assert expected(at) == "Raw model **unknown**"
    assert at.table[0].value["How"][0].startswith("no answer of it was timed")


@pytest.mark.parametrize("address", ["compare", "raw", "fine_tuned", "paid_api", "rag", "costs"])
@pytest.mark.usefixtures("scripted")
def test_without_a_usable_data_folder_each_page_says_so_and_works(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CROSSROADS_DATA", str(tmp_path / "file" / "data"))
    at = opened(address)
    said = [error.value for error in at.error if "data folder" in error.value]
    if address == "costs":  # which adds what it cannot read
        assert said.pop().startswith("The ledger of answers cannot be read")
    assert said == [
        escaped(
            "The data folder cannot be used: there is a file where a folder should be. Nothing is kept. "
            "Choose another data folder with CROSSROADS_DATA."
        )
    ]
    if address != "costs":
        at.text_area(key=f"question:{address}").input("Paris?").run()
        at.button(key=f"ask:{address}").click().run()
        assert not at.exception
        assert [warning.value for warning in at.warning if "store of answers cannot be written" in warning.value]
