"""What is stored of a collection: its documents with their text, its chunks with their vectors."""

from __future__ import annotations

import json
import sqlite3
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from backends.errors import BackendError
from backends.rag.documents.chunks import CHUNKS_VERSION, Chunk, context_of
from backends.rag.documents.files import Document, Page
from backends.rag.store.chroma import StoreState
from backends.rag.store.database import Database, LibraryFault, open_database
from backends.storage import strict_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document of a collection. `pages` is None where the format has none; `added` is ISO 8601 in UTC."""

    name: str
    sha256: str
    format: str
    language: str | None
    pages: int | None
    characters: int
    chunks: int
    bytes: int
    warnings: tuple[str, ...]
    added: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is stored. `row` is its id in the library and, as text, in Chroma."""

    row: int
    chunk_id: str
    document: str
    page: int | None
    start: int
    end: int
    heading: str
    text: str

    @property
    def searched_text(self) -> str:
        """What is embedded and searched by keyword: file name and headings, then the text."""
        return f"{self.context}\n{self.text}"

    @property
    def context(self) -> str:
        """File name in words, and the headings."""
        return context_of(self.document, self.heading)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection: how many documents and chunks, embedded by what, cut how (in tokens)."""

    name: str
    documents: int
    chunks: int
    embedder: str
    chunk_tokens: int
    overlap_tokens: int


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves a collection: its ids in the library, the vector store, and how its chunks were made."""

    collection: int
    build: int
    store: str
    version: str
    embedder: str
    chunk_tokens: int
    overlap_tokens: int
    files: str

    @property
    def store_state(self) -> StoreState:
        """What the store needs to be told."""
        return StoreState(self.version, _decoded(self.files, dict))


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a document came from: what indexing compares. `stamp` is "" if it proves nothing."""

    document: int
    name: str
    sha256: str
    path: str
    stamp: str
    added: str


def collections(data: Path) -> list[CollectionInfo]:
    """Every collection of a data folder, by name. Raises `BackendError` if the library cannot be read."""
    database = open_database(data)
    if not database.exists:
        return []
    with database.reading() as connection:
        return records(CollectionInfo, connection.execute(_COLLECTIONS))


def records(kind: type[_T], found: sqlite3.Cursor) -> list[_T]:
    """The rows of a query whose columns are named as the fields of `kind`."""
    names = [column[0] for column in found.description]
    return [kind(**dict(zip(names, row, strict=True))) for row in found]


_COLLECTIONS = """
SELECT k.name, count(d.id) AS documents, coalesce(sum(d.chunks), 0) AS chunks, b.embedder, b.chunk_tokens,
b.overlap_tokens FROM collections k JOIN builds b ON b.id = k.build
LEFT JOIN documents d ON d.collection = k.id AND NOT d.deleted GROUP BY k.id ORDER BY k.name"""
_SERVING = """
SELECT k.id AS collection, k.build, k.store, k.version, b.embedder, b.chunk_tokens, b.overlap_tokens, s.files
FROM collections k JOIN builds b ON b.id = k.build JOIN stores s ON s.name = k.store WHERE k.name = ?"""
_DOCUMENTS = """
SELECT name, sha256, format, language, pages, characters, chunks, bytes, warnings, added
FROM filed WHERE collection_name = ? AND deleted = ? ORDER BY name"""
_FILES = "SELECT id AS document, name, sha256, path, stamp, added FROM filed WHERE collection_name = ? AND NOT deleted"
_PAGES = "SELECT t.pages FROM texts t JOIN filed d ON d.id = t.document WHERE d.collection_name = ? AND d.name = ?"
_COUNT = "SELECT sum(chunks) FROM filed WHERE collection_name = ? AND NOT deleted"
_ANY = "SELECT 1 FROM filed WHERE collection_name = ? AND NOT deleted AND chunks > 0 LIMIT 1"
_CHUNKS = """
SELECT c.id AS row, c.chunk_id, c.document_name AS document, c.page, c.start, c.end, c.heading, c.text
FROM listed c WHERE c.collection_name = ?"""
_BEGINNINGS = """
SELECT c.document_name, substr(c.text, 1, {}) FROM listed c WHERE c.collection_name = ? AND c.ordinal = 0"""
_ROWS = "SELECT c.id FROM listed c WHERE c.collection_name = ?"
_ROWS_OF = """
SELECT c.id FROM collections k CROSS JOIN documents d ON d.collection = k.id AND NOT d.deleted
CROSS JOIN chunks c ON c.document = d.id AND c.build = k.build
WHERE k.name = ? AND d.name IN (SELECT value FROM json_each(?)) ORDER BY c.id"""  # as `_ROWS`, the documents first
_VECTORS = "SELECT c.id, v.vector FROM listed c JOIN vectors v ON v.chunk = c.id WHERE c.collection_name = ?"
_MEAN_LENGTH = "SELECT avg(length(c.text)) FROM listed c WHERE c.collection_name = ?"
_NEAREST = " ORDER BY abs(length(c.text) - ?), c.id LIMIT 1"
_IN_ORDER = " ORDER BY c.document_name, c.ordinal"
_NAMED = " AND c.document_name IN (SELECT value FROM json_each(?))"
_AMONG = " AND c.id IN (SELECT value FROM json_each(?))"


class Library:
    """Reads one collection. Every method returns something empty where nothing is stored."""

    def __init__(self, database: Database, name: str) -> None:
        self.database = database
        self._name = name

    def serving(self) -> Serving | None:
        """What serves this collection; None if there is no such collection."""
        found = self._records(Serving, _SERVING)
        return found[0] if found else None

    def documents(self, deleted: bool = False) -> list[DocumentInfo]:
        """The documents by name, or those that were deleted."""
        found = self._records(DocumentInfo, _DOCUMENTS, deleted)
        return [replace(one, warnings=tuple(_decoded(str(one.warnings), list))) for one in found]

    def files(self) -> list[StoredFile]:
        """Where the documents came from."""
        return self._records(StoredFile, _FILES)

    def pages(self, document: str) -> tuple[Page, ...]:
        """The extracted text of a document, deleted or not. Raises `BackendError` if there is none of that name."""
        found = self._all(_PAGES, document)
        if not found:
            raise no_document(document, self._name)
        return unpacked(found[0][0])

    def chunks(self, documents: Sequence[str] | None = None) -> list[StoredChunk]:
        """The chunks in the order of document names and places, of all documents or of these."""
        if documents is None:
            return self._records(StoredChunk, _CHUNKS + _IN_ORDER)
        return self._records(StoredChunk, _CHUNKS + _NAMED + _IN_ORDER, json.dumps(list(documents)))

    def rows(self, rows: Sequence[int]) -> dict[int, StoredChunk]:
        """Chunks by row; rows that are not listed (any more) are left out."""
        return {one.row: one for one in self._records(StoredChunk, _CHUNKS + _AMONG, _numbers(rows))}

    def example_chunk(self) -> StoredChunk | None:
        """The chunk whose length is nearest to the mean; None if there are none."""
        mean = self._all(_MEAN_LENGTH)
        found = self._records(StoredChunk, _CHUNKS + _NEAREST, mean[0][0]) if mean else []
        return found[0] if found else None

    def beginnings(self, characters: int) -> dict[str, str]:
        """How each document begins, by name."""
        return dict(self._all(_BEGINNINGS.format(int(characters))))

    def numbers(self, documents: Sequence[str] | None = None) -> list[int]:
        """The rows of all documents or of these, ascending."""
        if documents is None:
            return [row for (row,) in self._all(_ROWS + " ORDER BY c.id")]
        return [row for (row,) in self._all(_ROWS_OF, json.dumps(list(documents)))]

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of these rows in this order, shape (n, dimension). Raises `BackendError` for an unknown row."""
        found = dict(self._all(_VECTORS + _AMONG, _numbers(sorted(rows))))
        try:
            return vectors_of([found[int(row)] for row in rows])
        except KeyError:
            raise BackendError(f"The collection {self._name} has just changed.", "Try again.") from None

    def matrix(self) -> tuple[list[int], NDArray[np.float32]]:
        """All rows, ascending, and their vectors, shape (n, dimension)."""
        found = self._all(_VECTORS + " ORDER BY c.id")
        return [row for row, _ in found], vectors_of([blob for _, blob in found])

    def stale(self, store: str) -> set[int]:
        """Rows that a store may hold although they are not listed: being written, or left by a process that died."""
        if not self.database.exists:
            return set()
        with self.database.reading() as connection:
            return {row for (row,) in connection.execute("SELECT row FROM stale WHERE store = ?", (store,))}

    def count(self) -> int:
        """How many chunks there are."""
        return int(self._all(_COUNT)[0][0] or 0) if self.database.exists else 0

    def has_chunks(self) -> bool:
        """Whether there is anything to search; quicker than counting."""
        return bool(self._all(_ANY))

    def _records(self, kind: type[_T], query: str, *values: object) -> list[_T]:
        """What `_all` gives, with the columns as the fields of `kind`."""
        if not self.database.exists:
            return []
        with self.database.reading() as connection:
            return records(kind, connection.execute(query, (self._name, *values)))

    def _all(self, query: str, *values: object) -> list[Any]:
        """The rows of a query whose first parameter is this collection's name."""
        if not self.database.exists:
            return []
        with self.database.reading() as connection:
            return connection.execute(query, (self._name, *values)).fetchall()


def no_document(document: str, collection: str) -> BackendError:
    """The fault of a name that is not in a collection."""
    return BackendError(f"There is no document {document} in {collection}.", "Check the name.")


def packed(pages: Sequence[Page]) -> bytes:
    """Pages as they are stored."""
    return zlib.compress(json.dumps([[one.page, one.start, one.text] for one in pages]).encode(), 3)


def unpacked(blob: bytes) -> tuple[Page, ...]:
    """Pages as they were."""
    try:
        return tuple(Page(page, start, text) for page, start, text in json.loads(zlib.decompress(blob)))
    except (zlib.error, ValueError, TypeError, RecursionError) as error:
        raise LibraryFault("The library of documents is damaged.") from error


def vectors_of(blobs: Sequence[bytes]) -> NDArray[np.float32]:
    """Stored vectors as a matrix, shape (n, dimension); (0, 0) for none."""
    import numpy as np

    if not blobs:
        return np.zeros((0, 0), dtype=np.float32)
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(len(blobs), -1)


def _decoded(text: str, kind: type[_T]) -> _T:
    """The JSON of a column. Raises `LibraryFault` for anything that is not of this kind."""
    try:
        found = strict_json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise LibraryFault("The library of documents is damaged.")
    return found


def _numbers(rows: Sequence[int]) -> str:
    return json.dumps([int(row) for row in rows])


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that is ready to be stored.

    `stamp` is that of its file, "" if it proves nothing. `added` is when it came in (ISO 8601, UTC), "" for now.
    `reader` is the version that made its text.
    """

    document: Document
    path: str
    stamp: str
    chunks: list[Chunk]
    vectors: NDArray[np.float32]
    reader: int
    added: str = ""


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
        " warnings, added, path, stamp, reader, cutter) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            entry.added or datetime.now(UTC).isoformat(timespec="seconds"),
            entry.path,
            entry.stamp,
            entry.reader,
            CHUNKS_VERSION,
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
