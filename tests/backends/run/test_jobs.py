"""Long work in the background, watched and cancelled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from backends.errors import BackendError
from backends.run import jobs
from backends.run.jobs import JobState, Progress


class Steps:
    """Work of three steps that waits before each until it is let on."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.reached = threading.Semaphore(0)

    def __call__(self, cancel: threading.Event) -> Iterator[Progress[str]]:
        for number in (1, 2, 3):
            self.reached.release()
            self.gate.acquire()
            if cancel.is_set():
                return
            yield Progress(number, 3, f"step {number}", f"result {number}" if number != 2 else None)
        self.reached.release()


def test_a_job_shows_how_far_it_is_and_keeps_the_results() -> None:
    steps = Steps()
    job = jobs.start("shows", "Counting", steps)
    steps.reached.acquire()
    first = job.state
    assert first == JobState("Counting", first.started)
    assert (first.running, first.remaining_s(first.started + 1)) == (True, None)
    steps.gate.release()
    steps.reached.acquire()
    second = job.state
    assert second == replace(first, done=1, total=3, detail="step 1", results=("result 1",))
    assert second.remaining_s(second.started + 5) == 10
    assert not job.wait(0)
    steps.gate.release(2)
    assert job.wait()
    last = job.state
    assert last == replace(
        first, done=3, total=3, detail="step 3", results=("result 1", "result 3"), finished=last.finished
    )
    assert last.finished is not None
    assert last.finished > last.started
    assert (last.running, last.remaining_s(last.finished), last.fault, last.cancelled) == (False, None, None, False)
    assert second.results == ("result 1",)  # a snapshot stays as it was
    assert jobs.find("shows") is job


def test_cancelling_keeps_what_is_finished() -> None:
    steps = Steps()
    job = jobs.start("cancels", "Counting", steps)
    steps.gate.release()
    steps.reached.acquire()
    steps.reached.acquire()
    job.cancel()
    assert job.state.cancelled
    steps.gate.release()
    assert job.wait()
    assert (job.state.done, job.state.results, job.state.fault) == (1, ("result 1",), None)


def test_cancelling_what_has_ended_changes_nothing() -> None:
    job = jobs.start("ended", "Nothing", lambda cancel: iter(()))
    assert job.wait()
    job.cancel()
    assert not job.state.cancelled


def test_a_second_start_is_refused_while_the_first_runs() -> None:
    steps = Steps()
    job = jobs.start("twice", "Indexing", steps)
    with pytest.raises(BackendError) as fault:
        jobs.start("twice", "Indexing", steps)
    assert str(fault.value) == "Indexing is still running. Wait until it has finished, or stop it."
    other = jobs.start("another key", "Indexing", lambda cancel: iter(()))
    steps.gate.release(3)
    assert job.wait()
    assert other.wait()
    again = jobs.start("twice", "Indexing", lambda cancel: iter(()))
    assert jobs.find("twice") is again
    assert again.wait()
    assert jobs.find("unknown") is None


def test_a_fault_is_kept() -> None:
    def make(cancel: threading.Event) -> Iterator[Progress[str]]:
        yield Progress(1, 2, "one", "kept")
        raise BackendError("The disk is full.", "Make room.")

    job = jobs.start("fails", "Indexing", make)
    assert job.wait()
    assert job.state.fault is not None
    assert str(job.state.fault) == "The disk is full. Make room."
    assert (job.state.done, job.state.results) == (1, ("kept",))


def test_an_unexpected_fault_is_a_sentence_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def make(cancel: threading.Event) -> Iterator[Progress[str]]:
        raise ZeroDivisionError("inside")
        yield

    with caplog.at_level(logging.ERROR):
        job = jobs.start("breaks", "Training", make)
        assert job.wait()
    assert job.state.fault is not None
    assert str(job.state.fault) == (
        "Training failed unexpectedly (ZeroDivisionError). The log has the details; try again."
    )
    assert "inside" in caplog.text
