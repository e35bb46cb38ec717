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
    """Draw the choice; the section that is open, which is the first one if none was chosen.

    The address says which: so Back leads to the one before, a reload to the same, and a link to the one it names.
    (Streamlit's own binding of a widget to the address puts an address without it into the history with each change of
    page, so that Back would lead to the first section.)
    """
    names = [section.name for section in sections]
    wanted = wanted_section(key)
    st.session_state.pop(f"{key}:{_ASSIGNED}", None)
    st.session_state[key] = opened = wanted if wanted in names else names[0]
    _name_in_address(key, names[0])
    st.segmented_control(
        "Section",
        names,
        required=True,
        key=key,
        on_change=_name_in_address,
        args=(key, names[0]),
        label_visibility="collapsed",
    )
    return sections[names.index(opened)]


def wanted_section(key: str = KEY) -> str | None:
    """The name of the section that is to be opened, as a button or the address has it; None for the first one. For what
    a page draws above the choice; the name may be of no section."""
    return st.session_state.get(f"{key}:{_ASSIGNED}") or st.query_params.get(key)


def _name_in_address(key: str, first: str) -> None:
    """Make the address name the section that is open; the first one goes without a name."""
    opened = st.session_state[key]
    if opened == first:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != opened:
        st.query_params[key] = opened


def section_button(label: str, section: str, *, key: str, icon: str, disabled: bool = False) -> None:
    """The button of what to do next, which is in another section of the page."""
    st.button(label, key=key, type="primary", icon=icon, on_click=open_section, args=(section,), disabled=disabled)


def open_section(name: str, key: str = KEY) -> None:
    """Go to another section. For callbacks, which run before the choice is drawn."""
    st.session_state[f"{key}:{_ASSIGNED}"] = name
