"""The section Search: the same question by meaning, by words, by both, and reranked, beside each other."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.settings import Settings
from ui.ask import settings_panel
from ui.rag.collections import collection_bar, opened_index
from ui.rag.hits import (
    COLUMN_WIDTH,
    MODE_LABELS,
    every_stage,
    mode_column,
    ranks,
    sentence_list,
    stage_times,
    verdict,
)
from ui.rag.query import QuestionResults, asked_text, question_box, question_results
from ui.shared import numbers
from ui.shared.errors import show_fault
from ui.shared.text import escaped

_SENTENCES = 8
"""Sentences that are shown, or as many as an answer gets."""


def draw(current: Settings) -> None:
    """Draw the section."""
    collection_bar(current)
    index = opened_index(current)
    try:
        documents = index.documents()
        if not documents:
            st.info("There is nothing to search yet. Add documents in the section Documents.")
            return
        question_box(current, documents)
        if not asked_text():
            st.caption("Each way of searching shows what it finds, side by side, with the rank at every stage.")
            return
        seen = question_results(current, index)
    except BackendError as fault:
        show_fault(fault)
        return
    if seen is not None:
        _results(current, seen)


def _results(current: Settings, seen: QuestionResults) -> None:
    dense = ranks(seen.results["dense"])
    if current.rag.mode in seen.results:
        st.markdown(escaped(verdict(seen.results[current.rag.mode], current.rag.min_score, seen.by_code)))
    with st.grid(len(MODE_LABELS), min_column_width=COLUMN_WIDTH):
        for mode, look in MODE_LABELS.items():
            with st.container(border=True):
                if (result := seen.results.get(mode)) is not None:
                    mode_column(mode, result, dense, in_use=mode == current.rag.mode)
                else:
                    st.markdown(f"## {look.name}")
                    st.caption(look.what)
                    if seen.reranker_fault:
                        st.markdown(f":material/info: {escaped(seen.reranker_fault)}")
                if mode == "reranked":
                    settings_panel.reranker(current)
    if (chosen := seen.results.get(current.rag.mode)) is not None and chosen.sentences:
        with st.container(border=True):
            sentence_list(chosen, current.rag.min_score, max(_SENTENCES, current.rag.sentences))
    st.caption(escaped(f"Time: {stage_times(seen.results)}"))
    with st.expander("Every rank and score", icon=":material/table_rows:"):
        st.dataframe(
            every_stage(seen.results),
            hide_index=True,
            placeholder=numbers.UNKNOWN,
            alt="Every passage with its rank at every stage",
        )
