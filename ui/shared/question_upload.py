"""The upload of a question set, with what was read of it and what was not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import streamlit as st

from backends.errors import BackendError
from evaluation.references import reference_of
from evaluation.samples import SUFFIXES, Sample, parse_question_set
from ui.shared.text import escaped

_MAX_MB = 5


def question_upload(label: str, key: str, help: str) -> None:
    """Draw it. The file is in the session's state under `key`, for `uploaded_samples`."""
    file = st.file_uploader(label, type=list(SUFFIXES), key=key, max_upload_size=_MAX_MB, help=help)
    if file is None:
        return
    content = file.getvalue()
    read = (file.name, hashlib.sha256(content).hexdigest())
    place = f"{key}:read"
    if st.session_state.get(place, (None,))[0] != read:
        samples, told = _read(file.name, content)
        st.session_state[place] = (read, told)
        loaded_sets()[file.name] = samples
    for sentence in st.session_state[place][1]:
        st.caption(escaped(sentence))


def uploaded_samples(key: str, otherwise: str) -> tuple[list[Sample], str]:
    """The questions of the file and its name, for a callback. Raises `BackendError`; `otherwise` is then the step."""
    file = st.session_state.get(key)
    if file is None:
        raise BackendError("There is no file with questions yet.", otherwise)
    return parse_question_set(file.name, file.getvalue(), lambda sentence: st.toast(escaped(sentence))), file.name


LoadedSets = dict[str, list[Sample]]


def remember_asked(questions: Iterable[str]) -> None:
    """Of the uploaded sets, keep for a reload the samples of these questions: they say which answers are right."""
    asked: LoadedSets = {}
    for question in questions:
        reference = reference_of(question, loaded_sets())
        if reference is not None and reference.source in loaded_sets():
            asked.setdefault(reference.source, []).append(reference.sample)
    st.session_state["question_sets_asked"] = asked


def loaded_sets() -> LoadedSets:
    """The question sets that were uploaded in this browser session, by the name of their file."""
    return st.session_state.setdefault("question_sets", {})


def _read(name: str, content: bytes) -> tuple[list[Sample], list[str]]:
    """The samples of a file, and in sentences what was read of it and what was not."""
    notes: list[str] = []
    try:
        samples = parse_question_set(name, content, notes.append)
    except BackendError as fault:
        return [], [str(fault)]
    judged = sum(1 for sample in samples if sample.reference_answer or sample.key_facts)
    questions = f"{len(samples):,} question{'s' * (len(samples) > 1)}"
    return samples, [f"{questions}, {judged:,} with a reference answer or key facts.", *notes]
