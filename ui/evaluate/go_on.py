"""The buttons that go on with a run: ask what is missing, ask again what failed, score anew."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.settings import Settings, started_with
from backends.spend.budget import charged_for
from evaluation.runs.background import What, start_work
from evaluation.runs.estimate import RunEstimate, cells_left, estimate_run
from evaluation.runs.identity import settings_as_then
from evaluation.runs.judge import with_judge_of
from evaluation.runs.model import Run
from evaluation.runs.records import samples_of
from evaluation.samples import Sample
from ui.evaluate.caps import choose_cap, with_cap
from ui.evaluate.page import RUNS, Evaluation, open_run
from ui.resources import overrides
from ui.shared.errors import keep_fault, show_fault
from ui.shared.text import escaped

WATCHED = "evaluate_watched"
"""The state's key of the run that this browser session set going: its results open when it is done."""

_LABELS = {
    "ask": ("Ask what is missing", ":material/resume:"),
    "retry": ("Ask again what failed", ":material/replay:"),
    "score": ("Score anew", ":material/rule:"),
}


def go_on_button(page: Evaluation, run: Run, what: What, count: int, *, place: str, disabled: bool = False) -> None:
    """Draw the button of `what`, for so many answers; behind it the cap, where servers may charge for them.

    `place` tells the buttons of one page apart.
    """
    label, icon = _LABELS[what]
    key = f"{place}_{what}:{run.id}"
    named = f"{label} ({count:,})" if what != "score" else label
    if what == "score" or disabled or not count or not _may_be_charged(page.settings, run):
        why = "By the scorers of today. No approach is asked; a judge is, if one is set." if what == "score" else _KEEPS
        st.button(
            named,
            key=key,
            icon=icon,
            on_click=go_on,
            args=(page, run, what),
            disabled=disabled or not count,
            help=why,
        )
        return
    behind = st.popover(named, icon=icon, key=f"{key}:open", on_change="rerun")
    if behind.open:
        with behind:
            _with_cap(page, run, what, key, label)


_KEEPS = "With the settings that the run began with; keys and caps are those of now."


def _may_be_charged(current: Settings, run: Run) -> bool:
    """Whether somebody may charge for its answers; where that is not known, somebody may."""
    try:
        cells = {one.approach: 1 for one in run.approaches}
        return estimate_run(settings_now(run), (), cells).may_be_charged
    except BackendError:
        return True


def _with_cap(page: Evaluation, run: Run, what: What, key: str, label: str) -> None:
    try:
        settings, samples = settings_now(run), _questions(page, run)
        left = cells_left(page.store, run, retry=what == "retry")
        estimate: RunEstimate = estimate_run(settings, samples, left)
        charged = charged_for(settings, run.id)
    except BackendError as fault:
        show_fault(fault)
        return
    for sentence in estimate.words():
        st.caption(escaped(sentence))
    cap = choose_cap(settings, estimate, f"{key}:cap", charged)
    st.button(label, key=key, type="primary", on_click=go_on, args=(page, run, what, with_cap(settings, cap)))


def settings_now(run: Run) -> Settings:
    """The settings with which a run goes on. Raises `BackendError` where that cannot be had any more."""
    return with_judge_of(run, settings_as_then(run.settings, started_with(), overrides()))


def _questions(page: Evaluation, run: Run) -> list[Sample]:
    if (samples := samples_of(page.store, run)) is None:
        raise BackendError(
            f"The questions of the run {run.id} were not kept (store.keep_texts).",
            "Go on with it on the terminal, with the same file of questions: `crossroads evaluate --resume`.",
        )
    return samples


def go_on(page: Evaluation, run: Run, what: What, settings: Settings | None = None) -> None:
    """Ask what is missing or what failed, or score anew, with the settings that the run began with. For callbacks."""
    try:
        start_work(page.store, run, settings or settings_now(run), _questions(page, run), what)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state[WATCHED] = run.id
    open_run(run.id, RUNS)
