"""The question that Search and Map share: asked once, found by every mode, seen in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from backends.rag.approach import embedder
from backends.rag.search.filters import Filters
from backends.rag.search.retriever import Mode, SearchResult, judged_searcher
from backends.rag.store.index import DocumentInfo, Index
from backends.settings import Settings
from ui.rag.filters import filter_bar
from ui.resources import live
from ui.shared.jobs import computed_in_background

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HITS = 5
_TEXT = "rag_query"
_BOX = "rag_query_box"


@dataclass(frozen=True, slots=True)
class QuestionResults:
    """What every available mode found for a question, the question's vector, and why there is no reranking, if so.

    `by_code`: a passage holds a code of the question word for word, so that no threshold matters.
    """

    question: str
    vector: NDArray[np.float32]
    results: Mapping[Mode, SearchResult]
    mode: Mode
    reranker_fault: str | None
    by_code: bool = False

    @property
    def in_use(self) -> SearchResult:
        """What the mode in force found, or the dense one where that is not available."""
        return self.results.get(self.mode, self.results["dense"])


def asked_text() -> str:
    """The question in force: the one typed here, or else the last one that RAG was asked."""
    if (typed := st.session_state.get(_TEXT)) is not None:
        return str(typed)
    for page in ("rag", "compare"):
        if (comparison := live(page)) is not None:
            return comparison.question.text
    return ""


def search_for(question: str) -> None:
    """Make `question` the one in force in Search. For callbacks; the page is not changed."""
    st.session_state[_TEXT] = question
    st.session_state.pop(_BOX, None)


def question_box(current: Settings, documents: Sequence[DocumentInfo]) -> None:
    """Draw the box, and below it what narrows the search down."""
    with st.form("form:rag_query", border=True), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "What to look for",
            asked_text(),
            key=_BOX,
            placeholder="A question, as you would ask it",
            max_chars=2000,
        )
        st.form_submit_button("Search", type="primary", icon=":material/search:", on_click=_search)
    filter_bar(current, documents)


def _search() -> None:
    st.session_state[_TEXT] = st.session_state[_BOX].strip()


def question_results(current: Settings, index: Index) -> QuestionResults | None:
    """What the question in force finds in the collection; None while it is looked for, or if it failed."""
    question, narrowed = asked_text(), Filters.from_settings(current.rag)

    def search() -> QuestionResults:
        model = embedder(current)
        searcher = judged_searcher(index, model, current.rag)
        results = searcher.compare(question, max(HITS, current.rag.k), narrowed)
        by_code = searcher.holds_code(question, narrowed)
        vector = model.embed_query(question)
        return QuestionResults(question, vector, results, current.rag.mode, searcher.reranker_fault, by_code)

    key = (question, narrowed, index.collection, index.version, current.rag.model_dump_json())
    return computed_in_background("search", key, "Searching", search)
