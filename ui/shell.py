"""What frames every page: its title, the shared settings, and how far loading has come."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from backends.errors import BackendError
from backends.registry import ApproachSpec, faults, spec_of, specs
from backends.settings import Settings, load_settings, started_with
from backends.storage.browsers import LONGEST_DAYS
from backends.storage.files import prepared
from ui.ask import settings_panel
from ui.costs.ledger_fault import unrecorded_once
from ui.kept import forget, keep_changes, remembers, restore_once
from ui.resources import settings, warm_up
from ui.shared import numbers
from ui.shared.text import escaped, plain

_FRAMED = "framed"
_PAGES = Path(__file__).resolve().parents[1] / "pages"
_ICON = Path(__file__).resolve().with_name("icon.svg")


def navigate() -> Page:
    """The page that the browser asks for, of all there are. The entry script runs it.

    Without an icon of our own, the browser would fetch that of the page from Google, to show it in its tab.
    """
    st.session_state[_FRAMED] = True
    restore_once(_data_folder)
    st.set_page_config(page_icon=str(_ICON), layout="wide")
    page = st.navigation(
        [
            st.Page(_PAGES / "compare.py", title="Compare", icon=":material/signpost:", default=True),
            *map(_page_of, specs()),
            st.Page(_PAGES / "evaluate.py", title="Evaluate", icon=":material/checklist:"),
            st.Page(_PAGES / "costs.py", title="Costs", icon=":material/calculate:"),
            st.Page(_PAGES / "history.py", title="History", icon=":material/history:"),
        ],
        position="top",
    )
    name_tab(page.title)
    return page


def name_tab(page: str, section: str = "") -> None:
    """Name the browser's tab by page and section, what tells tabs apart first."""
    st.set_page_config(page_title=plain(" \u00b7 ".join(filter(None, (section, page, "Crossroads")))))


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


def open_page(title: str, caption: str, *, folded: bool = False) -> None:
    """Draw the frame. Every page calls this first, so that it also works when opened by its own address.

    `folded` leaves out the title and what is as it should be: the room is for what was asked.
    """
    ensure_frame()
    current = settings()
    head, unseen = st.empty(), st.empty()  # what is left empty clears at once, and old elements below keep their place
    if not folded:
        with head.container():
            _title(title, caption, current)
            if current.scripted:
                st.info("Answers come from a script, not from models.", icon=":material/theater_comedy:")
            else:
                _readiness()
    elif not current.scripted and warm_up().state.faults:
        with head.container():
            _show_readiness()
    if folded:
        with unseen.container(key="unseen-title"):  # for those who go from heading to heading
            st.title(title, anchor=False)
    for fault in faults():
        st.warning(escaped(fault), icon=":material/extension_off:")
    _keep_or_say(current)
    unrecorded_once(current)


def _title(title: str, caption: str, current: Settings) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            st.title(title, anchor=False, width="content")
            st.caption(caption, width="content")
        with st.popover("Settings for every approach", icon=":material/tune:", width="content"):
            settings_panel.generation(current)
            _what_is_kept(current)


def _what_is_kept(current: Settings) -> None:
    """What a reload gives back, and the button that takes it all away."""
    st.divider()
    if not remembers():
        st.caption("This browser takes no cookie from this server, so a reload begins anew.")
        return
    st.caption(
        "After a reload, this browser gets back its questions with their answers, its choices, inputs and pairs. They "
        f"lie in the data folder for {LONGEST_DAYS} days, without keys."
    )
    st.button("Forget them all", key="forget_browser", icon=":material/delete:", on_click=_forget, args=(current.data,))


def _forget(data: Path) -> None:
    try:
        forget(data)
    except BackendError as fault:
        st.toast(escaped(str(fault)), icon=":material/error:")


def _data_folder() -> Path:
    """Where things are kept, whatever this browser changed."""
    try:
        return load_settings(started_with()).data
    except BackendError:  # the page says so
        return Settings().data


def _keep_or_say(current: Settings) -> None:
    """Answers go on without a data folder; what has to be kept or read cannot."""
    try:
        prepared(current.data, "The data folder")
    except BackendError as fault:
        st.error(escaped(f"{fault.cause} Nothing is kept. {fault.next_step}"), icon=":material/folder_off:")
        return
    if (less := keep_changes(current.data)) is not None:
        st.warning(escaped(f"After a reload this browser gets less back. {less}"), icon=":material/history_off:")


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
        part = min(spent / state.expected_s, 0.95) if state.expected_s else 0.0
        st.progress(
            (state.done + part) / state.total, f"{escaped(state.what)} \u00b7 {numbers.waited(spent, state.expected_s)}"
        )
        st.caption("You can ask already; answers start when their model is loaded.")
        return
    if not state.faults:
        st.caption(":material/check_circle: Local models are loaded")
    for approach, sentence in state.faults:
        st.warning(f"**{escaped(approach)}**: {escaped(sentence)}", icon=":material/warning:")
