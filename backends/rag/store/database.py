"""The SQLite file that holds the library: its tables and its connections."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from backends.errors import BackendError
from backends.storage import sqlite

VERSION = 2
"""Of the tables below with the changes that follow them, kept in the file as `user_version`."""

_TABLES = """
CREATE TABLE collections (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    build INTEGER NOT NULL,     -- the build that serves
    store TEXT NOT NULL,        -- the vector store that serves
    version TEXT NOT NULL       -- changes with every write
);
CREATE TABLE builds (           -- one way of cutting and embedding a collection
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    embedder TEXT NOT NULL,
    chunk_tokens INTEGER NOT NULL,
    overlap_tokens INTEGER NOT NULL
);
CREATE TABLE stores (           -- a Chroma collection with the vectors of one build
    name TEXT PRIMARY KEY,
    build INTEGER NOT NULL REFERENCES builds ON DELETE CASCADE,
    files TEXT NOT NULL DEFAULT '{}'    -- sizes of its vector files
);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    format TEXT NOT NULL,
    language TEXT,
    pages INTEGER,
    characters INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    warnings TEXT NOT NULL,
    added TEXT NOT NULL,
    path TEXT NOT NULL,         -- where the file was
    stamp TEXT NOT NULL,        -- its size and time of change, "" if these prove nothing
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (collection, name)
);
CREATE TABLE texts (            -- the extracted pages, compressed
    document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    pages BLOB NOT NULL
);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    build INTEGER NOT NULL REFERENCES builds ON DELETE CASCADE,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    chunk_id TEXT NOT NULL,
    page INTEGER,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    heading TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX chunks_of_document ON chunks (document, build, ordinal);
CREATE INDEX chunks_of_build ON chunks (build);
CREATE TABLE vectors (          -- float32, normalised
    chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE TABLE stale (            -- rows that a store may hold although the library does not list them
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    store TEXT NOT NULL REFERENCES stores ON DELETE CASCADE
);
CREATE INDEX stale_of_store ON stale (store);
CREATE VIEW filed AS            -- documents with their collection's name
    SELECT k.name AS collection_name, d.* FROM documents d JOIN collections k ON k.id = d.collection;
CREATE VIEW listed AS           -- the chunks that are searched
    SELECT k.name AS collection_name, d.name AS document_name, c.* FROM chunks c
    JOIN documents d ON d.id = c.document JOIN collections k ON k.id = d.collection
    WHERE c.build = k.build AND NOT d.deleted;
"""

_MIGRATIONS = {
    1: (  # what made a document is kept beside it (store/update.py), and the vectors of its sentences
        "ALTER TABLE documents ADD COLUMN reader INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN cutter INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE sentence_vectors (     -- of the sentences of a chunk in their order, float16, normalised
            chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
            cut INTEGER NOT NULL,   -- SENTENCES_VERSION
            vectors BLOB NOT NULL
        )""",
    )
}


class LibraryFault(BackendError):
    """The library cannot be read at all: its documents have to be indexed again."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause, "Index the documents again.")


_FORMAT = sqlite.Format(
    "The index",
    VERSION,
    _TABLES,
    damaged=lambda file: LibraryFault("The library of documents is damaged."),
    foreign=lambda file, found: LibraryFault("The library of documents was made by another version."),
    wait_s=10,
    migrations=_MIGRATIONS,
)

_databases: dict[Path, Database] = {}
_databases_lock = threading.Lock()


def open_database(data: Path) -> Database:
    """The one `Database` of this process for a data folder."""
    key = Path(data).resolve() / "index" / "library.sqlite"
    with _databases_lock:
        return _databases.setdefault(key, Database(key))


class Database:
    """Connections to `library.sqlite`, each used by one thread at a time. Every fault is a `BackendError`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        self._lock = threading.Lock()

    @property
    def exists(self) -> bool:
        """Whether anything was ever stored here."""
        return self._inode() is not None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection with one consistent view. Call only if the database `exists`."""
        with self._explaining(), self._connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is committed at the end, or undone when an exception passes. Keep it short."""
        with self._explaining():
            if not self.exists:
                sqlite.create(self.file, _FORMAT)
        with self._explaining(), self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def set_aside(self) -> None:
        """Rename a damaged database, so that the next write begins a new one."""
        self.close()
        with self._explaining():
            sqlite.set_aside(self.file, self.file.with_suffix(".damaged"))

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        inode, connection = self._idle_connection() or self._open()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append((inode, connection))

    def _idle_connection(self) -> tuple[int, sqlite3.Connection] | None:
        """An idle connection to the file that is there now."""
        inode = self._inode()
        while True:
            with self._lock:
                if not self._idle:
                    return None
                found = self._idle.pop()
            if found[0] == inode:
                return found
            found[1].close()

    def _open(self) -> tuple[int, sqlite3.Connection]:
        return self._inode() or 0, sqlite.connect(self.file, _FORMAT)

    def _inode(self) -> int | None:
        """Which file it is; None if there is none, or an empty one from a process that died at once."""
        try:
            found = os.stat(self.file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_ino if found.st_size else None

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            with sqlite.explaining(self.file, _FORMAT):
                yield
        except PermissionError as error:
            raise sqlite.no_permission(_FORMAT.what) from error
