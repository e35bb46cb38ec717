"""The Evaluate page: its sections, and the run that is open, which is part of the address."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from backends.errors import BackendError
from backends.settings import Settings
from backends.store.database import Store, store_file
from evaluation.marks import marks
from evaluation.runs.marks import take_thumbs
from evaluation.runs.model import Run
from evaluation.runs.records import all_runs, find_run
from ui.resources import settings
from ui.shared.errors import show_fault, show_kept_fault
from ui.shared.sections import Section, chosen_section, open_section, wanted_section
from ui.shell import name_tab, open_page

KEY = "evaluate"
"""The parameter of the address that names the section."""

RUN = "run"
"""The parameter of the address that names the run that is open."""

RUNS = Section("Runs", "ui.evaluate.runs:draw")
RESULTS = Section("Results", "ui.evaluate.results:draw")
ANSWERS = Section("Answers", "ui.evaluate.answers:draw")
COMPARE_RUNS = Section("Compare runs", "ui.evaluate.compare_runs:draw")
RATINGS = Section("Ratings", "ui.evaluate.ratings:draw")
DECIDE = Section("Decide", "ui.evaluate.decide:draw")
SECTIONS = (RUNS, RESULTS, ANSWERS, COMPARE_RUNS, RATINGS, DECIDE)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the sections are given. `run` is the one that the address names, or else the newest; None without any."""

    settings: Settings
    store: Store
    run: Run | None


def evaluate_page() -> None:
    """Draw the choice and the section that is open."""
    what = "A question set through every approach: who is right, how sure that is, and what it cost."
    read = [one.name for one in SECTIONS if one is not RUNS]  # the room there is for the figures
    open_page("Evaluate", what, folded=wanted_section(KEY) in read)
    section = chosen_section(SECTIONS, KEY)
    name_tab("Evaluate", section.name)
    show_kept_fault()
    current = settings()
    try:
        store = opened_store(current)
        run = _run_in_force(store)
        _take_thumbs(current, store, run)
        section.draw(Evaluation(current, store, run))
    except BackendError as fault:
        show_fault(fault)
        st.button("Try again", key="try_again", icon=":material/refresh:")


def _take_thumbs(current: Settings, store: Store, run: Run | None) -> None:
    """What was said of the run's answers on other pages counts here too; that it cannot be read keeps nobody out."""
    if run is None:
        return
    try:
        take_thumbs(store, run, marks(current.data))
    except BackendError as fault:
        show_fault(fault)


def opened_run() -> str | None:
    """The id of the run that the address names; None if it names none."""
    return st.query_params.get(RUN) or None


def run_label(run: Run) -> str:
    """When it began, its question set, and the end of its id."""
    return f"{run.created_at:%Y-%m-%d %H:%M} UTC \u00b7 {run.set_name} \u00b7 {run.id[-6:]}"


def open_run(id: str | None, section: Section = RESULTS) -> None:
    """Go to a run, in a section of this page; without an id, to none. For callbacks."""
    if id is None:
        st.query_params.pop(RUN, None)
    else:
        st.query_params[RUN] = id
    open_section(section.name, KEY)


def opened_store(current: Settings) -> Store:
    """The store in force, one for all that this process does with it. Raises `BackendError` for a wrong address."""
    url = current.store.url
    return opened_stores(str(store_file(current.data)), url.get_secret_value() if url else "", current)


@st.cache_resource(show_spinner=False, max_entries=4, on_release=Store.close)
def opened_stores(file: str, url: str, _settings: Settings) -> Store:
    """A store for each place, one for all sessions; those that are not asked for any more are closed."""
    return Store(_settings)


def _run_in_force(store: Store) -> Run | None:
    """The run that is open. A run that is not there is said, and the newest one is shown."""
    if (wanted := opened_run()) is not None:
        try:
            return find_run(store, wanted)
        except BackendError as fault:
            show_fault(BackendError(fault.cause, "The newest run is shown."))
    return next(iter(all_runs(store)), None)
