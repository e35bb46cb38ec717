"""Trainings on disk: what is known of each, whatever became of its process."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train.events import LiveAnswer, LiveAnswers, StepRecord, Trained, TrainingNote
from backends.fine_tuned.train.lock import Busy, Holder, holder, training
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.runs import (
    Run,
    discard,
    find_run,
    history,
    log,
    read_part,
    runs,
    set_state,
    truncate_log,
    write_run,
)
from tests.backends.models.made_adapters import fault

PAIRS = [Pair("Où?", "Là.", "g", generated=True, source="x.pdf"), Pair("Who?\nYou?", "Me.")]
RESULTS = [
    LiveAnswers(0, (LiveAnswer("Où?", "Là.", "?"),), held_out=True),
    StepRecord(1, 2.5, None, 100, 0.5, 200.0),
    TrainingNote(1, "Something happened."),
    StepRecord(2, 2.0, 2.25, 100, 0.5, 200.0),
    Trained("doors", Path("/x/doors"), 2, 1.5, 2, "All 2 steps are done."),
]


def made(data: Path, id: str = "one", minutes: int = 0) -> Run:
    """A training that was written down and not begun."""
    run = Run(
        id=id,
        name="doors",
        folder=data / "trainings" / id,
        created=datetime(2026, 11, 1, 12, minutes, tzinfo=UTC),
        state="interrupted",
        step=0,
        steps=9,
        reason="It was not begun.",
        resumable=True,
        pairs=2,
        held_out=1,
        settings=TrainingSettings(target_modules=("q_proj",), learning_rate=0.1),
        system_prompt="Be brief.",
        source="pairs.csv",
        base_model="tiny",
        base_revision="abc",
        adapters=data / "elsewhere",
        command="crossroads train pairs.csv",
    )
    write_run(run, PAIRS, PAIRS[:1])
    return run


def test_a_training_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert runs(tmp_path) == [run]
    assert find_run("one", tmp_path) == run
    assert run.data == tmp_path
    assert (read_part(run, "train"), read_part(run, "held_out")) == (PAIRS, PAIRS[:1])
    assert run.created.utcoffset() == timedelta(0)


def test_newest_first_and_the_damaged_ones_left_out(tmp_path: Path) -> None:
    assert runs(tmp_path) == []
    first, second = made(tmp_path, "a", 5), made(tmp_path, "b", 9)
    (made(tmp_path, "c", 7).folder / "state.json").write_text("{")
    (tmp_path / "trainings" / "d.123.part").mkdir()
    assert runs(tmp_path) == [second, first]
    assert fault(lambda: find_run("c", tmp_path)) == (
        "There is no training 'c'.",
        "Choose one from the list, or start a new one.",
    )


def test_a_state_is_kept(tmp_path: Path) -> None:
    run = set_state(made(tmp_path), state="stopped", step=4, reason="Stopped.", resumable=True)
    assert find_run("one", tmp_path) == run
    assert (run.state, run.step) == ("stopped", 4)


def test_who_runs_is_told_by_the_lock_and_not_by_what_was_written(tmp_path: Path) -> None:
    run = set_state(made(tmp_path), state="running", step=4, reason="", resumable=False)
    found = find_run("one", tmp_path)
    anew = "It broke off at step 4. Resumed, it begins anew, since no step was saved."
    assert (found.state, found.reason, found.resumable) == ("interrupted", anew, True)
    set_state(run, saved=3)
    assert find_run("one", tmp_path).reason == (
        "It broke off at step 4. Resumed, it goes on from step 3, which was saved."
    )
    run = set_state(run)
    with training("one", tmp_path):
        assert holder(tmp_path) == Holder("one", os.getpid())
        assert find_run("one", tmp_path) == run
        assert fault(lambda: discard("one", tmp_path)) == ("The training of doors is still running.", "Stop it first.")
    assert holder(tmp_path) is None
    assert find_run("one", tmp_path) == found


def test_one_training_at_a_time(tmp_path: Path) -> None:
    with training("one", tmp_path), pytest.raises(Busy) as caught, training("two", tmp_path):
        pass
    assert caught.value.cause == f"Another training runs in process {os.getpid()}."
    assert caught.value.by == Holder("one", os.getpid())
    with training("two", tmp_path):
        assert holder(tmp_path) == Holder("two", os.getpid())


def test_discarded_is_gone(tmp_path: Path) -> None:
    made(tmp_path, "a"), made(tmp_path, "b")
    discard("a", tmp_path)
    assert [run.id for run in runs(tmp_path)] == ["b"]
    assert [folder.name for folder in (tmp_path / "trainings").iterdir()] == ["b"]


def test_the_log_gives_back_what_was_said(tmp_path: Path) -> None:
    run = made(tmp_path)
    assert history(run) == []
    for result in RESULTS:
        log(run, result)
    assert history(run) == RESULTS


def test_a_torn_line_is_no_line_and_what_is_done_again_is_forgotten(tmp_path: Path) -> None:
    run = made(tmp_path)
    for result in RESULTS[:4]:
        log(run, result)
    with (run.folder / "log.jsonl").open("a") as stream:
        stream.write('{"kind": "step", "step": 3, "lo')
    assert history(run) == RESULTS[:4]
    truncate_log(run, 1)
    assert history(run) == RESULTS[:3]
    log(run, RESULTS[3])
    assert history(run) == RESULTS[:4]


def test_a_run_without_options(tmp_path: Path) -> None:
    run = replace(made(tmp_path), id="two", folder=tmp_path / "trainings" / "two", adapters=None, command="")
    write_run(run, PAIRS, [])
    assert find_run("two", tmp_path) == run
    assert read_part(run, "held_out") == []
