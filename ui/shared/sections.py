"""The sections of a page, and which one is open. It is part of the address, so a section can be shared.

A section is one line in a page's tuple: its name, and where the function is that draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from backends.registry import ImportString, load

KEY = "section"
"""The parameter in the address, and the key of the choice."""

_ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page. `function` is `package.module:name`; what it needs is only imported when it is opened."""

    name: str
    function: ImportString

    def draw(self, argument: Any) -> None:
        """Draw it. `argument` is what the page gives its sections."""
        load(self.function)(argument)


def chosen_section(sections: Sequence[Section], key: str = KEY) -> Section:
    """Draw the choice; the section that is open, which is the first one if none was chosen."""
    names = [section.name for section in sections]
    assigned = st.session_state.pop(f"{key}:{_ASSIGNED}", False)
    chosen = st.segmented_control(
        "Section",
        names,
        default=None if assigned else names[0],  # Streamlit warns of both
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )
    return sections[names.index(chosen or names[0])]


def section_button(label: str, section: str, *, key: str, icon: str, disabled: bool = False) -> None:
    """The button of what to do next, which is in another section of the page."""
    st.button(label, key=key, type="primary", icon=icon, on_click=open_section, args=(section,), disabled=disabled)


def open_section(name: str, key: str = KEY) -> None:
    """Go to another section. For callbacks, which run before the choice is drawn."""
    st.session_state[key], st.session_state[f"{key}:{_ASSIGNED}"] = name, True
