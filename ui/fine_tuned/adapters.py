"""The section Adapters: which there are, which one answers, and what can be done with each."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.adapters import jobs as adapter_jobs
from backends.fine_tuned.adapters.catalogue import KEPT_DAYS, Adapter, Deleted, adapters, deleted, empty_trash, restore
from backends.fine_tuned.adapters.importing import import_folder, import_zip
from backends.remote.connection import without_secrets
from backends.run import jobs
from backends.settings import Settings
from ui.fine_tuned.adapter_detail import adapter_detail
from ui.fine_tuned.adapter_table import fitting, table
from ui.fine_tuned.compare_adapters import compare_adapters
from ui.shared.errors import keep_fault, show_kept_fault
from ui.shared.jobs import job_view
from ui.shared.sections import section_button
from ui.shared.text import escaped

_HUB, _ZIP, _FOLDER = "import_hub", "import_zip", "import_folder"
_TOLD = "imported_adapter"
_MAX_MB = 1000


def import_panel(current: Settings) -> None:
    """Draw the three ways, and what came of the last one."""
    if imported := st.session_state.pop(_TOLD, None):
        st.success(f"**{escaped(imported)}** is in the list.", icon=":material/check_circle:")
    job = jobs.find(adapter_jobs.import_key(current.data))
    if job is not None:
        job_view(job, "import", done="It is in the list.", cancelled="It is in the list if it had arrived.")
    with st.expander("Bring an adapter from elsewhere", icon=":material/input:"):
        st.caption("Only safetensors in peft's format are taken. Each is checked before it is listed.")
        hub, zipped, folder = st.columns(3)
        with hub, st.form("form:import_hub", clear_on_submit=True):
            st.text_input("From the Hub (owner/name)", key=_HUB, placeholder="owner/name or owner/name@revision")
            st.form_submit_button("Fetch", icon=":material/cloud_download:", on_click=_from_hub, args=(current,))
        with zipped, st.form("form:import_zip", clear_on_submit=True):
            st.file_uploader("A zip file", type="zip", key=_ZIP, max_upload_size=_MAX_MB)
            st.form_submit_button("Take", icon=":material/folder_zip:", on_click=_from_zip, args=(current,))
        with folder, st.form("form:import_folder", clear_on_submit=True):
            st.text_input("A folder on the machine that runs this app", key=_FOLDER)
            st.form_submit_button("Copy", icon=":material/folder_copy:", on_click=_from_folder, args=(current,))


def _from_hub(current: Settings) -> None:
    repository, _, revision = st.session_state[_HUB].strip().partition("@")
    if not repository:
        return
    try:
        adapter_jobs.start_import(repository, current.data, revision or None)
    except BackendError as fault:
        keep_fault(fault)


def _from_zip(current: Settings) -> None:
    if (file := st.session_state[_ZIP]) is None:
        return
    try:
        st.session_state[_TOLD] = import_zip(file.getvalue(), file.name, current.data).name
    except BackendError as fault:
        keep_fault(fault)


def _from_folder(current: Settings) -> None:
    if not (path := st.session_state[_FOLDER].strip()):
        return
    try:
        st.session_state[_TOLD] = import_folder(Path(path).expanduser(), current.data).name
    except BackendError as fault:
        keep_fault(fault)


_ROW = 35  # pixels, Streamlit's own
_MOST_ROWS, _TRASH_SHOWN = 10, 5


def draw(current: Settings) -> None:
    """Draw the section."""
    show_kept_fault()
    listed = adapters(current)
    _in_force(current, listed)
    if listed:
        chosen = _table(current, listed)
        if chosen is None:
            st.caption("Select a row to use, rename, download or export an adapter.")
        else:
            adapter_detail(current, chosen)
    _own(listed)
    _trash(current)
    import_panel(current)
    compare_adapters(current, fitting(listed))


def _in_force(current: Settings, listed: list[Adapter]) -> None:
    fine_tuned = current.fine_tuned
    if fine_tuned.base_url:
        address = without_secrets(fine_tuned.base_url)
        st.info(
            escaped(f"A server answers: {fine_tuned.served_model or 'its model is not set'} at {address}. ")
            + "The adapters below are used once the address is cleared, in the section Ask.",
            icon=":material/dns:",
        )
        return
    now = next((one for one in listed if one.name == fine_tuned.adapter), None)
    if now is None:
        words = escaped(f"{fine_tuned.adapter} is chosen, which is not in this list.")
        st.warning(f"{words} Choose another one below.", icon=":material/warning:")
    elif not now.fit.fits:
        st.warning(
            escaped(f"{now.name} is chosen and cannot answer: {now.fit.reason}") + " Choose another one below.",
            icon=":material/warning:",
        )


def _table(current: Settings, listed: list[Adapter]) -> Adapter | None:
    event = st.dataframe(
        table(listed, None if current.fine_tuned.base_url else current.fine_tuned.adapter),
        hide_index=True,
        key="adapters",
        on_select="rerun",
        selection_mode="single-row",
        height=_ROW * (min(len(listed), _MOST_ROWS) + 1) + 3,
        column_config={
            "Adapter": st.column_config.TextColumn(pinned=True, width=200),
            "Right answers": st.column_config.TextColumn(help="Each on the questions that its card names."),
            "Fits the base": st.column_config.TextColumn(width=230),
            "Created": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
        alt="The adapters, with what is known of each",
    )
    rows = event.selection.rows
    return listed[rows[0]] if rows and rows[0] < len(listed) else None


def _own(listed: list[Adapter]) -> None:
    if any(one.origin != "sample" for one in listed):
        return
    with st.container(border=True):
        st.markdown("## :material/model_training: None of your own yet")
        st.markdown("Train one on your pairs, which takes minutes, or bring one from elsewhere below.")
        section_button("Train an adapter", "Train", key="first_adapter", icon=":material/play_arrow:")


def _trash(current: Settings) -> None:
    """What can be brought back."""
    gone = deleted(current.data)
    if not gone:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            count = "1 adapter is" if len(gone) == 1 else f"{len(gone)} adapters are"
            st.markdown(f":material/delete: {count} deleted and kept for {KEPT_DAYS} days.", width="stretch")
            st.button("Forget for good", key="empty_trash", type="tertiary", on_click=_forget, args=(current,))
        for one in gone[:_TRASH_SHOWN]:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Undo", key=f"undo:{one.id}", icon=":material/undo:", on_click=_restore, args=(current, one))
                st.markdown(f"{escaped(one.name)} \u00b7 {one.at:%-d %b %Y, %H:%M} UTC")
        if len(gone) > _TRASH_SHOWN:
            st.caption(f"and {len(gone) - _TRASH_SHOWN} more")


def _forget(current: Settings) -> None:
    empty_trash(current.data)


def _restore(current: Settings, one: Deleted) -> None:
    try:
        restore(one.id, current.data)
    except BackendError as fault:
        keep_fault(fault)
