"""The section Answers: every question of the run that is open with every answer, filtered, a page at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from backends.base import STATUS_WORDS
from backends.registry import spec_of
from evaluation.judging import RIGHT
from evaluation.runs.about import stand_ins
from evaluation.runs.marks import in_words
from evaluation.runs.matrix import BEGINNING, Row, Show, Summary, Wanted, page_of, tags_of
from evaluation.runs.model import Run
from evaluation.runs.records import all_runs
from evaluation.scorers import scorers
from evaluation.scorers import title_of as scorer_title
from ui.evaluate import cell
from ui.evaluate.address import (
    FIRST,
    QUESTION,
    complete,
    number_in_address,
    open_cell,
    put_in_address,
    put_number,
    run_to_show,
    wanted_in_address,
)
from ui.evaluate.cell import ICONS, standing_words
from ui.evaluate.page import Evaluation, run_label
from ui.shared.approaches import title_of
from ui.shared.text import escaped, plain, shortened

_ROWS = 20  # questions on a page
_SHOWN = 110  # characters of an answer in the matrix

SHOWN: dict[Show, str] = {
    "all": "All questions",
    "disagree": "They disagree",
    "split": "One right, the other not",
    "wrong": "Not right",
    "right": "Right",
    "failed": "Failed",
    "missing": "Missing",
    "unscored": "Without a score",
    "worse": "Worse than in another run",
    "marked": "Marked by people",
    "contested": "People and the score differ",
    "slowest": "Slowest answer first",
    "latest": "Slowest first text first",
    "dearest": "Dearest first",
    "lowest": "Lowest score first",
}

_BY_SCORE: tuple[Show, ...] = ("disagree", "split", "wrong", "right", "unscored", "worse", "contested", "lowest")


def draw(page: Evaluation) -> None:
    """Draw the section: the filters and the matrix, or the answer that is open."""
    words = "Every answer of a run stands here, beside the reference and the other answers. There is no run yet."
    if (run := run_to_show(page, words)) is None:
        return
    wanted, others = _with_earlier(page, run, wanted_in_address(run))
    earlier = others.get(wanted.than)
    if QUESTION in st.query_params and cell.draw(page, run, wanted, earlier):
        return
    if not run.keeps_texts:
        st.info(
            "The texts of this run were not kept (store.keep_texts): how answers stand, times and costs are here, "
            "their words are not.",
            icon=":material/visibility_off:",
        )
    st.caption(escaped(run_label(run)))
    _filters(page, run, wanted, others)
    cell.undo_button(page, run)
    _matrix(page, run, wanted, earlier)


def _with_earlier(page: Evaluation, run: Run, wanted: Wanted) -> tuple[Wanted, dict[str, Run]]:
    """With the run to compare with, where one is: the one before if the address names none. And all there are."""
    if wanted.show != "worse":
        return wanted, {}
    others = {one.id: one for one in all_runs(page.store) if one.id != run.id}
    if not others:
        return wanted, {}
    before = next((one.id for one in others.values() if one.created_at < run.created_at), next(iter(others)))
    return replace(wanted, than=wanted.than if wanted.than in others else before), others


# --- filters --------------------------------------------------------------------------------------


def _filters(page: Evaluation, run: Run, wanted: Wanted, others: dict[str, Run]) -> None:
    """Draw them as the address has them. `others` are the runs that can be compared with."""
    ids = [one.approach for one in run.approaches]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shows = [show for show in SHOWN if show not in ("split", "disagree") or len(ids) > 1]
        _select("Show", "show", shows, wanted, run, format_func=SHOWN.__getitem__, width=220)
        if wanted.show == "split":
            _select("Right", "of", ids, wanted, run, format_func=_name, width=155)
            rest = [id for id in ids if id != wanted.of]
            _select("Not right", "against", rest, wanted, run, format_func=_name, width=155)
        elif wanted.show not in ("all", "disagree"):
            _select("Of", "of", ["", *ids], wanted, run, format_func=_name_or_any, width=155)
        if wanted.show == "worse" and others:
            _select("Than in", "than", list(others), wanted, run, format_func=_run_name(others), width=260)
        if wanted.show in _BY_SCORE or wanted.scorer != RIGHT:
            names = dict.fromkeys((*(one.name for one in scorers()), wanted.scorer))
            _select("By", "scorer", list(names), wanted, run, format_func=_scorer, width=165)
        if tags := tags_of(page.store, run):
            _select("Tag", "tag", ["", *tags], wanted, run, format_func=_tag, width=150)
        st.session_state["answers:find"] = wanted.find
        st.text_input(
            "Find",
            key="answers:find",
            placeholder="words of a question or an answer",
            icon=":material/search:",
            width=190,
            on_change=_changed,
            args=("find", wanted, run),
        )


def _select(label: str, name: str, options: list[Any], wanted: Wanted, run: Run, **more: Any) -> None:
    key, value = f"answers:{name}", getattr(wanted, name)
    st.session_state[key] = value if value in options else options[0]
    st.selectbox(label, options, key=key, on_change=_changed, args=(name, wanted, run), **more)


def _changed(name: str, wanted: Wanted, run: Run) -> None:
    changed = replace(wanted, **{name: st.session_state[f"answers:{name}"]})
    if name == "show":  # what was chosen for another list does not hold for this one
        changed = replace(changed, of="", against="", than="")
    put_in_address(complete(run, changed))


def _run_name(runs: dict[str, Run]) -> Any:
    return lambda id: plain(f"{id}, {runs[id].set_name}")


def _name(approach: str) -> str:
    return plain(spec_of(approach).name)


def _name_or_any(approach: str) -> str:
    return _name(approach) if approach else "any approach"


def _scorer(name: str) -> str:
    return plain(scorer_title(name))


def _tag(tag: str) -> str:
    return plain(tag) if tag else "any tag"


# --- the matrix -----------------------------------------------------------------------------------


def _matrix(page: Evaluation, run: Run, wanted: Wanted, earlier: Run | None) -> None:
    if wanted.show == "worse" and earlier is None:
        st.info("There is no other run to compare with.")
        return
    first = number_in_address(FIRST, run.questions)
    found = page_of(page.store, run, wanted, first - 1, _ROWS, earlier)
    if found.total and not found.rows:  # an address from before, when there were more
        first, found = 1, page_of(page.store, run, wanted, 0, _ROWS, earlier)
    if not found.total:
        st.info("No question is like that." if wanted != Wanted() else "The question set is empty.")
        return
    _pager(first, len(found.rows), found.total, run.questions)
    widths = [1.3, *([1.0] * len(run.approaches))]
    with st.container(key="matrix-head"):
        for column, head in zip(st.columns(widths), ["**Question**", *_heads(page, run)], strict=True):
            column.markdown(head, anchors=False)
    for row in found.rows:
        with st.container(border=True):
            question, *answers = st.columns(widths)
            with question, st.container(gap="xxsmall"):
                _question(row)
            for column, (approach, one) in zip(answers, row.answers.items(), strict=True):
                with column, st.container(gap="xxsmall"):
                    _answer(row, approach, one, run)


def _heads(page: Evaluation, run: Run) -> list[str]:
    """The names of the approaches, and in whose place a stand-in answered."""
    away = stand_ins(page.store, run)
    badge = " :orange-badge[:material/swap_horiz: stand-in]"
    return [title_of(one.approach) + (badge if one.approach in away else "") for one in run.approaches]


def _pager(first: int, shown: int, total: int, questions: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Previous page",
            key="previous_page",
            icon=":material/chevron_left:",
            on_click=put_number,
            args=(FIRST, max(1, first - _ROWS)),
            disabled=first == 1,
        )
        st.button(
            "Next page",
            key="next_page",
            icon=":material/chevron_right:",
            on_click=put_number,
            args=(FIRST, first + _ROWS),
            disabled=first + _ROWS > total,
        )
        of_all = f" of {questions:,} in the set" if total < questions else ""
        st.markdown(f"Questions {first:,} to {first + shown - 1:,} of **{total:,}**{of_all}", width="content")


def _question(row: Row) -> None:
    badges = " :red-badge[critical]" if row.critical else ""
    st.markdown(f"**{escaped(row.id)}**{badges}")
    st.markdown(escaped(shortened(row.question, BEGINNING)) if row.question else "its text was not kept")
    if row.tags:
        st.caption(escaped(", ".join(row.tags)))


def _answer(row: Row, approach: str, one: Summary, run: Run) -> None:
    st.button(
        standing_words(one, run.repeats),
        key=f"cell:{row.position}:{approach}",
        type="tertiary",
        icon=ICONS[one.standing],
        on_click=open_cell,
        args=(row.id, approach),
        help="Show this answer",
    )
    if one.standing == "failed":
        st.caption(escaped(shortened(one.error or "no reason is known", _SHOWN)))
    elif one.text:
        cut = f"{STATUS_WORDS[one.status]}: " if one.status not in (None, "ok") else ""
        st.caption(f"{cut}{escaped(_beginning(one.text))}")
    if one.said:
        st.caption(f":material/person: {escaped(in_words(one.said))}")


def _beginning(text: str) -> str:
    """How an answer begins, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN and len(text) < BEGINNING else f"{line[:_SHOWN].rsplit(' ', 1)[0]}\u00a0\u2026"
