"""What a training says of itself in one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.fine_tuned.train.events import StepRecord, Trained, TrainingNote, TrainingResult
from backends.fine_tuned.train.method import TrainingSettings
from backends.fine_tuned.train.runs import Run
from backends.run.jobs import JobState
from ui.ask.box import notice
from ui.fine_tuned.training_view import no_losses_yet, speed, status_line, with_past
from ui.shared.numbers import job_left_s, run_left_s

RECORDS = [StepRecord(step, 1.0, None, 400, 2.0, 200.0) for step in range(1, 5)]
STATE = JobState("Training doors", started=100.0, done=4, total=10, detail="", results=tuple(RECORDS))


def test_steps_speed_time_and_what_is_left_are_said() -> None:
    assert status_line(STATE, 112.0) == "step 4 of 10 \u00b7 200 tokens/s \u00b7 12 s, about 18 s left"


def test_before_the_second_step_the_time_is_what_was_said_before_the_start_or_not_known() -> None:
    begun = JobState("Training doors", 100.0, detail="loading the base")
    said = "loading the base \u00b7 3 s"
    assert status_line(begun, 103.0) == f"{said}, time left not known before the second step"
    assert status_line(begun, 103.0, "about 40 s in all, by the estimate") == (
        f"{said}, about 40 s in all, by the estimate"
    )
    assert status_line(replace(begun, cancelled=True), 103.0) == said


def test_in_place_of_losses_stands_what_is_done_or_why_there_are_none() -> None:
    begun = JobState("Training doors", 100.0, detail="loading the base")
    assert no_losses_yet(begun) == "Now: loading the base. The losses are drawn here from the first step on."
    assert no_losses_yet(replace(begun, cancelled=True)).endswith("it is being stopped before the first step.")
    stopped = replace(begun, cancelled=True, finished=112.0)
    assert no_losses_yet(stopped) == "There are no losses: it was stopped before the first step."
    failed = replace(stopped, fault=BackendError("The disk is full.", "Make room."))
    assert no_losses_yet(failed) == "There are no losses: it ended before the first step."


def test_the_speed_is_of_the_last_steps() -> None:
    fast = [StepRecord(step, 1.0, None, 400, 1.0, 400.0) for step in range(5, 15)]
    assert speed([*RECORDS, *fast]) == "400 tokens/s"
    assert speed([]) == ""


def test_a_resumed_training_counts_the_steps_that_it_did_itself() -> None:
    resumed = replace(STATE, done=54, total=60)
    assert job_left_s(resumed, 112.0) == 18.0


def test_a_training_of_another_process_is_forecast_from_its_steps(tmp_path: Path) -> None:
    run = Run(
        *("id", "doors", tmp_path, datetime.now(UTC), "running", 54, 60, "", False, 9, 0),
        *(TrainingSettings(), "", "", "tiny", "main"),
    )
    assert run_left_s(run, RECORDS) == 12.0
    assert run_left_s(run, RECORDS[:1]) is None
    assert run_left_s(replace(run, step=60), RECORDS) is None


@pytest.mark.parametrize(
    "state",
    [
        replace(STATE, results=tuple(RECORDS[:1])),
        replace(STATE, done=10),
        replace(STATE, finished=112.0),
        replace(STATE, cancelled=True),
    ],
)
def test_nothing_is_forecast_too_early_or_at_the_end(state: JobState) -> None:
    assert job_left_s(state, 112.0) is None


def test_a_resumed_training_shows_what_was_before_and_nothing_twice() -> None:
    note = TrainingNote(2, "Stopped.")
    past: list[TrainingResult] = [
        RECORDS[0],
        RECORDS[1],
        note,
        RECORDS[2],
        Trained("doors", Path("doors"), 3, 6.0, 3, "Stopped."),
    ]
    assert with_past(past, [RECORDS[2], RECORDS[3]]) == [RECORDS[0], RECORDS[1], note, RECORDS[2], RECORDS[3]]
    assert with_past(past, []) == past[:4]


def test_where_questions_are_asked_the_rule_is_stated() -> None:
    assert notice(STATE, 140.0) == (
        "Training doors: step 4 of 10, for 40 s so far, about 60 s left. Your question is answered between its steps."
    )
    assert notice(JobState("Training doors", 100.0), 101.0) == (
        "Training doors: starting, for 1 s so far. Your question is answered between its steps."
    )
