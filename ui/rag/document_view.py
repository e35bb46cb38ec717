"""One document of a collection: its text page by page, where it was cut, replace and delete."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from backends.rag.documents.files import Page
from backends.rag.documents.tables import shown_heading
from backends.rag.store.library import DocumentInfo, StoredChunk
from ui.shared import numbers
from ui.shared.tables import plain_frame
from ui.shared.text import escaped, plain

LEGEND = ":blue-background[one chunk] :violet-background[the next] :orange-background[shared by both]"

_TINTS = ("blue", "violet")


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """One chunk in a text: its number from 1, and its offsets in characters of that text."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text that belongs to the same chunks from its first to its last character."""

    text: str
    numbers: tuple[int, ...]
    begins: tuple[int, ...] = ()


def segments(text: str, spans: Sequence[ChunkSpan], start: int = 0) -> list[Segment]:
    """`text`, which begins at offset `start` of the document, divided wherever a chunk begins or ends."""
    end = start + len(text)
    inside = [span for span in spans if span.start < end and span.end > start]
    edges = sorted({start, end} | {edge for span in inside for edge in (span.start, span.end) if start < edge < end})
    return [
        Segment(
            text[left - start : right - start],
            tuple(span.number for span in inside if span.start <= left and span.end >= right),
            tuple(span.number for span in inside if span.start == left),
        )
        for left, right in itertools.pairwise(edges)
    ]


def draw_chunked_text(text: str, spans: Sequence[ChunkSpan], start: int = 0) -> None:
    """Draw `text` with its chunks tinted and numbered where they begin."""
    st.markdown("".join(_tinted(segment) for segment in segments(text, spans, start)))


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


PART_CHARACTERS = 4000
"""Characters shown at a time; a longer page is leafed through in parts."""

_HEIGHT = 460  # pixels


@dataclass(frozen=True, slots=True)
class Part:
    """What is shown at a time: its title, its offset in the document's text, and the text."""

    title: str
    start: int
    text: str


def parts(pages: Sequence[Page]) -> list[Part]:
    """The pages of a document, long ones divided at line ends."""
    found = []
    for page in pages:
        pieces = list(_divided(page.text))
        for number, (offset, text) in enumerate(pieces, 1):
            title = f"Page {page.page}" if page.page is not None else "Text"
            if len(pieces) > 1:
                title += f", part {number} of {len(pieces)}"
            found.append(Part(title, page.start + offset, text))
    return found


def _divided(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    while len(text) - start > PART_CHARACTERS:
        end = text.rfind("\n", start + PART_CHARACTERS // 2, start + PART_CHARACTERS) + 1 or start + PART_CHARACTERS
        found.append((start, text[start:end]))
        start = end
    return [*found, (start, text[start:])]


def chunk_spans(chunks: Sequence[StoredChunk]) -> list[ChunkSpan]:
    """The boundaries of a document's chunks, numbered from 1."""
    return [ChunkSpan(number, chunk.start, chunk.end) for number, chunk in enumerate(chunks, 1)]


def document_text(document: DocumentInfo, pages: Sequence[Page], chunks: Sequence[StoredChunk]) -> None:
    """Draw the text that was understood, a page at a time, plain or with its chunks."""
    shown = parts(pages)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        view = st.segmented_control(
            "Show",
            ("Chunks", "Plain text", "List of chunks"),
            default="Chunks",
            required=True,
            key="document_view",
            label_visibility="collapsed",
        )
        number = (
            st.pagination(len(shown), key=f"document_page:{document.sha256[:12]}", max_visible_pages=5)
            if len(shown) > 1 and view != "List of chunks"
            else 1
        )
    if view == "List of chunks":
        _list(chunks)
        return
    part = shown[number - 1]
    st.caption(f"{part.title} \u00b7 {LEGEND}" if view == "Chunks" else part.title)
    with st.container(height=_HEIGHT, border=True):
        if view == "Chunks":
            draw_chunked_text(part.text, chunk_spans(chunks), part.start)
        else:
            st.text(plain(part.text))


def _list(chunks: Sequence[StoredChunk]) -> None:
    rows = [
        {
            "chunk": number,
            "page": chunk.page,
            "headings": shown_heading(chunk.heading),
            "from": chunk.start,
            "to": chunk.end,
            "text": chunk.text,
        }
        for number, chunk in enumerate(chunks, 1)
    ]
    st.caption("Offsets count the characters of the extracted text. Double-click a cell to read all of it.")
    st.dataframe(
        plain_frame(rows),
        hide_index=True,
        height=_HEIGHT,
        placeholder=numbers.UNKNOWN,
        alt="The chunks of the document",
    )


def warnings_of(document: DocumentInfo) -> None:
    """Draw what the reader noticed about the file."""
    for warning in document.warnings:
        st.caption(f":material/warning: {escaped(warning)}")
