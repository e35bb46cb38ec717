"""One adapter: what its card says, use, rename, delete, download, and export as a model of its own."""

from __future__ import annotations

import shlex

import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.adapters import catalogue
from backends.fine_tuned.adapters import jobs as adapter_jobs
from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.adapters.catalogue import Adapter
from backends.fine_tuned.adapters.export import Exported
from backends.fine_tuned.adapters.zip_files import zip_bytes
from backends.run import jobs
from backends.settings import Settings
from ui.fine_tuned.adapter_table import card_rows
from ui.resources import override
from ui.shared.errors import keep_fault
from ui.shared.file_table import size
from ui.shared.jobs import job_view
from ui.shared.tables import literal_table
from ui.shared.text import escaped, plain

_NAME = "new_adapter_name"


def adapter_detail(current: Settings, one: Adapter) -> None:
    """Draw it."""
    with st.container(border=True):
        st.markdown(f"## {escaped(one.name)}")
        if not one.fit.fits:
            st.warning(escaped(one.fit.reason), icon=":material/warning:")
            if one.fit.by_name_alone:
                st.button(
                    "Use it although its base is named otherwise",
                    key="any_base_name",
                    icon=":material/warning:",
                    on_click=_use_nevertheless,
                    args=(one.name,),
                    help="For a base that you know under another name. Shapes and tokenizer are compared when it is "
                    "loaded, and its answers carry a note. Holds for all adapters, in this browser session.",
                )
        elif one.fit.reason:
            st.caption(escaped(one.fit.reason))
        _actions(current, one)
        _export(current)
        _card(one)


def use(name: str) -> None:
    """Let an adapter answer, in this browser session. For callbacks."""
    override("fine_tuned.adapter", name)
    override("fine_tuned.base_url", None)


def _use_nevertheless(name: str) -> None:
    override("fine_tuned.any_base_name", True)
    use(name)


def write_with(name: str) -> None:
    """Let RAG write with an adapter that was taught to read, in this browser session. For callbacks."""
    override("rag.generator", "fine_tuned")
    override("rag.adapter", name)
    override("rag.context", "sentences")


def _write_without() -> None:
    for setting in ("generator", "adapter", "context"):
        override(f"rag.{setting}", None)


def use_button(current: Settings, name: str, key: str, fits: bool = True, reads: bool = False) -> None:
    """The button with which an adapter answers from now on; it says so where it answers already.

    One that was taught to read answers no questions by itself: RAG writes with it.
    """
    if reads:
        _write_button(current, name, key, fits)
        return
    in_force = current.fine_tuned.adapter == name and not current.fine_tuned.base_url
    st.button(
        "It answers" if in_force else "Use this adapter",
        key=key,
        type="primary",
        icon=":material/check:",
        on_click=use,
        args=(name,),
        disabled=in_force or not fits,
        help="The fine-tuned column answers with it, in this browser session.",
    )


def _write_button(current: Settings, name: str, key: str, fits: bool) -> None:
    writes = _writes(current, name)
    st.button(
        "RAG writes with it" if writes else "Let RAG write with it",
        key=key,
        type="primary",
        icon=":material/check:" if writes else ":material/menu_book:",
        on_click=write_with,
        args=(name,),
        disabled=writes or not fits,
        help="RAG's answers are written with it, in this browser session. The fine-tuned column keeps its adapter.",
    )
    if writes:
        st.button("Let the base write again", key=f"{key}:without", icon=":material/undo:", on_click=_write_without)


def _writes(current: Settings, name: str) -> bool:
    return current.rag.generator == "fine_tuned" and current.rag.adapter == name


def _actions(current: Settings, one: Adapter) -> None:
    own = one.origin != "sample"
    with st.container(horizontal=True, vertical_alignment="center"):
        use_button(current, one.name, "use_adapter", one.fit.fits, one.reads)
        st.download_button(
            "Download",
            data=lambda: zip_bytes(one.folder),
            file_name=plain(f"{one.name}.zip"),
            mime="application/zip",
            key="download_adapter",
            icon=":material/download:",
            on_click="ignore",
            disabled=not one.sha256,
            help="A zip that plain peft loads, with its card.",
        )
        running = jobs.find(adapter_jobs.export_key(current.data))
        st.button(
            "Merge and export",
            key="export_adapter",
            icon=":material/output:",
            on_click=_start_export,
            args=(current, one.name),
            disabled=not one.fit.fits or (running is not None and running.state.running),
            help="Base and adapter as one model in safetensors, which `transformers serve` or vLLM can serve.",
        )
        with st.popover("Rename", icon=":material/edit:", disabled=not own), st.form("form:rename", border=False):
            st.text_input("New name", plain(one.name), key=_NAME, max_chars=64)
            st.form_submit_button("Rename", on_click=_rename, args=(current, one.name))
        st.button(
            "Delete",
            key="delete_adapter",
            icon=":material/delete:",
            on_click=_delete,
            args=(current, one.name),
            disabled=not own,
            help="Can be undone." if own else "It comes with the program.",
        )


def _rename(current: Settings, name: str) -> None:
    try:
        folder = catalogue.rename(name, st.session_state[_NAME].strip(), current.data)
    except BackendError as fault:
        keep_fault(fault)
        return
    if current.fine_tuned.adapter == name:
        override("fine_tuned.adapter", folder.name)
    if current.rag.adapter == name:
        override("rag.adapter", folder.name)


def _delete(current: Settings, name: str) -> None:
    try:
        catalogue.delete(name, current.data)
    except BackendError as fault:
        keep_fault(fault)
        return
    if _writes(current, name):
        _write_without()


def _start_export(current: Settings, name: str) -> None:
    try:
        adapter_jobs.start_export(name, current)
    except BackendError as fault:
        keep_fault(fault)


def _export(current: Settings) -> None:
    """The export under way, or the last one with how to serve it."""
    job = jobs.find(adapter_jobs.export_key(current.data))
    if job is None:
        return
    job_view(job, "export", done="Done.", cancelled="Nothing was written.")
    for made in (result for result in job.state.results if isinstance(result, Exported)):
        st.caption(escaped(f"{made.folder} \u00b7 {size(made.size_bytes)} \u00b7 base {made.base_model}"))
        st.code(plain(f"transformers serve {shlex.quote(str(made.folder))} --port 8000"), language="bash")
        st.caption(
            "Once it serves, the fine-tuned column can ask it: in the section Ask, point the approach at "
            "`http://127.0.0.1:8000/v1` and give this folder as the model's name."
        )


def _card(one: Adapter) -> None:
    st.caption(escaped(f"{one.origin}{f': {one.source}' if one.source else ''}"))
    try:
        rows = dict(card_rows(read_card(one.folder)))
    except BackendError as fault:
        st.error(escaped(str(fault)), icon=":material/error:")
        return
    if one.score is not None:
        st.markdown(f"Right answers: **{escaped(rows['Right answers'])}**")
    if rows:
        with st.expander("What its card says", icon=":material/badge:", expanded=True):
            literal_table(rows)
    else:
        st.caption("It has no card, so how it was made is unknown.")
