"""The sections of the fine-tuning page, and which one is open. It is part of the address, so it can be shared."""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from ui.resources import settings

SECTIONS = ("Ask", "Pairs", "Train", "Adapters", "Proof", "Attribution")

_KEY, _ASSIGNED = "section", "section_assigned"
_MODULES = {
    "Pairs": "pairs",
    "Train": "train",
    "Adapters": "adapters",
    "Proof": "proof",
    "Attribution": "attribution",
}


def chosen_section() -> str:
    """Draw the choice; the section that is open."""
    assigned = st.session_state.pop(_ASSIGNED, False)
    chosen = st.segmented_control(
        "Section",
        SECTIONS,
        default=None if assigned else SECTIONS[0],  # Streamlit warns of both
        required=True,
        key=_KEY,
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen or SECTIONS[0]


def open_section(name: str) -> None:
    """Go to another section. For callbacks, which run before the choice is drawn."""
    st.session_state[_KEY], st.session_state[_ASSIGNED] = name, True


def draw_section(name: str) -> None:
    """Draw one section; what it needs is only loaded when it is opened."""
    if settings().scripted:
        st.info(
            "The script answers without weights, so there is nothing to train here. Start the app without "
            "`CROSSROADS_SCRIPTED` to see it."
        )
        return
    import_module(f"ui.fine_tuned.{_MODULES[name]}").draw(settings())
