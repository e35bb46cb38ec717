"""An answer with its evidence: which sentence is supported by which passage, each a click away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import streamlit as st

from backends.base import Answer, Passage
from backends.errors import BackendError
from backends.rag.documents.headings import heading_marks
from backends.rag.evidence.answer import METHOD, AnswerEvidence, SentenceEvidence, is_refusal
from backends.rag.evidence.sentences import CITATION
from backends.settings import Settings
from ui.shared.text import escaped

_AROUND = 450
"""Characters shown at first before and after what is looked for, so that it is in sight; short pages are whole."""

_WHOLE = 40_000
"""Characters of a page that are shown at most: the browser has to draw every one."""

_HEIGHT = 480  # pixels

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a page, `start` its offset there, of a page of `length` characters."""

    text: str
    start: int
    length: int


def open_passage(
    current: Settings, passage: Passage, number: int, sentence: str = "", places: Sequence[Range] = ()
) -> None:
    """Open the dialog; `number` is 0 for what is no source of an answer. `places` are where the passage supports
    `sentence`, as offsets in its text; without them the whole passage stands out.
    """
    st.dialog("The passage in its document", width="large")(_passage)(current, passage, number, sentence, tuple(places))


def _passage(current: Settings, passage: Passage, number: int, sentence: str, places: tuple[Range, ...]) -> None:
    if sentence:
        st.caption(f"The answer: {escaped(sentence)}")
    page = f" \u00b7 page {passage.page}" if passage.page else ""
    cited = f"\\[{number}\\] " if number else ""
    old = f" :red-badge[:material/history: {escaped(passage.superseded)}]" if passage.superseded else ""
    st.markdown(f"**{cited}{escaped(passage.document)}**{page} \u00b7 similarity {passage.score:.2f}{old}")
    try:
        text, start = _page_of(current, passage)
    except BackendError as fault:
        st.warning(escaped(f"{fault} This is the passage as it was used:"))
        text, start = passage.text, 0
    focus = (start + places[0][0], start + places[0][1]) if places else (start, start + len(passage.text))
    whole = len(text) > focus[1] - focus[0] + 2 * _AROUND and st.toggle(
        "Show the whole page" if passage.page else "Show the whole text", key="whole_page"
    )
    shown = excerpt(text, *focus, whole)
    st.caption(_legend(shown, bool(places)))
    inside = (start - shown.start, start - shown.start + len(passage.text))
    marked = [(inside[0] + first, inside[0] + last) for first, last in places]
    with st.container(height=_HEIGHT, border=True):
        st.markdown(highlighted(shown.text, inside, marked, heading_marks(shown.text, passage.document)))


def _page_of(current: Settings, passage: Passage) -> tuple[str, int]:
    """The page's text and where the passage starts in it. Raises `BackendError` if it is not there any more."""
    from backends.rag.approach import open_index

    for page in open_index(current).pages(passage.document):
        start = passage.start - page.start
        if 0 <= start <= len(page.text) and page.text.startswith(passage.text, start):
            return page.text, start
    raise BackendError(f"{passage.document} has changed since this answer.", "Ask again to search it as it is now.")


def excerpt(text: str, start: int, end: int, whole: bool) -> Excerpt:
    """What is shown of a page for what stands at `start` to `end`: its neighbourhood cut at lines, or nearly all."""
    around = max(0, (_WHOLE - (end - start)) // 2) if whole else _AROUND
    first, last = start - around, end + around
    first = 0 if first <= 0 else text.rfind("\n", max(0, first - 200), first) + 1 or first
    last = len(text) if last >= len(text) else (text.find("\n", last, last + 200) + 1 or last + 1) - 1
    return Excerpt(text[first:last], first, len(text))


def _legend(shown: Excerpt, places: bool) -> str:
    passage = ":gray-background[the passage that the model was given]"
    said = f":green-background[**where it says so**], {passage}" if places else ":green-background[**the passage**]"
    if len(shown.text) == shown.length:
        return said
    return f"{said} \u00b7 {len(shown.text):,} of {shown.length:,} characters"


def highlighted(text: str, passage: Range, places: Sequence[Range], left_out: Sequence[Range] = ()) -> str:
    """Markdown that shows a text letter by letter: `places` on green, the rest of the passage on gray.

    Without places the passage itself is on green. `left_out` are ranges at the beginning of lines.
    """
    ranges = [(passage, "gray"), *((place, "green") for place in places)] if places else [(passage, "green")]
    begins = dict(left_out)
    lines, offset = [], 0
    for line in text.split("\n"):
        lines.append(_line(line, offset, ranges, begins.get(offset, offset) - offset))
        offset += len(line) + 1
    return "  \n".join(lines)


def _line(line: str, offset: int, ranges: Sequence[tuple[Range, str]], begin: int) -> str:
    """One line from its character `begin` on; of ranges that overlap, the later one shows."""
    cuts = {begin, len(line)} | {min(max(edge - offset, begin), len(line)) for range_, _ in ranges for edge in range_}
    edges = sorted(cuts)
    pieces = []
    for first, last in pairwise(edges):
        colours = [colour for (start, end), colour in ranges if start <= offset + first and offset + last <= end]
        piece = _literal(line[first:last])
        if not colours or not line[first:last].strip():
            pieces.append(piece)
        elif colours[-1] == "green":
            pieces.append(_bold(line[first:last]))
        else:
            pieces.append(f":gray-background[{piece}]")
    return "".join(pieces) or "\u00a0"


def _bold(text: str) -> str:
    """Bold on green; the spaces around stay outside, or Markdown would show the asterisks."""
    inner = text.strip()
    before, after = text.split(inner, 1)
    return f"{_literal(before)}:green-background[**{_literal(inner)}**]{_literal(after)}"


def _literal(text: str) -> str:
    """Escaped, with spaces that Markdown keeps: an indented line would turn into code."""
    return escaped(text.replace("\t", "    ").replace("  ", "\u00a0 "), None).replace("\n", " ")


_MOST_CONFLICTS = 3
"""Conflicts that are told of one answer."""

_LONGEST = 60
"""Sentences listed at most; the rest is counted."""


def show_evidence(answer: Answer, checked: AnswerEvidence, current: Settings) -> None:
    """Draw what is known of the sentences, under the answer. Call it once per run and answer."""
    found = checked.sentences
    if not answer.sources:
        return
    if is_refusal(found):
        st.caption(":material/info: The model says that the documents do not say.")
    if checked.note:
        st.caption(f":material/warning: {escaped(checked.note)}")
    claims = [one for one in found if one.checked]
    if not claims:
        return
    supported = sum(one.verdict == "supported" for one in claims)
    plural = "s" if len(claims) != 1 else ""
    label = f"Evidence: {supported} of {len(claims)} sentence{plural} supported"
    if answer.draft or answer.usage.completion_tokens == 0:  # of a quote, that says nothing about the question
        st.caption(":material/format_quote: Quoted word for word. Whether it answers the question is yours to judge.")
        label = f"Where the quote stands: {len(claims)} sentence{plural}"
    label += "; sources disagree" * bool(checked.conflicts)
    with st.expander(label, icon=":material/fact_check:"):
        st.fragment(_sentences)(answer, tuple(found), current)


def show_conflicts(checked: AnswerEvidence, key: str, current: Settings) -> None:
    """Draw where passages disagree: a mark where the answer may be wrong for it, else a remark; and the other passage
    for a click. `key` tells it from the widgets of other columns."""
    for place, one in enumerate(checked.conflicts[:_MOST_CONFLICTS]):
        if one.is_warning:
            st.markdown(":orange-badge[:material/balance: sources disagree]")
        st.caption(f":material/balance: {escaped(one.sentence)}")
        if st.button(
            f":blue[Open {escaped(one.other.name)}]",
            key=f"conflict:{key}:{place}",
            type="tertiary",
            help="Open the passage that says otherwise in its document.",
        ):
            open_passage(current, one.other.passage, one.other.number)


def _sentences(answer: Answer, found: tuple[SentenceEvidence, ...], current: Settings) -> None:
    for place, one in enumerate(found[:_LONGEST]):
        with st.container(gap="xxsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.markdown(_mark(one), width="content")
                for number in one.passages:
                    citation_button(answer, one, number, f"{answer.approach}:{place}", current)
            st.caption(escaped(answer.text[one.start : one.end]))
            if one.wrong_citations:
                st.caption(f":material/warning: The answer cites {_numbers(one.wrong_citations)} here; not confirmed.")
    if len(found) > _LONGEST:
        st.caption(f"\u2026 and {len(found) - _LONGEST} more sentences.")
    st.caption(METHOD)


def _mark(one: SentenceEvidence) -> str:
    match one.verdict:
        case "supported" if one.conflicts:
            colour = "orange" if any(conflict.is_warning for conflict in one.conflicts) else "gray"
            return f":{colour}-badge[:material/balance: sources disagree; supported by]"
        case "supported":
            return ":green-badge[:material/check_circle: supported by]"
        case "unsupported":
            return ":orange-badge[:material/help: not found in the passages]"
        case "refusal":
            return ":gray-badge[:material/info: says that the documents do not say]"
        case "unchecked":
            return ":gray-badge[not checked]"
    return ":gray-badge[nothing to check]"


def cited(answer: Answer, checked: AnswerEvidence) -> bool:
    """Whether a sentence of the answer has a passage to open."""
    return any(numbers for _, numbers, _ in pieces(answer, checked))


def pieces(answer: Answer, checked: AnswerEvidence) -> Iterator[tuple[str, tuple[int, ...], SentenceEvidence]]:
    """The answer in pieces: text, the numbers of the passages that stand behind it, and what is known of its end.

    A sentence's own citations are those numbers, and leave the text, if all of them name passages that there are.
    """
    start = 0
    for one in checked.sentences:
        own = bool(one.citations) and all(1 <= number <= len(answer.sources) for number in one.citations)
        numbers = one.citations if own else () if one.citations else one.passages
        if numbers or one is checked.sentences[-1]:
            text = answer.text[start : one.end]
            yield (CITATION.sub("", text).rstrip() if own else text), numbers, one
            start = one.end


def citation_button(answer: Answer, one: SentenceEvidence, number: int, key: str, current: Settings) -> None:
    """`[n]`, which opens the passage in its document."""
    if st.button(
        f":blue[\\[{number}\\]]",
        key=f"evidence:{key}:{number}",
        type="tertiary",
        help="Open the passage in its document.",
    ):
        places = [(place.start, place.end) for place in one.support if place.passage == number]
        open_passage(current, answer.sources[number - 1], number, answer.text[one.start : one.end], places)


def _numbers(numbers: Sequence[int]) -> str:
    return " and ".join(f"\\[{number}\\]" for number in numbers)
