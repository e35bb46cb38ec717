"""Questions drafted from the documents of a collection: who writes, how far it is, and the review."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.pairs.drafts import DraftProgress
from backends.run import jobs
from backends.run.jobs import Job, JobState
from backends.settings import Settings
from backends.text import counted
from evaluation.drafting import (
    RULE,
    DraftedSample,
    able_writers,
    drafted_in,
    drafting_key,
    estimate_drafting,
    start_drafting,
)
from evaluation.question_sets import WHOLE_REFERENCE, Row, row_of, samples_of_rows
from evaluation.samples import Sample
from ui.evaluate.caps import choose_cap, with_cap
from ui.shared import numbers
from ui.shared.approaches import option_of
from ui.shared.drafting import ROW, ToDraft, arriving, choose_passages, summary
from ui.shared.errors import keep_fault, show_fault
from ui.shared.jobs import job_view
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

Take = Callable[[str, list[Sample]], None]
"""Called with what the drafts are called and those that were accepted."""

_ACCEPT, _PASSAGE = "accept", "passage"
_TEXTS = ("question", "reference_answer", "key_facts", "source")
_TAKEN, _BASE, _EDITOR = "question_drafts_taken", "question_drafts_base", "question_drafts_table"
_CONFIG = {
    _ACCEPT: st.column_config.CheckboxColumn("Accept", width=75),
    "question": st.column_config.TextColumn("Question", width=210),
    "reference_answer": st.column_config.TextColumn("Reference answer", width=210),
    "key_facts": st.column_config.TextColumn("Key facts", width=110, help="fact; other fact | said in another way"),
    "source": st.column_config.TextColumn("Source", width=110, disabled=True),
    _PASSAGE: st.column_config.TextColumn(
        "Passage", width=240, disabled=True, help="What it was drafted from; double-click to read all of it."
    ),
}


def draft_questions(current: Settings, take: Take, has_some: bool) -> None:
    """Draw the form, the job, and the review; `take` is given what was accepted. `has_some`: there are some already."""
    job = jobs.find(drafting_key(current.data))
    unused = job is not None and st.session_state.get(_TAKEN) != job.state.started
    with st.expander(
        "Draft more questions" if has_some else "Draft questions from your documents",
        icon=":material/edit_note:",
        expanded=unused or not has_some,
    ):
        try:
            _form(current, job is not None and job.state.running)
        except BackendError as fault:
            show_fault(fault)
        if job is not None and unused:
            _job(current, job, take)


def _form(current: Settings, busy: bool) -> None:
    st.caption(
        "A model is asked for questions and answers about passages of your documents; the rule makes them of sentences "
        "that state a number. Nothing is asked in a run before you have accepted it."
    )
    writers = able_writers(current)
    chosen = choose_passages(current, writers, _option, "question_draft", "Questions from each")
    if chosen is None:
        return
    estimate, cap = estimate_drafting(current, chosen.writer, chosen.chunks, chosen.each), None
    if estimate is None:
        st.caption("The rule asks nobody and costs nothing. It reads English sentences.")
    else:
        (one,) = estimate.parts
        cost = "What it costs is unknown" if one.usd is None else f"Expected cost {numbers.dollars(one.usd)}"
        st.caption(escaped(f"{cost}, {counted(one.cells, 'request')}.{f' {one.why}' if one.usd is None else ''}"))
        cap = choose_cap(current, estimate, "question_draft_cap")
    st.button(
        "Draft questions",
        key="question_draft",
        icon=":material/edit_note:",
        on_click=_start,
        args=(with_cap(current, cap), chosen),
        disabled=busy,
    )


def _option(writer: str) -> str:
    return ":material/rule: By rule, no model" if writer == RULE else option_of(writer)


def _start(current: Settings, chosen: ToDraft) -> None:
    st.session_state.pop(_BASE, None)
    try:
        start_drafting(current, chosen.writer, chosen.chunks, chosen.each)
    except BackendError as fault:
        keep_fault(fault)


def _job(current: Settings, job: Job, take: Take) -> None:
    state = job.state
    words = _words(state)
    job_view(job, "question_drafting", done=words, cancelled=f"Stopped. {words}")
    if state.running:
        arriving(job, lambda now: _frame(drafted_in(now)[::-1])[list(_TEXTS)])
        return
    if drafted := drafted_in(state):
        _review(current, job, drafted, take)
    else:
        st.button("Hide this", key="hide_question_drafts", type="tertiary", on_click=_done_with, args=(state.started,))


def _words(state: JobState) -> str:
    if any(isinstance(one, DraftProgress) for one in state.results):
        return summary(state, "question")
    made = len(drafted_in(state))
    return (
        f"{counted(made, 'question')} by rule."
        if made
        else "No sentence of these passages states a number in a way that the rule reads."
    )


def _review(current: Settings, job: Job, drafted: Sequence[DraftedSample], take: Take) -> None:
    key = f"{_EDITOR}:{job.state.started}"
    held: tuple[str, tuple[DraftedSample, ...]] | None = st.session_state.get(_BASE)
    if held is None or held[0] != key:
        held = st.session_state[_BASE] = (key, tuple(drafted))
    edited = st.data_editor(
        _frame(held[1]),
        key=key,
        hide_index=True,
        height=ROW * (min(len(held[1]), 10) + 1) + 3,
        column_order=(
            _ACCEPT,
            "question",
            _PASSAGE,
            "reference_answer",
            "key_facts",
            "source",
        ),  # what is compared first
        column_config=_CONFIG,
        alt="The drafts, to read, edit and accept",
    )
    accepted = _accepted(edited, held[1])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            escaped(f"Use the {counted(len(accepted), 'accepted question')}"),
            key="take_question_drafts",
            type="primary",
            icon=":material/playlist_add_check:",
            on_click=_use,
            args=(job.state.started, f"Drafted from {current.rag.collection}", accepted, take),
            disabled=not accepted,
        )
        st.button(
            "Drop them all", key="drop_question_drafts", type="tertiary", on_click=_done_with, args=(job.state.started,)
        )
    st.caption(
        "Tick what is a good question with a true answer; a double-click opens the passage. What is not ticked is "
        f"dropped. {WHOLE_REFERENCE}"
    )


def _frame(drafted: Sequence[DraftedSample]) -> pd.DataFrame:
    """One row per draft, none of them accepted at first."""
    rows = [row_of(one.sample) for one in drafted]
    columns: dict[str, list[object]] = {_ACCEPT: [False] * len(rows)}
    columns |= {name: [row[name] for row in rows] for name in _TEXTS}
    columns[_PASSAGE] = [one.passage for one in drafted]
    frame = plain_frame(columns)
    return frame.astype({_ACCEPT: "boolean"} | dict.fromkeys((*_TEXTS, _PASSAGE), "str"))


def _accepted(edited: pd.DataFrame, drafted: Sequence[DraftedSample]) -> list[Sample]:
    rows: list[Row] = [
        {**{str(name): value for name, value in row.items()}, "cluster": one.sample.cluster, "tags": "drafted"}
        for row, one in zip(edited.to_dict("records"), drafted, strict=True)
        if str(row[_ACCEPT]) == "True"
    ]
    return samples_of_rows(rows)


def _use(started: float, name: str, accepted: list[Sample], take: Take) -> None:
    take(name, accepted)
    _done_with(started)


def _done_with(started: float) -> None:
    st.session_state[_TAKEN] = started
