"""The compare page: one question, every approach side by side, and what that shows."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.base import Answer
from backends.registry import approaches, spec_of
from ui.ask.answers import Answers, side_by_side
from ui.ask.box import ask_box
from ui.ask.raise_cap import raise_cap
from ui.compare import overview
from ui.resources import live, settings
from ui.shared.approaches import title_of
from ui.shell import open_page

PAGE = "compare"


def compare_page() -> None:
    """Draw the whole page."""
    open_page("Crossroads", "One question, four ways to use a language model: answers, latency and cost side by side.")
    known = approaches(settings())
    draw_costs = ask_box(PAGE, known, choose=True)
    comparison = live(PAGE)
    intro = st.empty()  # what is left empty here clears at once; Streamlit would let old elements fade until the end
    if comparison is None:
        with intro.container():
            _introduce(st.session_state.get(f"chosen:{PAGE}") or known)
        return
    shown = Answers(PAGE, comparison)
    across = st.empty()
    shown.watch()
    draw_costs()
    answers = shown.answers
    marked = overview.best(answers)
    shown.finish({answer.approach: overview.marks_of(answer.approach, marked) for answer in answers})
    for answer in answers:
        with shown.below(answer.approach):
            _go_on(answer, answers, comparison.question.text)
    with across.container():
        overview.show(answers, marked)


def _introduce(chosen: Sequence[str]) -> None:
    """What takes part, before anything was asked."""
    with side_by_side(len(chosen)):
        for approach in chosen:
            spec = spec_of(approach)
            with st.container(border=True, height="stretch"):
                st.markdown(f"#### {title_of(approach)}", anchors=False)
                st.caption(spec.what)
                if offer := spec.loaded("offer"):
                    offer(settings(), None, PAGE)


def _go_on(answer: Answer, answers: Sequence[Answer], question: str) -> None:
    """Under an answer: what helps where it could not be given."""
    raise_cap(PAGE, answer, answers)
    if offer := spec_of(answer.approach).loaded("offer"):
        offer(settings(), question, PAGE)
