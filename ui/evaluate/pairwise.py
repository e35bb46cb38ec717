"""The answers of each two approaches as the judge compared them: who is preferred how often."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.registry import spec_of
from backends.store.database import Store
from evaluation.runs.model import Run
from evaluation.runs.pairwise import Comparison, comparison_of, comparison_words
from ui.shared.errors import show_fault
from ui.shared.tables import literal_table
from ui.shared.text import escaped


def draw_comparison(store: Store, run: Run) -> None:
    """Draw the matrix of preferences with what there is to say of it; nothing where no answers were compared."""
    try:
        found = comparison_of(store, run)
    except BackendError as fault:
        show_fault(fault)
        return
    if found is None:
        return
    st.markdown("## Answers compared by the judge", anchors=False)
    literal_table(matrix_rows(found, [one.approach for one in run.approaches]))
    st.caption(
        "How often the approach at the left is preferred over the one above, of the comparisons with an outcome. Each "
        "is made in both orders, and counts as a preference only when both agree."
    )
    for sentence in comparison_words(found):
        st.caption(escaped(sentence))


def matrix_rows(found: Comparison, approaches: list[str]) -> list[dict[str, str]]:
    """A row for each approach, with how often it is preferred over each other one."""
    return [
        {"Preferred": spec_of(one).name}
        | {f"over {spec_of(other).name}": _words(found, one, other) for other in approaches}
        for one in approaches
    ]


def _words(found: Comparison, one: str, other: str) -> str:
    if one == other:
        return ""
    wins = found.wins(one, other)
    return "not compared" if wins is None else f"{wins[0]:,} of {wins[1]:,}"
