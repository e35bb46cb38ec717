"""What went wrong, in a sentence on the page: at once, or in the next run where a callback met it."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from ui.shared.text import escaped

_FAULT = "fault_in_callback"


def show_fault(fault: BackendError) -> None:
    """Draw what went wrong and what to do about it."""
    st.error(escaped(str(fault)), icon=":material/error:")


def keep_fault(fault: BackendError) -> None:
    """Remember what went wrong in a callback; `show_kept_fault` draws it where it belongs."""
    st.session_state[_FAULT] = fault


def show_kept_fault() -> None:
    """Draw what went wrong in the callback before this run, if anything."""
    if (fault := st.session_state.pop(_FAULT, None)) is not None:
        show_fault(fault)
