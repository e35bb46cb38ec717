"""The section Documents: what the collection holds, how it came in, and how it is cut."""

from __future__ import annotations

import streamlit as st

from backends.errors import BackendError
from backends.rag.approach import SAMPLE_COLLECTION, SAMPLE_DOCUMENTS
from backends.rag.documents.formats import extension_of
from backends.rag.store.index import DocumentInfo, Index
from backends.settings import Settings
from ui.rag import upload
from ui.rag.chunk_settings import chunk_settings
from ui.rag.collections import collection_bar, opened_index
from ui.rag.document_view import document_text, warnings_of
from ui.rag.health_banner import health_banner
from ui.resources import warm_up
from ui.shared.errors import keep_fault, show_fault, show_kept_fault
from ui.shared.file_table import file_table
from ui.shared.text import escaped

_DELETED_SHOWN = 5


def draw(current: Settings) -> None:
    """Draw the section."""
    job = upload.writing_job(current)
    busy = job is not None and job.state.running
    info = collection_bar(current, manage=True, busy=busy)
    index = opened_index(current)
    show_kept_fault()
    banner = st.container()  # filled last: looking vectors up may take a moment
    try:
        documents, deleted = index.documents(), index.deleted()
        if not documents and not busy:
            _empty(current, index)
        filling = not documents and index.collection == SAMPLE_COLLECTION and not warm_up().state.finished
        upload.upload_form(current, index, busy or filling)
        if job is not None:
            upload.show_writing_job(job)
        chosen = None
        if documents:
            chosen = file_table(documents, f"documents:{index.version}")
            if chosen is None:
                st.caption("Select a row to read what was understood of a document, and where it was cut.")
            else:
                _document(current, index, chosen, busy)
        _deleted(index, deleted, busy)
        if info is not None and documents:
            example = chosen or max(documents, key=lambda one: one.chunks)
            chunk_settings(current, index, info, example, busy)
    except BackendError as fault:
        show_fault(fault)
        return
    with banner:
        health_banner(current, index, info)


def _empty(current: Settings, index: Index) -> None:
    with st.container(border=True):
        st.markdown(f"## :material/library_books: {escaped(index.collection)} is empty")
        st.markdown(
            "A collection is what the RAG approach searches before it answers: manuals, policies, price lists, notes. "
            "Drop your own files below. They are read on this machine and stay here."
        )
        if index.collection != SAMPLE_COLLECTION:
            return
        if not warm_up().state.finished:
            st.caption("The sample documents are added by themselves while the app starts.")
            return
        st.button(
            "Fill it with the sample documents",
            key="fill_sample",
            type="primary",
            icon=":material/auto_stories:",
            on_click=upload.start,
            args=(current, index, [SAMPLE_DOCUMENTS]),
            help="The handbook of a made-up maker of espresso machines: 16 files in seven formats.",
        )


def _document(current: Settings, index: Index, document: DocumentInfo, busy: bool) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"## {escaped(document.name)}", width="stretch")
            with st.popover("Replace", icon=":material/sync:", disabled=busy):
                _replace(current, index, document)
            st.button(
                "Delete",
                key="delete_document",
                icon=":material/delete:",
                on_click=_delete,
                args=(index, document.name),
                disabled=busy,
                help="Can be undone.",
            )
        warnings_of(document)
        document_text(document, index.pages(document.name), index.chunks([document.name]))


def _replace(current: Settings, index: Index, document: DocumentInfo) -> None:
    with st.form("form:replace", border=False, clear_on_submit=True):
        st.file_uploader(
            f"The new {escaped(document.name)}",
            type=extension_of(document.name) or None,
            key="replacement",
            max_upload_size=max(int(current.rag.max_file_mb), 1),
        )
        st.form_submit_button("Replace", type="primary", on_click=_put, args=(current, index, document.name))


def _put(current: Settings, index: Index, name: str) -> None:
    if (file := st.session_state["replacement"]) is not None:
        upload.add_uploads(current, index, [(name, file)])


def _delete(index: Index, name: str) -> None:
    try:
        index.delete(name)
    except BackendError as fault:
        keep_fault(fault)


def _restore(index: Index, name: str) -> None:
    try:
        index.restore(name)
    except BackendError as fault:
        keep_fault(fault)


def _purge(index: Index) -> None:
    try:
        index.purge()
    except BackendError as fault:
        keep_fault(fault)


def _deleted(index: Index, deleted: list[DocumentInfo], busy: bool) -> None:
    """What can be brought back."""
    if not deleted:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            count = "1 document is" if len(deleted) == 1 else f"{len(deleted)} documents are"
            st.markdown(f":material/delete: {count} deleted and no longer searched.", width="stretch")
            st.button("Forget for good", key="purge", type="tertiary", on_click=_purge, args=(index,), disabled=busy)
        for document in deleted[:_DELETED_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    "Undo",
                    key=f"restore:{document.name}",
                    icon=":material/undo:",
                    on_click=_restore,
                    args=(index, document.name),
                    disabled=busy,
                )
                st.markdown(escaped(document.name))
        if len(deleted) > _DELETED_SHOWN:
            st.caption(f"and {len(deleted) - _DELETED_SHOWN} more")
