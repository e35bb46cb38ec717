"""The section Measure: how often the right passage is found, for every way of searching, and which to take."""

from __future__ import annotations

import re

import streamlit as st

from backends.errors import BackendError
from backends.rag.approach import embedder
from backends.rag.store import jobs as background
from backends.rag.store.index import CollectionInfo, Index
from backends.run import jobs
from backends.settings import RagSettings, Settings
from evaluation.retrieval_runs import Measurement, measuring_key, start_measurement
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from ui.rag.collections import collection_bar, opened_index
from ui.rag.measurement_result import show_measurement
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.jobs import job_view
from ui.shared.question_upload import question_upload, uploaded_samples

_SAMPLE, _UPLOAD = "Sample questions", "A file of yours"
_PRESETS = ((64, 16), (96, 24), (128, 32), (160, 40), (192, 48))
_CUT = re.compile(r"\s*(\d{1,4})\s*/\s*(\d{1,4})\s*")


def draw(current: Settings) -> None:
    """Draw the section."""
    info = collection_bar(current)
    index = opened_index(current)
    show_kept_fault()
    if info is None or not info.documents:
        st.info("There is nothing to measure yet. Add documents in the section Documents.")
        return
    job = jobs.find(measuring_key(current.data, index.collection))
    busy = job is not None and job.state.running
    _form(current, index, info, busy)
    if job is None:
        st.caption(
            "Every question is searched in every mode. A question counts as answered by the first k passages if what "
            "it needs is among them; intervals say how sure that is with so few questions."
        )
        return
    found = [result for result in job.state.results if isinstance(result, Measurement)]
    job_view(
        job, "measure", done="Done.", cancelled="What was finished is shown." if found else "Nothing was finished."
    )
    if found and not busy:
        writing = jobs.find(background.writing_key(current.data))
        cutting = writing is not None and writing.state.running
        if writing is not None and cutting:
            job_view(writing, "writing")
        try:
            show_measurement(current, index, info, found[-1], cutting)
        except BackendError as fault:
            show_fault(fault)


def _form(current: Settings, index: Index, info: CollectionInfo, busy: bool) -> None:
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            default = _SAMPLE if index.collection == RagSettings().collection else _UPLOAD
            which = st.segmented_control(
                "Questions", (_SAMPLE, _UPLOAD), default=default, required=True, key="question_set"
            )
            if which == _UPLOAD:
                question_upload(
                    "A file with question and source, the name of the document that answers it",
                    "question_file",
                    "CSV with any separator, JSONL or JSON. Several sources: separated by a semicolon. An optional "
                    "column key_facts names what the passage must say: facts separated by semicolons, alternatives by "
                    "a vertical bar.",
                )
            else:
                st.caption("About the sample handbook; each with its document and the facts that the answer needs.")
        with right:
            st.multiselect(
                "Also try other chunks (tokens / shared tokens)",
                [f"{size}/{shared}" for size, shared in _PRESETS if (size, shared) != _stored(info)],
                key="try_cuts",
                accept_new_options=True,
                placeholder="none: only the chunks in force",
                help="The stored text is cut and embedded again in memory for each, which takes a while. "
                "What is stored stays as it is.",
            )
        st.button(
            "Measure",
            key="measure",
            type="primary",
            icon=":material/straighten:",
            on_click=_start,
            args=(current, index, info),
            disabled=busy,
        )


def _stored(info: CollectionInfo) -> tuple[int, int]:
    return info.chunk_tokens, info.overlap_tokens


def _start(current: Settings, index: Index, info: CollectionInfo) -> None:
    try:
        others = [sizes for sizes in map(_chunk_sizes, st.session_state["try_cuts"]) if sizes != _stored(info)]
        start_measurement(index, embedder(current), current.rag, _samples(), _stored(info), others)
    except BackendError as fault:
        keep_fault(fault)


def _chunk_sizes(text: str) -> tuple[int, int]:
    if not (found := _CUT.fullmatch(text)):
        raise BackendError(f"{text!r} is not a chunk setting.", "Write it as 128/32: chunk size and what is shared.")
    return int(found[1]), int(found[2])


def _samples() -> list[Sample]:
    if st.session_state["question_set"] == _SAMPLE:
        return read_question_set(SAMPLE_QUESTIONS)
    return uploaded_samples("question_file", "Upload one, or take the sample questions.")[0]
