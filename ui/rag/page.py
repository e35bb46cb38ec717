"""The page of the rag approach: ask it, and its sections."""

from __future__ import annotations

from backends.registry import spec_of
from ui.ask.page import ask_section
from ui.rag.sections import chosen_section, draw_section
from ui.shell import open_page


def rag_page(approach: str) -> None:
    """Draw the section that is open."""
    spec = spec_of(approach)
    open_page(spec.name, spec.what)
    if (section := chosen_section()) == "Ask":
        ask_section(approach)
    else:
        draw_section(section)
