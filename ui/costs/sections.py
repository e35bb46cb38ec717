"""The sections of the Costs page, and which one is open. It is part of the address, so a section can be shared."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from evaluation.costs.measured import anything_measured
from ui.costs import assumed, history, per_month, right_answers, scratch, what_if
from ui.costs.input_panel import input_panel
from ui.costs.ledger_fault import ledger_fault, show_set_aside
from ui.resources import settings

_REASONED = {
    "Per month": per_month.draw,
    "Per right answer": right_answers.draw,
    "What if": what_if.draw,
    "From scratch": scratch.draw,
}
_HISTORY = "History"
SECTIONS = (*_REASONED, _HISTORY)


def draw_sections() -> None:
    """Draw the choice and the section that is open."""
    chosen = st.segmented_control(
        "Section",
        SECTIONS,
        default=SECTIONS[0],
        required=True,
        key="costs",
        bind="query-params",
        label_visibility="collapsed",
    )
    current = settings()
    show_set_aside()
    try:
        inputs = assumed.inputs_in_force(current)
        if chosen == _HISTORY:
            history.draw(current)
            return
    except BackendError as fault:
        ledger_fault(current, fault)
        return
    if not anything_measured(inputs):
        _nothing_measured()
    side, main = st.columns([1, 2.4], gap="large")
    with side:
        input_panel(inputs, current)
    with main:
        _REASONED[chosen or SECTIONS[0]](inputs)


def _nothing_measured() -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/straighten: Nothing was measured here yet: tokens and seconds below are labelled assumptions.",
            width="stretch",
        )
        if st.button("Ask a few questions on Compare first", key="ask_first", icon=":material/signpost:"):
            st.switch_page("pages/compare.py")
