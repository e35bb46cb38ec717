"""Drafting pairs from the documents: ask a model about chunks, then review what it wrote before it is used."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

import backends
from backends.base import Backend
from backends.errors import BackendError
from backends.fine_tuned.pairs import draft_job
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.files import Pair
from backends.rag.store.library import StoredChunk
from backends.registry import spec_of, writers
from backends.run import jobs
from backends.run.jobs import Job, JobState
from backends.settings import Settings
from ui.ask.box import spent_today
from ui.fine_tuned import chosen_pairs
from ui.fine_tuned.pair_tables import USE, drafts_frame, frame, pairs_of
from ui.shared import numbers
from ui.shared.approaches import option_of
from ui.shared.drafting import ROW, arriving, choose_passages, drafts_of, summary
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.jobs import job_view
from ui.shared.text import escaped

_TAKEN = "drafts_taken"
_EDITOR = "drafts_table"
_BASE = "drafts_base"


def draw(current: Settings) -> None:
    """Draw the form, the job, and the drafts to review."""
    job = jobs.find(draft_job.drafting_key(current.data))
    busy = job is not None and job.state.running
    unused = job is not None and st.session_state.get(_TAKEN) != job.state.started
    with st.expander("Draft pairs from your documents", icon=":material/edit_note:", expanded=unused):
        show_kept_fault()
        _form(current, busy)
        if job is not None and unused:
            _job(job)


def _form(current: Settings, busy: bool) -> None:
    st.caption(
        "A model is asked for questions and answers about passages of your documents. What does not hold to its "
        "passage is dropped. Nothing is used before you have looked at it."
    )
    try:
        chosen = choose_passages(current, writers_of(current), option_of, "draft", "Pairs from each")
        if chosen is None:
            return
        backend = backends.make(chosen.writer, current)
        _price(backend, chosen.chunks, chosen.each)
    except BackendError as fault:
        show_fault(fault)
        return
    spent_today(current, (backend,))
    st.button(
        "Draft pairs",
        key="draft",
        icon=":material/edit_note:",
        on_click=_start,
        args=(current, backend, chosen.chunks, chosen.each),
        disabled=busy,
    )


def writers_of(current: Settings) -> tuple[str, ...]:
    """Who can draft: the raw model and every paid one, the default connection first."""
    return tuple(one for one in writers(current) if spec_of(one).monthly != "trained")


def _price(backend: Backend, chunks: Sequence[StoredChunk], each: int) -> None:
    cost = draft_job.expected_cost(backend, chunks, each)
    if cost is None:
        st.caption(f"Written on this machine by {escaped(backend.model)}; questions asked meanwhile go in between.")
    elif cost.usd is None:
        st.caption(escaped(f"What it costs is unknown: {cost.basis}"))
    else:
        st.markdown(f"At most about **{escaped(numbers.dollars(cost.usd))}**, before it is asked (estimate).")
        st.caption(escaped(cost.basis))


def _start(current: Settings, backend: Backend, chunks: Sequence[StoredChunk], each: int) -> None:
    st.session_state.pop(_EDITOR, None)
    try:
        draft_job.start(backend, chunks, each, current.data)
    except BackendError as fault:
        keep_fault(fault)


def _job(job: Job) -> None:
    state = job.state
    job_view(job, "drafting", done=summary(state), cancelled=f"Stopped. {summary(state)}")
    if state.running:
        arriving(job, _newest_first)
        return
    drafted = drafts_of(state)
    if drafted:
        _review(job, drafted)
    else:
        st.button("Hide this", key="hide_drafts", type="tertiary", on_click=_hide_drafts, args=(job.state.started,))


def _newest_first(state: JobState) -> pd.DataFrame:
    return frame([draft.pair for draft in drafts_of(state)[::-1]])[["question", "answer", "source"]]


def _review(job: Job, drafted: Sequence[Draft]) -> None:
    key = f"{_EDITOR}:{job.state.started}"
    held: tuple[str, tuple[Draft, ...]] | None = st.session_state.get(_BASE)
    if held is None or held[0] != key:
        held = st.session_state[_BASE] = (key, tuple(drafted))
    table = st.data_editor(
        drafts_frame(held[1]),
        key=key,
        hide_index=True,
        height=ROW * (min(len(held[1]), 12) + 1) + 3,
        column_config={
            USE: st.column_config.CheckboxColumn("Use", width=60),
            "question": st.column_config.TextColumn("Question", width=300),
            "answer": st.column_config.TextColumn("Answer", width=330),
            "source": st.column_config.TextColumn("Source", width=140, disabled=True),
            "passage": st.column_config.TextColumn(
                "Passage", width=400, disabled=True, help="What it was drafted from; double-click to read all of it."
            ),
        },
        alt="The drafts, to edit and untick",
    )
    ready = pairs_of(table)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Add {len(ready)} to the pairs",
            key="take_drafts",
            type="primary",
            icon=":material/playlist_add_check:",
            on_click=_use_pairs,
            args=(ready, job.state.started),
            disabled=not ready,
        )
        st.button("Drop them all", key="drop_drafts", type="tertiary", on_click=_hide_drafts, args=(job.state.started,))
        st.caption("Only you can tell whether they are true. A double-click opens the passage.", width="content")


def _use_pairs(pairs: Sequence[Pair], started: float) -> None:
    chosen_pairs.append(pairs)
    _hide_drafts(started)


def _hide_drafts(started: float) -> None:
    st.session_state[_TAKEN] = started
