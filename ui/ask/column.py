"""One approach's column: what it is doing, its text, and what was measured."""

from __future__ import annotations

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backends.base import Answer, Draft
from backends.rag.evidence.answer import AnswerEvidence, with_citations
from backends.registry import is_known, spec_of
from backends.run.live import Column
from backends.run.warm_up import TURN
from ui.ask.evidence import show_evidence
from ui.resources import settings, warm_up
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.text import escaped, plain

_BADGES = {
    "ok": (":material/check_circle: done", "green"),
    "truncated": (":material/content_cut: cut off", "orange"),
    "refused": (":material/block: refused", "orange"),
    "empty": (":material/hide_source: empty answer", "orange"),
    "cancelled": (":material/stop_circle: stopped", "gray"),
    "error": (":material/error: failed", "red"),
}
TEXT_HEIGHT = 220
"""Pixels for an answer's text; a longer one scrolls."""


class AnswerColumn:
    """Placeholders of one column, filled again and again without anything jumping."""

    def __init__(
        self, area: DeltaGenerator, approach: str, *, title: str | None = None, text_height: int = TEXT_HEIGHT
    ) -> None:
        with area:
            st.markdown(f"#### {title or title_of(approach)}", anchors=False)
            self._model = st.empty()
            self._state = st.empty()
            with st.container(height=text_height, border=False, key=None):
                self._text = st.empty()
            self._numbers = st.empty()
            # Each is drawn once: a container drawn again over another one keeps what it has more of.
            self._evidence = st.empty()
            self._sources = st.empty()
        self._drawn: Column | None = None
        self._drawn_state = ""
        self._said: str | None = None

    def draw(self, column: Column, marks: frozenset[str] = frozenset()) -> None:
        """Show the column as it is now; only what changed is sent to the browser.

        `marks` are the measures in which it was the best.
        """
        if self._drawn is None or column.model != self._drawn.model or column.stand_in != self._drawn.stand_in:
            # A caption is drawn pale: what has a colour of its own could not be read in it.
            (self._model.markdown if column.stand_in else self._model.caption)(_model_line(column))
        if (state := state_line(column)) != self._drawn_state:
            self._state.markdown(state)
            self._drawn_state = state
        said = _answer_text(column)
        if said != self._said:
            self._text.text(_shown_text(said))
            self._said = said
        if column.answer is None:
            if self._drawn is None:
                self._numbers.caption("Latency \u2014 \u00b7 cost \u2014")
        else:
            new = self._drawn is None or self._drawn.answer is None
            if new or marks:
                with self._numbers.container():
                    _measurements(column.answer, marks)
            if new and (column.answer.sources or column.answer.draft):
                with self._sources.container():
                    if column.answer.draft:
                        _written_first(column.answer.draft)
                    if column.answer.sources:
                        sources(column.answer)
            if column.checked is not None and (self._drawn is None or self._drawn.checked is None):
                self._draw_evidence(column.answer, column.checked)
        self._drawn = column

    def _draw_evidence(self, answer: Answer, checked: AnswerEvidence) -> None:
        if checked.sentences:
            self._text.text(_shown_text(with_citations(answer.text, checked.sentences)))
        with self._evidence.container():
            show_evidence(answer, checked, settings())


def _answer_text(column: Column) -> str:
    """The answer's text; where there is none, why, in its place."""
    failed = column.answer is not None and not column.text.strip()
    return (column.answer.error or "") if failed and column.answer else column.text


def _shown_text(text: str) -> str:
    return plain(text).strip() or " "


def _model_line(column: Column) -> str:
    model = escaped(column.model)
    return f":orange-badge[:material/swap_horiz: stand-in]  \n:small[{model}]" if column.stand_in else model


def state_line(column: Column, now: float | None = None) -> str:
    """One line that says what the column does or waits for, at monotonic time `now` (None: at present)."""
    now = time.monotonic() if now is None else now
    spent = f"{now - column.since:.0f}"
    match column.phase:
        case "done":
            assert column.answer is not None
            label, colour = _BADGES[column.answer.status]
            instead = (
                " :orange-badge[:material/format_quote: in place of the writer's text]" if column.answer.draft else ""
            )
            return f":{colour}-badge[{label}]{instead}"
        case "queued":
            first, *more = column.detail.split(", ")
            if first == TURN and not (loading := warm_up().state).finished:
                waited = f"{now - loading.since:.0f}"
                expected = f" of about {loading.expected_s:.0f}" if loading.expected_s else ""
                return f":gray-badge[:material/hourglass_empty: {escaped(loading.what)} \u00b7 {waited}{expected} s]"
            known = is_known(first)
            behind = escaped(spec_of(first).name if known else first) + (f" and {len(more)} more" if more else "")
            return f":gray-badge[:material/hourglass_empty: queued behind {behind}]"
        case "loading":
            expected = f" of about {column.expected_s:.0f}" if column.expected_s else ""
            return f":blue-badge[:material/downloading: {escaped(column.detail)} \u00b7 {spent}{expected} s]"
        case "working":
            doing = escaped(column.detail) or (
                "passages found, reading them" if column.sources else "reading the question"
            )
            if column.until is not None:
                left = max(column.until - now, 0.0)
                return f":orange-badge[:material/timer: {doing} in {left:.0f} s]"
            return f":blue-badge[:material/psychology: {doing} \u00b7 {spent} s]"
        case "writing":
            return f":blue-badge[:material/edit: writing \u00b7 {spent} s]"
    return ":gray-badge[:material/hourglass_empty: waiting]"


def _measurements(answer: Answer, marks: frozenset[str]) -> None:
    timings, usage = answer.timings, answer.usage
    if answer.error and answer.text.strip():  # without text, it stands in its place
        with st.container(border=True):
            st.text(plain(answer.error))
    left, right = st.columns([4, 5], gap="xxsmall")  # a help icon and a mark have room beside Cost
    left.markdown(f":small[Latency{_mark('latency_s', marks, 'fastest')}]")
    left.markdown(f"#### {escaped(numbers.seconds(timings.latency_s))}", anchors=False)
    right.markdown(f":small[Cost{_mark('cost_usd', marks, 'cheapest')}]", help=escaped(answer.cost.basis))
    cost = "unknown" if answer.cost.usd is None else numbers.dollars(answer.cost.usd)
    right.markdown(f"#### {escaped(cost)}", anchors=False)
    apart = [
        f"queued {numbers.seconds(timings.queued_s)}" if timings.queued_s and timings.queued_s >= 0.005 else "",
        f"loading {numbers.seconds(timings.load_s)}" if timings.load_s and timings.load_s >= 0.005 else "",
        f"failed attempts {numbers.seconds(timings.retry_s)}" if timings.retry_s else "",
    ]
    counted = f" ({usage.source})" if usage.source else ""
    lines = [
        f"{_reasoned(answer)}First text {numbers.seconds(timings.ttft_s)} \u00b7 {numbers.rate(timings.tokens_per_s)}",
        f"Tokens {numbers.count(usage.prompt_tokens)} in, {numbers.count(usage.completion_tokens)} out{counted}"
        + (f", {usage.reasoning_tokens:,} of them reasoning" if usage.reasoning_tokens else "")
        + (f", {usage.cached_tokens:,} in from the cache" if usage.cached_tokens else ""),
        "Not in latency: " + (", ".join(part for part in apart if part) or "nothing waited for"),
        "Cost: " + answer.cost.basis,
        *answer.notes,
    ]
    st.caption("  \n".join(escaped(line) for line in lines))


def _reasoned(answer: Answer) -> str:
    """When reasoning was first seen, where a server shows it."""
    first_s = answer.timings.first_reasoning_s
    return "" if first_s is None else f"First reasoning {numbers.seconds(first_s)} \u00b7 "


def _mark(measure: str, marks: frozenset[str], word: str) -> str:
    return f" :green-badge[\u2605 {word}]" if measure in marks else ""


def _written_first(draft: Draft) -> None:
    """What the writer wrote, why it does not stand, and how long that took."""
    with st.expander("What the model wrote first", icon=":material/edit_off:"):
        st.markdown(escaped(draft.why))
        st.text(_shown_text(draft.text))
        st.caption(f"Written after {numbers.seconds(draft.latency_s)}; the check and the quote came after that.")


def sources(answer: Answer) -> None:
    """The passages an answer was written from, best first, each with document, page and score."""
    with st.expander(f"Sources ({len(answer.sources)})", icon=":material/format_quote:"):
        for rank, passage in enumerate(answer.sources, 1):
            page = f" \u00b7 page {passage.page}" if passage.page else ""
            st.markdown(f"**[{rank}] {escaped(passage.document)}**{page} \u00b7 similarity {passage.score:.2f}")
            st.text(plain(passage.text))
