"""Adapters from elsewhere: from the Hub, a zip file, or a folder of this machine."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from backends import jobs
from backends.base import BackendError
from backends.fine_tuned import adapter_jobs
from backends.fine_tuned.adapter_import import import_folder, import_zip
from backends.settings import Settings
from ui.job_view import job_view
from ui.rag.opened import keep_fault
from ui.text import escaped

_HUB, _ZIP, _FOLDER = "import_hub", "import_zip", "import_folder"
_TOLD = "imported_adapter"
_MAX_MB = 1000


def import_panel(current: Settings) -> None:
    """Draw the three ways, and what came of the last one."""
    if told := st.session_state.pop(_TOLD, None):
        st.success(f"**{escaped(told)}** is in the list.", icon=":material/check_circle:")
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
