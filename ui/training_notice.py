"""That a training is going on, wherever a question can be asked: what, how far, and what that means for the answer."""

from __future__ import annotations

import time

import streamlit as st

from backends.fine_tuned import training_job
from backends.jobs import Job, JobState
from evaluation.durations import duration
from ui.text import escaped
from ui.time_left import job_left_s

_REFRESH_S = 2.0


def training_notice() -> None:
    """Draw it while a training runs in this process; nothing otherwise."""
    if (job := training_job.running()) is not None:
        st.fragment(_watch, run_every=_REFRESH_S)(job)


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
