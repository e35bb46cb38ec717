"""Cutting a collection anew from its stored text, with other chunk settings or another embedder."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.rag.documents.chunks import Chunk, chunk, embedded_texts
from backends.rag.documents.files import Document
from backends.rag.search.embedder import WINDOW, Embedder, Turn, embed
from backends.rag.store.builds import ASIDE, draft_store, switch
from backends.rag.store.chroma import BATCH, Store
from backends.rag.store.library import Library, add_build, put_chunks, records, reserve, unmark_stale
from backends.rag.store.writer import Writer
from backends.run.jobs import Progress
from backends.run.lane import Cancelled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

PREVIEW_CHARACTERS = 300_000
"""How much text is cut for a preview at most, about 2 s of work. Beyond, the number of chunks is estimated."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk of the document that is shown: offsets in its text, and length in tokens."""

    start: int
    end: int
    page: int | None
    heading: str
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class ChunkPreview:
    """The effect of chunk settings. `tokens` has the length of each chunk that was made, in tokens.

    `chunks` is how many the collection would have: counted if `exact`, else estimated from the documents that were
    cut. `pieces` are those of `document`.
    """

    chunk_tokens: int
    overlap_tokens: int
    chunks: int
    exact: bool
    tokens: list[int]
    document: str
    pieces: tuple[Piece, ...]


def preview(
    library: Library, tokenizer: Tokenizer, chunk_tokens: int, overlap_tokens: int, document: str | None, most: int
) -> ChunkPreview:
    """Cut the stored text of as many documents as is quick, beginning with the one to be shown (the first by name).

    `most` is how many characters are cut at most, beside the first document.
    """
    documents = library.documents()
    documents.sort(key=lambda one: one.name != document)
    tokens: list[int] = []
    pieces: tuple[Piece, ...] = ()
    characters_split = 0
    for one in documents:
        if characters_split and characters_split + one.characters > most:
            continue
        text = Document(one.name, one.sha256, one.format, library.pages(one.name))
        chunks = chunk(text, tokenizer, chunk_tokens, overlap_tokens)
        lengths = [
            len(encoded) for encoded in tokenizer.encode_batch([c.text for c in chunks], add_special_tokens=False)
        ]
        if not characters_split:
            pieces = tuple(map(_piece, chunks, lengths))
        tokens += lengths
        characters_split += one.characters
    total = sum(one.characters for one in documents)
    exact = characters_split == total
    number = len(tokens) if exact else round(len(tokens) * total / max(characters_split, 1))
    return ChunkPreview(
        chunk_tokens, overlap_tokens, number, exact, tokens, documents[0].name if documents else "", pieces
    )


def _piece(one: Chunk, tokens: int) -> Piece:
    return Piece(one.start, one.end, one.page, one.heading, one.text, tokens)


@dataclass(frozen=True, slots=True)
class _StoredDocument:
    """A document as the library lists it."""

    id: int
    name: str
    sha256: str
    format: str
    characters: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class _SplitDocument:
    """A stored document, cut anew."""

    stored: _StoredDocument
    chunks: list[Chunk]


class Rechunk:
    """One run. Sizes are in tokens of the embedder. The caller holds the right to write."""

    def __init__(
        self, writer: Writer, embedder: Embedder, chunk_tokens: int, overlap_tokens: int, cancel: threading.Event
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._chunk_tokens = chunk_tokens
        self._overlap_tokens = overlap_tokens
        self._cancel = cancel

    def run(self, turn: Turn) -> Iterator[Progress[None]]:
        """Build aside, then switch. Raises `Cancelled`, which leaves everything as it was."""
        with self._writer.database.writing() as connection:
            build = add_build(
                connection,
                self._writer.serving().collection,
                self._embedder.identity,
                self._chunk_tokens,
                self._overlap_tokens,
            )
        with draft_store(self._writer, build) as store:
            done, total = 0, self._characters()
            for window in self._windows(turn):
                characters = sum(one.stored.characters for one in window)
                for share in self._build(window, build, store, turn):
                    part = done + int(characters * share)
                    yield Progress(part, total, f"{part * 100 // max(total, 1)} % of the text")
                done += characters
            switch(self._writer, store, build)
        self._writer.mark_cut()

    def _documents(self) -> list[_StoredDocument]:
        """Every document, also the deleted ones, which can be restored."""
        with self._writer.database.reading() as connection:
            found = connection.execute(
                "SELECT id, name, sha256, format, characters, deleted FROM documents WHERE collection = ? ORDER BY id",
                (self._writer.serving().collection,),
            )
            return records(_StoredDocument, found)

    def _characters(self) -> int:
        return sum(one.characters for one in self._documents())

    def _windows(self, turn: Turn) -> Iterator[list[_SplitDocument]]:
        """Documents that have about `WINDOW` chunks together, each cut in one turn."""
        window: list[_SplitDocument] = []
        for stored in self._documents():
            if self._cancel.is_set():
                raise Cancelled
            with turn():
                pages = self._writer.library.pages(stored.name)
                document = Document(stored.name, stored.sha256, stored.format, pages)
                chunks = chunk(document, self._embedder.tokenizer, self._chunk_tokens, self._overlap_tokens)
            window.append(_SplitDocument(stored, chunks))
            if sum(len(one.chunks) for one in window) >= WINDOW:
                yield window
                window = []
        if window:
            yield window

    def _build(self, window: Sequence[_SplitDocument], build: int, store: Store, turn: Turn) -> Iterator[float]:
        """Embed and store the chunks of these documents; yields which share of them is embedded (0 to 1)."""
        texts = [text for one in window for text in embedded_texts(one.chunks, self._embedder.tokenizer)]
        embedding = embed(texts, self._embedder, self._cancel, turn)
        while True:
            try:
                yield next(embedding) / len(texts)
            except StopIteration as end:
                vectors: NDArray[np.float32] = end.value
                break
        with turn(), self._writer.database.writing() as connection:
            rows = reserve(connection, store.name, len(texts))
            start = 0
            listed: list[int] = []
            for one in window:
                part = slice(start, start + len(one.chunks))
                put_chunks(connection, build, one.stored.id, one.chunks, vectors[part], rows[part])
                listed += [] if one.stored.deleted else range(part.start, part.stop)
                start = part.stop
            unmark_stale(connection, rows)
        for start in range(0, len(listed), BATCH):
            with turn():
                places = listed[start : start + BATCH]
                store.add([rows[place] for place in places], vectors[places], ASIDE)
