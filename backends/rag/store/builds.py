"""Building vectors anew, aside: the old ones serve until the new ones are complete, then they switch at once."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.rag.search.embedder import Turn
from backends.rag.store.chroma import BATCH, Store, StoreState, new_name
from backends.rag.store.library import new_version, vectors_of
from backends.rag.store.writer import Writer
from backends.run.jobs import Progress
from backends.run.lane import Cancelled
from backends.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ASIDE = StoreState("aside", {})
"""A store that is being filled and that nobody else looks at."""


def rebuild(writer: Writer, cancel: threading.Event, turn: Turn) -> Iterator[Progress[None]]:
    """Put the stored vectors into a new store. Raises `Cancelled`, which leaves everything as it was."""
    build = writer.serving().build
    with draft_store(writer, build) as store:
        total = writer.library.count()
        done = 0
        for rows, vectors in _listed(writer, build):
            if cancel.is_set():
                raise Cancelled
            with turn():
                store.add(rows, vectors, ASIDE)
            done += len(rows)
            yield Progress(done, total, f"{done:,} of {counted(total, 'chunk')}")
        switch(writer, store, build)


@contextlib.contextmanager
def draft_store(writer: Writer, build: int) -> Iterator[Store]:
    """A new, empty store. What does not serve afterwards is deleted, be it the new one or the old one."""
    store = writer.store(new_name())
    with writer.database.writing() as connection:
        connection.execute("INSERT INTO stores (name, build) VALUES (?, ?)", (store.name, build))
    try:
        store.create(ASIDE.version)
        yield store
    except BaseException:
        with contextlib.suppress(BackendError):  # the fault that ended the build is the one to report
            writer.remove_unused()
        raise
    writer.remove_unused()


def switch(writer: Writer, store: Store, build: int) -> None:
    """From now on this build and this store serve the collection."""
    version = new_version()
    collection = writer.serving().collection
    with writer.database.writing() as connection:
        connection.execute("UPDATE stores SET files = ? WHERE name = ?", (json.dumps(store.sizes()), store.name))
        connection.execute(
            "UPDATE documents SET chunks = (SELECT count(*) FROM chunks c WHERE c.document = documents.id"
            " AND c.build = ?) WHERE collection = ?",
            (build, collection),
        )
        connection.execute(
            "UPDATE collections SET build = ?, store = ?, version = ? WHERE id = ?",
            (build, store.name, version, collection),
        )
        store.note_write(ASIDE.version, version)


def _listed(writer: Writer, build: int) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Rows and vectors of the documents that are not deleted, a batch at a time."""
    last = 0
    while True:
        with writer.database.reading() as connection:
            found = connection.execute(
                "SELECT c.id, v.vector FROM chunks c JOIN vectors v ON v.chunk = c.id"
                " JOIN documents d ON d.id = c.document"
                " WHERE c.build = ? AND c.id > ? AND NOT d.deleted ORDER BY c.id LIMIT ?",
                (build, last, BATCH),
            ).fetchall()
        if not found:
            return
        last = found[-1][0]
        yield [row for row, _ in found], vectors_of([blob for _, blob in found])
