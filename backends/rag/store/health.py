"""Whether a collection can be searched, found out by looking stored vectors up in Chroma again."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from backends.errors import BackendError
from backends.rag.store.chroma import Store, StoreFault
from backends.rag.store.database import LibraryFault
from backends.rag.store.library import Library, Serving, vectors_of
from backends.rag.store.lock import Busy, writing
from backends.settings import RagSettings
from backends.text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HealthState = Literal["ok", "empty", "missing", "damaged", "half_built", "other_embedder"]

_PROBES = 8
"""Stored chunks that are looked up."""

_TRIES = 3
"""How often a collection is looked at again because somebody wrote meanwhile."""

_SCORE_TOLERANCE = 1e-3
"""How much the similarity of two equal vectors may fall short of 1; rounding gives about 1e-6."""

_EXACT = 1_000
"""Up to about this many vectors Chroma compares them all; beyond, one of the probes may be missed by chance."""


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a collection, in words, and what to do about it.

    `can_rebuild`: `Index.rebuild` mends it from what is stored.
    """

    state: HealthState
    sentence: str
    next_step: str = ""
    can_rebuild: bool = False

    @property
    def ok(self) -> bool:
        """Whether the collection can be searched."""
        return self.state == "ok"


def command(collection: str, options: str) -> str:
    """The terminal command `crossroads index` with these words, for a collection."""
    if collection != RagSettings().collection:
        options += f" --collection {shlex.quote(collection)}"
    return f"`crossroads index {options}`"


def empty(collection: str) -> Health:
    """Nothing is stored under this name."""
    step = f"Index documents with {command(collection, 'PATH')}."
    return Health("empty", f"The collection {collection} is empty.", step)


def outdated(collection: str) -> Health:
    """There is an index of an earlier version, which had no library."""
    step = f"Index the documents again with {command(collection, 'PATH')}."
    return Health("missing", "The index was made by an earlier version, which this one cannot read.", step)


def lost_library(collection: str) -> Health:
    """There are vectors, but not the library that they belong to."""
    step = f"Put it back if you have a copy, or index the documents again with {command(collection, 'PATH')}."
    return Health("missing", "The library of documents, index/library.sqlite in the data folder, is missing.", step)


def other_embedder(collection: str, made_with: str, chosen: str) -> Health:
    """The stored vectors do not fit the embedder in force."""
    return Health(
        "other_embedder",
        f"The collection {collection} was indexed with the embedder {made_with}, but {chosen} is chosen now.",
        f"Embed it again with {command(collection, '--rechunk')}, or change rag.embedder back.",
    )


def half_built(collection: str, held: int, listed: int) -> Health:
    """The store fell behind the library."""
    sentence = f"The vectors of the collection {collection} are incomplete: {held:,} of {listed:,}."
    return Health("half_built", sentence, f"Complete them with {command(collection, '--repair')}.", True)


def from_fault(collection: str, fault: BackendError) -> Health:
    """The health of a collection of which this was raised, with its name and the command that mends it."""
    if isinstance(fault, LibraryFault):
        step = f"Index the documents again with {command(collection, 'PATH --rebuild')}; all collections go."
        return Health("damaged", fault.cause, step)
    if isinstance(fault, StoreFault):
        step = f"Build them again from the stored chunks with {command(collection, '--repair')}."
        return Health(fault.state, f"The vectors of the collection {collection} are {fault.state}.", step, True)
    return Health("missing", fault.cause, fault.next_step)


def examine(library: Library, collection: str, embedder: str, store_of: Callable[[str], Store]) -> Health:
    """The health of a collection for an embedder (its identity). Never raises for damage."""
    for _ in range(_TRIES):
        serving = None
        try:
            serving = library.serving()
            health = _examine(library, collection, embedder, serving, store_of)
            if health.ok or library.serving() == serving:
                break
        except BackendError as fault:
            health = from_fault(collection, fault)
            if not isinstance(fault, StoreFault) or library.serving() == serving:
                break
    return health


def _examine(
    library: Library, collection: str, embedder: str, serving: Serving | None, store_of: Callable[[str], Store]
) -> Health:
    if serving is None or not library.count():
        return _nothing(library, collection)
    if serving.embedder != embedder:
        return other_embedder(collection, serving.embedder, embedder)
    store = store_of(serving.store)
    held, listed = _counts(library, serving, store)
    if held != listed:
        # A writer may be at work, so that the two cannot be compared; if not, nobody may begin meanwhile.
        with contextlib.suppress(Busy), writing(library.database.file.parents[1]):
            held, listed = _counts(library, serving, store)
            if held != listed:
                return half_built(collection, held, listed)
    missed = sum(not _found(store, serving, vector) for vector in _probes(library, serving))
    if missed > (listed > _EXACT):
        raise StoreFault("damaged")
    return Health("ok", f"The collection {collection} has {counted(listed, 'chunk')}.")


def _nothing(library: Library, collection: str) -> Health:
    """The collection holds nothing, or all of the library is gone."""
    folder = library.database.file.parent
    if library.database.exists:
        return empty(collection)
    if (folder / "chroma.sqlite3").exists():
        return outdated(collection)
    return lost_library(collection) if any(folder.glob("v-*/chroma.sqlite3")) else empty(collection)


def _counts(library: Library, serving: Serving, store: Store) -> tuple[int, int]:
    """How many of the listed chunks the store holds, and how many there are."""
    stale = sorted(library.stale(serving.store))
    return store.count(serving.store_state) - len(store.holds(stale, serving.store_state)), library.count()


def _probes(library: Library, serving: Serving) -> list[NDArray[np.float32]]:
    """Some stored vectors, spread over the collection."""
    with library.database.reading() as connection:
        first, last = connection.execute(
            "SELECT min(id), max(id) FROM chunks WHERE build = ?", (serving.build,)
        ).fetchone()
        found = [
            connection.execute(
                "SELECT v.vector FROM chunks c JOIN vectors v ON v.chunk = c.id JOIN documents d ON d.id = c.document"
                " WHERE c.build = ? AND c.id >= ? AND NOT d.deleted ORDER BY c.id LIMIT 1",
                (serving.build, first + (last - first) * probe // _PROBES),
            ).fetchone()
            for probe in range(_PROBES)
        ]
    return [vectors_of([row[0]])[0] for row in found if row]


def _found(store: Store, serving: Serving, vector: NDArray[np.float32]) -> bool:
    """Whether the nearest stored vector is this one, or an equal one of another chunk."""
    nearest = store.nearest(vector, 3, serving.store_state, None)
    return bool(nearest) and abs(1 - nearest[0][1]) < _SCORE_TOLERANCE
