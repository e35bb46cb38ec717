"""The sections of the RAG page, and which one is open. It is part of the address, so a section can be shared."""

from __future__ import annotations

from importlib import import_module

import streamlit as st

from ui.resources import settings

SECTIONS = ("Ask", "Documents", "Search", "Map", "Measure")

_MODULES = {"Documents": "documents", "Search": "search", "Map": "map", "Measure": "measure"}


def chosen_section() -> str:
    """Draw the choice; the section that is open."""
    chosen = st.segmented_control(
        "Section",
        SECTIONS,
        default=SECTIONS[0],
        required=True,
        key="section",
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen or SECTIONS[0]


def draw_section(name: str) -> None:
    """Draw one section; what it needs is only loaded when it is opened."""
    if settings().scripted:
        st.info(
            "The script answers without documents, so there is nothing to show here. Start the app without "
            "`CROSSROADS_SCRIPTED` to see them."
        )
        return
    import_module(f"ui.rag.{_MODULES[name]}").draw(settings())
