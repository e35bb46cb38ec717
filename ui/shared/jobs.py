"""A job on the page: how far it is, what remains, cancel; and how it ended. The job goes on when the page is left."""

from __future__ import annotations

import time

import streamlit as st

from backends.run.jobs import Job, JobState
from evaluation.durations import duration
from ui.shared.text import escaped

_REFRESH_S = 0.5
_SETTLED_S = 2.0
"""A forecast from less than this would jump."""


def job_view(job: Job, key: str, *, done: str = "Done.", cancelled: str = "Cancelled.", alert: bool = False) -> None:
    """Draw a job. While it runs, bar and numbers keep moving; once it ends, the page is drawn again.

    `done` and `cancelled` are the sentences for how it ended; a fault is shown as it is. With `alert` the end is told
    as a warning: it holds something to look at.
    """
    if job.state.running:
        st.fragment(_watch, run_every=_REFRESH_S)(job, key)
    else:
        _ended(job.state, done, cancelled, alert)


def _watch(job: Job, key: str) -> None:
    state = job.state
    if not state.running:  # drawn again at once: a last bar would take the place of what is there by then
        st.rerun()
    with st.container(border=True):
        st.progress(share(state), f"**{escaped(state.what)}**")
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.caption(escaped(progress_line(state, time.monotonic())), width="content")
            st.button(
                "Stopping" if state.cancelled else "Cancel",
                key=f"cancel:{key}",
                icon=":material/stop_circle:",
                on_click=job.cancel,
                disabled=state.cancelled,
            )


def _ended(state: JobState, done: str, cancelled: str, alert: bool) -> None:
    spent = duration((state.finished or state.started) - state.started)
    if state.fault is not None:
        st.error(escaped(f"{state.what}: {state.fault.cause} {state.fault.next_step}"), icon=":material/error:")
    elif state.cancelled:
        st.warning(escaped(f"{state.what}: {cancelled}"), icon=":material/stop_circle:")
    elif alert:
        st.warning(escaped(f"{state.what}: {done} It took {spent}."), icon=":material/warning:")
    else:
        st.success(escaped(f"{state.what}: {done} It took {spent}."), icon=":material/check_circle:")


def share(state: JobState) -> float:
    """How much of a job is done, from 0 to 1."""
    return min(max(state.done / state.total, 0.0), 1.0) if state.total else 0.0


def progress_line(state: JobState, now: float) -> str:
    """What is done, for how long, and what remains: `5 of 16 files · 12 s, about 20 s left`. `now` is monotonic."""
    spent = (state.finished or now) - state.started
    remaining = state.remaining_s if spent >= _SETTLED_S else None
    left = f", about {duration(remaining)} left" if remaining is not None else ""
    return " \u00b7 ".join(part for part in (state.detail or "starting", f"{duration(spent)}{left}") if part)
