"""The section Attribution: what RAG, the adapter and both together bought on one question set."""

from __future__ import annotations

import streamlit as st

from backends import jobs
from backends.base import BackendError
from backends.fine_tuned.catalogue import Adapter
from backends.settings import Settings
from evaluation.attribution import attribution_key, start_attribution
from evaluation.attribution_record import Attribution, read_attribution, stored_attributions
from ui.fine_tuned.attributed import show_attribution
from ui.fine_tuned.question_choice import choose_adapter, choose_questions, chosen_questions, fitting_adapters
from ui.job_view import job_view
from ui.rag.opened import keep_fault, show_fault, show_kept_fault

_SECTION = "attribution"
_PASSAGES = "attribution_passages"


def draw(current: Settings) -> None:
    """Draw the section."""
    show_kept_fault()
    try:
        listed = fitting_adapters(current)
    except BackendError as fault:
        show_fault(fault)
        return
    if not listed:
        st.info("There is no adapter that fits the base. Train one in the section Train, or import one.")
        return
    job = jobs.find(attribution_key(current.data))
    _form(current, listed, job is not None and job.state.running)
    if job is not None:
        job_view(
            job,
            "attribution",
            done="Done.",
            cancelled="The answers so far are kept: start with the same questions again to go on.",
        )
    _shown(current)


def _form(current: Settings, listed: list[Adapter], busy: bool) -> None:
    with st.container(border=True):
        left, right = st.columns([1, 2])
        with left:
            adapter = choose_adapter(current, listed, _SECTION)
            st.number_input("Passages for an answer", 1, 50, current.rag.k, key=_PASSAGES)
            st.caption(f"From the collection `{current.rag.collection}`.")
        with right:
            choose_questions(current, adapter, _SECTION)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Find out what bought what",
                key="attribute",
                type="primary",
                icon=":material/account_tree:",
                on_click=_start,
                args=(current, adapter),
                disabled=busy,
            )
            st.caption(
                "Base, base with RAG, adapter, and adapter with RAG answer every question, in turn. Other people's "
                "questions are answered in between.",
                width="stretch",
            )


def _start(current: Settings, adapter: Adapter) -> None:
    try:
        questions = chosen_questions(current, adapter, _SECTION)
        passages = int(st.session_state[_PASSAGES])
        start_attribution(current, adapter.name, questions.samples, questions.name, passages)
    except BackendError as fault:
        keep_fault(fault)


def _shown(current: Settings) -> None:
    """The attribution that was made last, or the earlier one that is chosen."""
    found: list[Attribution] = []
    for file in stored_attributions(current.data):
        try:
            found.append(read_attribution(file))
        except BackendError as fault:
            show_fault(fault)
    if not found:
        st.caption("Nothing was attributed yet.")
        return
    chosen = 0
    if len(found) > 1:
        chosen = st.selectbox(
            "Attribution", range(len(found)), format_func=lambda number: _title(found[number]), key="which_attribution"
        )
    show_attribution(found[chosen])


def _title(one: Attribution) -> str:
    return f"{one.created:%Y-%m-%d %H:%M} UTC, {one.adapter}, {one.question_set}"
