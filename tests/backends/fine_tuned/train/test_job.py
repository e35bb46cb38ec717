"""One training at a time, and questions are answered between its steps."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from backends.base import Answer
from backends.fine_tuned.train import job as training_job
from backends.fine_tuned.train.events import StepRecord, Trained
from backends.fine_tuned.train.runs import find_run
from backends.fine_tuned.train.training import new_run, train_run
from backends.raw import RawBackend
from backends.run import jobs
from backends.run.compare import compare
from backends.run.jobs import Job
from backends.run.lane import THIS_MACHINE, lane
from backends.settings import Settings
from tests.backends.fine_tuned.small_training import ALL, PAIRS, tiny_settings
from tests.backends.models.made_adapters import fault

LONG = replace(ALL, epochs=1000)
_LIMIT_S = 120


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    return tiny_settings(tiny_model, tmp_path / "data")


def ended(job: Job) -> Job:
    """The job, stopped and over."""
    job.cancel()
    assert job.wait(_LIMIT_S)
    return job


def begun(settings: Settings) -> Job:
    """A long training in the background that has done its first step."""
    job = training_job.start(settings, new_run(settings, PAIRS, "doors", LONG))
    while not job.state.done and not job.wait(0.01):
        pass
    assert job.state.running, job.state.fault
    return job


def test_a_training_in_the_background(settings: Settings) -> None:
    run = new_run(settings, PAIRS, "doors", ALL)
    job = training_job.start(settings, run)
    assert job.wait(_LIMIT_S)
    assert job.state.fault is None
    assert (job.state.done, job.state.total, job.state.what) == (10, 10, "Training doors")
    assert sum(isinstance(one, StepRecord) for one in job.state.results) == 10
    assert isinstance(job.state.results[-1], Trained)
    assert training_job.running() is None
    assert jobs.find(training_job.KEY) is job


def test_one_at_a_time_in_this_process(settings: Settings) -> None:
    other = new_run(settings, PAIRS, "windows", ALL)
    job = begun(settings)
    try:
        assert training_job.running() is job
        cause, next_step = fault(lambda: training_job.start(settings, other))
        assert cause.startswith("doors is being trained: step ")
        assert " of 5000, in process " in cause
        assert next_step == "Wait until it has finished, or stop it there."
    finally:
        ended(job)
    assert training_job.running() is None


_HOLD = """
import sys
from pathlib import Path
from backends.fine_tuned.train.lock import training
with training(sys.argv[1], Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time_across_processes(settings: Settings) -> None:
    first, second = (new_run(settings, PAIRS, name, ALL) for name in ("doors", "windows"))
    command = [sys.executable, "-c", _HOLD, first.id, str(settings.data)]
    home = Path(__file__).parents[4]
    with subprocess.Popen(command, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert find_run(first.id, settings.data).state == "running"
        assert fault(lambda: training_job.start(settings, second)) == (
            f"doors is being trained: step 0 of 10, in process {process.pid}.",
            "Wait until it has finished, or stop it there.",
        )
        assert fault(lambda: list(train_run(settings, second, threading.Event())))[0] == (
            f"Another training runs in process {process.pid}."
        )
        process.communicate("")
    assert find_run(second.id, settings.data).state == "interrupted"


def test_a_question_waits_for_at_most_one_step(settings: Settings) -> None:
    job = begun(settings)
    line = lane(THIS_MACHINE)
    try:
        for _ in range(20):
            place = line.join("a question")
            ahead, before = line.behind(place), job.state.done
            with line.turn(place, threading.Event()):
                after = job.state.done
            assert ahead in ((), ("training doors",))
            assert after - before <= 1
    finally:
        ended(job)


def test_questions_are_answered_while_it_trains(settings: Settings) -> None:
    job = begun(settings)
    try:
        question = settings.question("What is the code of door 3?")
        *_, (_, answer) = compare([RawBackend(settings)], replace(question, max_tokens=4), threading.Event())
        assert isinstance(answer, Answer)
        assert (answer.status, answer.usage.completion_tokens) == ("truncated", 4)
        assert job.state.running
        assert job.state.done < 5000
    finally:
        ended(job)


def test_stopped_and_started_again(settings: Settings) -> None:
    job = ended(begun(settings))
    trained = job.state.results[-1]
    assert isinstance(trained, Trained)
    (run,) = [find_run(file.parent.name, settings.data) for file in settings.data.glob("trainings/*/run.json")]
    assert (run.state, run.step, run.resumable) == ("stopped", trained.steps, True)
    new_run(settings, PAIRS, run.name, ALL)  # newer, and of the same name
    again = training_job.start(settings, run)
    assert training_job.run_id(again) == run.id
    while again.state.done <= trained.steps and not again.wait(0.01):
        pass
    records = [one.step for one in ended(again).state.results if isinstance(one, StepRecord)]
    assert records[0] == trained.steps + 1


def test_a_finished_training_is_not_started_again(settings: Settings) -> None:
    run = new_run(settings, PAIRS, "doors", ALL)
    assert training_job.start(settings, run).wait(_LIMIT_S)
    assert fault(lambda: training_job.start(settings, run)) == (
        "The training of doors cannot be resumed. All 10 steps are done.",
        "Start a new one.",
    )
