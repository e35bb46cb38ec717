"""The collection in force, opened; and short work on it that must not run on the script's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from typing import TypeVar, cast

import streamlit as st

from backends.errors import BackendError
from backends.rag.store.index import Index
from backends.run.jobs import Job, Progress
from backends.run.lane import Cancelled, turns
from backends.settings import Settings
from ui.shared.text import escaped

_T = TypeVar("_T")

_PATIENCE_S = 1.0
"""The script waits this long before it shows what it waits for."""

_REFRESH_S = 0.3
_FAULT = "rag_fault"


def opened_index(current: Settings) -> Index:
    """The collection in force. Stops the page with a sentence where it cannot be opened."""
    from backends.rag.approach import open_index

    try:
        return open_index(current)
    except BackendError as fault:
        show_fault(fault)
        st.stop()


def show_fault(fault: BackendError) -> None:
    """Draw what went wrong and what to do about it."""
    st.error(escaped(f"{fault.cause} {fault.next_step}"), icon=":material/error:")


def keep_fault(fault: BackendError) -> None:
    """Remember what went wrong in a callback; `show_kept_fault` draws it where it belongs."""
    st.session_state[_FAULT] = fault


def show_kept_fault() -> None:
    """Draw what went wrong in the callback before this run, if anything."""
    if (fault := st.session_state.pop(_FAULT, None)) is not None:
        show_fault(fault)


def worked_out(slot: str, key: Hashable, what: str, compute: Callable[[], _T]) -> _T | None:
    """What `compute` gives for `key`, worked out in the background when it is this machine's turn.

    None while that lasts, which the page then shows, and if it failed, with the sentence. `slot` names the place on
    the page: another key there takes the place of the earlier one.
    """
    job = _job(slot, key, what, compute)
    if not job.wait(_PATIENCE_S):
        st.fragment(_watch, run_every=_REFRESH_S)(job)
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


def _watch(job: Job) -> None:
    if not job.state.running:  # drawn again at once: a last caption would take the place of what is there by then
        st.rerun()
    st.caption(f":material/hourglass_empty: {escaped(job.state.what)}; what this machine does already goes first.")
