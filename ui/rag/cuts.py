"""Text with its chunk boundaries made visible: neighbouring chunks in two tints, what two of them share in a third."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from ui.text import escaped

LEGEND = ":blue-background[one chunk] :violet-background[the next] :orange-background[shared by both]"

_TINTS = ("blue", "violet")


@dataclass(frozen=True, slots=True)
class Cut:
    """One chunk in a text: its number from 1, and its offsets in characters of that text."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text that belongs to the same chunks from its first to its last character."""

    text: str
    numbers: tuple[int, ...]
    begins: tuple[int, ...] = ()


def segments(text: str, cuts: Sequence[Cut], start: int = 0) -> list[Segment]:
    """`text`, which begins at offset `start` of the document, divided wherever a chunk begins or ends."""
    end = start + len(text)
    inside = [cut for cut in cuts if cut.start < end and cut.end > start]
    edges = sorted({start, end} | {edge for cut in inside for edge in (cut.start, cut.end) if start < edge < end})
    return [
        Segment(
            text[left - start : right - start],
            tuple(cut.number for cut in inside if cut.start <= left and cut.end >= right),
            tuple(cut.number for cut in inside if cut.start == left),
        )
        for left, right in itertools.pairwise(edges)
    ]


def show_cuts(text: str, cuts: Sequence[Cut], start: int = 0) -> None:
    """Draw `text` with its chunks tinted and numbered where they begin."""
    st.markdown("".join(_tinted(segment) for segment in segments(text, cuts, start)))


def _tinted(segment: Segment) -> str:
    """The segment as Markdown, line by line: a tint cannot span paragraphs."""
    marks = "".join(f":gray-badge[{number}] " for number in segment.begins)
    return marks + "\n".join(_line(line, _tint(segment.numbers)) for line in segment.text.split("\n"))


def _tint(numbers: tuple[int, ...]) -> str:
    if len(numbers) > 1:
        return "orange"
    return _TINTS[numbers[0] % len(_TINTS)] if numbers else ""


def _line(line: str, tint: str) -> str:
    """One line; the spaces at its end make Markdown break it there."""
    if not line.strip():
        return " " if line else ""
    text = escaped(line.strip("\t"), None) if tint else escaped(line.lstrip(), None)
    return f":{tint}-background[{text}]  " if tint else f"{text}  "
