"""Which questions a run asks: the sample set, a file, typed ones, those that were asked before, drafted ones, or a
saved set; edited in a table.

What was edited stays in the browser session, for each origin by itself, with every step back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from backends.errors import BackendError
from backends.settings import Settings
from backends.store.database import Store
from evaluation.history import Wanted
from evaluation.history import found as find_asked
from evaluation.marks import person
from evaluation.question_sets import COLUMNS, asked_before, doubts, part_of, row_of, samples_of_rows, tags_of
from evaluation.runs.saved_sets import all_saved, open_set
from evaluation.samples import (
    SAMPLE_QUESTIONS,
    SUFFIXES,
    Sample,
    SheetNotChosen,
    parse_question_set,
    read_question_set,
)
from ui import kept
from ui.evaluate.drafting import draft_questions
from ui.evaluate.page import Evaluation
from ui.evaluate.saved import ORIGIN, SAVED, OpenedSet, choose_saved, saving
from ui.shared.edited_table import HOW, edited_table
from ui.shared.errors import show_fault
from ui.shared.question_upload import loaded_sets
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

SAMPLE, FILE, TYPED, ASKED = "Sample questions", "A file", "Typed here", "Asked before"
DRAFTED = "Drafted from documents"

QUICK = 10
"""Questions of a first run: a minute or two with the default models on two cores."""

_SETS, _UPLOAD, _WORKBOOK, _SHEET = "evaluate_sets", "evaluate_file", "evaluate_workbook", "evaluate_sheet"
_UNREAD = "evaluate_file_fault"
"""The state's key of why the file that lies in the uploader was not read."""
_MAX_MB = 25
_MOST_ASKED = 1_000
_MOST_EDITED = 2_000
_MOST_STEPS = 50
_LEAST_ROWS, _SHOWN_ROWS = 6, 8


@dataclass(frozen=True, slots=True)
class QuestionsInWork:
    """A set as its table shows it. `past` are its earlier states, the last one last; `notes` are about its reading.

    `revision` changes whenever the table is filled anew, which is not when it is edited.
    """

    name: str
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    past: tuple[tuple[Sample, ...], ...] = ()
    revision: int = 0


def choose_questions(page: Evaluation) -> tuple[list[Sample], str] | None:
    """Draw the choice; the questions to be asked and what they are called, None as long as there are none."""
    saved = all_saved(page.store)
    origins = (SAMPLE, FILE, TYPED, ASKED, DRAFTED, *([SAVED] if saved else []))
    if st.session_state.get(ORIGIN) not in origins:
        st.session_state[ORIGIN] = SAMPLE
    origin = st.segmented_control("Questions", origins, required=True, key=ORIGIN, persist_state="session") or SAMPLE
    opened = None
    if origin == FILE:
        _uploader()
    if origin == DRAFTED:
        draft_questions(page.settings, _take_drafts, DRAFTED in _sets())
    if origin == SAVED:
        opened = choose_saved(saved)
        origin = f"{opened.saved.id}:{opened.version.set_hash}"
    held = _held(origin, page, opened)
    if held is None:
        return None
    for note in held.notes:
        st.caption(f":material/info: {escaped(note)}")
    part = _part(origin, held)
    _editor(origin, held)
    saving(page, opened, origin, held.name, held.samples, _moved)
    if not part[0]:
        st.caption("There is no question yet. Add one in the last row of the table.")
        return None
    for sentence in doubts(part[0]):
        st.caption(f":material/info: {escaped(sentence)}")
    return part


def quick_questions() -> tuple[list[Sample], str]:
    """A few of the sample questions, spread over all of them."""
    return part_of(read_question_set(SAMPLE_QUESTIONS), SAMPLE, (), QUICK)


# --- where they come from ---------------------------------------------------------------------------


def _held(origin: str, page: Evaluation, opened: OpenedSet | None) -> QuestionsInWork | None:
    sets = _sets()
    if origin not in sets:
        if opened is not None:
            samples = tuple(open_set(page.store, opened.version))
            found: QuestionsInWork | None = QuestionsInWork(opened.words, samples, revision=_next_revision())
        else:
            found = _first(origin, page.settings, page.store)
        if found is None:
            return None
        sets[origin] = found
    return sets[origin]


def _first(origin: str, current: Settings, store: Store) -> QuestionsInWork | None:
    if origin == SAMPLE:
        return QuestionsInWork(SAMPLE, tuple(read_question_set(SAMPLE_QUESTIONS)))
    if origin == TYPED:
        return QuestionsInWork("Typed questions", ())
    if origin == ASKED:
        now = [one.question.text for one in st.session_state.get(kept.LIVE, {}).values()]
        before = find_asked(store, Wanted(who=person(kept.browser_id())), count=_MOST_ASKED).entries
        found = tuple(asked_before(current.data, [*now, *(one.question for one in before)]))
        if not found:
            st.caption("Nothing was asked in this browser, and no answer was marked yet.")
            return None
        good = sum(bool(sample.reference_answer) for sample in found)
        notes = (f"{good} of them have an answer that was marked good: it is the reference.",) if good else ()
        return QuestionsInWork("Asked before", found, notes)
    return None


def _uploader() -> None:
    st.file_uploader(
        "CSV, TSV, XLSX, JSONL or JSON with a column question",
        type=list(SUFFIXES),
        key=_UPLOAD,
        on_change=_take_file,
        max_upload_size=_MAX_MB,
        help="Also read: reference_answer, key_facts, source, tags, id, cluster (questions that are not independent) "
        "and critical. Facts are separated by semicolons, the ways to say one by a vertical bar.",
    )
    if (fault := st.session_state.get(_UNREAD)) is not None:
        show_fault(fault)
    held: tuple[str, bytes, tuple[str, ...]] | None = st.session_state.get(_WORKBOOK)
    if held is not None:
        name, _, sheets = held
        st.selectbox(
            f"Sheet of {escaped(name)}",
            sheets,
            index=None,
            key=_SHEET,
            on_change=_take_sheet,
            placeholder="more than one has questions: choose",
        )


def _take_drafts(name: str, accepted: list[Sample]) -> None:
    """Put accepted drafts below those that there are."""
    before = _sets().get(DRAFTED, QuestionsInWork(name, ()))
    rows = [*map(row_of, before.samples), *({**row_of(one), "id": ""} for one in accepted)]
    samples = tuple(samples_of_rows(rows, before.samples))
    past = (*before.past, before.samples)[-_MOST_STEPS:] if before.samples else ()
    _sets()[DRAFTED] = replace(before, samples=samples, past=past, revision=_next_revision())


def _take_file() -> None:
    for about_the_last in (_WORKBOOK, _UNREAD):
        st.session_state.pop(about_the_last, None)
    if (file := st.session_state[_UPLOAD]) is not None:
        _take(file.name, file.getvalue())


def _take_sheet() -> None:
    name, content, _ = st.session_state[_WORKBOOK]
    if (sheet := st.session_state[_SHEET]) is not None:
        _take(name, content, sheet)


def _take(name: str, content: bytes, sheet: str | None = None) -> None:
    notes: list[str] = []
    st.session_state.pop(_UNREAD, None)
    try:
        samples = parse_question_set(name, content, notes.append, sheet)
    except SheetNotChosen as several:
        st.session_state[_WORKBOOK] = (name, content, several.sheets)
        _sets().pop(FILE, None)
        return
    except BackendError as fault:
        st.session_state[_UNREAD] = fault
        return
    called = name if sheet is None else f"{name}, sheet {sheet}"
    _sets()[FILE] = QuestionsInWork(called, tuple(samples), tuple(notes), revision=_next_revision())
    loaded_sets()[name] = samples  # answers to them are marked on the pages too


# --- which of them --------------------------------------------------------------------------------


def _part(origin: str, held: QuestionsInWork) -> tuple[list[Sample], str]:
    known = tags_of(held.samples)
    most: int | None = QUICK if origin == SAMPLE else None
    chosen: Sequence[str] = ()
    if len(held.samples) > 1:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            most = st.number_input(
                f"How many of {len(held.samples):,}",
                min_value=1,
                value=most,
                key=f"evaluate_most:{origin}",
                placeholder="all",
                width=170,
                persist_state="session",
                help="Spread evenly over the set, so that every part of it has its share. Empty: all.",
            )
            if known:
                chosen = st.multiselect(
                    "Only with these tags",
                    known,
                    key=f"evaluate_tags:{origin}",
                    placeholder="all tags",
                    persist_state="session",
                )
    return part_of(held.samples, held.name, [tag for tag in chosen if tag in known], most)


# --- the table ------------------------------------------------------------------------------------

_CONFIG: dict[str, Any] = {  # all fit into a window of 800 pixels; in a wider one, each gets as much more
    "id": None,
    "question": st.column_config.TextColumn("Question", width=150),
    "reference_answer": st.column_config.TextColumn("Reference answer", width=150),
    "key_facts": st.column_config.TextColumn("Key facts", width=95, help="fact; other fact | said in another way"),
    "tags": st.column_config.TextColumn("Tags", width=60),
    "source": st.column_config.TextColumn("Source", width=80),
    "cluster": st.column_config.TextColumn("Cluster", width=70, help="Questions that are not independent share one"),
    "critical": st.column_config.CheckboxColumn(
        "Critical", width=60, default=False, help="No answer to it may become wrong"
    ),
}


def _editor(origin: str, held: QuestionsInWork) -> None:
    words = "Type the questions" if origin == TYPED else f"See and edit the questions ({len(held.samples):,})"
    opened = st.expander(
        words,
        icon=":material/edit_note:",
        expanded=origin in (TYPED, FILE),
        key=f"evaluate_table:{origin}",
        on_change="rerun",
    )
    if not opened.open:
        return
    with opened:
        if len(held.samples) > _MOST_EDITED:
            st.dataframe(_frame(held.samples[:_MOST_EDITED]), column_config=_CONFIG, hide_index=True, alt="Questions")
            st.caption(f"The first {_MOST_EDITED:,} of {len(held.samples):,}. So many are edited in their file.")
            return
        _table(origin, held)


def _table(origin: str, held: QuestionsInWork) -> None:
    key = f"evaluate_edit:{origin}:{held.revision}"
    base = f"evaluate_base:{origin}"
    edited = edited_table(
        key,
        base,
        lambda: _frame(held.samples),
        columns=_CONFIG,
        rows=(_LEAST_ROWS, _SHOWN_ROWS),
        alt="The questions, to edit, add and remove",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Undo",
            key=f"evaluate_undo:{origin}",
            icon=":material/undo:",
            on_click=_undo,
            args=(origin,),
            disabled=not held.past,
        )
        st.caption(HOW)
    rows = ({str(name): value for name, value in row.items()} for row in edited.to_dict("records"))
    samples = tuple(samples_of_rows(rows, held.samples))
    if samples != held.samples:
        past = (*held.past, held.samples)[-_MOST_STEPS:]
        _sets()[origin] = replace(held, samples=samples, past=past, name=_edited(held.name))
        st.rerun()  # what is drawn above depends on it


def _edited(name: str) -> str:
    return name if name.endswith(", edited") or name == "Typed questions" else f"{name}, edited"


def _undo(origin: str) -> None:
    held = _sets()[origin]
    name = held.name if len(held.past) > 1 else held.name.removesuffix(", edited")
    _sets()[origin] = replace(held, name=name, samples=held.past[-1], past=held.past[:-1], revision=_next_revision())


def _frame(samples: Sequence[Sample]) -> pd.DataFrame:
    columns: dict[str, list[object]] = {name: [] for name in COLUMNS}
    for sample in samples:
        for name, value in row_of(sample).items():
            columns[name].append(value)
    frame = plain_frame(columns)
    return frame.astype({name: "boolean" if name == "critical" else "str" for name in COLUMNS})


def _moved(origin: str, to: str, name: str) -> None:
    """The table of `origin` belongs to `to` from now on, under that name, with every step back."""
    if (held := _sets().pop(origin, None)) is not None:
        _sets()[to] = replace(held, name=name, revision=_next_revision())


def _sets() -> dict[str, QuestionsInWork]:
    return st.session_state.setdefault(_SETS, {})


def _next_revision() -> int:
    number: int = st.session_state.get("evaluate_revision", 0) + 1
    st.session_state["evaluate_revision"] = number
    return number
