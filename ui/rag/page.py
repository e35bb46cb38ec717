"""The page of the rag approach: ask it, and its sections."""

from __future__ import annotations

from ui.ask.page import approach_page
from ui.shared.sections import Section

SECTIONS = (
    Section("Documents", "ui.rag.documents:draw"),
    Section("Search", "ui.rag.search:draw"),
    Section("Map", "ui.rag.map:draw"),
    Section("Measure", "ui.rag.measurement_form:draw"),
)


def rag_page(approach: str) -> None:
    """Draw the section that is open."""
    approach_page(
        approach,
        SECTIONS,
        "The script answers without documents, so there is nothing to show here. Start the app without "
        "`CROSSROADS_SCRIPTED` to see them.",
    )
