"""The vectors of the sentences of every chunk, made once, so that a question embeds nothing but itself.

They take about as long as those of the chunks (docs/measurements.md), so they are made when the chunks can be searched
already. A chunk that has none yet, or those of an earlier way of cutting, is embedded when it is found.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from backends.rag.search.embedder import Embedder, Turn, embed
from backends.rag.search.sentences import SENTENCES_VERSION, cut, in_words
from backends.rag.store.database import Database
from backends.rag.store.library import Library

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOGETHER = 128
"""Chunks whose sentences are embedded together and stored: 500 or so, of which many are of equal length."""

_LACKING = """
SELECT c.id FROM listed c LEFT JOIN sentence_vectors s ON s.chunk = c.id AND s.cut = ?
WHERE c.collection_name = ? AND s.chunk IS NULL"""
_NAMED = " AND c.document_name IN (SELECT value FROM json_each(?))"
_STORED = """
SELECT s.chunk, s.vectors, length(v.vector) / 4 FROM sentence_vectors s JOIN vectors v ON v.chunk = s.chunk
WHERE s.cut = ? AND s.chunk IN (SELECT value FROM json_each(?))"""


def lacking(database: Database, collection: str, documents: Sequence[str] | None = None) -> list[int]:
    """The rows of the listed chunks, of all documents or of these, whose sentences have no vectors."""
    if not database.exists:
        return []
    query = _LACKING if documents is None else _LACKING + _NAMED
    names = [] if documents is None else [json.dumps(list(documents))]
    with database.reading() as connection:
        found = connection.execute(f"{query} ORDER BY c.id", (SENTENCES_VERSION, collection, *names))
        return [row for (row,) in found]


def stored(database: Database, rows: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    """By row, the vectors of the sentences of a chunk in their order, shape (n, dimension), if they are kept."""
    import numpy as np

    if not database.exists:
        return {}
    with database.reading() as connection:
        found = connection.execute(_STORED, (SENTENCES_VERSION, json.dumps([int(row) for row in rows]))).fetchall()
    return {
        row: np.frombuffer(blob, dtype="<f2").astype(np.float32).reshape(-1, dimension)
        for row, blob, dimension in found
    }


def make(
    library: Library,
    collection: str,
    embedder: Embedder,
    documents: Sequence[str] | None,
    cancel: threading.Event,
    turn: Turn,
) -> Iterator[tuple[int, int]]:
    """Make those that are lacking (of these documents), and yield how many of how many chunks are done, the last too.

    The caller holds the right to write. Raises `Cancelled`, which keeps what is stored; the next run goes on there.
    """
    rows = lacking(library.database, collection, documents)
    for start in range(0, len(rows), _TOGETHER):
        part = library.rows(rows[start : start + _TOGETHER])
        texts = {row: [in_words(one) for one in cut(chunk)] for row, chunk in part.items()}
        distinct = list(dict.fromkeys(text for those in texts.values() for text in those))
        embedding = embed(distinct, embedder, cancel, turn)
        while True:
            try:
                yield start + len(part) * next(embedding) // len(distinct), len(rows)
            except StopIteration as end:
                vectors = dict(zip(distinct, end.value.astype("<f2"), strict=True))
                break
        with turn(), library.database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO sentence_vectors (chunk, cut, vectors) VALUES (?, ?, ?)",
                [
                    (row, SENTENCES_VERSION, b"".join(vectors[text].tobytes() for text in those))
                    for row, those in texts.items()
                ],
            )
    yield len(rows), len(rows)
