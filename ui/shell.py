"""What frames every page: its title, the shared settings, and how far loading has come."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from backends.errors import BackendError
from backends.registry import ApproachSpec, faults, spec_of, specs
from backends.settings import Settings
from backends.storage.files import prepared
from ui.ask import settings_panel
from ui.costs.ledger_fault import unrecorded_once
from ui.resources import settings, warm_up
from ui.shared.text import escaped, plain

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
            *map(_page_of, specs()),
            st.Page(_PAGES / "costs.py", title="Costs", icon=":material/payments:"),
        ],
        position="top",
    )


def _page_of(spec: ApproachSpec) -> Page:
    """The page of an approach: its file in `pages/`, or where it has none, that which its spec names."""
    file = _PAGES / f"{spec.id}.py"
    page = file if file.is_file() else partial(draw_page, spec.id)
    return st.Page(page, title=plain(spec.name), icon=spec.icon, url_path=spec.id)


def draw_page(approach: str) -> None:
    """Draw the page of an approach."""
    spec_of(approach).loaded("page")(approach)


def ensure_frame() -> None:
    """Run again through the entry script if this page was run without it.

    The first browser that opens a page by its own address after the server has started gets that script alone: until
    `st.navigation` is called for the first time, Streamlit takes the folder `pages/` for an app of the older kind.
    """
    if _FRAMED not in st.session_state:
        navigate()
        st.rerun()


def open_page(title: str, caption: str) -> None:
    """Draw the frame. Every page calls this first, so that it also works when opened by its own address."""
    ensure_frame()
    current = settings()
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            st.title(title, anchor=False, width="content")
            st.caption(caption, width="content")
        with st.popover("Settings for every approach", icon=":material/tune:", width="content"):
            settings_panel.generation(current)
    if current.scripted:
        st.info("Answers come from a script, not from models.", icon=":material/theater_comedy:")
    else:
        _readiness()
    for fault in faults():
        st.warning(escaped(fault), icon=":material/extension_off:")
    _say_if_nothing_is_kept(current)
    unrecorded_once(current)


def _say_if_nothing_is_kept(current: Settings) -> None:
    """Answers go on without a data folder; what has to be kept or read cannot."""
    try:
        prepared(current.data, "The data folder")
    except BackendError as fault:
        st.error(escaped(f"{fault.cause} Nothing is kept. {fault.next_step}"), icon=":material/folder_off:")


def _readiness() -> None:
    state = warm_up().state
    if state.finished:
        _show_readiness()
    else:
        st.fragment(_watch_readiness, run_every=1.0)()


def _watch_readiness() -> None:
    _show_readiness()
    if warm_up().state.finished:
        st.rerun()


def _show_readiness() -> None:
    state = warm_up().state
    if not state.finished:
        spent = time.monotonic() - state.since
        expected = f" of about {state.expected_s:.0f}" if state.expected_s else ""
        part = min(spent / state.expected_s, 0.95) if state.expected_s else 0.0
        st.progress((state.done + part) / state.total, f"{escaped(state.what)} \u00b7 {spent:.0f}{expected} s")
        st.caption("You can ask already; answers start when their model is loaded.")
        return
    if not state.faults:
        st.caption(":material/check_circle: Local models are loaded")
    for approach, sentence in state.faults:
        st.warning(f"**{escaped(approach)}**: {escaped(sentence)}", icon=":material/warning:")
