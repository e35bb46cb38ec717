"""The Costs page: its sections, and what they are worked out from beside them."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from evaluation.costs.current_inputs import anything_measured
from ui.costs import assumptions
from ui.costs.input_panel import input_panel
from ui.costs.ledger_fault import ledger_fault, show_set_aside
from ui.resources import settings
from ui.shared.sections import Section, chosen_section
from ui.shell import name_tab, open_page

HISTORY = Section("History", "ui.costs.history:draw")
SECTIONS = (
    Section("Per month", "ui.costs.per_month:draw"),
    Section("Per right answer", "ui.costs.right_answers:draw"),
    Section("What if", "ui.costs.what_if:draw"),
    Section("Price list", "ui.costs.price_list:draw"),
    Section("From scratch", "ui.costs.scratch:draw"),
    HISTORY,
)
"""History is given the settings, the others what costs are worked out from."""


def costs_page() -> None:
    """Draw the choice and the section that is open."""
    open_page(
        "Costs", "From how many questions a month on is a local model cheaper, and what does a right answer cost?"
    )
    opened = chosen_section(SECTIONS, "costs")
    name_tab("Costs", opened.name)
    current = settings()
    show_set_aside()
    try:
        inputs = assumptions.inputs_in_force(current)
        if opened is HISTORY:
            opened.draw(current)
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
        opened.draw(inputs)


def _nothing_measured() -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/straighten: Nothing was measured here yet: tokens and seconds below are labelled assumptions.",
            width="stretch",
        )
        if st.button("Ask a few questions on Compare first", key="ask_first", icon=":material/signpost:"):
            st.switch_page("pages/compare.py")
