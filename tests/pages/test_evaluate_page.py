"""Evaluate as a person meets it: started, watched, stopped, resumed, listed, compared. Answers come from the script."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.rag import approach
from backends.rag.store.index import Index
from backends.run import jobs
from backends.settings import DEFAULT_EMBEDDER, PAIRWISE_RUBRIC, RUBRIC, load_settings
from backends.store.database import store_file
from evaluation.drafting import drafting_key
from evaluation.runs.background import RunWork, start_work, works
from evaluation.runs.records import all_runs, samples_of
from evaluation.runs.saved_sets import all_saved
from evaluation.samples import Sample
from tests.backends.rag.conftest import fill
from tests.backends.rag.quick import QuickEmbedder
from tests.evaluation.runs.made_runs import begun
from tests.evaluation.test_workbook_questions import workbook
from tests.pages import opening as pages
from tests.pages.conftest import the_store
from tests.pages.opening import everything
from tests.scripted import PATIENCE_S
from ui.evaluate import page as evaluate
from ui.evaluate.questions import QUICK

pytestmark = pytest.mark.usefixtures("scripted", "no_works")

SHORT = tuple(Sample(f"s{number}", f"Say {word}", "", ((word,),)) for number, word in enumerate(("one", "two")))
ENDLESS = (Sample("e", "endless words"),)


def everything_at_work() -> list[RunWork]:
    return works(the_store())


def run(acted: AppTest | Widget) -> AppTest:
    at = acted.run()
    assert not at.exception, at.exception
    return at


def opened(**address: str) -> AppTest:
    return pages.opened("evaluate", **address)


def form() -> AppTest:
    at = opened()
    at.session_state["evaluate_new"] = True
    return run(at)


def worked(samples: tuple[Sample, ...] = SHORT, approaches: tuple[str, ...] = ("raw", "rag")) -> RunWork:
    """A run that is worked on, as the page would."""
    settings = load_settings()
    store = the_store()
    return start_work(store, begun(store, settings, approaches, samples), settings, samples)


def done(samples: tuple[Sample, ...] = SHORT) -> RunWork:
    work = worked(samples)
    assert work.job.wait(PATIENCE_S)
    return work


def section(at: AppTest) -> str:
    return str(at.button_group(key="evaluate").value)


def test_an_empty_page_says_what_a_run_is_for_and_its_one_button_fills_it() -> None:
    at = opened()
    assert "No run yet" in everything(at)
    at = run(at.button(key="evaluate_quick").click())
    (work,) = everything_at_work()
    assert work.run.questions == QUICK
    assert [one.approach for one in work.run.approaches] == ["raw", "fine_tuned", "paid_api", "rag"]
    assert work.run.id in at.query_params["run"]
    assert work.job.wait(PATIENCE_S)
    at = run(at)
    assert section(at) == "Results"
    assert work.run.id in at.query_params["run"]


def test_a_run_is_made_of_a_file_for_those_who_are_chosen() -> None:
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("A file"))
    assert at.button(key="evaluate_start").disabled
    file = b"question,reference_answer,tags\nSay one,one,a\nSay two,,b\n,lost,\nSay three,three,a\n"
    at = run(at.file_uploader(key="evaluate_file").set_value(("own.csv", file, "text/csv")))
    said = everything(at)
    assert "row 4: It has no question; it is left out." in said
    assert "1 of 3 questions say nothing of a right answer" in said
    at = run(at.multiselect(key="evaluate_tags:A file").set_value(["a"]))
    at = run(at.button_group(key="evaluate_approaches").set_value(["rag", "raw"]))
    at.number_input(key="evaluate_seed").set_value(7)
    at = run(at.number_input(key="evaluate_repeats").set_value(2))
    run(at.button(key="evaluate_start").click())
    (work,) = everything_at_work()
    assert work.job.wait(PATIENCE_S)
    assert work.run.set_name == "2 of 3 of own.csv, tagged a"
    assert [one.approach for one in work.run.approaches] == ["raw", "rag"]
    assert (work.run.repeats, work.run.seed, work.run.cells) == (2, 7, 8)
    assert all(one.done == 4 for one in work.execution.progress)


def test_a_sheet_of_a_workbook_is_chosen_where_several_have_questions() -> None:
    data = workbook(First=[("question",), ("Say one",)], Second=[("Frage", "Antwort"), ("Say two", 2)])
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("A file"))
    at = run(at.file_uploader(key="evaluate_file").set_value(("own.xlsx", data, kind)))
    assert at.button(key="evaluate_start").disabled
    assert at.selectbox(key="evaluate_sheet").options == ["First", "Second"]
    at = run(at.selectbox(key="evaluate_sheet").set_value("Second"))
    assert "own.xlsx: Columns are read under other names: Frage as question" in everything(at)
    run(at.button(key="evaluate_start").click())
    (work,) = everything_at_work()
    assert work.job.wait(PATIENCE_S)
    assert work.run.set_name == "own.xlsx, sheet Second"


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two indexed documents of a sentence that the rule reads."""
    current = load_settings()
    embedder = QuickEmbedder()
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, current.data), embedder)
    for name, text in (("gym.md", "The gym card costs 40 euros."), ("desk.md", "The desk weighs 80 kg.")):
        (tmp_path / name).write_text(text)
    fill(Index(current.data, current.rag.collection, embedder, current.rag), tmp_path / "gym.md", tmp_path / "desk.md")


def test_questions_are_drafted_reviewed_and_only_the_accepted_ones_are_used(documents: None) -> None:
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("Drafted from documents"))
    assert at.button(key="evaluate_start").disabled
    at = run(at.button_group(key="question_draft_writer").set_value("rule"))
    assert "The rule asks nobody and costs nothing." in everything(at)
    at = run(at.button(key="question_draft").click())
    job = jobs.find(drafting_key(load_settings().data))
    assert job is not None
    assert job.wait(PATIENCE_S)
    at = run(at)
    assert "2 questions by rule." in everything(at)
    assert at.button(key="take_question_drafts").disabled
    assert at.button(key="evaluate_start").disabled  # nothing is used unreviewed
    questions = list(at.data_editor[0].value["question"])
    assert sorted(questions) == ["How much does the desk weigh?", "How much does the gym card cost?"]
    gym = questions.index("How much does the gym card cost?")
    edited = {"edited_rows": {gym: {"accept": True, "question": "Say what the card costs"}}}
    at.session_state[f"question_drafts_table:{job.state.started}"] = edited | {"added_rows": [], "deleted_rows": []}
    at = run(at)
    at = run(at.button(key="take_question_drafts").click())
    run(at.button(key="evaluate_start").click())
    (work,) = everything_at_work()
    assert work.job.wait(PATIENCE_S)
    (sample,) = samples_of(the_store(), work.run) or []
    assert sample.question == "Say what the card costs"
    assert sample.reference_answer == "The gym card costs 40 euros."
    assert (sample.sources, sample.cluster, sample.tags) == (("gym.md",), "gym.md", ("drafted",))
    assert sample.key_facts[0][0] == "40 euros"


def test_the_rubric_is_shown_edited_restored_and_kept_with_the_run() -> None:
    at = form()
    assert at.text_area(key="evaluate_rubric").value == RUBRIC
    assert "Extra detail does not make a right answer wrong" in RUBRIC
    at = run(at.text_area(key="evaluate_rubric").set_value("Be strict."))
    assert "Not the default, and not used: nobody judges." in everything(at)
    at = run(at.button(key="evaluate_rubric_default").click())
    assert at.text_area(key="evaluate_rubric").value == RUBRIC
    at = run(at.text_area(key="evaluate_rubric").set_value("Be strict."))
    at = run(at.selectbox(key="evaluate_judge").set_value("paid_api"))
    at = run(at.toggle(key="evaluate_pairwise").set_value(True))
    assert at.text_area(key="evaluate_pairwise_rubric").value == PAIRWISE_RUBRIC
    said = everything(at)
    assert "Not the default." in said
    assert "The judge, Paid API, is asked as well, and may favour its own answers." in said
    run(at.button(key="evaluate_start").click())
    (work,) = everything_at_work()
    assert work.job.wait(PATIENCE_S)
    (kept,) = all_runs(the_store())
    assert kept.judge is not None
    assert (kept.judge["approach"], kept.judge["rubric"]) == ("paid_api", "Be strict.")
    assert kept.judge["pairwise"]["rubric"] == PAIRWISE_RUBRIC
    at = run(opened(run=kept.id, evaluate="Results"))
    said = everything(at)
    assert "Answers compared by the judge" in said  # the script says nothing, which is no preference
    assert "comparisons failed. The judge gave no verdict" in said


def test_bad_files_are_refused_with_cause_and_step() -> None:
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("A file"))
    at = run(at.file_uploader(key="evaluate_file").set_value(("x.csv", b"name,age\nAnn,3\n", "text/csv")))
    drawn = [one.type for one in at.main if one.type in ("file_uploader", "error", "segmented_control", "number_input")]
    assert drawn[drawn.index("file_uploader") + 1] == "error"  # below what it is about
    (said,) = at.error
    assert "x.csv has no questions." in said.value.replace("\\", "")
    assert at.button(key="evaluate_start").disabled
    at = run(at.file_uploader(key="evaluate_file").set_value(("y.csv", b"question\nSay one\n", "text/csv")))
    assert not at.error


def test_a_run_is_watched_stopped_and_goes_on() -> None:
    work = worked(ENDLESS, ("raw",))
    at = opened()
    assert "0 of 1" in everything(at)
    at = run(at.button(key=f"evaluate_stop:{work.run.id}").click())
    assert work.job.wait(PATIENCE_S)
    at = run(at)
    assert "stopped, 0 of 1 answers are there" in at.warning[0].value.replace("\\", "")
    at = run(at.button(key=f"early_ask:{work.run.id}").click())
    (again,) = everything_at_work()
    assert again is not work
    assert again.phase != "ended"
    assert at.button(key=f"evaluate_stop:{work.run.id}").label == "Stop"


def test_what_another_session_does_is_seen_and_runs_wait_for_each_other() -> None:
    first = worked(ENDLESS, ("raw",))
    second = worked(SHORT, ("raw",))
    at = opened()
    said = everything(at)
    assert f"Waiting behind the run {first.run.id} of colours.csv: one run is worked on at a time" in said
    at = run(at.button(key=f"evaluate_pause:{first.run.id}").click())
    assert first.paused
    assert "Paused" in everything(at)
    run(at.button(key=f"evaluate_on:{first.run.id}").click())
    assert not first.paused
    first.stop()
    assert second.job.wait(PATIENCE_S)
    assert [one.done for one in second.execution.progress] == [2]


def test_runs_are_listed_and_one_says_what_can_be_done_with_it() -> None:
    work = done((*SHORT, Sample("f", "fail now")))
    at = opened()
    (table,) = at.dataframe
    assert table.value.iloc[0].to_dict() | {"When (UTC)": "", "Run": ""} == {
        "When (UTC)": "",
        "Questions": "colours.csv",
        "Approaches": "Raw model, RAG",
        "State": "done",
        "Answers": "6 of 6",
        "Failed": "2",
        "Cost": "$0.000016 + 2 unknown",
        "Run": "",
    }
    assert "Tick a run" in everything(at)
    at = opened(run=work.run.id)
    assert at.button(key=f"run_ask:{work.run.id}").disabled
    assert at.button(key=f"run_retry:{work.run.id}").label == "Ask again what failed (2)"
    exports = [one for one in at.get("download_button") if one.key.startswith("run_export:")]
    assert [one.key.partition(":")[2] for one in exports] == ["csv", "jsonl", "parquet", "eval", "json"]
    at = run(at.button(key=f"run_retry:{work.run.id}").click())
    (again,) = everything_at_work()
    assert again.job.wait(PATIENCE_S)
    assert [one.failed for one in again.execution.progress] == [1, 1]
    at = opened(run=work.run.id)
    at = run(at.button(key="run_approve").click())
    assert at.button(key="run_approve").label == "Approved baseline"
    at = run(at.button(key="run_delete").click())
    assert all_runs(the_store()) == []
    at = run(at.button(key="run_undo").click())
    assert [one.id for one in all_runs(the_store())] == [work.run.id]
    assert at.button(key="run_approve").label == "Approved baseline"


def test_the_tick_belongs_to_the_run_that_is_open_and_to_none_once_that_is_deleted() -> None:
    first, second = done(), done()
    at = opened(run=first.run.id)
    (table,) = at.dataframe
    assert list(table.value["Run"]) == [second.run.id, first.run.id]
    assert ticked(at) == [1]
    at = run(at.button(key="run_delete").click())
    (table,) = at.dataframe
    assert list(table.value["Run"]) == [second.run.id]
    assert ticked(at) == []
    assert "Tick a run" in everything(at)


def ticked(at: AppTest) -> list[int]:
    """The rows of the runs that are ticked."""
    (table,) = at.dataframe
    return list(at.session_state[f"evaluate_runs:{','.join(table.value['Run'])}"].selection.rows)


def test_two_runs_are_compared_in_sentences_first() -> None:
    first, second = done(), done()
    at = opened(evaluate="Compare runs")
    assert at.session_state["work:compare_runs"][1].wait(PATIENCE_S)
    at = run(at)
    assert at.selectbox[0].value == second.run.id
    assert at.selectbox[1].value == first.run.id
    said = everything(at)
    assert f"Raw model is right on as many of 2 questions as in the run {first.run.id}" in said
    at = run(at.selectbox[1].set_value(second.run.id))
    assert "Choose two different runs." in everything(at)


def test_a_run_that_is_not_there_is_said_and_a_store_that_cannot_be_read_too() -> None:
    done()
    assert "There is no run 'lost'. The newest run is shown." in everything(opened(run="lost", evaluate="Results"))
    evaluate.opened_stores.clear()
    file = store_file(load_settings().data)
    for one in file.parent.glob("evaluations.sqlite*"):
        one.unlink()
    file.write_bytes(b"no database " * 100)
    at = opened()
    assert "is damaged" in at.error[0].value
    file.unlink()
    at = run(at.button(key="try_again").click())
    assert "No run yet" in everything(at)


def test_a_set_is_saved_opened_again_and_deleted_with_undo() -> None:
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("A file"))
    file = b"question,reference_answer\nSay one,one\nSay two,two\n"
    at = run(at.file_uploader(key="evaluate_file").set_value(("own.csv", file, "text/csv")))
    at = run(at.text_input(key="name:A file").set_value("My *own*"))
    at = run(at.button(key="evaluate_save_as").click())
    assert at.button_group(key="evaluate_origin").value == "Saved sets"
    assert at.button(key="evaluate_save").disabled
    run(at.button(key="evaluate_start").click())
    (work,) = everything_at_work()
    assert work.job.wait(PATIENCE_S)
    assert work.run.set_name == "My *own*"
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("Saved sets"))
    assert at.selectbox[1].options == ["1: 2 questions, used by 1 run"]
    at = run(at.button(key="evaluate_set_delete").click())
    assert at.button_group(key="evaluate_origin").value == "Sample questions"
    assert all_saved(the_store()) == []
    at = run(at.button(key="evaluate_set_undo").click())
    assert at.button_group(key="evaluate_origin").value == "Saved sets"
    assert [one.name for one in all_saved(the_store())] == ["My *own*"]


def test_questions_are_typed_edited_and_taken_back() -> None:
    at = form()
    at = run(at.button_group(key="evaluate_origin").set_value("Typed here"))
    assert at.button(key="evaluate_start").disabled
    at = edit(at, added_rows=[{"question": "Say one", "key_facts": "one | 1"}, {"question": "Say two"}])
    assert "1 of 2 questions say nothing of a right answer" in everything(at)
    at = edit(at, added_rows=[{"question": "Say ten"}, {"question": "Say two"}])
    assert [one.question for one in typed(at)] == ["Say ten", "Say two"]
    at = run(at.button(key="evaluate_undo:Typed here").click())
    assert [one.question for one in typed(at)] == ["Say one", "Say two"]
    assert typed(at)[0].key_facts == (("one", "1"),)
    at = run(at.button(key="evaluate_undo:Typed here").click())
    assert typed(at) == ()
    assert at.button(key="evaluate_undo:Typed here").disabled


def typed(at: AppTest) -> tuple[Sample, ...]:
    samples: tuple[Sample, ...] = at.session_state["evaluate_sets"]["Typed here"].samples
    return samples


def edit(at: AppTest, **changes: object) -> AppTest:
    """Edit the table of typed questions as the browser does: what is said is all that was changed in this table."""
    revision = at.session_state["evaluate_sets"]["Typed here"].revision
    usual: dict[str, object] = {"edited_rows": {}, "added_rows": [], "deleted_rows": []}
    at.session_state[f"evaluate_edit:Typed here:{revision}"] = usual | changes
    return run(at)
