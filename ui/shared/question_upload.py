"""The upload of a question set, with what was read of it and what was not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import streamlit as st

from backends.errors import BackendError
from backends.question_files.records import SUFFIXES
from evaluation.samples import Sample, parse_question_set
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
        st.session_state[place] = (read, list(_read(file.name, content)))
    for sentence in st.session_state[place][1]:
        st.caption(escaped(sentence))


def uploaded_samples(key: str, otherwise: str) -> tuple[list[Sample], str]:
    """The questions of the file and its name, for a callback. Raises `BackendError`; `otherwise` is then the step."""
    file = st.session_state.get(key)
    if file is None:
        raise BackendError("There is no file with questions yet.", otherwise)
    return parse_question_set(file.name, file.getvalue(), lambda sentence: st.toast(escaped(sentence))), file.name


def _read(name: str, content: bytes) -> Iterator[str]:
    """What was read of a file, and what was not."""
    notes: list[str] = []
    try:
        samples = parse_question_set(name, content, notes.append)
    except BackendError as fault:
        yield str(fault)
        return
    judged = sum(1 for sample in samples if sample.reference_answer or sample.key_facts)
    questions = f"{len(samples):,} question{'s' * (len(samples) > 1)}"
    yield f"{questions}, {judged:,} with a reference answer or key facts."
    yield from notes
