"""The sections Results and Answers of the page Evaluate as a person meets them: figures, the way to rows, marks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.base import Answer, Attempt, Question
from backends.settings import Settings, load_settings
from backends.store.database import Store
from evaluation.marks import mark_answer
from evaluation.runs.marks import CellMark, marks_of, set_mark
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, cells_of, note_approach, set_scores
from evaluation.samples import Sample
from evaluation.scorers import Score
from tests.evaluation.runs.made_runs import begun, cell, filled, passage
from tests.scripted import PATIENCE_S
from ui.evaluate import page as evaluate_page
from ui.shared.text import escaped

PAGE = Path(__file__).resolve().parents[2] / "pages" / "evaluate.py"
HOSTILE = "=evil ![x](http://evil.example/x.png) $z$ **b** :red[c]"
SAMPLES = tuple(
    Sample(f"q{place}", f"Question {place}?", "It is red.", (("red",),), tags=("even",) if place % 2 == 0 else ())
    for place in range(24)
)

pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture
def current(tmp_path: Path) -> Settings:
    return load_settings({"data": str(tmp_path / "data")})


@pytest.fixture
def store(current: Settings) -> Iterator[Store]:
    """The store that the page opens as well."""
    with closing(Store(current)) as opened:
        yield opened
    evaluate_page.opened_stores.clear()


@pytest.fixture
def run(store: Store, current: Settings) -> Run:
    """RAG is right on 16 of 24 questions and the raw model on 4; one answer of its failed, and two are missing."""
    run = begun(store, current, samples=SAMPLES)
    filled(store, run, "raw", [True] * 4 + [False] * 17 + ["The server is away."])
    filled(store, run, "rag", [False] * 4 + [True] * 16 + [False] * 4)
    return run


def opened(section: str, **address: str) -> AppTest:
    at = AppTest.from_file(str(PAGE), default_timeout=PATIENCE_S)
    for name, value in {evaluate_page.KEY: section, **address}.items():
        at.query_params[name] = value
    return acted(at)


def acted(one: AppTest | Widget) -> AppTest:
    at = one.run()
    assert not at.exception, at.exception
    return at


def click(at: AppTest, key: str) -> AppTest:
    return acted(at.button(key=key).click())


def address(at: AppTest, run: str | None = None) -> dict[str, str]:
    """The parameters of the address; what was clicked names the run that it was clicked in."""
    found = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    assert run is None or found["run"] == run
    return {name: value for name, value in found.items() if name != "run"}


def words(at: AppTest) -> str:
    """All that the page says in Markdown, and on its buttons."""
    said = [one.value for one in (*at.markdown, *at.caption, *at.info, *at.warning, *at.error)]
    return "\n".join(said + [one.label for one in at.button])


def rows(at: AppTest) -> list[str]:
    """The questions that the matrix shows."""
    return [one.value.strip("*").split("**")[0] for one in at.markdown if one.value.startswith("**q")]


# --- Results --------------------------------------------------------------------------------------


def test_the_decision_is_said_first_and_each_figure_leads_to_its_answers(run: Run) -> None:
    at = opened("Results")
    said = words(at)
    assert "RAG is right on 12 more of 22 questions than Raw model" in said.replace("\\", "")
    assert escaped("This run is incomplete: 2 of 48 answers are missing (Raw model 2).") in said
    assert {escaped("67 % ★ best"), escaped("18 %")} <= {one.label for one in at.button}
    assert escaped("47 to 82 %, 16 of 24") in said
    assert escaped("7 to 39 %, 4 of 22, 2 without a score") in said
    assert said.count(escaped("On the Pareto front: RAG. Not so Raw model")) == 2
    assert len(at.get("vega_lite_chart")) == 2
    at = click(at, "split:rag:raw")
    assert address(at, run.id) == {"evaluate": "Answers", "show": "split", "of": "rag", "against": "raw"}
    assert rows(at) == [f"q{place}" for place in range(4, 20)]
    at = click(opened("Results"), "open:failed:0")
    assert address(at) == {"evaluate": "Answers", "show": "failed", "of": "raw"}
    assert rows(at) == ["q21"]
    at = click(opened("Results"), "open:tag-0:1")
    assert address(at) == {"evaluate": "Answers", "show": "wrong", "of": "rag", "tag": "even"}


def test_what_several_scores_lack_alike_is_said_in_one_row(run: Run, store: Store) -> None:
    lacks = {name: Score.not_applicable("no sources") for name in ("exact", "f1")}
    set_scores(store, run.id, {("rag", position, 0): lacks for position in range(3)})
    at = opened("Results")
    without = [one.value for one in at.markdown if one.value.startswith("Without")]
    assert without == [escaped("Without: Exact, F1")]
    assert address(acted(at.button(key="open:lacking-exact:1").click()))["show"] == "unscored"


def test_the_baseline_is_chosen_in_the_address(run: Run) -> None:
    at = opened("Results", baseline="rag")
    assert "Raw model is right on 12 fewer of 22 questions than RAG" in words(at).replace("\\", "")
    at = acted(at.selectbox(key="evaluate:baseline").select("raw"))
    assert "baseline" not in address(at)
    assert "RAG is right on 12 more" in words(at).replace("\\", "")


def test_what_cannot_be_compared_is_said(store: Store, current: Settings) -> None:
    run = begun(store, current, ("raw", "paid_api"), SAMPLES[:6])
    filled(store, run, "raw", [True] * 6)
    filled(store, run, "paid_api", [True] * 6, stand_in=True)
    note_approach(store, run.id, "paid_api", stopped="Its first 5 answers failed.")
    said = words(opened("Results")).replace("\\", "")
    assert "Times and costs that compare with no other: Paid API: a stand-in answered." in said
    assert "Not drawn, since quality or cost is unknown or compares with nothing: Paid API." in said
    assert "Paid API was given up: Its first 5 answers failed." in said
    assert "★ best" not in said


def test_without_references_quality_is_unknown_and_not_0(store: Store, current: Settings) -> None:
    run = begun(store, current, samples=[Sample("q0", "Why?")])
    for approach in ("raw", "rag"):
        add_cell(store, run.id, cell(approach), {"right": Score.not_applicable("No reference.")})
    at = opened("Results")
    said = words(at).replace("\\", "")
    assert "quality is unknown, not 0" in said
    assert "0 %" not in said
    assert {"no score", "unknown"} <= {one.value for one in at.markdown} | {one.label for one in at.button}


def test_nothing_is_asked_and_nothing_is_there(store: Store, current: Settings) -> None:
    for section in ("Results", "Answers"):
        at = opened(section)
        assert "yet" in at.info[0].value or "yet" in at.info[1].value
        assert at.button(key="begin_a_run").label == "Begin a run"
    begun(store, current, samples=SAMPLES)
    assert "48 of 48 answers are missing" in words(opened("Results")).replace("\\", "")
    assert len(rows(opened("Answers"))) == 20


# --- Answers --------------------------------------------------------------------------------------


def test_filters_change_the_address_and_the_address_the_filters(run: Run) -> None:
    at = opened("Answers")
    assert rows(at) == [f"q{place}" for place in range(20)]
    at = click(at, "next_page")
    assert (address(at)["first"], rows(at)) == ("21", ["q20", "q21", "q22", "q23"])
    at = acted(at.selectbox(key="answers:show").select("wrong"))
    assert address(at) == {"evaluate": "Answers", "show": "wrong"}
    at = acted(at.selectbox(key="answers:of").select("rag"))
    assert rows(at) == ["q0", "q1", "q2", "q3", "q20", "q21", "q22", "q23"]
    at = acted(at.selectbox(key="answers:tag").select("even"))
    at = acted(at.text_input(key="answers:find").input("question 2"))
    assert address(at) == {"evaluate": "Answers", "show": "wrong", "of": "rag", "tag": "even", "find": "question 2"}
    assert rows(at) == ["q2", "q20", "q22"]
    again = opened(**{"section": "Answers", **{k: v for k, v in address(at).items() if k != "evaluate"}})
    assert rows(again) == rows(at)
    assert acted(at.text_input(key="answers:find").input("nowhere")).info[-1].value == "No question is like that."
    assert rows(opened("Answers", show="nonsense", of="nobody")) == [f"q{n}" for n in range(20)]
    assert rows(opened("Answers", show="wrong", of="rag", first="99999"))[0] == "q0"  # an address from before


def test_worse_than_in_another_run_compares_with_the_one_before(store: Store, run: Run, current: Settings) -> None:
    later = begun(store, current, samples=SAMPLES)
    filled(store, later, "raw", [False] * 2 + [True])
    at = opened("Answers", show="worse")
    assert at.selectbox(key="answers:than").value == run.id
    assert rows(at) == ["q0", "q1"]
    at = opened("Answers", show="worse", question="q1", than="gone")
    assert "Question 2 of 2" in words(at)


def test_a_cell_is_shown_whole_with_its_neighbours(store: Store, current: Settings) -> None:
    run = begun(store, current, samples=SAMPLES[:3])
    attempts = (Attempt(1, 0.0, 0.5, "rate limit", 429, 1.5), Attempt(2, 2.0, 1.0))
    given = cell("rag", 1, text="It IS green, say.", sources=(passage("A passage."),), attempts=attempts)
    add_cell(store, run.id, given, {"right": Score(False, reason="The fact is not there.")})
    add_cell(store, run.id, cell("raw", 1), {"right": Score(True)})
    at = opened("Answers", question="q1", approach="rag")
    said = words(at)
    assert escaped("It IS green, say.") in said
    assert f"It IS ~~{escaped('red.')}~~ **{escaped('green, say.')}**" in said
    assert "A passage" in said
    (scores, measured, tried) = (one.value for one in at.table)
    assert scores.to_numpy().tolist() == [["Right", "no", escaped("The fact is not there.")]]
    assert escaped("$0.001") in measured[""].tolist()
    assert tried.iloc[0].tolist()[1] == escaped("rate limit (status 429)")
    at = click(at, "next")
    assert (address(at)["question"], address(at)["approach"]) == ("q2", "rag")
    assert "This answer is missing" in words(at)
    at = click(click(at, "previous"), "switch:raw")
    assert address(at)["approach"] == "raw"
    assert "They say the same, word by word." in words(at)
    at = click(at, "close_cell")
    assert address(at) == {"evaluate": "Answers"}
    at = click(at, "cell:1:rag")
    assert address(at, run.id) == {"evaluate": "Answers", "question": "q1", "approach": "rag"}
    gone = opened("Answers", question="q9", approach="nobody")
    assert "has no question" in words(gone)
    assert rows(gone) == ["q0", "q1", "q2"]


def test_marks_are_kept_undone_and_held_against_the_score(store: Store, run: Run) -> None:
    set_mark(store, run, ("raw", 0, 0), "somebody else", CellMark("right", comment="Fine."))
    at = opened("Answers", question="q0", approach="raw")
    assert "Fine" in words(at)
    key = f":{run.id}:('raw', 0, 0)"
    at = acted(at.button_group(key=f"mark:verdict{key}").set_value("wrong"))
    at = acted(at.toggle(key=f"mark:star{key}").set_value(True))
    at = acted(at.text_input(key=f"mark:comment{key}").input("No."))
    own = [one for one in marks_of(store, run, ("raw", 0, 0)) if one.who != "somebody else"]
    assert [(one.verdict, one.star, one.comment) for one in own] == [("wrong", True, "No.")]
    results = words(opened("Results")).replace("\\", "")
    assert "People agree with the score Right on 1 of 2 marked answers (50 %)." in results
    assert rows(opened("Answers", show="contested")) == ["q0"]
    for left in ([("wrong", True, "")], [("wrong", False, "")], []):
        at = click(at, "undo_mark_button")
        own = [one for one in marks_of(store, run, ("raw", 0, 0)) if one.who != "somebody else"]
        assert [(one.verdict, one.star, one.comment) for one in own] == left
    assert "undo_mark_button" not in [one.key for one in at.button]


def test_a_thumb_on_another_page_is_a_mark_of_the_run(store: Store, run: Run, current: Settings) -> None:
    answer = next(cells_of(store, run.id))
    said = Question(SAMPLES[answer.position].question, run="asked")
    given = Answer(answer.approach, answer.model, answer.text or "", "ok")
    mark_answer(current.data, said, given, "real", False, "No source.")
    at = opened("Answers", question=SAMPLES[answer.position].id, approach=answer.approach)
    assert "Thumbs where it was asked: 1 wrong, 1 comment" in words(at).replace("\\", "")
    assert "No source" in words(at)
    (current.data / "marks.sqlite").write_bytes(b"no database " * 100)
    at = opened("Answers")
    assert len(rows(at)) == 20  # what cannot be read keeps nobody out
    assert any("marks" in one.value for one in at.error)


def test_without_kept_texts_it_is_said_what_is_not_there(store: Store, current: Settings) -> None:
    given = current.model_copy(update={"store": current.store.model_copy(update={"keep_texts": False})})
    run = begun(store, given, samples=SAMPLES[:2])
    filled(store, run, "raw", [True, False], keep_texts=False)
    at = opened("Answers")
    assert "The texts of this run were not kept" in words(at)
    assert [at.button(key=f"cell:{place}:raw").label for place in (0, 1)] == ["right", "not right"]
    said = words(opened("Answers", question="q0", approach="raw"))
    assert "The text of this answer was not kept" in said
    assert "The text of this question was not kept" in said


def test_foreign_text_is_shown_letter_by_letter(store: Store, current: Settings) -> None:
    odd = replace(SAMPLES[0], id=f"q {HOSTILE}", question=HOSTILE, reference_answer=HOSTILE, tags=(HOSTILE,))
    run = begun(store, current, ("raw", f"paid_api:{HOSTILE}"), (odd,))
    more: dict[str, Any] = {
        "sources": (passage(HOSTILE),),
        "notes": (HOSTILE,),
        "cost": replace(cell().cost, basis=HOSTILE),
    }
    for approach in ("raw", f"paid_api:{HOSTILE}"):
        add_cell(
            store, run.id, cell(approach, text=f"{HOSTILE} and more", **more), {"right": Score(True, reason=HOSTILE)}
        )
    set_mark(store, run, ("raw", 0, 0), "x", CellMark("right", comment=HOSTILE))
    for at in (
        opened("Results"),
        opened("Answers"),
        opened("Answers", question=odd.id),
        opened("Answers", question=HOSTILE),
    ):
        assert "![x](" not in words(at)
        assert "evil" in words(at)
