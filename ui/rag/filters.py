"""What narrows the search down: the same documents, formats and languages for Ask, Search and Map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from backends.errors import BackendError
from backends.rag.search.filters import Filters
from backends.rag.store.database import open_database
from backends.rag.store.library import DocumentInfo, Library
from backends.settings import Settings
from ui.resources import override
from ui.shared.text import escaped, plain

_KEY = "rag_filters"
_KINDS = ("documents", "formats", "languages")


def known_documents(current: Settings) -> list[DocumentInfo]:
    """The documents of the collection in force; none if the library cannot be read."""
    try:
        return Library(open_database(current.data), current.rag.collection).documents()
    except BackendError:
        return []


def filter_bar(current: Settings, documents: Sequence[DocumentInfo]) -> None:
    """Draw the choice, what it is, and the button that undoes it. It holds at once, and for every section."""
    held = Filters.from_settings(current.rag)
    with st.container(horizontal=True, vertical_alignment="center"):
        label = f"Filters ({held.count})" if held.count else "Filters"
        with st.popover(label, icon=":material/filter_alt:", help="Search only some of the documents."):
            _choice("documents", (one.name for one in documents), held.documents)
            _choice("formats", (one.format for one in documents), held.formats)
            _choice("languages", (one.language for one in documents if one.language), held.languages)
        if held.count:
            st.caption(escaped(f"Nothing is searched but {held.describe}."), width="content")
            st.button(
                "Search everything",
                key=f"{_KEY}:none",
                type="tertiary",
                icon=":material/filter_alt_off:",
                on_click=_clear_filters,
            )


def _choice(kind: str, offered: Iterable[str], held: Sequence[str]) -> None:
    options, key = sorted(set(offered)), f"{_KEY}:{kind}"
    st.session_state[key] = [one for one in held if one in options]
    st.multiselect(kind.capitalize(), options, key=key, format_func=plain, on_change=_apply_choice, args=(kind,))


def _apply_choice(kind: str) -> None:
    override(f"rag.{kind}", tuple(st.session_state[f"{_KEY}:{kind}"]))


def _clear_filters() -> None:
    for kind in _KINDS:
        override(f"rag.{kind}", ())
