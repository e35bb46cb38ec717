"""The statements that change the library. Each function is called inside a transaction."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from backends.rag.chunks import Chunk
from backends.rag.documents import Document
from backends.rag.library import Serving, packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that is ready to be stored. `stamp` is that of its file, "" if it proves nothing."""

    document: Document
    path: str
    stamp: str
    chunks: list[Chunk]
    vectors: NDArray[np.float32]


def new_version() -> str:
    """What no version was before."""
    return uuid.uuid4().hex


def add_build(
    connection: sqlite3.Connection, collection: int, embedder: str, chunk_tokens: int, overlap_tokens: int
) -> int:
    """A new way of cutting and embedding a collection; returns its id."""
    build = connection.execute(
        "INSERT INTO builds (collection, embedder, chunk_tokens, overlap_tokens) VALUES (?, ?, ?, ?)",
        (collection, embedder, chunk_tokens, overlap_tokens),
    ).lastrowid
    assert build is not None
    return build


def reserve(connection: sqlite3.Connection, store: str, number: int) -> list[int]:
    """Row ids that were never used before, marked as stale until the library lists them."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'stale'").fetchone()
    first = (found[0] if found else 0) + 1
    rows = list(range(first, first + number))
    connection.executemany("INSERT INTO stale (row, store) VALUES (?, ?)", [(row, store) for row in rows])
    return rows


def mark_rows_stale(connection: sqlite3.Connection, store: str, rows: Sequence[int]) -> None:
    """A store holds these rows although nobody knows why."""
    connection.executemany("INSERT OR IGNORE INTO stale (row, store) VALUES (?, ?)", [(row, store) for row in rows])


def mark_stale(connection: sqlite3.Connection, store: str, document: int) -> None:
    """The rows of a document are about to be unlisted, or to be put into the store again."""
    connection.execute(
        "INSERT OR IGNORE INTO stale (row, store) SELECT id, ? FROM chunks WHERE document = ?", (store, document)
    )


def unmark_stale(connection: sqlite3.Connection, rows: Sequence[int]) -> None:
    """The store holds these rows if and only if the library lists them."""
    connection.execute("DELETE FROM stale WHERE row IN (SELECT value FROM json_each(?))", (json.dumps(rows),))


def document_id(connection: sqlite3.Connection, serving: Serving, name: str, deleted: bool) -> int | None:
    """The id of a document; None if there is none of that name."""
    found = connection.execute(
        "SELECT id FROM documents WHERE collection = ? AND name = ? AND deleted = ?",
        (serving.collection, name, deleted),
    ).fetchone()
    return int(found[0]) if found else None


def put_document(connection: sqlite3.Connection, serving: Serving, entry: Entry, rows: Sequence[int]) -> None:
    """Store a document with its text, chunks and vectors in place of the one of that name, deleted or not."""
    one = entry.document
    for deleted in (False, True):
        if (found := document_id(connection, serving, one.name, deleted)) is not None:
            mark_stale(connection, serving.store, found)
            connection.execute("DELETE FROM documents WHERE id = ?", (found,))
    document = connection.execute(
        "INSERT INTO documents (collection, name, sha256, format, language, pages, characters, chunks, bytes,"
        " warnings, added, path, stamp) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            serving.collection,
            one.name,
            one.sha256,
            one.format,
            one.language,
            len(one.pages) if one.pages[0].page is not None else None,
            one.characters,
            len(entry.chunks),
            one.bytes,
            json.dumps(one.warnings),
            datetime.now(UTC).isoformat(timespec="seconds"),
            entry.path,
            entry.stamp,
        ),
    ).lastrowid
    assert document is not None
    connection.execute("INSERT INTO texts (document, pages) VALUES (?, ?)", (document, packed(one.pages)))
    put_chunks(connection, serving.build, document, entry.chunks, entry.vectors, rows)


def put_chunks(
    connection: sqlite3.Connection,
    build: int,
    document: int,
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32],
    rows: Sequence[int],
) -> None:
    """Store the chunks of a document, one row for each."""
    connection.executemany(
        "INSERT INTO chunks (id, build, document, ordinal, chunk_id, page, start, end, heading, text)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (row, build, document, ordinal, one.chunk_id, one.page, one.start, one.end, one.heading, one.text)
            for ordinal, (row, one) in enumerate(zip(rows, chunks, strict=True))
        ],
    )
    connection.executemany(
        "INSERT INTO vectors (chunk, vector) VALUES (?, ?)",
        [(row, vector.astype("<f4").tobytes()) for row, vector in zip(rows, vectors, strict=True)],
    )
