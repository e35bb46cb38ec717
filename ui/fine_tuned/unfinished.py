"""Trainings that did not come to their end: go on with them, or discard them."""

from __future__ import annotations

import streamlit as st

from backends.base import BackendError
from backends.fine_tuned import training_job
from backends.fine_tuned.runs import Run, discard
from backends.settings import Settings
from ui.rag.opened import keep_fault
from ui.text import escaped

UNFINISHED = ("stopped", "interrupted", "failed")

_BADGES = {
    "stopped": ":orange-badge[:material/stop_circle: stopped]",
    "interrupted": ":red-badge[:material/power_off: interrupted]",
    "failed": ":red-badge[:material/error: failed]",
}
_SHOWN = 5


def show_unfinished(current: Settings, found: list[Run], busy: bool) -> None:
    """Draw them, newest first."""
    left = [run for run in found if run.state in UNFINISHED]
    if not left:
        return
    with st.container(border=True):
        st.markdown("##### :material/history: Unfinished trainings")
        for run in left[:_SHOWN]:
            _run(current, run, busy)
        if len(left) > _SHOWN:
            st.caption(f"and {len(left) - _SHOWN} more")


def _run(current: Settings, run: Run, busy: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            st.markdown(
                f"**{escaped(run.name)}** {_BADGES[run.state]} at step {run.step} of {run.steps} \u00b7 "
                f"{run.pairs:,} pairs \u00b7 {run.created:%-d %b %Y, %H:%M} UTC"
            )
            if run.reason:
                st.caption(escaped(run.reason))
        st.button(
            "Resume",
            key=f"resume:{run.id}",
            icon=":material/play_arrow:",
            on_click=_resume,
            args=(current, run),
            disabled=busy or not run.resumable,
            help=None if run.resumable else "It would fail again in the same way. Start a new one.",
        )
        with st.popover("Discard", icon=":material/delete:"):
            st.markdown("Its pairs, log and state are removed. An adapter that came of it stays.")
            st.button(
                "Discard for good", key=f"discard:{run.id}", type="primary", on_click=_discard, args=(current, run)
            )


def _resume(current: Settings, run: Run) -> None:
    try:
        training_job.start(current, run)
    except BackendError as fault:
        keep_fault(fault)


def _discard(current: Settings, run: Run) -> None:
    try:
        discard(run.id, current.data)
    except BackendError as fault:
        keep_fault(fault)
