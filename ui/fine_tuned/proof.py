"""The section Proof: base and adapter on the same questions, what was learned, and what was forgotten."""

from __future__ import annotations

import streamlit as st

from backends import jobs
from backends.base import BackendError
from backends.fine_tuned.catalogue import Adapter
from backends.settings import Settings
from evaluation.adapter_proof import proof_key, start_proof
from evaluation.proof_record import AdapterProof, read_proof, stored_proofs
from ui.fine_tuned.proved import show_proof
from ui.fine_tuned.question_choice import choose_adapter, choose_questions, chosen_questions, fitting_adapters
from ui.job_view import job_view
from ui.rag.opened import keep_fault, show_fault, show_kept_fault

_SECTION = "proof"


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
    job = jobs.find(proof_key(current.data))
    adapter = _form(current, listed, job is not None and job.state.running)
    if job is not None:
        job_view(
            job,
            "proof",
            done="Done.",
            cancelled="The answers so far are kept: prove with the same questions again to go on.",
        )
    _shown(current, adapter)


def _form(current: Settings, listed: list[Adapter], busy: bool) -> Adapter:
    with st.container(border=True):
        left, right = st.columns([1, 2])
        with left:
            adapter = choose_adapter(current, listed, _SECTION)
        with right:
            choose_questions(current, adapter, _SECTION)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Prove",
                key="prove",
                type="primary",
                icon=":material/fact_check:",
                on_click=_start,
                args=(current, adapter),
                disabled=busy,
            )
            st.caption(
                "Base and adapter answer every question, and then some of general knowledge, to see what was "
                "forgotten. Other people's questions are answered in between.",
                width="stretch",
            )
    return adapter


def _start(current: Settings, adapter: Adapter) -> None:
    try:
        questions = chosen_questions(current, adapter, _SECTION)
        start_proof(current, adapter.name, questions.samples, questions.name)
    except BackendError as fault:
        keep_fault(fault)


def _shown(current: Settings, adapter: Adapter) -> None:
    """The adapter's proof that was made last, or the earlier one that is chosen."""
    proofs: list[AdapterProof] = []
    for file in stored_proofs(current.data, adapter.sha256):
        try:
            proofs.append(read_proof(file))
        except BackendError as fault:
            show_fault(fault)
    if not proofs:
        st.caption("Nothing was proved of this adapter yet.")
        return
    chosen = 0
    if len(proofs) > 1:
        chosen = st.selectbox(
            "Proof",
            range(len(proofs)),
            format_func=lambda number: f"{proofs[number].created:%Y-%m-%d %H:%M} UTC, {proofs[number].question_set}",
            key="which_proof",
        )
    show_proof(adapter, proofs[chosen])
