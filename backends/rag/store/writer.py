"""Changing a collection so that a process may die at any moment: the library decides, the vectors follow.

Vectors are put into the store before the library lists their rows, and taken out after it has stopped listing
them. In between, the rows stand in the table `stale`. So the store always holds every row that is listed, and
what a dead process left is known and taken out by the next writer.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.errors import BackendError
from backends.rag.documents.chunks import CHUNKS_VERSION
from backends.rag.search.embedder import Turn
from backends.rag.store.chroma import BATCH, Store, new_name, open_store, sweep
from backends.rag.store.chroma_server import ChromaServer
from backends.rag.store.library import (
    Entry,
    Library,
    Serving,
    add_build,
    document_id,
    mark_rows_stale,
    mark_stale,
    new_version,
    no_document,
    put_document,
    reserve,
    unmark_stale,
    vectors_of,
)
from backends.run.lane import Cancelled


class Writer:
    """Changes one collection. The caller holds the right to write (`writing`)."""

    def __init__(self, data: Path, server: ChromaServer | None, library: Library, name: str) -> None:
        self.library = library
        self.database = library.database
        self._data = data
        self._server = server
        self._name = name

    def store(self, name: str) -> Store:
        """A store by its name."""
        return open_store(self._data, self._server, name)

    def serving(self) -> Serving:
        """What serves the collection, which exists."""
        found = self.library.serving()
        assert found
        return found

    def remove_unused(self) -> None:
        """Delete what writers that died left aside, in all collections."""
        if not self.database.exists:
            if self.database.file.parent.is_dir():
                sweep(self._data, keep=())
            return
        with self.database.reading() as connection:
            left = connection.execute(
                "SELECT name FROM stores WHERE name NOT IN (SELECT store FROM collections)"
            ).fetchall()
            kept = connection.execute("SELECT store FROM collections").fetchall()
        for (name,) in left:
            self.store(name).remove()
        sweep(self._data, keep={name for (name,) in kept})
        if left:
            with self.database.writing() as connection:
                connection.execute("DELETE FROM stores WHERE name NOT IN (SELECT store FROM collections)")
                connection.execute("DELETE FROM builds WHERE id NOT IN (SELECT build FROM collections)")

    def begin(self, embedder: str, chunk_tokens: int, overlap_tokens: int) -> None:
        """Make the collection, with an empty store. One of this name that has no documents is replaced."""
        self.drop()
        store = new_name()
        with self.database.writing() as connection:
            collection = connection.execute(
                "INSERT INTO collections (name, build, store, version) VALUES (?, 0, ?, ?)",
                (self._name, store, new_version()),
            ).lastrowid
            assert collection is not None
            build = add_build(connection, collection, embedder, chunk_tokens, overlap_tokens)
            connection.execute("INSERT INTO stores (name, build) VALUES (?, ?)", (store, build))
            connection.execute("UPDATE collections SET build = ? WHERE id = ?", (build, collection))
        self.store(store).create(self.serving().version)

    def put(self, entries: Sequence[Entry], turn: Turn) -> None:
        """Store documents, each whole or not at all; those of the same names are replaced."""
        import numpy as np

        serving = self.serving()
        chunks = [(entry, number) for entry in entries for number in range(len(entry.chunks))]
        rows = self._reserve(serving.store, len(chunks))
        store, known = self.store(serving.store), serving.store_state
        for start in range(0, len(chunks), BATCH):
            with turn():
                store.add(
                    rows[start : start + BATCH],
                    np.stack([entry.vectors[number] for entry, number in chunks[start : start + BATCH]]),
                    known,
                )
                self._note_sizes(store)
        with turn(), self._changing(serving) as connection:
            left = rows
            for entry in entries:
                put_document(connection, serving, entry, left[: len(entry.chunks)])
                left = left[len(entry.chunks) :]
            unmark_stale(connection, rows)
        with contextlib.suppress(Cancelled):  # these documents are stored, and the rest can wait
            self.delete_stale(turn)

    def delete(self, document: str) -> None:
        """Stop listing a document; `restore` undoes it. Raises `BackendError` if there is none of that name."""
        serving = self.serving()
        with self._changing(serving) as connection:
            found = document_id(connection, serving, document, deleted=False)
            if found is None:
                raise no_document(document, self._name)
            connection.execute("UPDATE documents SET deleted = 1 WHERE id = ?", (found,))
            mark_stale(connection, serving.store, found)
        with contextlib.suppress(BackendError):  # the rows are not listed any more, and the next writer tries again
            self.delete_stale(contextlib.nullcontext)

    def restore(self, document: str) -> None:
        """List a deleted document again. Raises `BackendError` if there is none of that name."""
        serving = self.serving()
        with self.database.writing() as connection:
            found = document_id(connection, serving, document, deleted=True)
            if found is None:
                raise BackendError(f"There is no deleted document {document} in {self._name}.", "Index it again.")
            mark_stale(connection, serving.store, found)
            vectors = connection.execute(
                "SELECT c.id, v.vector FROM chunks c JOIN vectors v ON v.chunk = c.id"
                " WHERE c.document = ? AND c.build = ?",
                (found, serving.build),
            ).fetchall()
        store = self.store(serving.store)
        for start in range(0, len(vectors), BATCH):
            batch = vectors[start : start + BATCH]
            store.add([row for row, _ in batch], vectors_of([blob for _, blob in batch]), serving.store_state)
            self._note_sizes(store)
        with self._changing(serving) as connection:
            connection.execute("UPDATE documents SET deleted = 0 WHERE id = ?", (found,))
            unmark_stale(connection, [row for row, _ in vectors])

    def purge(self) -> None:
        """Forget the deleted documents."""
        serving = self.serving()
        with self._changing(serving) as connection:
            connection.execute("DELETE FROM documents WHERE collection = ? AND deleted", (serving.collection,))

    def touch(self, stamps: dict[int, str]) -> None:
        """Note new stamps of files that were found unchanged."""
        if stamps:
            with self.database.writing() as connection:
                connection.executemany(
                    "UPDATE documents SET stamp = ? WHERE id = ?", [(stamp, id) for id, stamp in stamps.items()]
                )

    def mark_cut(self, document: int | None = None) -> None:
        """Note that a document (all documents) has the chunks that today's rules make."""
        query = "UPDATE documents SET cutter = ? WHERE collection = ? AND coalesce(id = ?, 1)"
        values = (CHUNKS_VERSION, self.serving().collection, document)
        with self.database.writing() as connection:
            connection.execute(query, values)

    def drop(self) -> None:
        """Delete the collection."""
        serving = self.library.serving()
        if serving is not None:
            self.store(serving.store).remove()
            with self.database.writing() as connection:
                connection.execute("DELETE FROM collections WHERE id = ?", (serving.collection,))

    def delete_stale(self, turn: Turn) -> None:
        """Take the rows out of the store that the library does not list."""
        serving = self.serving()
        rows = sorted(self.library.stale(serving.store))
        if not rows:
            return
        store, known = self.store(serving.store), serving.store_state
        for start in range(0, len(rows), BATCH):
            with turn():
                store.delete(rows[start : start + BATCH], known)
                self._note_sizes(store)
        with self._changing(serving) as connection:
            unmark_stale(connection, rows)

    def repair(self, turn: Turn) -> None:
        """Make the store hold exactly what the library lists, where it fell behind."""
        self.delete_stale(turn)
        serving = self.serving()
        store, known = self.store(serving.store), serving.store_state
        if store.count(known) == self.library.count():
            return
        listed = set(self.library.numbers())
        held = store.rows(known)
        missing = sorted(listed - held)
        with self.database.writing() as connection:
            mark_rows_stale(connection, serving.store, sorted(held - listed))
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            with turn():
                store.add(batch, self.library.vectors(batch), known)
                self._note_sizes(store)
        self.delete_stale(turn)

    def _reserve(self, store: str, number: int) -> list[int]:
        """Row ids that were never used before, noted as stale until the library lists them."""
        with self.database.writing() as connection:
            return reserve(connection, store, number)

    def _note_sizes(self, store: Store) -> None:
        """Note the sizes of the vector files, which a change may have made larger."""
        with self.database.writing() as connection:
            connection.execute("UPDATE stores SET files = ? WHERE name = ?", (json.dumps(store.sizes()), store.name))

    @contextlib.contextmanager
    def _changing(self, serving: Serving) -> Iterator[sqlite3.Connection]:
        """A transaction that gives the collection a new version."""
        version = new_version()
        store = self.store(serving.store)
        with self.database.writing() as connection:
            yield connection
            connection.execute("UPDATE collections SET version = ? WHERE id = ?", (version, serving.collection))
            connection.execute("UPDATE stores SET files = ? WHERE name = ?", (json.dumps(store.sizes()), serving.store))
            store.note_write(serving.version, version)  # before others can see the new version
