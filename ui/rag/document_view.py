"""One document of a collection: its text page by page, where it was cut, replace and delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from backends.rag.documents import Page
from backends.rag.library import DocumentInfo, StoredChunk
from ui import numbers
from ui.rag.cuts import LEGEND, Cut, show_cuts
from ui.tables import plain_frame
from ui.text import escaped, plain

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


def cuts_of(chunks: Sequence[StoredChunk]) -> list[Cut]:
    """The boundaries of a document's chunks, numbered from 1."""
    return [Cut(number, chunk.start, chunk.end) for number, chunk in enumerate(chunks, 1)]


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
            show_cuts(part.text, cuts_of(chunks), part.start)
        else:
            st.text(plain(part.text))


def _list(chunks: Sequence[StoredChunk]) -> None:
    rows = [
        {
            "chunk": number,
            "page": chunk.page,
            "headings": chunk.heading,
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
