"""A job on the page: it shows how far it is, can be stopped, ends with a sentence, and survives a page change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from backends.errors import BackendError
from backends.run import jobs
from backends.run.jobs import Job, JobState, Progress
from evaluation.durations import duration
from tests.scripted import PATIENCE_S
from ui.shared.jobs import progress_line, share

KEY = "job-view-test"


class Work:
    """A generator that stands still after its second step until the test lets it go on."""

    def __init__(self, fault: BackendError | None = None) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._fault = fault

    def __call__(self, cancel: threading.Event) -> Iterator[Progress[object]]:
        yield Progress(1, 4, "2 of 4 files")
        yield Progress(2, 4, "2 of 4 files")
        self.reached.set()
        assert self.go_on.wait(PATIENCE_S)
        if self._fault:
            raise self._fault
        if not cancel.is_set():
            yield Progress(4, 4, "4 of 4 files")


def begun(fault: BackendError | None = None, title: str = "Adding to handbook") -> tuple[Job, Work]:
    work = Work(fault)
    job = jobs.start(KEY, title, work)
    assert work.reached.wait(PATIENCE_S)
    return job, work


def ended(job: Job, work: Work) -> None:
    work.go_on.set()
    assert job.wait(PATIENCE_S)


def page() -> AppTest:
    def script(key: str) -> None:
        import streamlit as st

        from backends.run import jobs
        from ui.shared.jobs import job_view

        st.title("The page")
        if job := jobs.find(key):
            job_view(job, "test", done="2 added.", cancelled="What is finished is kept.")

    return AppTest.from_function(script, args=(KEY,), default_timeout=PATIENCE_S)


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception, at.exception
    return at


def test_a_running_job_shows_how_far_it_is() -> None:
    job, work = begun()
    at = run(page())
    assert (at.progress[0].value, at.progress[0].text) == (50, "**Adding to handbook**")
    assert at.caption[0].value.startswith("2 of 4 files \u00b7 ")
    assert [button.label for button in at.button] == ["Stop"]
    ended(job, work)
    run(at)
    assert not at.progress
    assert at.success[0].value.startswith("Adding to handbook\\: 2 added\\. It took ")


def test_another_page_and_another_session_see_the_same_job() -> None:
    job, work = begun()
    run(page())
    assert run(page()).progress[0].value == 50  # left and come back: nothing was started again
    assert jobs.find(KEY) is job
    ended(job, work)


def test_cancelling_keeps_what_is_finished_and_says_so() -> None:
    job, work = begun()
    at = run(page())
    at.button(key="cancel:test").click()
    run(at)
    assert job.state.cancelled
    assert [(button.label, button.disabled) for button in at.button] == [("Stopping", True)]
    ended(job, work)
    run(at)
    assert at.warning[0].value == "Adding to handbook\\: What is finished is kept\\."


def test_a_fault_is_a_sentence_and_nothing_in_it_is_markdown() -> None:
    ended(*begun(BackendError("![x](http://evil.example) broke.", "Try again."), title="Adding to *x*"))
    at = run(page())
    (error,) = at.error
    assert error.value == "Adding to \\*x\\*\\: \\!\\[x\\]\\(http\\::small[]//evil\\.example\\) broke\\. Try again\\."
    assert not at.success


# --- numbers ------------------------------------------------------------------------------------


@pytest.fixture
def state() -> JobState:
    return JobState("Adding", 100.0, done=25, total=100, detail="5 of 16 files")


def test_what_remains_is_reckoned_from_the_speed_so_far(state: JobState) -> None:
    assert share(state) == 0.25
    assert progress_line(state, 110.0) == "5 of 16 files \u00b7 10 s, about 30 s left"


def test_no_forecast_from_the_first_moments_or_from_nothing(state: JobState) -> None:
    assert progress_line(state, 101.0) == "5 of 16 files \u00b7 1 s"
    assert progress_line(replace(state, done=0), 110.0) == "5 of 16 files \u00b7 10 s"
    assert progress_line(JobState("Adding", 100.0), 110.0) == "starting \u00b7 10 s"
    assert share(JobState("Adding", 100.0)) == 0.0
    assert share(replace(state, done=120)) == 1.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59.6, "60 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3540, "59 min"),
        (3600, "1 h"),
        (4800, "1 h 20 min"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
