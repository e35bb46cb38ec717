"""A collection cut otherwise, in memory beside the stored one: to measure other chunk settings before choosing them."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backends.base import BackendError
from backends.lane import Cancelled
from backends.rag.batches import Turn, embed
from backends.rag.chunks import CONTEXT_TOKENS, SPECIAL_TOKENS, chunk, embedded_texts
from backends.rag.documents import Document
from backends.rag.embedder import Embedder
from backends.rag.index import DocumentInfo, Index
from backends.rag.library import StoredChunk
from backends.rag.search import Searcher
from backends.settings import RagSettings
from evaluation.question_sets import Sample
from evaluation.retrieval import EvaluationStep, evaluate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class CutAside:
    """Chunks and vectors in memory, searched exactly. Rows count from 0."""

    version = "aside"

    def __init__(
        self, data: Path, documents: list[DocumentInfo], chunks: Sequence[StoredChunk], vectors: NDArray[np.float32]
    ) -> None:
        self.data = data
        self._documents = documents
        self._chunks = chunks
        self._vectors = vectors

    def documents(self) -> list[DocumentInfo]:
        """The documents that were cut."""
        return self._documents

    def numbers(self, documents: Sequence[str] | None = None) -> list[int]:
        """The rows of all documents or of these, ascending."""
        return [one.row for one in self._chunks if documents is None or one.document in documents]

    def rows(self, rows: Sequence[int]) -> dict[int, StoredChunk]:
        """Chunks by row."""
        return {row: self._chunks[row] for row in rows}

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of these rows, shape (n, dimension)."""
        return self._vectors[list(rows)]

    def nearest(
        self, vector: NDArray[np.float32], n: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        """Row and cosine similarity of the `n` nearest chunks, best first."""
        rows = self.numbers(documents)
        cosines = (self._vectors[rows] @ vector).tolist()
        return sorted(zip(rows, cosines, strict=True), key=lambda hit: (-hit[1], hit[0]))[:n]

    def check(self) -> None:
        """Raises `BackendError` if there is nothing to search."""
        if not self._chunks:
            raise BackendError("The collection is empty.", "Index documents first.")


def evaluate_chunk_settings(
    index: Index,
    embedder: Embedder,
    settings: RagSettings,
    samples: Sequence[Sample],
    chunk_settings: Sequence[tuple[int, int]],
    cancel: threading.Event,
    turn: Turn | None = None,
) -> Iterator[EvaluationStep]:
    """Cut the stored text anew for each (chunk_tokens, overlap_tokens), search it and judge it; one report for each.

    The stored collection is not touched. Each step of work runs inside `with turn():`. Raises `BackendError` for
    settings that cannot be, or if no question can be judged.
    """
    turn = turn or nullcontext
    for tokens, overlap in chunk_settings:
        label = f"{tokens}/{overlap}"
        try:
            aside = yield from _cut(index, embedder, tokens, overlap, cancel, turn)
        except Cancelled:
            return
        searcher = Searcher(aside, embedder, settings)
        for step in evaluate(searcher, index, samples, cancel, turn, label):
            report = step.result and replace(step.result, chunk_tokens=tokens, overlap_tokens=overlap)
            yield replace(step, detail=f"chunks of {tokens} tokens: {step.detail}", result=report)


def _cut(
    index: Index, embedder: Embedder, tokens: int, overlap: int, cancel: threading.Event, turn: Turn
) -> Generator[EvaluationStep, None, CutAside]:
    if tokens > (limit := embedder.max_tokens - CONTEXT_TOKENS - SPECIAL_TOKENS):
        raise BackendError(f"Chunks of {tokens} tokens are too long for the embedder.", f"Take {limit} or fewer.")
    documents = index.documents()
    stored: list[StoredChunk] = []
    texts: list[str] = []
    for info in documents:
        if cancel.is_set():
            raise Cancelled
        with turn():
            text = Document(info.name, info.sha256, info.format, index.pages(info.name))
            chunks = chunk(text, embedder.tokenizer, tokens, overlap)
            texts += embedded_texts(chunks, embedder.tokenizer)
        for one in chunks:
            place = (one.page, one.start, one.end, one.heading, one.text)
            stored.append(StoredChunk(len(stored), one.chunk_id, one.document, *place))
    steps = embed(texts, embedder, cancel, turn)
    while True:
        try:
            done = next(steps)
        except StopIteration as finished:
            return CutAside(index.data, documents, stored, finished.value)
        yield EvaluationStep(done, len(texts), f"chunks of {tokens} tokens: {done} of {len(texts)} embedded")
