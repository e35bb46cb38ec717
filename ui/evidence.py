"""An answer with its evidence: which sentence is supported by which passage, each a click away."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from backends.base import Answer
from backends.rag.evidence import METHOD, Checked, SentenceEvidence, refused
from backends.rag.prompt import refuses
from backends.settings import Settings
from ui.passage_view import open_passage
from ui.text import escaped

_LONGEST = 60
"""Sentences listed at most; the rest is counted."""


def show_evidence(answer: Answer, checked: Checked, current: Settings) -> None:
    """Draw what is known of the sentences, under the answer. Call it once per run and answer."""
    found = checked.sentences
    if not answer.sources:
        if answer.status == "ok" and refuses(answer.text) and answer.usage.completion_tokens == 0:
            st.caption(":material/search_off: No passage was similar enough, so no model was asked.")
        return
    if refused(found):
        st.caption(":material/info: The model says that the documents do not say.")
    if checked.note:
        st.caption(f":material/warning: {escaped(checked.note)}")
    claims = [one for one in found if one.checked]
    if not claims:
        return
    supported = sum(one.verdict == "supported" for one in claims)
    label = f"Evidence: {supported} of {len(claims)} sentence{'s' if len(claims) != 1 else ''} supported"
    with st.expander(label, icon=":material/fact_check:"):
        st.fragment(_sentences)(answer, tuple(found), current)


def _sentences(answer: Answer, found: tuple[SentenceEvidence, ...], current: Settings) -> None:
    for place, one in enumerate(found[:_LONGEST]):
        with st.container(gap="xxsmall"):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.markdown(_mark(one), width="content")
                for number in one.passages:
                    _button(answer, one, number, f"{answer.approach}:{place}", current)
            st.caption(escaped(answer.text[one.start : one.end]))
            if one.wrong:
                st.caption(f":material/warning: The answer cites {_numbers(one.wrong)} here; not confirmed.")
    if len(found) > _LONGEST:
        st.caption(f"\u2026 and {len(found) - _LONGEST} more sentences.")
    st.caption(METHOD)


def _mark(one: SentenceEvidence) -> str:
    match one.verdict:
        case "supported":
            return ":green-badge[:material/check_circle: supported by]"
        case "unsupported":
            return ":orange-badge[:material/help: not found in the passages]"
        case "refusal":
            return ":gray-badge[:material/info: says that the documents do not say]"
        case "unchecked":
            return ":gray-badge[not checked]"
    return ":gray-badge[nothing to check]"


def _button(answer: Answer, one: SentenceEvidence, number: int, key: str, current: Settings) -> None:
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
