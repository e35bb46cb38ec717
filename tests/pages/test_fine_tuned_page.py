"""The fine-tuning page as a person meets it: pairs in, looked at and mended; a training watched; adapters kept."""

from __future__ import annotations

import io
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.base import Queued
from backends.errors import BackendError
from backends.fine_tuned.adapters.catalogue import adapter_folders
from backends.fine_tuned.adapters.jobs import export_key
from backends.fine_tuned.adapters.zip_files import zip_bytes
from backends.fine_tuned.pairs import draft_job
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.drafts import DraftProgress
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train import job as training_job
from backends.fine_tuned.train.estimate import Estimate
from backends.fine_tuned.train.events import (
    LiveAnswer,
    LiveAnswers,
    StepRecord,
    Trained,
    TrainingNote,
    TrainingResult,
)
from backends.fine_tuned.train.lock import training as right_to_train
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.training import new_run
from backends.rag import approach
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.live import Column
from backends.settings import DEFAULT_EMBEDDER, RagSettings, load_settings
from tests.backends.conftest import make_tiny
from tests.backends.models.made_adapters import load_base, make_lora
from tests.backends.rag.conftest import TEXTS, fill
from tests.backends.rag.quick import QuickEmbedder
from tests.scripted import PATIENCE_S
from ui.ask.column import state_line
from ui.fine_tuned.train import estimate_key
from ui.resources import warm_up

HOME = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](http://evil.example) $z$ :smile: **b**"
CARD = {"base_model": "tiny", "method": "lora", "score": {"questions": 10, "base": 1, "adapter": 9}, "steps": 12}


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The app without a model in memory; no training of another test is left."""
    folder = tmp_path / "data"
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", str(tmp_path / "no-such-folder"))
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, folder), QuickEmbedder())
    monkeypatch.delitem(jobs.by_key, training_job.KEY, raising=False)
    monkeypatch.chdir(tmp_path)
    warm_up.clear()
    yield folder
    jobs.by_key.pop(training_job.KEY, None)
    warm_up.clear()
    close_stores(folder)
    open_database(folder).close()


@pytest.fixture(scope="session")
def tiny_model(base_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("models") / "tiny", base_weights)


@pytest.fixture
def tiny(data: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app with the tiny model as its base, in memory; RAG has nothing to load."""
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", str(tiny_model))
    monkeypatch.setenv("CROSSROADS_RAG__COLLECTION", "nothing")
    load_base(str(tiny_model))
    return data


def run(acted: AppTest | Widget) -> AppTest:
    at = acted.run()
    assert not at.exception, at.exception
    return at


def opened(section: str = "Ask") -> AppTest:
    at = AppTest.from_file(str(HOME / "pages" / "fine_tuned.py"), default_timeout=PATIENCE_S)
    run(at)
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
    return turn_to(at, section)


def turn_to(at: AppTest, section: str) -> AppTest:
    return run(at.button_group(key="section").set_value(section))


def click(at: AppTest, key: str) -> AppTest:
    return run(at.button(key=key).click())


def done(at: AppTest, key: str) -> AppTest:
    """The page once a job has ended."""
    job = jobs.find(key)
    assert job is not None
    assert job.wait(PATIENCE_S)
    return run(at)


def seen(at: AppTest) -> list[str]:
    """Every text that is read as Markdown, with its escapes taken out."""
    kinds = (at.markdown, at.caption, at.info, at.error, at.warning, at.success)
    return [re.sub(r"\\(.)", r"\1", element.value) for kind in kinds for element in kind]


def shows(at: AppTest, text: str) -> bool:
    return any(text in one for one in seen(at))


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def metrics(at: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in at.metric}


def upload(at: AppTest, name: str, content: bytes) -> AppTest:
    return run(at.file_uploader(key="pairs_upload").upload(name, content))


def edit(at: AppTest, **changes: object) -> AppTest:
    """Edit the table of pairs as the browser does."""
    revision = at.session_state["fine_tuned_pairs"].revision
    usual: dict[str, object] = {"edited_rows": {}, "added_rows": [], "deleted_rows": []}
    at.session_state[f"pairs_table:{revision}"] = usual | changes
    return run(at)


# --- sections -------------------------------------------------------------------------------------------


def test_the_page_opens_with_the_question_box(data: Path) -> None:
    at = opened()
    assert list(at.button_group(key="section").options) == ["Ask", "Pairs", "Train", "Adapters", "Proof", "Attribution"]
    assert "Ask" in labels(at)


def test_a_section_has_an_address_of_its_own(data: Path) -> None:
    at = AppTest.from_file(str(HOME / "pages" / "fine_tuned.py"), default_timeout=PATIENCE_S)
    at.query_params["section"] = "Pairs"
    assert run(at).button_group(key="section").value == "Pairs"
    assert shows(at, "No pairs yet")


@pytest.mark.parametrize("section", ["Pairs", "Train", "Adapters", "Proof", "Attribution"])
def test_the_scripted_app_says_that_it_trains_nothing(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")
    at = AppTest.from_file(str(HOME / "pages" / "fine_tuned.py"), default_timeout=PATIENCE_S)
    run(at)
    assert shows(turn_to(at, section), "The script answers without weights")


# --- pairs ----------------------------------------------------------------------------------------------


def sample(section: str = "Pairs") -> AppTest:
    at = click(opened("Pairs"), "sample_pairs")
    return at if section == "Pairs" else turn_to(at, section)


def test_without_pairs_the_sample_is_one_click_away(data: Path) -> None:
    at = opened("Pairs")
    assert shows(at, "A pair is a question and the answer that you want.")
    click(at, "sample_pairs")
    assert shows(at, "Sample pairs")
    assert metrics(at) == {
        "Pairs to use": "376",
        "Groups": "105",
        "Held out": "56",
        "Tokens, mean": "\u2014",
        "Tokens, longest": "\u2014",
        "Drafted": "0",
    }
    assert shows(at, "JSONL \u00b7 read as UTF-8 \u00b7 no faults found")
    assert shows(at, "**56 pairs** are kept aside and **320** are trained on. None of those that are kept aside is ")
    assert len(at.dataframe[1].value) == 56


def test_tokens_are_counted_against_the_context_of_the_base(tiny: Path) -> None:
    at = upload(opened("Pairs"), "mine.csv", b"question,answer\nWhen?,At 9:00.\nWhere is it?,In the hall of desks.\n")
    found = metrics(at)
    assert int(found["Tokens, mean"]) > 20
    assert int(found["Longest, of 256"]) > int(found["Tokens, mean"])


FAULTY = ("question;answer\nWhen?;At 9:00.\nWhere?;\n;\nWhen?;At 9:00.\nWhen?;At 10:00.\nWho?;Zo\xeb\n").encode(
    "cp1252"
)


def test_every_fault_is_named_with_its_row(data: Path) -> None:
    at = upload(opened("Pairs"), "mine.csv", FAULTY)
    assert metrics(at)["Pairs to use"] == "3"
    faults = at.dataframe[0].value
    assert list(zip(faults["Row"], faults["What"], strict=True)) == [
        ("3", "error"),
        ("file", "look at it"),
        ("4", "look at it"),
        ("5", "look at it"),
        ("6", "look at it"),
    ]
    assert "It has no answer" in faults["Sentence"][0]
    assert "The same pair as row 2" in faults["Sentence"][3]
    assert at.expander[0].label.startswith("1 row is left out, 4 to look at")
    assert "rows as in mine" in at.expander[0].label


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "mine.csv is empty (0 bytes)."),
        (b"a,b\n1,2\n", "It has the columns a and b."),
        (b"question,answer\n", "mine.csv has no usable pairs."),
        (bytes(range(256)), "mine.csv"),
    ],
)
def test_a_file_without_pairs_says_why(data: Path, content: bytes, sentence: str) -> None:
    at = upload(opened("Pairs"), "mine.csv", content)
    assert metrics(at)["Pairs to use"] == "0"
    assert sentence in at.dataframe[0].value["Sentence"][0]
    assert at.expander[0].label.startswith("nothing can be used")
    assert "left out" not in at.expander[0].label
    assert shows(turn_to(at, "Train"), "Nothing to train on yet")


def test_one_pair_is_a_warning_and_nothing_is_held_out(data: Path) -> None:
    at = upload(opened("Pairs"), "mine.jsonl", b'{"question": "When?", "answer": "At 9:00."}')
    assert "There is only one pair" in at.dataframe[0].value["Sentence"][0]
    assert shows(at, "Nothing is held out")
    assert metrics(at)["Held out"] == "0"


def test_edits_count_at_once_and_survive_a_change_of_section(data: Path) -> None:
    at = sample()
    edit(
        at, edited_rows={0: {"answer": ""}}, added_rows=[{"question": "When?", "answer": "At 9:00."}], deleted_rows=[1]
    )
    assert metrics(at)["Pairs to use"] == "375"
    assert "rows as in the table" in at.expander[0].label
    turn_to(at, "Adapters")
    turn_to(at, "Pairs")
    pairs = at.session_state["fine_tuned_pairs"].pairs
    assert (len(pairs), pairs[0].answer, pairs[-1]) == (376, "", Pair("When?", "At 9:00."))
    assert metrics(at)["Pairs to use"] == "375"
    edit(at, edited_rows={0: {"answer": "Ten minutes."}})
    assert metrics(at)["Pairs to use"] == "376"
    click(at, "pairs_back")
    assert at.session_state["fine_tuned_pairs"].pairs[0].answer.startswith("The K2 must cool")
    assert at.button(key="pairs_back").disabled


def test_a_row_is_added_to_a_short_table(data: Path) -> None:
    at = upload(opened("Pairs"), "mine.jsonl", b'{"question": "When?", "answer": "At 9:00."}')
    edit(at, added_rows=[{"question": "Where?", "answer": "Here."}])
    assert [pair.question for pair in at.session_state["fine_tuned_pairs"].pairs] == ["When?", "Where?"]


def test_the_split_is_by_group_or_by_phrasing(data: Path) -> None:
    at = sample()
    assert shows(at, "Every fact is taught, and some are asked in words that were held out")
    run(at.button_group(key="split_by").set_value("group"))
    assert shows(at, "A fact that is held out cannot be known, so the held-out loss rises while others are learned")
    run(at.slider(key="held_out_percent").set_value(0))
    assert shows(at, "Nothing is held out: the share is 0.")


def test_pairs_can_be_put_away(data: Path) -> None:
    assert shows(click(sample(), "no_pairs"), "No pairs yet")


def test_more_pairs_than_can_be_edited_are_shown_in_part(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.fine_tuned.pairs.MOST_EDITED", 100)
    at = sample()
    assert not at.data_editor
    assert len(at.dataframe[0].value) == 100
    assert shows(at, "The first 100 of 376 pairs.")


# --- drafts ---------------------------------------------------------------------------------------------


@pytest.fixture
def index(data: Path, tmp_path: Path) -> Index:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("returns.md", "leave.txt"):
        (folder / name).write_text(TEXTS[name])
    made = Index(data, "handbook", approach.embedders[DEFAULT_EMBEDDER, data], RagSettings())
    fill(made, folder)
    return made


DRAFTS = [
    Pair(f"Question {number}?", f"Answer {number}.", generated=True, source="leave.txt") for number in range(1, 4)
]


@contextmanager
def drafting(data: Path) -> Iterator[threading.Event]:
    """A drafting job that has made two pairs and makes the third once the event is set."""
    go_on = threading.Event()

    def steps(cancel: threading.Event) -> Iterator[Progress[Draft | DraftProgress]]:
        for number, pair in enumerate(DRAFTS, 1):
            if number == 3:
                assert go_on.wait(PATIENCE_S)
            yield Progress(1, 2, "1 of 2 chunks", Draft(pair, f"Passage {number}."))
        yield Progress(2, 2, "done", DraftProgress(2, 2, 1, "done", 3, {"duplicate": 2}, None, 0, ""))

    jobs.start(draft_job.drafting_key(data), "Drafting pairs", steps)
    try:
        yield go_on
    finally:
        go_on.set()
        job = jobs.find(draft_job.drafting_key(data))
        assert job is not None
        assert job.wait(PATIENCE_S)


def test_without_documents_drafting_leads_to_them(data: Path) -> None:
    assert shows(opened("Pairs"), "This collection holds nothing yet. Add documents on the RAG page.")


def test_a_paid_writer_is_priced_before_it_is_asked(index: Index) -> None:
    at = opened("Pairs")
    assert shows(at, "Written on this machine by")
    run(at.button_group(key="draft_writer").set_value("paid_api"))
    assert shows(at, "At most about **$")


def test_every_connection_can_draft(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__NEAR__PROVIDER", "openai")
    monkeypatch.setenv("CROSSROADS_CONNECTIONS__NEAR__MODEL", "gpt-4.1")
    at = opened("Pairs")
    run(at.button_group(key="draft_writer").set_value("paid_api:near"))
    assert shows(at, "At most about **$")


def test_a_writer_that_cannot_answer_ends_with_its_sentence(index: Index, data: Path) -> None:
    at = opened("Pairs")
    run(at.button_group(key="draft_writer").set_value("paid_api"))
    done(click(at, "draft"), draft_job.drafting_key(data))
    assert shows(at, "There is no API key")
    click(at, "hide_drafts")
    assert not shows(at, "There is no API key")


def test_drafts_come_in_are_reviewed_and_only_the_ticked_ones_are_taken(index: Index, data: Path) -> None:
    at = opened("Pairs")
    with drafting(data) as go_on:
        run(at)
        assert at.progress[0].text == "**Drafting pairs**"
        job = jobs.find(draft_job.drafting_key(data))
        assert job is not None
        go_on.set()
        done(at, draft_job.drafting_key(data))
    assert shows(at, "Drafting pairs: 3 pairs from 2 of 2 chunks; dropped: 2 duplicate.")
    assert list(at.data_editor[0].value["question"]) == ["Question 1?", "Question 2?", "Question 3?"]
    assert list(at.data_editor[0].value["passage"]) == ["Passage 1.", "Passage 2.", "Passage 3."]
    at.session_state[f"drafts_table:{job.state.started}"] = {
        "edited_rows": {0: {"use": False}, 1: {"answer": "Two."}},
        "added_rows": [],
        "deleted_rows": [],
    }
    run(at)
    click(at, "take_drafts")
    assert at.session_state["fine_tuned_pairs"].pairs == (
        Pair("Question 2?", "Two.", generated=True, source="leave.txt"),
        DRAFTS[2],
    )
    assert metrics(at)["Drafted"] == "2"
    assert len(at.data_editor) == 1


# --- training -------------------------------------------------------------------------------------------

ROUNDS = (
    LiveAnswers(0, (LiveAnswer("When?", "At 9:00.", HOSTILE),), held_out=True),
    LiveAnswers(2, (LiveAnswer("When?", "At 9:00.", "At 9:00."),), held_out=True),
    LiveAnswers(4, (LiveAnswer("When?", "At 9:00.", "at 9:00"),), held_out=True),
)


class Training:
    """A training in the background that says what it is given, and then stands still until it is let go."""

    def __init__(self, *results: TrainingResult, end: TrainingResult | BackendError | None = None) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._results, self._end = results, end
        self.job: Job = jobs.start(training_job.KEY, "Training doors", self._steps)
        assert self.reached.wait(PATIENCE_S)

    def _steps(self, cancel: threading.Event) -> Iterator[Progress[TrainingResult]]:
        step = 0
        yield Progress(0, 10, "loading the base")
        for result in self._results:
            step = result.step if isinstance(result, StepRecord) else step
            yield Progress(step, 10, "", result)
        self.reached.set()
        while not self.go_on.wait(0.01) and not cancel.is_set():
            pass
        if isinstance(self._end, BackendError):
            raise self._end
        if self._end is not None:
            yield Progress(10, 10, "", self._end)

    def finish(self) -> None:
        self.go_on.set()
        assert self.job.wait(PATIENCE_S)


RECORDS = [StepRecord(step, 3.0 / step, 2.0 / step if step % 2 == 0 else None, 400, 2.0, 200.0) for step in range(1, 5)]


def test_without_pairs_training_leads_to_them(data: Path) -> None:
    at = opened("Train")
    assert shows(at, "Nothing to train on yet")
    assert shows(click(at, "to_pairs"), "No pairs yet")


def test_the_form_has_a_free_name_and_shows_what_the_method_needs(data: Path) -> None:
    make_lora(data / "adapters" / "sample-pairs", card=CARD)
    at = sample("Train")
    assert at.text_input(key="train_name").value == "sample-pairs-2"
    assert shows(at, "Train on 376 pairs: Sample pairs")
    assert {one.key for one in at.number_input} >= {"train_epochs", "train_rank", "train_alpha"}
    run(at.button_group(key="train_method").set_value("last_layers"))
    assert {one.key for one in at.number_input} >= {"train_epochs", "train_layers"}
    assert "train_rank" not in {one.key for one in at.number_input}
    run(at.text_input(key="train_name").input("sample-pairs"))
    assert shows(at, "There is an adapter called sample-pairs already.")


def test_what_was_chosen_survives_a_change_of_section(data: Path) -> None:
    at = sample("Train")
    run(at.number_input(key="train_epochs").set_value(3))
    run(at.text_input(key="train_name").input("mine"))
    turn_to(at, "Adapters")
    turn_to(at, "Train")
    assert at.number_input(key="train_epochs").value == 3
    assert at.text_input(key="train_name").value == "mine"


def test_few_pairs_are_gone_through_more_often_unless_somebody_chose(data: Path) -> None:
    few = "".join(f'{{"question": "When is {n}?", "answer": "At {n}."}}\n' for n in range(80)).encode()
    at = turn_to(upload(opened("Pairs"), "few.jsonl", few), "Train")
    assert at.number_input(key="train_epochs").value == 10
    at = turn_to(click(click(turn_to(at, "Pairs"), "no_pairs"), "sample_pairs"), "Train")
    assert at.number_input(key="train_epochs").value == 5
    run(at.number_input(key="train_epochs").set_value(7))
    at = turn_to(upload(click(turn_to(at, "Pairs"), "no_pairs"), "few.jsonl", few), "Train")
    assert at.number_input(key="train_epochs").value == 7


def test_a_training_that_stopped_before_its_first_step_leaves_no_empty_pictures(data: Path) -> None:
    training = Training(TrainingNote(0, "Trained in float32, as it was set."))
    assert shows(opened("Train"), "What it answers")
    training.finish()
    at = opened("Train")
    assert shows(at, "Training doors: stopped before the first step.")
    assert not shows(at, "What it answers")


def test_a_training_that_cannot_begin_says_why_and_leaves_nothing(data: Path) -> None:
    at = click(sample("Train"), "start_training")
    assert shows(at, "no-such-folder")
    assert training_job.running() is None
    assert not list(data.glob("trainings/*"))
    assert not shows(at, "Unfinished trainings")


def test_a_training_is_watched_as_it_goes_on(data: Path) -> None:
    note = TrainingNote(3, "Out of memory: the batch was halved to 4 pairs.")
    training = Training(ROUNDS[0], RECORDS[0], RECORDS[1], ROUNDS[1], RECORDS[2], note, RECORDS[3], ROUNDS[2])
    at = opened("Train")
    assert at.progress[0].text == "**Training doors**"
    assert at.progress[0].value == 40
    assert any(one.startswith("step 4 of 10 \u00b7 200 tokens/s \u00b7 ") for one in seen(at))
    assert len(at.get("vega_lite_chart")) == 1
    assert shows(at, "held-out questions, which are never trained on")
    (said,) = (one for one in seen(at) if "step 4: as before" in one)
    assert said.index("step 4: as before") < said.index("step 2") < said.index("the base")
    assert ":green-badge[:material/check: as wanted]" in said
    assert ":green-background[**At 9:00.**]" in said
    assert shows(at, "step 3: Out of memory: the batch was halved to 4 pairs.")
    escaped = next(one.value for one in at.markdown if "step 4: as before" in one.value)
    assert "![" not in escaped
    assert "\\<script\\>" in escaped
    training.finish()


def test_a_training_that_answers_nothing_has_no_empty_boxes(data: Path) -> None:
    training = Training(*RECORDS)
    assert not shows(opened("Train"), "What it answers")
    training.finish()


def test_stopping_keeps_the_best_so_far(data: Path) -> None:
    made = Trained("doors", data / "adapters" / "doors", 4, 8.0, 2, "Stopped at step 4; the best so far is kept.")
    training = Training(*RECORDS, end=made)
    at = click(opened("Train"), "stop_training")
    assert training.job.wait(PATIENCE_S)
    assert shows(run(at), "doors: Stopped at step 4; the best so far is kept.")
    assert "Use this adapter" in labels(at)


def test_a_training_that_ended_is_used_and_proved(data: Path) -> None:
    folder = make_lora(data / "adapters" / "doors", card=CARD | {"held_out_loss": 0.5, "seconds": 20.0})
    training = Training(*RECORDS, end=Trained("doors", folder, 4, 8.0, 4, "All 4 steps were done."))
    training.finish()
    at = opened("Train")
    assert shows(at, "doors: All 4 steps were done.")
    assert len(at.get("vega_lite_chart")) == 1
    click(at, "use_trained")
    assert at.session_state["setting_overrides"]["fine_tuned.adapter"] == "doors"
    assert "It answers" in labels(at)
    click(at, "hide_training")
    assert not shows(at, "All 4 steps were done.")


def test_a_training_that_failed_says_what_to_change(data: Path) -> None:
    Training(*RECORDS, end=BackendError("The loss is no longer a number.", "Lower the learning rate.")).finish()
    assert shows(opened("Train"), "Training doors: The loss is no longer a number. Lower the learning rate.")


def test_while_one_trains_no_other_can_be_started_and_questions_say_so(data: Path) -> None:
    training = Training(*RECORDS)
    at = sample("Train")
    assert at.button(key="start_training").disabled
    assert at.button(key="estimate").disabled
    turn_to(at, "Ask")
    assert any(one.startswith(":material/model_training: Training doors: step 4 of 10, for ") for one in seen(at))
    assert shows(at, "Your question is answered between its steps.")
    compare = AppTest.from_file(str(HOME / "pages" / "compare.py"), default_timeout=PATIENCE_S)
    assert shows(run(compare), "Your question is answered between its steps.")
    training.finish()
    assert not shows(run(at), "Your question is answered between its steps.")


def test_an_estimate_is_said_to_be_old_once_something_changed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Estimate(75.0, 10**9, 5 * 10**9, None, "no rate is set", 412.0, "bfloat16", 200, "It takes long.")

    def estimate(*_: object) -> Iterator[Progress[Estimate]]:
        yield Progress(1, 1, "done", found)

    monkeypatch.setattr("ui.fine_tuned.train.estimate", estimate)
    at = click(sample("Train"), "estimate")
    done(at, estimate_key_of(data))
    assert shows(at, "About 75 s for 200 steps, 412 tokens/s in bfloat16.")
    assert shows(at, "Cost unknown: no rate is set.")
    assert shows(at, "It takes long.")
    assert not shows(at, "have changed since")
    run(at.number_input(key="train_epochs").set_value(2))
    assert shows(at, "Pairs or settings have changed since this was measured.")


def test_an_estimate_that_runs_is_shown_after_a_reload(data: Path) -> None:
    go_on = threading.Event()

    def estimate(_: threading.Event) -> Iterator[Progress[Estimate]]:
        yield Progress(0, 1, "timing a step")
        go_on.wait(PATIENCE_S)

    jobs.start(estimate_key_of(data), "Estimating", estimate)
    try:
        at = sample("Train")
        assert at.button(key="cancel:estimate").label == "Stop"
    finally:
        go_on.set()


def estimate_key_of(data: Path) -> str:
    from backends.settings import load_settings

    return estimate_key(load_settings({"data": str(data)}))


def test_too_many_pairs_are_sampled(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.fine_tuned.train.MOST_PAIRS", 200)
    at = sample("Train")
    assert shows(at, "376 pairs are more than the 200 that can be trained on.")
    assert at.number_input(key="train_sample").value == 200


# --- adapters -------------------------------------------------------------------------------------------


@pytest.fixture
def doors(tiny: Path) -> Path:
    return make_lora(tiny / "adapters" / "doors", card=CARD)


def select(at: AppTest, name: str) -> AppTest:
    rows = [one.removesuffix(" \u2605 answers") for one in at.dataframe[0].value["Adapter"]]
    at.session_state["adapters"] = {"selection": {"rows": [rows.index(name)], "columns": [], "cells": []}}
    return run(at)


def test_a_training_of_another_program_is_told_where_questions_are_asked(tiny: Path) -> None:
    run_of_another = new_run(load_settings(), DRAFTS, "doors", TrainingSettings())
    with right_to_train(run_of_another.id, tiny):
        at = opened()
        assert shows(at, "Another program trains doors on this machine: step 0 of ")
        assert shows(at, "models on this machine answer more slowly until it ends.")
    assert not shows(run(at), "Another program trains")


def test_without_adapters_of_ones_own_training_is_one_click_away(data: Path) -> None:
    at = opened("Adapters")
    assert shows(at, "None of your own yet")
    assert shows(at, "brambleworth is chosen and cannot answer: It was trained for HuggingFaceTB")
    click(at, "first_adapter")
    assert at.button_group(key="section").value == "Train"


def test_an_adapter_is_chosen_renamed_deleted_and_restored(doors: Path, tiny: Path) -> None:
    at = select(opened("Adapters"), "doors")
    assert shows(at, "Right answers: **9 of 10 (base 1)**")
    click(at, "use_adapter")
    assert at.session_state["setting_overrides"]["fine_tuned.adapter"] == "doors"
    assert "doors \u2605 answers" in list(at.dataframe[0].value["Adapter"])
    at.text_input(key="new_adapter_name").input("gates")
    click(at, "FormSubmitter:form:rename-Rename")
    assert at.session_state["setting_overrides"]["fine_tuned.adapter"] == "gates"
    click(select(at, "gates"), "delete_adapter")
    assert "gates" not in adapter_folders(tiny)
    assert shows(at, "1 adapter is deleted and kept for 30 days.")
    assert shows(at, "gates is chosen, which is not in this list.")
    run(next(button for button in at.button if button.label == "Undo").click())
    assert "gates" in adapter_folders(tiny)


def test_a_name_that_cannot_be_one_is_refused(doors: Path) -> None:
    at = select(opened("Adapters"), "doors")
    at.text_input(key="new_adapter_name").input("../doors")
    assert shows(click(at, "FormSubmitter:form:rename-Rename"), "'../doors' cannot be an adapter's name.")


def test_the_sample_can_be_downloaded_and_not_deleted(tiny: Path) -> None:
    at = select(opened("Adapters"), "brambleworth")
    assert at.button(key="delete_adapter").disabled
    assert at.button(key="use_adapter").disabled
    assert shows(at, "It was trained for HuggingFaceTB/SmolLM2-135M-Instruct, not for tiny.")


def test_a_damaged_adapter_is_listed_with_the_reason(doors: Path) -> None:
    with (doors / "adapter_model.safetensors").open("ab") as file:
        file.write(b"x")
    at = select(opened("Adapters"), "doors")
    assert shows(at, "adapter_model.safetensors of the adapter doors is damaged.")
    assert at.button(key="use_adapter").disabled


def test_an_adapter_is_exported_with_the_command_that_serves_it(doors: Path, tiny: Path) -> None:
    at = click(select(opened("Adapters"), "doors"), "export_adapter")
    done(at, export_key(tiny))
    folder = tiny / "exports" / "doors"
    assert (folder / "model.safetensors").is_file()
    assert at.code[0].value == f"transformers serve {folder} --port 8000"


def test_a_zip_is_taken_and_a_bad_one_refused(doors: Path, tiny: Path) -> None:
    content = zip_bytes(doors)
    shutil.rmtree(doors)
    at = opened("Adapters")
    at.file_uploader(key="import_zip").upload("doors.zip", content)
    assert shows(click(at, "FormSubmitter:form:import_zip-Take"), "**doors** is in the list.")
    assert "doors" in list(at.dataframe[0].value["Adapter"])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    at.file_uploader(key="import_zip").upload("bad.zip", stream.getvalue())
    assert shows(click(at, "FormSubmitter:form:import_zip-Take"), "The zip file holds no adapter_config.json.")


def test_a_folder_is_copied_and_a_wrong_one_refused(doors: Path, tmp_path: Path) -> None:
    at = opened("Adapters")
    at.text_input(key="import_folder").input(str(tmp_path / "nowhere"))
    assert shows(click(at, "FormSubmitter:form:import_folder-Copy"), "There is no adapter in")
    made = make_lora(tmp_path / "elsewhere" / "windows", seed=1, card=CARD)
    at.text_input(key="import_folder").input(str(made))
    assert shows(click(at, "FormSubmitter:form:import_folder-Copy"), "**windows** is in the list.")


def test_several_adapters_answer_side_by_side(doors: Path, tiny: Path) -> None:
    make_lora(tiny / "adapters" / "windows", seed=1, card=CARD)
    at = opened("Adapters")
    at.text_input(key="adapters_question").input("When?")
    click(at, "FormSubmitter:form:compare_adapters-Ask them")
    comparison = at.session_state["live_comparisons"]["adapters"]
    assert comparison.wait(PATIENCE_S)
    assert {answer.approach for answer in comparison.answers} == {"adapter doors", "adapter windows"}
    assert {answer.status for answer in comparison.answers} <= {"ok", "truncated", "empty"}
    texts = {answer.text for answer in comparison.answers}
    assert len(texts) == 2
    headings = [one.value for one in run(at).markdown if one.value.startswith("### :orange[")]
    assert len(headings) == 2


def test_a_server_by_url_is_said_to_answer(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = opened()
    run(at.text_input(key="setting:fine_tuned.base_url").input("http://127.0.0.1:8000/v1"))
    run(at.text_input(key="setting:fine_tuned.served_model").input("doors"))
    assert shows(turn_to(at, "Adapters"), "A server answers: doors at http::small[]//127.0.0.1:8000/v1.")


def test_questions_wait_behind_a_training_by_its_name() -> None:
    column = Column("raw", "tiny").updated(Queued(("training doors", "fine_tuned")))
    assert state_line(column) == ":gray-badge[:material/hourglass_empty: queued behind training doors and 1 more]"
