"""Question sets that people save under a name: opened, saved again, deleted and brought back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from backends.errors import BackendError
from backends.store.database import Store
from backends.text import counted
from evaluation.runs.model import content_hash
from evaluation.runs.saved_sets import LONGEST_NAME, SavedSet, Version, delete_set, restore_set, save_set
from evaluation.samples import Sample
from ui.evaluate.page import Evaluation
from ui.shared.errors import keep_fault
from ui.shared.text import escaped

SAVED = "Saved sets"
ORIGIN = "evaluate_origin"
"""The state's key of where questions come from; `SAVED` is one origin."""

Moved = Callable[[str, str, str], None]
"""Called once a set was saved: where the browser session had its questions, where they belong now, and their name."""

_CHOSEN, _DELETED = "evaluate_saved", "evaluate_set_deleted"


@dataclass(frozen=True, slots=True)
class OpenedSet:
    """The version of a saved set that is open."""

    saved: SavedSet
    version: Version

    @property
    def words(self) -> str:
        """The set's name, and which version it is where there are several."""
        return self.saved.name if len(self.saved.versions) == 1 else f"{self.saved.name}, version {self.version.number}"


def choose_saved(saved: Sequence[SavedSet]) -> OpenedSet:
    """Draw which set and version is open."""
    by_id = {one.id: one for one in saved}
    if st.session_state.get(_CHOSEN) not in by_id:
        st.session_state[_CHOSEN] = saved[0].id
    with st.container(horizontal=True):
        id = st.selectbox(
            "Set", list(by_id), format_func=lambda id: by_id[id].name, key=_CHOSEN, persist_state="session"
        )
        chosen = by_id[id]
        number = st.selectbox(
            "Version",
            [one.number for one in reversed(chosen.versions)],
            key=f"{_CHOSEN}:{id}:{chosen.newest.number}",
            format_func=lambda number: _version_words(chosen.versions[number - 1]),
            width=260,
        )
    return OpenedSet(chosen, chosen.versions[number - 1])


def _version_words(one: Version) -> str:
    used = f"used by {one.runs:,} run{'s' if one.runs != 1 else ''}" if one.runs else "not used yet"
    return f"{one.number}: {counted(one.questions, 'question')}, {used}"


def saving(
    page: Evaluation, opened: OpenedSet | None, origin: str, name: str, samples: Sequence[Sample], moved: Moved
) -> None:
    """Draw what keeps the questions under a name. `origin` is where the browser session has them."""
    _bring_back(page.store)
    with st.container(horizontal=True, vertical_alignment="center"):
        if opened is not None:
            changed = bool(samples) and content_hash(samples) != opened.version.set_hash
            st.button(
                "Save",
                key="evaluate_save",
                icon=":material/save:",
                on_click=_save,
                args=(page.store, opened.saved.name, samples, origin, opened.saved.id, moved),
                disabled=not changed,
            )
        with st.popover("Save as a set" if opened is None else "Save as another set", icon=":material/save_as:"):
            own = st.text_input("Name", name if opened is None else "", max_chars=LONGEST_NAME, key=f"name:{origin}")
            st.button(
                escaped(f"Save the {counted(len(samples), 'question')}"),
                key="evaluate_save_as",
                on_click=_save,
                args=(page.store, own, samples, origin, None, moved),
                disabled=not own.strip() or not samples,
            )
            if not page.settings.store.keep_texts:
                st.caption("Its texts are kept, although those of runs are not (store.keep_texts).")
        if opened is None:
            return
        with st.popover("Delete", icon=":material/delete:"):
            st.markdown("Its runs stay, with their questions.")
            st.button("Delete this set", key="evaluate_set_delete", on_click=_delete, args=(page.store, opened.saved))
        if changed:
            newest = opened.saved.newest
            number = newest.number + bool(newest.runs)
            st.caption(f"Saved as version {number}{'' if newest.runs else ', in its place: no run has used it'}.")


def _save(store: Store, name: str, samples: Sequence[Sample], origin: str, id: str | None, moved: Moved) -> None:
    try:
        saved = save_set(store, name, samples, id)
    except BackendError as fault:
        keep_fault(fault)
        return
    opened = OpenedSet(saved, saved.newest)
    moved(origin, f"{saved.id}:{saved.newest.set_hash}", opened.words)
    st.session_state[_CHOSEN] = saved.id
    st.session_state[ORIGIN] = SAVED
    st.toast(f"Saved: {escaped(opened.words)}", icon=":material/save:")


def _delete(store: Store, saved: SavedSet) -> None:
    try:
        delete_set(store, saved.id)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state[_DELETED] = saved


def _bring_back(store: Store) -> None:
    saved: SavedSet | None = st.session_state.get(_DELETED)
    if saved is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"The set {escaped(saved.name)} was deleted.", width="content")
        st.button("Undo", key="evaluate_set_undo", icon=":material/undo:", on_click=_restore, args=(store, saved))


def _restore(store: Store, saved: SavedSet) -> None:
    try:
        restore_set(store, saved.id)
    except BackendError as fault:
        keep_fault(fault)
        return
    del st.session_state[_DELETED]
    st.session_state[_CHOSEN] = saved.id
    st.session_state[ORIGIN] = SAVED
