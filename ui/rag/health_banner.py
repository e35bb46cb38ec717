"""Whether the collection can be searched; if not, why, and the one button that mends it."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.rag.store import jobs
from backends.rag.store.health import HealthState
from backends.rag.store.index import Health, Index
from backends.rag.store.library import CollectionInfo
from backends.rag.store.update import Lacking
from backends.run import jobs as running
from backends.settings import Settings
from ui.resources import warm_up
from ui.shared.errors import keep_fault, show_fault
from ui.shared.text import escaped

_WORDS: dict[HealthState, str] = {
    "missing": "the index is missing",
    "damaged": "the index is damaged",
    "half_built": "the index is incomplete",
    "other_embedder": "made with another embedder",
}


@st.cache_data(ttl=10, max_entries=32, show_spinner=False)
def _health(_index: Index, data: str, collection: str, version: str, embedder: str) -> Health:
    """The health of a version, asked again after ten seconds: files may vanish without a new version."""
    return _index.health()


@st.cache_data(ttl=10, max_entries=32, show_spinner=False)
def _lacks(_index: Index, data: str, collection: str, version: str, written: float | None) -> Lacking:
    """What a version lacks, asked again after ten seconds, and when the last job that wrote has ended."""
    return _index.lacking()


def health_of(current: Settings, index: Index) -> Health:
    """The state of the collection in force."""
    return _health(index, str(current.data), index.collection, index.version, current.rag.embedder)


def health_banner(current: Settings, index: Index, info: CollectionInfo | None) -> None:
    """Draw what is wrong; nothing for a collection that is well, empty, or still being loaded."""
    if not warm_up().state.finished:
        return
    try:
        health = health_of(current, index)
    except BackendError as fault:
        show_fault(fault)
        return
    if health.ok:
        _lacking(current, index)
    if health.state in ("ok", "empty"):
        return
    with st.container(border=True):
        st.markdown(f":red-badge[:material/heart_broken: {_WORDS[health.state]}]")
        st.markdown(escaped(health.sentence))
        if health.can_rebuild:
            st.button(
                "Rebuild from stored chunks",
                key="rebuild",
                type="primary",
                icon=":material/healing:",
                on_click=_rebuild,
                args=(current, index),
                help="Text and vectors are stored apart from the search index, so nothing is read or embedded again.",
            )
        elif health.state == "other_embedder" and info is not None:
            st.button(
                "Embed it again with the embedder in force",
                key="re_embed",
                type="primary",
                icon=":material/healing:",
                on_click=_re_embed,
                args=(current, index, info),
            )
        else:
            st.caption(escaped(health.next_step))


def _lacking(current: Settings, index: Index) -> None:
    """What an earlier version has made, and the one button that brings it up to date."""
    job = running.find(jobs.writing_key(current.data))
    if job is not None and job.state.running:
        return
    lacking = _lacks(index, str(current.data), index.collection, index.version, job.state.finished if job else None)
    if lacking.can_update:
        with st.container(border=True):
            st.markdown(":orange-badge[:material/update: made by an earlier version]")
            st.markdown(escaped(lacking.sentence))
            st.button(
                "Bring it up to date",
                key="update_collection",
                type="primary",
                icon=":material/update:",
                on_click=_update,
                args=(current, index),
                help="It can be searched meanwhile. Nothing is lost, also if you cancel it.",
            )
    if lacking.kept:
        st.caption(escaped(lacking.kept))


def _update(current: Settings, index: Index) -> None:
    try:
        jobs.update(index, current.data)
    except BackendError as fault:
        keep_fault(fault)


def _rebuild(current: Settings, index: Index) -> None:
    try:
        jobs.rebuild(index, current.data)
    except BackendError as fault:
        keep_fault(fault)
    _health.clear()


def _re_embed(current: Settings, index: Index, info: CollectionInfo) -> None:
    try:
        jobs.rechunk(index, current.data, info.chunk_tokens, info.overlap_tokens)
    except BackendError as fault:
        keep_fault(fault)
    _health.clear()
