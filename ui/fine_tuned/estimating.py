"""What a training would take on this machine: measured on request, and said to be old once something changed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import streamlit as st

from backends import jobs
from backends.base import BackendError
from backends.fine_tuned.method import TrainingSettings, check
from backends.fine_tuned.pairs import Pair
from backends.fine_tuned.probe import Estimate, estimate
from backends.settings import Settings
from evaluation.durations import duration
from ui import numbers
from ui.job_view import job_view
from ui.rag.file_table import size
from ui.rag.opened import keep_fault
from ui.text import escaped

_ASKED = "estimate_asked"


def estimate_key(current: Settings) -> str:
    """The key of the job that measures; there is one at a time."""
    return f"estimate {current.data.resolve()}"


def estimate_button(current: Settings, pairs: Sequence[Pair], training: TrainingSettings, busy: bool) -> None:
    """Draw the button."""
    job = jobs.find(estimate_key(current))
    st.button(
        "Estimate",
        key="estimate",
        icon=":material/timer:",
        on_click=_start,
        args=(current, tuple(pairs), training),
        disabled=busy or not pairs or (job is not None and job.state.running),
        help="Measures a few steps on this machine, which takes some seconds.",
    )


def _start(current: Settings, pairs: Sequence[Pair], training: TrainingSettings) -> None:
    try:
        check(training)
        jobs.start(estimate_key(current), "Estimating", lambda cancel: estimate(current, pairs, training, cancel))
    except BackendError as fault:
        keep_fault(fault)
    else:
        st.session_state[_ASKED] = (tuple(pairs), training)


def show_estimate(current: Settings, pairs: Sequence[Pair], training: TrainingSettings) -> None:
    """Draw what this session asked for: its progress, or what came of it."""
    asked: Hashable | None = st.session_state.get(_ASKED)
    job = jobs.find(estimate_key(current))
    if job is None or asked is None:
        return
    found = [result for result in job.state.results if isinstance(result, Estimate)]
    if not found:
        job_view(job, "estimate", cancelled="Nothing was measured.")
        return
    for sentence in sentences(found[-1]):
        st.markdown(escaped(sentence))
    if found[-1].note:
        st.warning(escaped(found[-1].note), icon=":material/warning:")
    if asked != (tuple(pairs), training):
        st.caption(":material/history: Pairs or settings have changed since this was measured.")


def sentences(one: Estimate) -> list[str]:
    """Time, memory and cost in words."""
    cost = f"Cost {numbers.dollars(one.cost_usd)}: {one.cost_basis}."
    reason = f" ({one.precision_reason})" if one.precision_reason else ""
    return [
        f"About {duration(one.seconds)} for {one.steps:,} steps, {numbers.rate(one.tokens_per_s)} in "
        f"{one.precision}{reason}. Memory {size(one.peak_bytes)} on top of the base, of {size(one.free_bytes)} free.",
        cost if one.cost_usd is not None else f"Cost unknown: {one.cost_basis}.",
    ]
