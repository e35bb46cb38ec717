"""What is shown of a run, as the address names it: every filter, every row and every cell is a link to be shared.

The address is the only place where this is kept: widgets are set from it before they are drawn, and change it.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import streamlit as st

from evaluation.runs.matrix import SHOWS, Wanted
from evaluation.runs.model import Run
from ui.evaluate.page import ANSWERS, KEY, RUN, RUNS, Evaluation
from ui.shared.sections import open_section

BASELINE, QUESTION, APPROACH, REPEAT, FIRST = "baseline", "question", "approach", "repeat", "first"
"""The approach that others are compared with; the cell that is open (the question by its id, the repeat from 1); the
number of the first row that is shown, from 1."""

_SHOWN = "evaluate:shown_run"
_LONGEST = 200  # characters of a word from the address
_NAMED = tuple(one.name for one in fields(Wanted))


def show_run(run: Run) -> None:
    """Say which run is shown: from now on, what is put into the address is of that run, also when there is a newer."""
    st.session_state[_SHOWN] = run.id


def run_to_show(page: Evaluation, without: str) -> Run | None:
    """The run that a section shows, which `show_run` is told; where there is none, what stands here and its button."""
    if page.run is None:
        st.info(without)
        st.button("Begin a run", type="primary", on_click=open_section, args=(RUNS.name, KEY), key="begin_a_run")
        return None
    show_run(page.run)
    return page.run


def wanted_in_address(run: Run) -> Wanted:
    """Which questions the address asks for; what it names wrongly is as if it was not named."""
    said = {name: st.query_params[name][:_LONGEST] for name in _NAMED if st.query_params.get(name)}
    ids = [one.approach for one in run.approaches]
    for name in ("of", "against"):
        if said.get(name) not in ids:
            said.pop(name, None)
    if said.get("show") not in SHOWS:
        said.pop("show", None)
    return complete(run, Wanted(**said))  # type: ignore[arg-type]


def complete(run: Run, wanted: Wanted) -> Wanted:
    """The same with the approaches that it cannot do without."""
    ids = [one.approach for one in run.approaches]
    if wanted.show != "split":
        return replace(wanted, against="")
    of = wanted.of or ids[0]
    against = wanted.against if wanted.against and wanted.against != of else next((id for id in ids if id != of), of)
    return replace(wanted, of=of, against=against)


def put_in_address(wanted: Wanted) -> None:
    """Make the address ask for these questions, from the first one on. For callbacks."""
    ordinary = Wanted()
    for name in _NAMED:
        _put(name, "" if (value := getattr(wanted, name)) == getattr(ordinary, name) else value)
    _put(FIRST, "")


def open_answers(wanted: Wanted) -> None:
    """Go from a figure to the questions behind it. For callbacks."""
    put_in_address(wanted)
    close_cell()
    open_section(ANSWERS.name, KEY)


def open_cell(question: str, approach: str, repeat: int = 0) -> None:
    """Go to an answer; `repeat` counts from 0. For callbacks."""
    _put(QUESTION, question)
    _put(APPROACH, approach)
    _put(REPEAT, str(repeat + 1) if repeat else "")


def close_cell() -> None:
    """Go back to the questions. For callbacks."""
    for name in (QUESTION, APPROACH, REPEAT):
        _put(name, "")


def number_in_address(name: str, most: int) -> int:
    """A whole number from 1 to `most`; 1 where the address names none."""
    said = st.query_params.get(name, "")
    return min(max(1, int(said)), most) if said.isdecimal() and len(said) < 10 else 1


def put_number(name: str, number: int) -> None:
    """Make the address name a number; it goes without 1. For callbacks."""
    _put(name, str(number) if number > 1 else "")


def choice_from_address(label: str, name: str, options: list[str], **more: Any) -> str:
    """A select box whose choice is a parameter of the address, which goes without the first option."""
    key = f"evaluate:{name}"
    said = st.query_params.get(name)
    st.session_state[key] = said if said in options else options[0]
    chosen = st.selectbox(label, options, key=key, on_change=_chosen, args=(name, key, options[0]), **more)
    return str(chosen)


def _chosen(name: str, key: str, first: str) -> None:
    value = st.session_state[key]
    _put(name, "" if value == first else value)


def _put(name: str, value: str) -> None:
    if RUN not in st.query_params and (shown := st.session_state.get(_SHOWN)):
        st.query_params[RUN] = shown
    if not value:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
