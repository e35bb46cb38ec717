"""Documents in: upload many at once, see how far it is, and what became of each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from backends.encodings import CHOICES
from backends.errors import BackendError
from backends.rag.documents.files import Source
from backends.rag.documents.formats import SUPPORTED
from backends.rag.documents.uploads import save_upload
from backends.rag.store import jobs as background
from backends.rag.store.index import Index, IndexProgress
from backends.rag.store.progress import IndexState
from backends.run import jobs
from backends.run.jobs import Job
from backends.settings import Settings
from ui.resources import warm_up
from ui.shared import numbers
from ui.shared.errors import keep_fault
from ui.shared.jobs import hidden, hide_button, job_view, show_again
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

_FILES = "uploads"
_ENCODING = "upload_encoding"
_ODD_SHOWN = 10

_WORDS: dict[IndexState, str] = {
    "indexed": "added",
    "replaced": "replaced",
    "updated": "brought up to date",
    "skipped": "unchanged",
    "duplicate": "there already",
    "left out": "left out",
    "rejected": "not read",
}
"""What became of a file, in the reader's words, what needs attention last."""


def upload_form(current: Settings, index: Index, busy: bool) -> None:
    """Draw the box to drop files into."""
    most_mb = max(int(current.rag.max_file_mb), 1)
    with st.form("form:upload", clear_on_submit=True, border=True):
        st.file_uploader(
            "Add documents",
            accept_multiple_files=True,
            key=_FILES,
            max_upload_size=most_mb,
            help="A file of a name that is there already replaces it. Unchanged files cost nothing.",
        )
        st.selectbox(
            "Encoding of text files",
            ["", *CHOICES],
            format_func=lambda codec: CHOICES.get(codec, "Guess it"),
            key=_ENCODING,
            width=320,
            help="UTF-8 is recognised; any other encoding is guessed, and named with the file. "
            "Where the guess is wrong, choose the right one and add the file again.",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.form_submit_button(
                "Add to the collection",
                type="primary",
                icon=":material/upload_file:",
                on_click=_add,
                args=(current, index),
                disabled=busy,
            )
            st.caption(
                f"{SUPPORTED}. A file of more than {most_mb} MB turns red above and is not sent: split it, "
                "or start the app with a higher rag\\.max\\_file\\_mb.",
                width="content",
            )


def _add(current: Settings, index: Index) -> None:
    """Store the uploads and start to index them. Runs as a callback, so that a rerun never adds twice."""
    files = [(file.name, file) for file in st.session_state[_FILES] or []]
    add_uploads(current, index, files, st.session_state.get(_ENCODING) or None)


def add_uploads(
    current: Settings, index: Index, files: Sequence[tuple[str, UploadedFile]], encoding: str | None = None
) -> None:
    """Start to index files under the names given; `encoding` is an id of `CHOICES`, None to have it guessed."""
    if not files:
        return
    try:
        sources = []
        for name, file in files:
            stored = save_upload(current.data, file.name, file.getvalue())
            sources.append(replace(stored, name=stored.name if name == file.name else name, encoding=encoding))
        start(current, index, sources)
    except BackendError as fault:
        keep_fault(fault)


def start(current: Settings, index: Index, paths: Sequence[Path | Source]) -> None:
    """Start to index, and show the new job in place of the last one. A fault becomes a sentence."""
    show_again("job")
    try:
        background.add(index, current.data, paths)
    except BackendError as fault:
        keep_fault(fault)


def writing_job(current: Settings) -> Job | None:
    """The job that writes documents, running or just ended, unless its result was put away."""
    job = jobs.find(background.writing_key(current.data))
    return None if job is None or hidden(job, "job") else job


def show_writing_job(job: Job) -> None:
    """Draw the job, and once it has ended what became of each file."""
    results = [result for result in job.state.results if isinstance(result, IndexProgress)]
    refused = any(result.state == "rejected" for result in results)
    job_view(job, "writing", done=summary(results), cancelled=cancelled(results), alert=refused)
    if job.state.running:
        return
    _retry_warm_up(job)
    odd = sorted((result for result in results if result.cause), key=_urgency)
    for result in odd[:_ODD_SHOWN]:
        st.markdown(
            f":material/warning: **{escaped(result.file)}** {_WORDS[result.state]}: "
            + escaped(f"{result.cause} {result.next_step}".strip())
        )
    if len(odd) > _ODD_SHOWN:
        st.caption(f"and {len(odd) - _ODD_SHOWN} more, see Every file.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if results:
            with st.popover("Every file", icon=":material/list:"):
                st.dataframe(outcome(results), hide_index=True, width=720, alt="What became of each file")
        hide_button(job, "job")


def _retry_warm_up(job: Job) -> None:
    """Where RAG could not be loaded before the job, it may be possible now."""
    before = warm_up().state
    if before.finished and before.since < (job.state.finished or 0) and "rag" in dict(before.faults):
        warm_up.clear()
        st.rerun()


def summary(results: Sequence[IndexProgress]) -> str:
    """How many files ended how: `12 added, 1 not read.`"""
    counts = Counter(result.state for result in results)
    parts = [f"{counts[state]} {word}" for state, word in _WORDS.items() if counts[state]]
    return ", ".join(parts) + "." if parts else "Done."


def cancelled(results: Sequence[IndexProgress]) -> str:
    """What a stopped job has done, and what it has not."""
    if not results:
        return "Stopped. Nothing was changed."
    words, left = f"Stopped. {summary(results)}", results[-1].files_total - len(results)
    if left < 1:
        return words
    return f"{words} {numbers.count(left)} not done: nothing of {'it' if left == 1 else 'them'} was kept or changed."


def outcome(results: Sequence[IndexProgress]) -> pd.DataFrame:
    """One row per file; those that were not read come first."""
    ranked = sorted(results, key=_urgency)
    return plain_frame(
        {
            "File": [result.file for result in ranked],
            "Result": [_WORDS[result.state] for result in ranked],
            "Why, or what to be wary of": [_remark(result) for result in ranked],
        }
    )


def _urgency(result: IndexProgress) -> int:
    """What needs attention comes first."""
    return -list(_WORDS).index(result.state)


def _remark(result: IndexProgress) -> str:
    warnings = result.understood.warnings if result.understood else ()
    return " ".join(filter(None, (result.cause, result.next_step, *warnings)))
