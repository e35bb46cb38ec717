"""Background work on the page: a job shows how far it is and how it ended; short work, what it waits for.

A job goes on when the page is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from typing import TypeVar, cast

import streamlit as st

from backends.run.jobs import Job, JobState, Progress
from backends.run.lane import Cancelled, turns
from evaluation.durations import duration
from ui.shared.errors import show_fault
from ui.shared.text import escaped

_T = TypeVar("_T")

_REFRESH_S = 0.5
_SETTLED_S = 2.0
"""A forecast from less than this would jump."""

_PATIENCE_S = 1.0
"""The script waits this long for short work before it shows what it waits for."""

_TURN_REFRESH_S = 0.3


def job_view(job: Job, key: str, *, done: str = "Done.", cancelled: str = "Stopped.", alert: bool = False) -> None:
    """Draw a job. While it runs, bar and numbers keep moving; once it ends, the page is drawn again.

    `done` and `cancelled` are the sentences for how it ended; a fault is shown as it is. With `alert` the end is shown
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
                "Stopping" if state.cancelled else "Stop",
                key=f"cancel:{key}",
                icon=":material/stop_circle:",
                on_click=job.cancel,
                disabled=state.cancelled,
            )


def _ended(state: JobState, done: str, cancelled: str, alert: bool) -> None:
    spent = duration((state.finished or state.started) - state.started)
    if state.fault is not None:
        st.error(escaped(f"{state.what}: {state.fault}"), icon=":material/error:")
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
    remaining = state.remaining_s(now) if spent >= _SETTLED_S else None
    left = f", about {duration(remaining)} left" if remaining is not None else ""
    return " \u00b7 ".join(part for part in (state.detail or "starting", f"{duration(spent)}{left}") if part)


def hide_button(job: Job, key: str) -> None:
    """A button that puts a job away that has ended; `hidden` tells of it, and `show_again` takes it back."""
    st.button("Hide this", key=f"hide_{key}", type="tertiary", on_click=_hide, args=(key, job.state.started))


def hidden(job: Job, key: str) -> bool:
    """Whether this very job was put away."""
    return bool(st.session_state.get(f"hidden_{key}") == job.state.started)


def show_again(key: str) -> None:
    """Forget what was put away: the next job is a new one."""
    st.session_state.pop(f"hidden_{key}", None)


def _hide(key: str, started: float) -> None:
    st.session_state[f"hidden_{key}"] = started


def computed_in_background(slot: str, key: Hashable, what: str, compute: Callable[[], _T]) -> _T | None:
    """What `compute` gives for `key`, worked out in the background when it is this machine's turn.

    None while that lasts, which the page then shows, and if it failed, with the sentence. `slot` names the place on
    the page: another key there takes the place of the earlier one.
    """
    job = _job(slot, key, what, compute)
    if not job.wait(_PATIENCE_S):
        st.fragment(_watch_turn, run_every=_TURN_REFRESH_S)(job)
        return None
    state = job.state
    if state.fault is not None:
        show_fault(state.fault)
        return None
    return cast(_T, state.results[0]) if state.results else None


def _job(slot: str, key: Hashable, what: str, compute: Callable[[], object]) -> Job:
    place = f"work:{slot}"
    held: tuple[Hashable, Job] | None = st.session_state.get(place)
    if held is not None and held[0] == key:
        return held[1]
    if held is not None:
        held[1].cancel()

    def steps(cancel: threading.Event) -> Iterator[Progress[object]]:
        with suppress(Cancelled), turns(what.lower(), cancel)():
            yield Progress(1, 1, "", compute())

    job = Job(what, steps)
    st.session_state[place] = (key, job)
    return job


def _watch_turn(job: Job) -> None:
    if not job.state.running:  # drawn again at once: a last caption would take the place of what is there by then
        st.rerun()
    st.caption(f":material/hourglass_empty: {escaped(job.state.what)}; what this machine does already goes first.")
