"""That a training is going on, wherever a question can be asked: what, how far, and what that means for the answer."""

from __future__ import annotations

import time

import streamlit as st

from backends.base import BackendError
from backends.fine_tuned import training_job
from backends.fine_tuned.events import StepRecord
from backends.fine_tuned.runs import Run, find_run, history
from backends.fine_tuned.training_lock import holder
from backends.jobs import Job, JobState
from backends.settings import Settings
from evaluation.durations import duration
from ui.text import escaped
from ui.time_left import job_left_s, run_left_s

_REFRESH_S = 2.0


def training_notice(current: Settings) -> None:
    """Draw it while a training runs, in this process or in another one on the same data folder."""
    if (job := training_job.running()) is not None:
        st.fragment(_watch, run_every=_REFRESH_S)(job)
    elif _elsewhere(current) is not None:
        st.fragment(_watch_elsewhere, run_every=_REFRESH_S)(current)


def _watch(job: Job) -> None:
    if not job.state.running:
        st.rerun()
    st.caption(f":material/model_training: {escaped(notice(job.state, time.monotonic()))}")


def notice(state: JobState, now: float) -> str:
    """`Training doors: step 12 of 60, for 40 s so far, about 3 min left. Your question is ...`"""
    how_far = f"step {state.done} of {state.total}" if state.total else state.detail or "starting"
    spent = duration(now - state.started)
    left = job_left_s(state, now)
    still = "" if left is None else f", about {duration(left)} left"
    return f"{state.what}: {how_far}, for {spent} so far{still}. Your question is answered between its steps."


def _elsewhere(current: Settings) -> Run | None:
    trains = holder(current.data)
    try:
        return find_run(trains.run, current.data) if trains else None
    except BackendError:  # it ended in this very moment
        return None


def _watch_elsewhere(current: Settings) -> None:
    run = _elsewhere(current)
    if run is None:
        st.rerun()
    left_s = run_left_s(run, [one for one in history(run) if isinstance(one, StepRecord)])
    st.caption(f":material/model_training: {escaped(notice_elsewhere(run, left_s))}")


def notice_elsewhere(run: Run, left_s: float | None) -> str:
    """`Another program trains doors on this machine: step 12 of 60, about 3 min of work left. ...`"""
    still = "" if left_s is None else f", about {duration(left_s)} of work left"
    return (
        f"Another program trains {run.name} on this machine: step {run.step} of {run.steps}{still}. "
        "It takes no turns with your questions, so models on this machine answer more slowly until it ends."
    )
