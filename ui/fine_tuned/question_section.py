"""The frame that the sections Proof and Attribution share: adapter, questions, the job, and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from backends import jobs
from backends.base import BackendError
from backends.fine_tuned.catalogue import Adapter
from backends.settings import Settings
from ui.fine_tuned.question_choice import (
    Questions,
    choose_adapter,
    choose_questions,
    chosen_questions,
    fitting_adapters,
)
from ui.job_view import job_view
from ui.rag.opened import keep_fault, show_fault, show_kept_fault
from ui.text import plain

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Start:
    """The button that starts: its key, words and icon, what is said beside it, and what it does."""

    key: str
    label: str
    icon: str
    caption: str
    begin: Callable[[Settings, Adapter, Questions], Any]


def question_section(
    current: Settings,
    section: str,
    job_key: str,
    start: Start,
    cancelled: str,
    more: Callable[[Settings], None] | None = None,
) -> Adapter | None:
    """Draw form and job; the adapter that is chosen, or None where none fits the base.

    `more` draws what else is chosen below the adapter; `cancelled` says what is left of a job that was stopped.
    """
    show_kept_fault()
    try:
        listed = fitting_adapters(current)
    except BackendError as fault:
        show_fault(fault)
        return None
    if not listed:
        st.info("There is no adapter that fits the base. Train one in the section Train, or import one.")
        return None
    job = jobs.find(job_key)
    adapter = _form(current, section, listed, start, more, busy=job is not None and job.state.running)
    if job is not None:
        job_view(job, section, done="Done.", cancelled=cancelled)
    return adapter


def _form(
    current: Settings,
    section: str,
    listed: Sequence[Adapter],
    start: Start,
    more: Callable[[Settings], None] | None,
    busy: bool,
) -> Adapter:
    with st.container(border=True):
        left, right = st.columns([1, 2])
        with left:
            adapter = choose_adapter(current, listed, section)
            if more is not None:
                more(current)
        with right:
            choose_questions(current, adapter, section)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                start.label,
                key=start.key,
                type="primary",
                icon=start.icon,
                on_click=_begin,
                args=(current, section, adapter, start),
                disabled=busy,
            )
            st.caption(f"{start.caption} Other people's questions are answered in between.", width="stretch")
    return adapter


def _begin(current: Settings, section: str, adapter: Adapter, start: Start) -> None:
    try:
        start.begin(current, adapter, chosen_questions(current, adapter, section))
    except BackendError as fault:
        keep_fault(fault)


def stored_result(
    files: Sequence[Path], read: Callable[[Path], _T], label: str, title: Callable[[_T], str], none: str
) -> _T | None:
    """The result that was made last, or the earlier one that is chosen; damaged ones are named. `none`: without any."""
    found: list[_T] = []
    for file in files:
        try:
            found.append(read(file))
        except BackendError as fault:
            show_fault(fault)
    if not found:
        st.caption(none)
        return None
    chosen = 0
    if len(found) > 1:
        key = f"which_{label.lower()}"
        chosen = st.selectbox(label, range(len(found)), format_func=lambda number: plain(title(found[number])), key=key)
    return found[chosen]
