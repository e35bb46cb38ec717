"""Recorded answers on the Paid API page: loading a file of them, and which questions it answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from backends.errors import BackendError, disk_faults
from backends.recorded import LARGEST_MB, RecordedAnswer, RecordedAnswers, read_recorded, recorded_answers
from backends.remote.connection_settings import approach_of, section_of
from backends.settings import Settings
from backends.storage.files import prepared, replacing
from ui.resources import ask, override, overrides, settings
from ui.shared import numbers
from ui.shared.tables import plain_frame
from ui.shared.text import escaped, plain

CHOSEN = "connection"
"""The state that says which connection the page is about."""

_FILES, _FAULT = "recorded_files", "recorded_fault"
_LONGEST_NAME = 32


def upload_form() -> None:
    """Draw the box for files of recorded answers, and what was wrong with the last ones."""
    st.caption(
        "What a real model answered earlier, from `crossroads ask --json`, or an OpenAI batch: its output and its "
        "input file together. It becomes a column of its own, labelled as recorded."
    )
    with st.form("form:recorded", border=False, clear_on_submit=True):
        st.file_uploader(
            "Files", type=["json", "jsonl"], accept_multiple_files=True, key=_FILES, max_upload_size=LARGEST_MB
        )
        st.form_submit_button("Load", icon=":material/upload_file:", on_click=_load)
    if fault := st.session_state.get(_FAULT):
        st.error(escaped(fault), icon=":material/error:")


def _load() -> None:
    files: Sequence[UploadedFile] = st.session_state[_FILES] or ()
    st.session_state[_FAULT] = None
    try:
        if not files:
            raise BackendError("No file was chosen.", "Choose one or more, then load them.")
        contents = [(plain(file.name), file.getvalue()) for file in files]
        found = read_recorded(contents)
        models = {model: found.of_model(model) for model in found.models}
        paths = [_kept(content, settings().data) for _, content in contents]
    except BackendError as fault:
        st.session_state[_FAULT] = str(fault)
        return
    for model in reversed(models):  # the page is then about the first
        name = _free_name(model)
        override(f"{section_of(name)}.recorded", ";".join(paths))
        override(f"{section_of(name)}.model", model)
        st.session_state[CHOSEN] = name


def _kept(content: bytes, data: Path) -> str:
    """The file under a name of its content in the data folder."""
    file = prepared(data) / "recorded" / f"{hashlib.sha256(content).hexdigest()[:32]}.json"
    with disk_faults("The file of recorded answers"), replacing(file) as part:
        part.write_bytes(content)
    return str(file)


def _free_name(model: str) -> str:
    """`recorded-gpt-4-1-mini`, without the date of the model, and with a number where there is another of that name."""
    undated = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model)
    stem = re.sub(r"[^a-z0-9]+", "-", f"recorded-{undated}".lower()).strip("-")[: _LONGEST_NAME - 3].strip("-")
    taken = settings().connections
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def recorded_panel(current: Settings, name: str) -> None:
    """Whose answers they are and since when, every question that has one, and a way to ask it."""
    try:
        known = recorded_answers(current, name)
    except BackendError as fault:
        st.error(escaped(str(fault)), icon=":material/error:")
        return
    count = len(known.answers)
    st.markdown(
        f":violet-badge[:material/history: recorded] **{count} {'answer' if count == 1 else 'answers'} of "
        f"{escaped(known.models[0])}**, {escaped(_when(known))}. Nobody is asked, and nothing is charged."
    )
    for note in known.notes:
        st.caption(escaped(note))
    page = approach_of(name)
    st.selectbox(
        "Ask one of these questions",
        [one.question for one in known.answers],
        None,
        format_func=plain,
        key=f"recorded_question:{name}",
        on_change=_ask_recorded,
        args=(page, name),
    )
    st.dataframe(plain_frame([_row(one) for one in known.answers]), hide_index=True, width="stretch")
    if f"{section_of(name)}.recorded" in overrides():
        st.button("Take it away", key=f"recorded_drop:{name}", icon=":material/delete:", on_click=_drop, args=(name,))


def _when(known: RecordedAnswers) -> str:
    days = sorted(one.recorded.at.date() for one in known.answers if one.recorded.at)
    if not days:
        return "recorded at an unknown time"
    return f"recorded {days[0]}" if days[0] == days[-1] else f"recorded {days[0]} to {days[-1]}"


def _row(one: RecordedAnswer) -> dict[str, str]:
    at = one.recorded.at
    return {
        "Question": one.question,
        "Recorded": f"{at:%Y-%m-%d}" if at else numbers.UNKNOWN,
        "Latency": numbers.seconds(one.recorded.timings.latency_s),
        "Cost": numbers.dollars(one.recorded.cost.usd),
        "From": one.recorded.source,
    }


def _ask_recorded(page: str, name: str) -> None:
    if question := st.session_state[f"recorded_question:{name}"]:
        st.session_state[f"question:{page}"] = question
        ask(page, [page], question)


def _drop(name: str) -> None:
    for field in ("recorded", "model"):
        overrides().pop(f"{section_of(name)}.{field}", None)
