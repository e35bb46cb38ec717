"""The page of one approach: ask it alone, its settings, what it is, and what happened inside."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.base import Answer
from backends.registry import spec_of
from ui.ask.answers import Answers
from ui.ask.bar import stop_button
from ui.ask.box import ask_box
from ui.ask.judging import Judge
from ui.ask.nearest import show_nearest
from ui.ask.raise_cap import raise_cap
from ui.ask.section_panel import section_panel
from ui.resources import fulfil_wish, live, settings
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.sections import Section, chosen_section
from ui.shared.tables import literal_table
from ui.shared.text import escaped, plain
from ui.shell import name_tab, open_page

_TRACES = {
    "prompt": "Prompt as sent, after the chat template",
    "request": "Request as sent, without the key",
    "reasoning": "Reasoning, as it came",
    "adapter": "The adapter that answered",
    "weights": "The weights that answered",
    "search": "What the search found: rank and score of each stage",
}


_QUESTION_SHOWN = 500  # characters
_TEXT_LENGTH = 1_000  # characters: one column is twice as wide as four

_ASK = Section("Ask", "ui.ask.page:ask_section")


def approach_page(approach: str, sections: Sequence[Section] = (), scripted: str = "") -> None:
    """Draw the whole page: asking the approach, and behind that its `sections`, which are given the settings.

    `scripted` is shown in place of a section where answers come from a script.
    """
    spec = spec_of(approach)
    open_page(spec.name, spec.what)
    opened = chosen_section((_ASK, *sections)) if sections else _ASK
    name_tab(spec.name, opened.name if sections else "")
    if opened is _ASK:
        ask_section(approach)
    elif settings().scripted:
        st.info(scripted)
    else:
        opened.draw(settings())


def ask_section(approach: str) -> None:
    """Ask the approach alone, with its settings beside the answer."""
    main, side = st.columns([2, 1], gap="large")
    with side:
        _explain(approach)
        _panel(approach)
        if offer := spec_of(approach).loaded("offer"):
            comparison = live(approach)
            offer(settings(), comparison.question.text if comparison else None, approach)
    with main:
        draw_costs = ask_box(approach, (approach,))
        _answer(approach)
        draw_costs()


def _panel(approach: str) -> None:
    spec = spec_of(approach)
    panel = spec.loaded("panel")
    if panel is None and spec.section is None:
        return
    kind, _, name = approach.partition(":")
    with st.container(border=True):
        st.markdown("## Settings of this approach", anchors=False)
        if panel is None:
            section_panel(kind, getattr(settings(), kind))
        else:
            panel(settings(), name) if spec.variants else panel(settings())


def _explain(approach: str) -> None:
    spec = spec_of(approach)
    st.markdown(title_of(approach))
    if spec.use_when:
        st.markdown(f":material/thumb_up: **Choose it** {spec.use_when}")
    if spec.avoid_when:
        st.markdown(f":material/thumb_down: **Leave it** {spec.avoid_when}")


def _answer(approach: str) -> None:
    comparison = live(approach)
    intro = st.empty()
    if comparison is None:
        intro.info(
            "Ask a question or click a sample: the answer, its timing, its cost and what happened inside show here."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(escaped(comparison.question.text[:_QUESTION_SHOWN]), anchor=False, width="stretch")
        stop = st.empty()
        stop_button(approach, stop)
    shown = Answers(approach, comparison, judge=Judge(comparison.question), text_length=_TEXT_LENGTH)
    below, inside = st.empty(), st.empty()
    shown.watch()
    fulfil_wish(approach)
    stop.empty()
    shown.finish()
    for answer in shown.answers:
        with shown.under_text(answer.approach):
            show_nearest(approach, answer)
        with below.container():
            raise_cap(approach, answer, shown.answers)
        with inside.container():
            _inside(answer)


def _inside(answer: Answer) -> None:
    usage = answer.usage
    counted = {
        "prompt tokens": usage.prompt_tokens,
        "completion tokens": usage.completion_tokens,
        "cached tokens": usage.cached_tokens,
        "reasoning tokens": usage.reasoning_tokens,
        "counted by": usage.source,
        "finish reason": answer.finish_reason,
        "service tier": usage.service_tier,
        "first reasoning": answer.timings.first_reasoning_s,
        "first text": answer.timings.ttft_s,
    }
    known = any(value is not None for value in counted.values())
    if not (known or len(answer.attempts) > 1 or answer.traces):
        return  # nothing was sent
    st.header("What happened inside", anchor=False)
    if known:
        literal_table({name: _shown(value) for name, value in counted.items()})
    if len(answer.attempts) > 1:
        _attempts(answer)
    for trace in answer.traces:
        with st.expander(_TRACES.get(trace.name, trace.name), expanded=trace.name in ("prompt", "request")):
            st.code(plain(trace.value), language=None, wrap_lines=True)


def _shown(value: object) -> str:
    return numbers.UNKNOWN if value is None else numbers.seconds(value) if isinstance(value, float) else str(value)


def _attempts(answer: Answer) -> None:
    """Every request with its time and cost; only the last one is latency."""
    st.markdown("**Attempts**")
    literal_table(
        [
            {
                "Attempt": str(one.number),
                "Began after": numbers.seconds(one.began_s),
                "Lasted": numbers.seconds(one.lasted_s),
                "Ended": one.fault or "answered",
                "Then waited": numbers.seconds(one.waited_s),
                "Tokens": numbers.count(one.usage.completion_tokens if one.usage else None),
                "Cost": numbers.dollars(one.cost.usd if one.cost else None),
            }
            for one in answer.attempts
        ]
    )
