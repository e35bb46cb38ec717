"""The section Attribution: what RAG, the adapter and both together bought on one question set."""

from __future__ import annotations

import streamlit as st

from backends.fine_tuned.catalogue import Adapter
from backends.settings import Settings
from evaluation.attribution import attribution_key, start_attribution
from evaluation.attribution_record import Attribution, read_attribution, stored_attributions
from ui.fine_tuned.attributed import show_attribution
from ui.fine_tuned.question_choice import Questions
from ui.fine_tuned.question_section import Start, question_section, stored_result
from ui.text import escaped

_PASSAGES = "attribution_passages"


def draw(current: Settings) -> None:
    """Draw the section."""
    start = Start(
        "attribute",
        "Find out what bought what",
        ":material/account_tree:",
        "Base, base with RAG, adapter, and adapter with RAG answer every question, in turn.",
        _begin,
    )
    cancelled = "The answers so far are kept: start with the same questions again to go on."
    if question_section(current, "attribution", attribution_key(current.data), start, cancelled, _passages) is None:
        return
    files = stored_attributions(current.data)
    found = stored_result(files, read_attribution, "Attribution", _title, "Nothing was attributed yet.")
    if found is not None:
        show_attribution(found)


def _passages(current: Settings) -> None:
    st.number_input("Passages for an answer", 1, 50, current.rag.k, key=_PASSAGES)
    st.caption(f"From the collection **{escaped(current.rag.collection)}**.")


def _begin(current: Settings, adapter: Adapter, questions: Questions) -> None:
    start_attribution(current, adapter.name, questions.samples, questions.name, int(st.session_state[_PASSAGES]))


def _title(one: Attribution) -> str:
    return f"{one.created:%Y-%m-%d %H:%M} UTC, {one.adapter}, {one.question_set}"
