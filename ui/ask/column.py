"""One approach's column: what it is doing, its text, and what was measured."""

from __future__ import annotations

import time
from collections.abc import Iterator

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from backends.base import STATUS_WORDS, Answer, Draft
from backends.rag.documents.headings import without_heading_marks
from backends.rag.evidence.answer import AnswerEvidence, with_citations
from backends.registry import is_known, spec_of
from backends.run.live import Column
from backends.run.warm_up import TURN
from evaluation.references import Verdict
from ui.ask.evidence import citation_button, cited, pieces, show_conflicts, show_evidence
from ui.resources import settings, warm_up
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.text import MOST, escaped, plain

_BADGES = {
    "ok": ("check_circle", "green"),
    "truncated": ("content_cut", "orange"),
    "refused": ("block", "orange"),
    "below_threshold": ("vertical_align_bottom", "orange"),
    "empty": ("hide_source", "orange"),
    "cancelled": ("stop_circle", "gray"),
    "error": ("error", "red"),
    "not_asked": ("pending", "gray"),
}
_VERDICTS = {
    "right": ":green[:material/check_circle: Right]",
    "wrong": ":red[:material/cancel: Not right]",
    "refused": ":orange[:material/block: Refused]",
}
TEXT_LENGTH = 200
"""Characters of an answer that are shown at first, so that several answers stand on one screen."""

_LITTLE_MORE = 1.2  # a text that is longer by less than this is shown whole: what a click would add must be worth it


class AnswerColumn:
    """Placeholders of one column, filled again and again without anything jumping.

    Verdict and numbers stand above the text, so that they are level across columns whatever the length of an answer.
    `key` tells the widgets of this column from all others, and those of one question from those of the next.
    `subtitle` is a line under the title, "" for an empty one; `narrow` is for a column of about 200 pixels, `two_lines`
    for one beside others whose verdict has a badge on a second line.
    `ui/style.css` has the sizes of text, by the keys of the containers.
    """

    def __init__(
        self,
        area: DeltaGenerator,
        approach: str,
        *,
        key: str = "",
        title: str | None = None,
        subtitle: str | None = None,
        text_length: int = TEXT_LENGTH,
        narrow: bool = False,
        two_lines: bool = False,
    ) -> None:
        self._key, self._length = f"{key}:{approach}", text_length
        with area:
            name = f"name-narrow-{approach}" if narrow else f"name-{approach}"
            with st.container(key=name, horizontal=True, wrap=False, vertical_alignment="center", gap="xxsmall"):
                st.markdown(f"### {title or title_of(approach)}", anchors=False, width="stretch")
                self.corner = st.empty()
            if subtitle is not None:
                with st.container(key=f"subtitle-{approach}"):
                    st.markdown(f"**{escaped(subtitle)}**" if subtitle else "&nbsp;")
            with st.container(key=f"state-two-lines-{approach}" if two_lines else f"state-{approach}"):
                self._state = st.empty()
            with st.container(key=f"numbers-narrow-{approach}" if narrow else f"numbers-{approach}"):
                self._numbers = st.empty()
            with st.container(key=f"answer-{approach}", gap=None):
                self._text = st.empty()
                self._reveal = st.empty()
            self._remark = st.empty()
            self._conflicts = st.empty()
            self.under_text = st.empty()
            self._model = st.empty()
            # Each is drawn once: a container drawn again over another one keeps what it has more of.
            self._evidence = st.empty()
            self._details = st.empty()
            self._sources = st.empty()
        self._drawn: Column | None = None
        self._drawn_state = ""
        self._said: tuple[str, bool] | None = None
        self._marks: tuple[frozenset[str], bool] = frozenset(), False
        self._can_reveal, self._reveals = False, 0

    def draw(self, column: Column, verdict: Verdict | None = None, marks: frozenset[str] = frozenset()) -> None:
        """Show the column as it is now; only what changed is sent to the browser.

        `verdict` is how the answer stands, None where nobody can say. `marks` are the measures in which it was best:
        green for a right answer, gray where nobody said that it is one.
        """
        before = self._drawn
        if before is None or column.model != before.model:
            self._model.caption(escaped(column.model))
        if (state := _standing(column, verdict)) != self._drawn_state:
            self._state.markdown(state, anchors=False)
            self._drawn_state = state
        self._draw_text(column)
        new = column.answer is not None and (before is None or before.answer is None)
        stands = (marks, verdict == "right")
        if before is None or new or stands != self._marks:
            with self._numbers.container(gap=None):
                _numbers(column.answer, marks, verdict == "right")
            self._marks = stands
        if new and column.answer:
            self._draw_below(column.answer)
        if column.answer and column.checked is not None and (before is None or before.checked is None):
            if column.checked.conflicts:
                with self._conflicts.container(gap="xsmall"):
                    show_conflicts(column.checked, self._key, settings())
            with self._evidence.container():
                show_evidence(column.answer, column.checked, settings())
        self._drawn = column

    def _draw_text(self, column: Column) -> None:
        failed = column.answer is not None and not column.text.strip()
        text = (column.answer.error or "") if failed and column.answer else _with_citations(column)
        said = (text, column.checked is not None)
        if said == self._said:
            return
        self._said = said
        if failed:
            self._text.text(_shown_text(text))
            return
        is_long = len(text.strip()) > self._length * _LITTLE_MORE
        if is_long != self._can_reveal:
            self._draw_reveal(is_long)
        if is_long and not self._revealed:
            text = f"{text.strip()[: self._length].rsplit(None, 1)[0]} \u2026"
            self._text.markdown(paragraphs(text), anchors=False)
        elif len(text) > MOST:
            self._text.text(plain(text).strip())
        elif column.answer and column.checked and cited(column.answer, column.checked):
            with self._text.container(gap="xsmall"):
                _with_buttons(column.answer, column.checked, self._key)
        else:
            self._text.markdown(paragraphs(text), anchors=False)

    def _draw_reveal(self, is_long: bool) -> None:
        """Show what reveals a long text, or take it away where the text was withdrawn for a shorter one."""
        self._can_reveal = is_long
        if not is_long:
            self._reveal.empty()
            return
        self._reveals += 1  # Streamlit takes no key twice in a run
        self._reveal.button(
            "Show less" if self._revealed else "Show all",
            key=f"reveal:{self._key}:{self._reveals}",
            type="tertiary",
            icon=":material/unfold_less:" if self._revealed else ":material/unfold_more:",
            on_click=_turn,
            args=(f"revealed:{self._key}",),
        )

    @property
    def _revealed(self) -> bool:
        return bool(st.session_state.get(f"revealed:{self._key}"))

    def _draw_below(self, answer: Answer) -> None:
        below = answer.below_threshold
        if answer.error and answer.text.strip():  # without text, it stands in its place
            self._remark.caption(f":material/info: {escaped(answer.error)}")
        elif below and not below.refused:
            self._remark.caption(f":material/info: {escaped(below.sentence)} It was answered all the same.")
        with self._details.container(gap="xsmall"):
            if answer.draft:
                st.markdown(":orange-badge[:material/format_quote: in place of the writer's text]")
            for note in answer.notes:
                st.caption(escaped(note))
            if answer.status != "not_asked":
                with st.expander("How it was measured", icon=":material/timer:"):
                    st.caption("  \n".join(escaped(line) for line in _measured(answer)))
        if answer.draft or answer.sources:
            with self._sources.container():
                if answer.draft:
                    _written_first(answer.draft)
                if answer.sources:
                    sources(answer)


def _turn(flag: str) -> None:
    st.session_state[flag] = not st.session_state.get(flag)


def paragraphs(text: str) -> str:
    """Markdown that shows a text letter by letter, each line a paragraph of its own."""
    lines = [line for line in plain(text).split("\n") if line.strip()]
    return "\n\n".join(escaped(line.strip()) for line in lines) or " "


def _with_buttons(answer: Answer, checked: AnswerEvidence, key: str) -> None:
    """The text, with each citation a button that opens the passage."""
    for place, (text, cites, evidence) in enumerate(pieces(answer, checked)):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall"):
            st.markdown(paragraphs(text), anchors=False, width="content")
            for number in cites:
                citation_button(answer, evidence, number, f"text:{key}:{place}", settings())


def _with_citations(column: Column) -> str:
    if column.answer and column.checked and column.checked.sentences:
        return with_citations(column.answer.text, column.checked.sentences)
    return column.text


def _shown_text(text: str) -> str:
    return plain(text).strip() or " "


def _standing(column: Column, verdict: Verdict | None) -> str:
    """How the answer stands, or what the column does or waits for; and whether a stand-in answers."""
    parts = [_VERDICTS[verdict]] if verdict else []
    if verdict == "refused" and column.answer and column.answer.status == "below_threshold":
        parts = []  # the badge tells more: it was the search that refused
    if column.answer and column.answer.status == "ok" and column.answer.below_threshold:
        parts.append(":orange-badge[:material/vertical_align_bottom: answered anyway]")
    elif not (verdict and column.answer and column.answer.status in ("ok", "refused")):
        parts.append(state_line(column))
    if column.stand_in and column.answer:  # before, the model's name says so, and the badge would need a second line
        parts.append(":orange-badge[:material/swap_horiz: stand-in]")
    if column.answer and column.answer.recorded:
        parts.append(f":violet-badge[:material/history: {_recorded(column.answer)}]")
    return " ".join(parts)


def state_line(column: Column, now: float | None = None) -> str:
    """One line that says what the column does or waits for, at monotonic time `now` (None: at present)."""
    now = time.monotonic() if now is None else now
    spent = f"{now - column.since:.0f}"
    match column.phase:
        case "done":
            assert column.answer is not None
            icon, colour = _BADGES[column.answer.status]
            return f":{colour}-badge[:material/{icon}: {STATUS_WORDS[column.answer.status]}]"
        case "queued":
            first, *more = column.detail.split(", ")
            if first == TURN and not (loading := warm_up().state).finished:
                waited = numbers.waited(now - loading.since, loading.expected_s)
                return f":gray-badge[:material/hourglass_empty: {escaped(loading.what)} \u00b7 {waited}]"
            known = is_known(first)
            behind = escaped(spec_of(first).name if known else first) + (f" and {len(more)} more" if more else "")
            return f":gray-badge[:material/hourglass_empty: queued behind {behind}]"
        case "loading":
            waited = numbers.waited(now - column.since, column.expected_s)
            return f":blue-badge[:material/downloading: {escaped(column.detail)} \u00b7 {waited}]"
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


def _recorded(answer: Answer) -> str:
    """`recorded 2 Nov 2026`"""
    at = answer.recorded.at if answer.recorded else None
    return f"recorded {at.day} {at:%b %Y}" if at else "recorded, nobody says when"


def _numbers(answer: Answer | None, marks: frozenset[str], is_right: bool) -> None:
    """Latency and cost, with a star where it was best; dashes as long as nothing was measured."""
    latency = cost = numbers.UNKNOWN
    colour = "green" if is_right else "gray"
    if answer and answer.status != "not_asked":  # what it would cost stands in the offer
        latency = numbers.seconds(answer.timings.latency_s)
        cost = "unknown" if answer.cost.usd is None else numbers.dollars(answer.cost.usd)
    left, right = st.columns([3, 4], gap="xxsmall")
    for place, name, value, star in (
        (left, "Latency", latency, "fastest" if "latency_s" in marks else ""),
        (right, "Cost", cost, "cheapest" if "cost_usd" in marks else ""),
    ):
        with place.container(gap=None):  # a star stands in place of the name: both have no room in a narrow column
            st.markdown(f":{colour}-badge[\u2605 {escaped(star)}]" if star else f":small[{escaped(name)}]")
            st.markdown(f"**{escaped(value)}**")


def _measured(answer: Answer) -> Iterator[str]:
    """What stands behind the numbers, in lines."""
    timings, usage = answer.timings, answer.usage
    apart = [
        f"queued {numbers.seconds(timings.queued_s)}" if timings.queued_s and timings.queued_s >= 0.005 else "",
        f"loading {numbers.seconds(timings.load_s)}" if timings.load_s and timings.load_s >= 0.005 else "",
        f"failed attempts {numbers.seconds(timings.retry_s)}" if timings.retry_s else "",
    ]
    counted = f" ({usage.source})" if usage.source else ""
    yield f"{_reasoned(answer)}First text {numbers.seconds(timings.ttft_s)} \u00b7 {numbers.rate(timings.tokens_per_s)}"
    yield (
        f"Tokens {numbers.count(usage.prompt_tokens)} in, {numbers.count(usage.completion_tokens)} out{counted}"
        + (f", {usage.reasoning_tokens:,} of them reasoning" if usage.reasoning_tokens else "")
        + (f", {usage.cached_tokens:,} in from the cache" if usage.cached_tokens else "")
    )
    if answer.recorded:
        yield f"Times and cost are those of then, from {answer.recorded.source}"
    else:
        yield "Not in latency: " + (", ".join(part for part in apart if part) or "nothing waited for")
    yield f"Cost: {answer.cost.basis}"


def _reasoned(answer: Answer) -> str:
    """When reasoning was first seen, where a server shows it."""
    first_s = answer.timings.first_reasoning_s
    return "" if first_s is None else f"First reasoning {numbers.seconds(first_s)} \u00b7 "


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
            if passage.superseded:
                st.markdown(f":red-badge[:material/history: {escaped(passage.superseded)}]")
            st.text(plain(without_heading_marks(passage.text, passage.document)))
