"""The section Decide: what somebody needs, and which approach follows from the run that is open."""

from __future__ import annotations

import streamlit as st

from evaluation.decision import Candidate, Decision, Gap, Needs, Standing, decide, decision_words, usd_words
from evaluation.judging import RIGHT
from evaluation.runs.matrix import Wanted
from ui.evaluate.address import open_answers, run_to_show
from ui.evaluate.figures import name_of
from ui.evaluate.page import Evaluation, run_label
from ui.evaluate.results import kept_as_it_is, reading_of, result_in
from ui.shared.tables import literal_table
from ui.shared.text import escaped

_MARKS: dict[Standing, str] = {"meets": "yes", "fails": "no", "unsure": "not sure", "unknown": "unknown"}


def draw(page: Evaluation) -> None:
    """Draw the section."""
    run = run_to_show(page, "Which approach to take stands here, once a run has measured them. There is none yet.")
    if run is None:
        return
    kept = kept_as_it_is(page, run)
    asked, said = st.columns([1, 2], gap="large")
    with asked:
        needs = _needs()
    found = decide(reading_of(kept.mark, (RIGHT,), kept), result_in(kept.mark, (RIGHT,), "", kept), needs)
    with said:
        st.caption(escaped(run_label(run)))
        _advice(found)
    _candidates(found)


def _needs() -> Needs:
    """What the person needs, as it was chosen in this browser session."""
    st.markdown("## What you need", anchors=False)
    wrong = st.number_input(
        "A wrong answer costs, USD", 0.0, 10_000.0, 0.05, 0.01, key="need_wrong", persist_state="session",
        help="What it costs you if somebody acts on it, or has to ask a colleague.",
    )  # fmt: skip
    hour = st.number_input(
        "An hour of waiting costs, USD", 0.0, 1_000.0, 0.0, 5.0, key="need_hour", persist_state="session"
    )
    stays = st.toggle("Data may not leave this machine", key="need_stays", persist_state="session")
    right = _limit("At least so much right, %", "need_right", 50.0, 100.0)
    first = _limit("First text within, seconds", "need_first", 2.0, 600.0)
    month = _limit("At most, USD a month", "need_month", 100.0, 1_000_000.0)
    questions = 10_000
    if month is not None:
        questions = st.number_input(
            "Questions a month", 1, 1_000_000_000, 10_000, 1_000, key="need_questions", persist_state="session"
        )
    return Needs(stays, month, questions, first, None if right is None else right / 100, wrong, hour)


def _limit(label: str, key: str, value: float, most: float) -> float | None:
    """A limit that counts once it is switched on."""
    if not st.toggle(label, key=key, persist_state="session"):
        return None
    return st.number_input(
        label, 0.0, most, value, key=f"{key}:value", label_visibility="collapsed", persist_state="session"
    )


def _advice(found: Decision) -> None:
    headline, *rest = decision_words(found)
    st.markdown(f"## {escaped(headline)}", anchors=False)
    for sentence in rest:
        st.markdown(escaped(sentence))
    with st.container(horizontal=True):
        for gap in found.gaps:
            _swings(gap)
    st.caption(
        "Costs are those of answering; training, an idle machine and documents are on the Costs page. Prices of wrong "
        "answers and of waiting are yours. Intervals are over questions, by their clusters."
    )


def _swings(gap: Gap) -> None:
    """The answers that carry the difference: those where just one of the two is right."""
    if gap.split:
        st.button(
            f"The {gap.split:,} questions that part {escaped(name_of(gap.approach))} and {escaped(name_of(gap.other))}",
            key=f"swing:{gap.other}",
            type="tertiary",
            icon=":material/arrow_forward:",
            on_click=open_answers,
            args=(Wanted("disagree", scorer=RIGHT),),
        )


def _candidates(found: Decision) -> None:
    st.markdown("## What it rests on", anchors=False)
    literal_table([_row(one) for one in found.candidates])


def _row(one: Candidate) -> dict[str, str]:
    total = "unknown" if one.total is None else _dollars(one.total.value)
    row = {
        "Approach": name_of(one.approach),
        "USD per 1,000, all in": total if one.total is not None else f"unknown: {one.why}",
        "Answers": _dollars(one.answering),
        "Wrong answers": _dollars(one.wrong),
        "Waiting": _dollars(one.waiting),
    }
    return row | {check.what: f"{_MARKS[check.standing]}: {check.words}" for check in one.checks}


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else usd_words(value)
