"""The frame that the sections Proof and Attribution share: adapter, questions, the job, and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.adapters.catalogue import Adapter, adapters
from backends.run import jobs
from backends.settings import Settings
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set, sample_evenly
from evaluation.scorers import faults as scorer_faults
from evaluation.training_data import held_out_samples
from evaluation.verdicts import other_prompt_words
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.jobs import job_view
from ui.shared.question_upload import question_upload, uploaded_samples
from ui.shared.text import escaped, plain

_HELD_OUT, _SAMPLE, _UPLOAD = "Its held-out part", "Sample questions", "A file of yours"


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions that were chosen; `name` says in words where they come from."""

    samples: Sequence[Sample]
    name: str


def fitting_adapters(current: Settings, section: str) -> list[Adapter]:
    """The adapters that the base in force can carry; for a proof, without those that were taught to read."""
    return [one for one in adapters(current) if one.fit.fits and not (one.reads and section == "proof")]


def choose_adapter(current: Settings, listed: Sequence[Adapter], section: str) -> Adapter:
    """Draw the choice of an adapter, to begin with the one in force."""
    names = [one.name for one in listed]
    key = f"{section}_adapter"  # the section Train assigns it, to lead to the proof of what was trained
    if st.session_state.get(key) not in names:
        st.session_state[key] = current.fine_tuned.adapter if current.fine_tuned.adapter in names else names[0]
    name = st.selectbox("Adapter", names, key=key, format_func=plain)
    chosen = next(one for one in listed if one.name == name)
    if words := other_prompt_words(read_card(chosen.folder), current.system_prompt):
        st.caption(f":material/warning: {escaped(words)}")
    return chosen


def choose_questions(current: Settings, adapter: Adapter, section: str) -> None:
    """Draw the choice of the questions. `chosen_questions` reads it."""
    options = [_HELD_OUT, _SAMPLE, _UPLOAD] if _held_out(current, adapter) else [_SAMPLE, _UPLOAD]
    which = st.segmented_control(
        "Questions", options, default=options[0], required=True, key=f"{section}_set:{adapter.name}"
    )
    if which == _UPLOAD:
        question_upload(
            "A file with question and reference_answer",
            f"{section}_file",
            "CSV with any separator, JSONL or JSON; other common names of these columns are known too. An optional "
            "column key_facts names what a right answer must hold: facts separated by semicolons, alternatives by a "
            "vertical bar. Without it, the whole reference answer must occur. Optional tags, separated by semicolons, "
            "split the result.",
        )
    elif which == _HELD_OUT:
        held = (
            "the numbers and names that the pair's answer adds to its question, or else that whole answer"
            if adapter.reads
            else "the pair's whole answer"
        )
        st.caption(f"Pairs that were kept out of its training; an answer is right if it holds {held}.")
    else:
        st.caption("About the sample handbook; an answer is right if it holds the facts that the set names.")
    st.number_input(
        "Questions, at most",
        1,
        10_000,
        60,
        10,
        key=f"{section}_most",
        help="With a larger set, so many questions are taken evenly from all of it. More questions make the "
        "intervals narrower and take longer.",
    )


def chosen_questions(current: Settings, adapter: Adapter, section: str) -> Questions:
    """What was chosen, for a callback. Raises `BackendError` where there are no questions, or no usable ones."""
    which = st.session_state[f"{section}_set:{adapter.name}"]
    if which == _HELD_OUT:
        return _some(_held_out(current, adapter), "its held-out part", section)
    if which == _SAMPLE:
        return _some(read_question_set(SAMPLE_QUESTIONS), "the sample questions", section)
    samples, name = uploaded_samples(f"{section}_file", "Upload one, or take other questions.")
    return _some(samples, name, section)


def _some(samples: Sequence[Sample], name: str, section: str) -> Questions:
    return Questions(*sample_evenly(samples, int(st.session_state[f"{section}_most"]), name))


def _held_out(current: Settings, adapter: Adapter) -> list[Sample]:
    return held_out_samples(current.data, read_card(adapter.folder))


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StartButton:
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
    start: StartButton,
    cancelled: str,
    more: Callable[[Settings], None] | None = None,
) -> Adapter | None:
    """Draw form and job; the adapter that is chosen, or None where none fits the base.

    `more` draws what else is chosen below the adapter; `cancelled` says what is left of a job that was stopped.
    """
    show_kept_fault()
    for sentence in scorer_faults():
        st.warning(escaped(sentence), icon=":material/extension_off:")
    try:
        listed = fitting_adapters(current, section)
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
    start: StartButton,
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


def _begin(current: Settings, section: str, adapter: Adapter, start: StartButton) -> None:
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
