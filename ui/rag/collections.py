"""Which collection is in force: choose, create and delete, with what it holds in one line."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.rag.store.index import Index
from backends.rag.store.library import CollectionInfo, collections
from backends.settings import RagSettings, Settings
from backends.text import counted, normalised
from ui.resources import override
from ui.shared.errors import keep_fault, show_fault
from ui.shared.text import escaped, plain

_CHOICE = "collection"
_NAME = "new_collection"
_BEGUN = "named_collections"
_NEW, _DELETE = "new_collection_open", "delete_collection_open"
_WIDTH = 260  # pixels


def opened_index(current: Settings) -> Index:
    """The collection in force. Stops the page with a sentence where it cannot be opened."""
    from backends.rag.approach import open_index

    try:
        return open_index(current)
    except BackendError as fault:
        show_fault(fault)
        st.stop()


def known_collections(current: Settings) -> dict[str, CollectionInfo | None]:
    """Every collection by name; the one in force, the sample's and those begun here even before they hold anything.

    Raises `BackendError` if the library cannot be read.
    """
    found: dict[str, CollectionInfo | None] = {one.name: one for one in collections(current.data)}
    for name in (RagSettings().collection, current.rag.collection, *_begun()):
        found.setdefault(name, None)
    return dict(sorted(found.items()))


def names_of(current: Settings) -> list[str]:
    """The names of the collections, the one in force included; that one alone if the library cannot be read."""
    try:
        return list(known_collections(current))
    except BackendError:
        return [current.rag.collection]


def collection_bar(current: Settings, *, manage: bool = False, busy: bool = False) -> CollectionInfo | None:
    """Draw the choice; what is known of the collection in force, None while it holds nothing.

    `manage` adds creating and deleting. Stops the page with a sentence if the library cannot be read.
    """
    try:
        known = known_collections(current)
    except BackendError as fault:
        _unreadable(current, fault)
        st.stop()
    info = known[current.rag.collection]
    st.session_state[_CHOICE] = current.rag.collection
    with st.container(horizontal=True, vertical_alignment="center"):
        st.selectbox(
            "Collection",
            list(known),
            key=_CHOICE,
            format_func=plain,
            on_change=_choose,
            width=_WIDTH,
            label_visibility="collapsed",
        )
        if manage:
            _new()
            _delete(current, info, busy)
        st.caption(_facts(info), width="content")
    return info


def _facts(info: CollectionInfo | None) -> str:
    if info is None or not info.documents:
        return "Nothing in it yet."
    parts = (
        counted(info.documents, "document"),
        f"{counted(info.chunks, 'chunk')} of at most {info.chunk_tokens} tokens, {info.overlap_tokens} shared",
        f"vectors by {info.embedder.partition('@')[0]}",
    )
    return escaped(" \u00b7 ".join(parts))


def _choose() -> None:
    override("rag.collection", st.session_state[_CHOICE])


def _new() -> None:
    new = st.popover("New", icon=":material/add:", help="Start another collection.", key=_NEW, on_change="rerun")
    with new.form("form:new_collection", border=False, clear_on_submit=True):
        st.text_input("Name of the new collection", key=_NAME, max_chars=80)
        st.form_submit_button("Create", on_click=_create)


def _create() -> None:
    if name := " ".join(normalised("NFC", st.session_state[_NAME]).split()):
        override("rag.collection", name)
        st.session_state[_BEGUN] = [*(one for one in _begun() if one != name), name]
        st.session_state[_NEW] = False


def _begun() -> list[str]:
    """The collections that were begun in this browser; those that hold nothing are in no library."""
    return st.session_state.get(_BEGUN, [])


def _leave_out(name: str) -> None:
    st.session_state[_BEGUN] = [one for one in _begun() if one != name]
    override("rag.collection", None)


def _delete(current: Settings, info: CollectionInfo | None, busy: bool) -> None:
    name = current.rag.collection
    if info is None:
        if name in _begun():
            st.button("Remove", key="leave_out", icon=":material/delete:", on_click=_leave_out, args=(name,))
        return
    words = "Delete the whole collection."
    with st.popover("Delete", icon=":material/delete:", disabled=busy, help=words, key=_DELETE, on_change="rerun"):
        st.markdown(
            f"**{escaped(info.name)}** with {escaped(counted(info.documents, 'document'))}? This cannot be undone."
        )
        st.button("Delete for good", key="drop", type="primary", on_click=_drop, args=(current,))


def _drop(current: Settings) -> None:
    st.session_state[_DELETE] = False  # left open it would offer to delete the next collection
    try:
        opened_index(current).drop()
    except BackendError as fault:
        keep_fault(fault)
    else:
        _leave_out(current.rag.collection)


def _unreadable(current: Settings, fault: BackendError) -> None:
    show_fault(fault)
    st.button(
        "Set it aside and start anew",
        key="drop",
        on_click=_drop,
        args=(current,),
        help="The damaged file is kept under another name. All documents have to be added again.",
    )
