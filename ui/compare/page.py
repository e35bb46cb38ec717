"""The compare page: one question, every approach side by side, and what that shows."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.base import Answer
from backends.registry import approaches, spec_of
from ui.ask.answers import Answers, side_by_side
from ui.ask.bar import QuestionBar, again_button, is_folded
from ui.ask.box import ask_box, chosen, draw_spent
from ui.ask.judging import Judge, judged
from ui.ask.nearest import show_nearest
from ui.ask.raise_cap import raise_cap
from ui.compare import audience, overview
from ui.costs.ledger_fault import unrecorded_once
from ui.rag.query import search_for
from ui.resources import fulfil_wish, live, settings
from ui.shared.approaches import title_of
from ui.shared.sections import KEY
from ui.shared.text import escaped
from ui.shell import open_page

PAGE = "compare"


def compare_page() -> None:
    """Draw the whole page. Once something was asked, all but the question and its answers folds away."""
    folded = is_folded(PAGE)
    open_page(
        "Crossroads",
        "One question, four ways to use a language model: answers, latency and cost side by side.",
        folded=folded,
    )
    known = approaches(settings())
    box, draw_costs = st.empty(), None  # what is left empty clears at once, not when the answers are there
    if not folded:
        with box.container():
            draw_costs = ask_box(PAGE, known, choose=True)
    comparison = live(PAGE)
    intro = st.empty()
    if comparison is None:
        with intro.container():
            _introduce(chosen(PAGE, known))
        return
    vote = audience.vote_on(comparison)
    if vote is not None and vote.hides_names:
        audience.draw_blind(comparison, vote)
        return
    bar, judge = QuestionBar(PAGE, comparison), Judge(comparison.question)
    judge.explain()
    broken = st.empty()
    shown = Answers(PAGE, comparison, judge=judge)
    spent, across = st.empty(), st.empty()
    offered: set[str] = set()

    def offer_at_once(answer: Answer) -> None:
        if spec_of(answer.approach).offer:
            offered.add(answer.approach)
            with shown.below(answer.approach):
                _offer(answer, comparison.question.text)

    shown.watch(offer_at_once)
    fulfil_wish(PAGE)
    bar.finish()
    if draw_costs:
        draw_costs()
    else:
        draw_spent(spent, PAGE, known)
        unrecorded_once(settings())
    answers = shown.answers
    if failed := [overview.name_of(answer) for answer in answers if answer.status == "error"]:
        broken.caption(f":material/error: {escaped(', '.join(failed))} failed: the column says why.")
    verdicts = judged(answers, judge)
    marked = overview.best(answers, verdicts)
    shown.finish({answer.approach: overview.marks_of(answer.approach, marked) for answer in answers})
    for answer in answers:
        again_button(PAGE, answer.approach, shown.corner(answer.approach))
        with shown.under_text(answer.approach):
            show_nearest(PAGE, answer)
            judge.ask_reader(answer)
        if answer.approach not in offered:
            with shown.below(answer.approach):
                _go_on(answer, answers, comparison.question.text)
    with across.container():
        if vote is not None:
            audience.show(vote)
        overview.show(answers, verdicts, marked)
        if vote is None:
            audience.offer(comparison)


def _introduce(chosen: Sequence[str]) -> None:
    """What takes part, before anything was asked."""
    with side_by_side(len(chosen)):
        for approach in chosen:
            spec = spec_of(approach)
            with st.container(border=True, height="stretch"):
                st.markdown(f"## {title_of(approach)}", anchors=False)
                st.caption(spec.what)
                if offer := spec.loaded("offer"):
                    offer(settings(), None, PAGE)


def _go_on(answer: Answer, answers: Sequence[Answer], question: str) -> None:
    """Under an answer: what helps where it could not be given."""
    if answer.sources and st.button(
        "Search for it",
        key=f"search:{PAGE}:{answer.approach}",
        icon=":material/search:",
        help="The same question on the RAG page: what each way of searching finds.",
        on_click=search_for,
        args=(question,),
    ):
        st.switch_page("pages/rag.py", query_params={KEY: "Search"})  # the address at once: Back leads here
    raise_cap(PAGE, answer, answers)
    _offer(answer, question)


def _offer(answer: Answer, question: str) -> None:
    """What helps an approach that nobody could be asked for, and who stands in for it."""
    if offer := spec_of(answer.approach).loaded("offer"):
        offer(settings(), question, PAGE)
