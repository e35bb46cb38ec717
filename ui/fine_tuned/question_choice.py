"""Which adapter is put to the test, and with which questions: drawn alike in the sections Proof and Attribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from backends.base import BackendError
from backends.fine_tuned.card import read_card
from backends.fine_tuned.catalogue import Adapter, adapters
from backends.settings import Settings
from evaluation.question_sets import SAMPLE_QUESTIONS, Sample, parse_question_set, read_question_set, some_of
from evaluation.training_data import held_out_samples
from evaluation.verdicts import other_prompt_words
from ui.text import escaped, plain

_HELD_OUT, _SAMPLE, _UPLOAD = "Its held-out part", "Sample questions", "A file of yours"
_MAX_MB = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions that were chosen; `name` says in words where they come from."""

    samples: Sequence[Sample]
    name: str


def fitting_adapters(current: Settings) -> list[Adapter]:
    """The adapters that the base in force can carry."""
    return [one for one in adapters(current) if one.fit.fits]


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
        st.file_uploader(
            "CSV or JSONL with question and reference_answer",
            type=["csv", "jsonl"],
            key=f"{section}_file",
            max_upload_size=_MAX_MB,
            help="An optional column key_facts names what a right answer must hold: facts separated by semicolons, "
            "alternatives by a vertical bar. Without it, the whole reference answer must occur. Optional tags, "
            "separated by semicolons, split the result.",
        )
    elif which == _HELD_OUT:
        st.caption("Pairs that were kept out of its training; an answer is right if it holds the pair's whole answer.")
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
    file = st.session_state.get(f"{section}_file")
    if file is None:
        raise BackendError("There is no file with questions yet.", "Upload one, or take other questions.")
    return _some(parse_question_set(file.name, file.getvalue()), file.name, section)


def _some(samples: Sequence[Sample], name: str, section: str) -> Questions:
    return Questions(*some_of(samples, int(st.session_state[f"{section}_most"]), name))


def _held_out(current: Settings, adapter: Adapter) -> list[Sample]:
    return held_out_samples(current.data, read_card(adapter.folder))
