"""The vectors of one build in Chroma: a folder of its own in `data/index`, or a collection on a server."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import uuid
from collections import Counter
from collections.abc import Collection as Names
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from backends.errors import BackendError
from backends.rag.store import vector_files
from backends.rag.store.chroma_server import ChromaServer, connect_to_server, senders
from backends.storage import sqlite

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection
    from numpy.typing import NDArray


class StoreFault(BackendError):
    """The vectors cannot be used; they can be made again from the library. `Index` adds the command."""

    def __init__(self, state: Literal["missing", "damaged"]) -> None:
        super().__init__(f"The vectors are {state}.", "Build them again.")
        self.state = state


def open_folder(folder: Path) -> ClientAPI:
    """The embedded Chroma in a folder, which is made if it is not there."""
    import chromadb
    from chromadb.config import Settings
    from chromadb.errors import ChromaError, InternalError

    # Chroma keeps a database that it could open only by half, and answers the next try with an AttributeError.
    # It knows a folder by its spelling, so each failure has the next try spell it otherwise.
    spelling = str(folder) + "/." * _failures[folder]
    try:
        return chromadb.PersistentClient(spelling, settings=Settings(anonymized_telemetry=False))
    except BaseException as error:
        _failures[folder] += 1
        if isinstance(error, Exception) and not isinstance(error, ChromaError):
            raise InternalError(str(error)) from error
        raise


def close_client(client: ClientAPI) -> None:
    """Let go of a folder, or of the connections to a server, which Chroma itself leaves open."""
    client.close()  # type: ignore[attr-defined]
    for server in senders(client):
        server._session.close()


@contextlib.contextmanager
def chroma_faults() -> Iterator[None]:
    """Turn what Chroma raises about its files or its server into `BackendError`."""
    import httpx
    from chromadb.errors import ChromaError, NotFoundError

    try:
        yield
    except BackendError:
        raise
    except httpx.HTTPError as error:
        raise BackendError("The Chroma server does not answer.", "Start it, or correct rag.chroma_url.") from error
    except NotFoundError as error:
        raise StoreFault("missing") from error
    except BaseException as error:
        # A panic in Chroma's Rust part arrives as a BaseException of a class that cannot be imported.
        if not isinstance(error, (ChromaError, sqlite3.Error)) and type(error).__name__ != "PanicException":
            raise
        if "locked" in str(error) or "busy" in str(error):
            raise sqlite.in_use("The index") from error
        if "readonly" in str(error):
            raise sqlite.no_permission("The index") from error
        if "disk is full" in str(error):
            raise sqlite.disk_full() from error
        raise StoreFault("damaged") from None  # a server may say anything, keys included


BATCH = 250
"""Vectors per call that writes. Chroma needs about 2 ms for each, and a search waits for the call to end."""

_READ = 5_000
"""Ids per call that looks ids up."""

_failures: Counter[Path] = Counter()
"""How often a folder could not be opened."""

_stores: dict[tuple[Path, ChromaServer | None, str], Store] = {}
_stores_lock = threading.Lock()


def open_store(data: Path, server: ChromaServer | None, name: str) -> Store:
    """The one `Store` of this process for a data folder (and a Chroma server, if one is given) and a name."""
    key = (Path(data).resolve() / "index", server, name)
    with _stores_lock:
        if key not in _stores:
            _stores[key] = Store(*key)
        return _stores[key]


def close_stores(data: Path) -> None:
    """Let go of every store of a data folder."""
    folder = Path(data).resolve() / "index"
    with _stores_lock:
        found = [store for key, store in _stores.items() if key[0] == folder]
    for store in found:
        store.close()


def new_name() -> str:
    """A name for a new store."""
    return f"v-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the library knows of a store: a `version` that every writer changes, and the sizes of its vector files.

    A process that did not write the last version reads stale vectors, so it opens the store again, after a look
    whether the files are as they were left (`vector_files`).
    """

    version: str
    sizes: Mapping[str, int]


class Store:
    """Vectors by id, found by cosine similarity. Safe to use from several threads.

    Raises `StoreFault` for what is missing or damaged, `BackendError` for the rest.
    """

    def __init__(self, index: Path, server: ChromaServer | None, name: str) -> None:
        self.name = name
        self.folder = index / name
        self._server = server
        self._lock = threading.RLock()
        self._client: ClientAPI | None = None
        self._collection: Collection | None = None
        self._fresh: set[str] = set()
        """Versions that the open client does not lag behind."""

    def count(self, known: StoreState) -> int:
        """How many vectors there are."""
        with self._lock, chroma_faults():
            return self._open(known).count()

    def nearest(
        self, vector: NDArray[np.float32], n: int, known: StoreState, among: Sequence[int] | None
    ) -> list[tuple[int, float]]:
        """Id and cosine similarity of the `n` most similar vectors (of those `among` these ids), best first."""
        with self._lock, chroma_faults():
            collection = self._open(known)
            if among is not None and not among:
                return []
            found = collection.query(
                query_embeddings=cast(Any, [vector]),
                n_results=n,  # if there are fewer, all of them; counting first would take longer than the query
                ids=None if among is None else [str(row) for row in among],
                include=["distances"],
            )
        ids, distances = found["ids"][0], (found["distances"] or [[]])[0]
        return sorted(((int(id), 1.0 - distance) for id, distance in zip(ids, distances, strict=True)), key=_best)

    def holds(self, rows: Sequence[int], known: StoreState) -> set[int]:
        """Which of these ids there are."""
        held: set[int] = set()
        with self._lock, chroma_faults():
            collection = self._open(known)
            for start in range(0, len(rows), _READ):
                ids = [str(row) for row in rows[start : start + _READ]]
                held.update(int(id) for id in collection.get(ids=ids, include=[])["ids"])
        return held

    def rows(self, known: StoreState) -> set[int]:
        """Every id."""
        with self._lock, chroma_faults():
            return {int(id) for id in self._open(known).get(include=[])["ids"]}

    def create(self, version: str) -> None:
        """Make the store, empty; does nothing if it is there."""
        with self._lock, chroma_faults():
            self._connect(version, {})
            assert self._client is not None
            self._collection = self._client.get_or_create_collection(
                self.name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
            )

    def add(self, rows: Sequence[int], vectors: NDArray[np.float32], known: StoreState) -> None:
        """Put vectors in, in place of those that have the same id. At most `BATCH` at once."""
        with self._lock, chroma_faults():
            collection = self._open(known)
            collection.upsert(ids=[str(row) for row in rows], embeddings=cast(Any, vectors))

    def delete(self, rows: Sequence[int], known: StoreState) -> None:
        """Take vectors out; unknown ids do no harm. At most `BATCH` at once."""
        with self._lock, chroma_faults():
            self._open(known).delete(ids=[str(row) for row in rows])

    def note_write(self, previous: str, version: str) -> None:
        """This process makes a version out of the one `previous`: what it has open is up to date if it was then."""
        with self._lock:
            if previous in self._fresh:
                self._fresh.add(version)

    def sizes(self) -> dict[str, int]:
        """Sizes in bytes of the vector files; nothing for a server, which has its own."""
        return {} if self._server else vector_files.sizes(self.folder)

    def remove(self) -> None:
        """Delete the store, whatever state it is in."""
        from chromadb.errors import NotFoundError

        with self._lock:
            if self._server:
                with chroma_faults(), contextlib.suppress(NotFoundError):
                    self._connect("", {})
                    assert self._client is not None
                    self._client.delete_collection(self.name)
            self.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of the database, so that the next use reads it from disk."""
        with self._lock:
            client, self._client, self._collection = self._client, None, None
            if client is not None:
                close_client(client)

    def _open(self, known: StoreState) -> Collection:
        from chromadb.errors import NotFoundError

        if not self._server:
            if not self.folder.is_dir() or not any(self.folder.iterdir()):
                self.close()
                raise StoreFault("missing")
            if not vector_files.not_shorter(self.folder, known.sizes):
                raise StoreFault("damaged")
        self._connect(known.version, known.sizes)
        if self._collection is None:
            assert self._client is not None
            try:
                self._collection = self._client.get_collection(self.name, embedding_function=None)
            except NotFoundError:
                raise StoreFault("missing") from None
        return self._collection

    def _connect(self, version: str, sizes: Mapping[str, int]) -> None:
        """Open the client, as of this version."""
        if self._client is not None and (self._server or version in self._fresh):
            return
        self.close()
        if not self._server and not vector_files.as_noted(self.folder, sizes):
            raise StoreFault("damaged")
        self._client = connect_to_server(self._server) if self._server else open_folder(self.folder)
        self._fresh = {version}


def sweep(data: Path, keep: Names[str]) -> None:
    """Delete every store in a data folder that is not to be kept, and what earlier versions left there."""
    index = Path(data).resolve() / "index"
    for path in index.iterdir():
        if path.is_dir() and (path.name.startswith("v-") or _is_uuid(path.name)) and path.name not in keep:
            open_store(data, None, path.name).remove()
    for path in (*index.glob("chroma.sqlite3*"), index / "state.json"):
        path.unlink(missing_ok=True)


def _best(hit: tuple[int, float]) -> tuple[float, int]:
    return -hit[1], hit[0]


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
