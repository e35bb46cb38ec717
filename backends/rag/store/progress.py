"""How far indexing has come, and what was understood of each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backends.rag.documents.chunks import Chunk
from backends.rag.documents.files import Document

IndexState = Literal[
    "embedding",
    "rebuilding",
    "sentences",
    "skipped",
    "indexed",
    "replaced",
    "updated",
    "duplicate",
    "left out",
    "rejected",
]


@dataclass(frozen=True, slots=True)
class Understood:
    """What was read of a file. `pages` and `language` (ISO 639-1) are None where there are none, or it is not known."""

    pages: int | None
    characters: int
    chunks: int
    language: str | None
    warnings: tuple[str, ...]

    @property
    def describe(self) -> str:
        """In words, without the warnings: `3 pages, 1,203 characters, 4 chunks, language en`."""
        counts = [(self.pages, "page"), (self.characters, "character"), (self.chunks, "chunk")]
        parts = [f"{number:,} {noun}{'s' * (number != 1)}" for number, noun in counts if number is not None]
        return ", ".join([*parts, f"language {self.language or 'unknown'}"])


def understood(document: Document, chunks: Sequence[Chunk]) -> Understood:
    """What was read of a document that was cut into these chunks."""
    pages = len(document.pages) if document.pages[0].page is not None else None
    return Understood(pages, document.characters, len(chunks), document.language, document.warnings)


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far indexing has come, and what became of one file, which is stored now if it is to be.

    `file` is "" between files (`state` "embedding", or "rebuilding" where damaged vectors are mended first), and
    "sentences" when all of them are stored and can be searched: `chunks_done` then counts the chunks whose sentences
    have vectors. Else `chunks_done` of the `chunks_known` so far are embedded. `cause` and `next_step` are filled for a
    file that was rejected or left out, `cause` also for a duplicate and while rebuilding. `understood` is filled for a
    file that was stored now.
    `share` is what the finished files make up of all, by their sizes, and `share_read` those that are being embedded.
    """

    files_done: int
    files_total: int
    chunks_done: int
    file: str
    state: IndexState
    cause: str = ""
    next_step: str = ""
    chunks_known: int = 0
    understood: Understood | None = None
    share: float = 0.0
    share_read: float = 0.0
