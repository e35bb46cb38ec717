"""The page of one approach: ask it alone, its settings, what it is, and what happened inside."""

from __future__ import annotations

import streamlit as st

from backends.base import Answer
from ui import settings_panel
from ui.answer_column import AnswerColumn
from ui.approaches import look_of
from ui.ask_box import ask_box, stop_button
from ui.resources import live, settings
from ui.shell import open_page
from ui.stand_in_offer import stand_in_offer
from ui.text import escaped

_TRACES = {
    "prompt": "Prompt as sent, after the chat template",
    "request": "Request as sent, without the key",
    "adapter": "The adapter that answered",
    "weights": "The weights that answered",
    "search": "What the search found: rank and score of each stage",
}


def approach_page(approach: str) -> None:
    """Draw the whole page."""
    look = look_of(approach)
    open_page(look.name, look.what)
    ask_section(approach)


def ask_section(approach: str) -> None:
    """Ask the approach alone, with its settings beside the answer."""
    main, side = st.columns([2, 1], gap="large")
    with side:
        _explain(approach)
        with st.container(border=True):
            st.markdown("##### Settings of this approach")
            settings_panel.PANELS[approach](settings())
        if approach == "paid_api":
            comparison = live(approach)
            stand_in_offer(settings(), comparison.question.text if comparison else None, approach)
    with main:
        ask_box(approach, (approach,))
        _answer(approach)


def _explain(approach: str) -> None:
    look = look_of(approach)
    st.markdown(f"{look.title}")
    st.markdown(f":material/thumb_up: **Choose it** {look.choose}")
    st.markdown(f":material/thumb_down: **Leave it** {look.avoid}")


def _answer(approach: str) -> None:
    comparison = live(approach)
    intro = st.empty()
    if comparison is None:
        intro.info(
            "Ask a question or click a sample: the answer, its timing, its cost and what happened inside show here."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(escaped(comparison.question.text[:500]), anchor=False, width="stretch")
        stop = stop_button(approach)
    column = AnswerColumn(st.container(border=True), approach, text_height=260)
    column.draw(comparison.columns[0])
    inside = st.empty()
    comparison.start()
    while not comparison.wait(0.1):
        column.draw(comparison.columns[0])
    stop.empty()
    column.draw(comparison.columns[0], question=comparison.question.text)
    with inside.container():
        for answer in comparison.answers:
            _inside(answer)


def _inside(answer: Answer) -> None:
    st.subheader("What happened inside", anchor=False)
    usage = answer.usage
    counted = {
        "prompt tokens": usage.prompt_tokens,
        "completion tokens": usage.completion_tokens,
        "cached tokens": usage.cached_tokens,
        "reasoning tokens": usage.reasoning_tokens,
        "counted by": usage.source,
        "finish reason": answer.finish_reason,
    }
    st.table({name: str(value) if value is not None else "\u2014" for name, value in counted.items()})
    for trace in answer.traces:
        with st.expander(_TRACES.get(trace.name, trace.name), expanded=trace.name in ("prompt", "request")):
            st.code(trace.value, language=None, wrap_lines=True)
