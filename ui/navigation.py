"""Which pages there are, and how one that is opened by its own address gets the frame around it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from ui.approaches import LOOKS

_FRAMED = "framed"
_PAGES = Path(__file__).resolve().parents[1] / "pages"
_ICON = Path(__file__).resolve().with_name("icon.svg")


def navigate() -> Page:
    """The page that the browser asks for, of all there are. The entry script runs it.

    Without an icon of our own, the browser would fetch that of the page from Google, to show it in its tab.
    """
    st.set_page_config(page_title="Crossroads", page_icon=str(_ICON), layout="wide")
    st.session_state[_FRAMED] = True
    return st.navigation(
        [
            st.Page(_PAGES / "compare.py", title="Compare", icon=":material/signpost:", default=True),
            *(st.Page(_PAGES / f"{look.approach}.py", title=look.name, icon=look.icon) for look in LOOKS.values()),
            st.Page(_PAGES / "costs.py", title="Costs", icon=":material/payments:"),
        ],
        position="top",
    )


def ensure_frame() -> None:
    """Run again through the entry script if this page was run without it.

    The first browser that opens a page by its own address after the server has started gets that script alone: until
    `st.navigation` is called for the first time, Streamlit takes the folder `pages/` for an app of the older kind.
    """
    if _FRAMED not in st.session_state:
        navigate()
        st.rerun()
