"""The Chroma database of a data folder: opened once per process, reopened when another process wrote."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backends.base import BackendError

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection
    from chromadb.config import Settings as ChromaSettings

_stores: dict[tuple[Path, str | None], Store] = {}
_stores_lock = threading.Lock()


def open_store(data: Path, url: str | None) -> Store:
    """The one `Store` of this process for a data folder (and a Chroma server, if `url` is given)."""
    key = (Path(data).resolve(), url)
    with _stores_lock:
        if key not in _stores:
            _stores[key] = Store(*key)
        return _stores[key]


class Store:
    """Chroma in `data/index`, or on a server by URL. Hold `lock` while working with a collection.

    A process that does not own the last write reads stale vectors, so `index/state.json` carries a
    generation that every writer changes, and the sizes of the vector files: Chroma crashes the whole
    process when it opens one that was cut short.
    """

    def __init__(self, data: Path, url: str | None) -> None:
        self.folder = data / "index"
        self.lock = threading.RLock()
        self._url = url
        self._client: ClientAPI | None = None
        self._seen = ""

    @property
    def client(self) -> ClientAPI:
        """The Chroma client, as of the last write of any process. Call with `lock` held."""
        generation = "" if self._url else str(self.state().get("generation", ""))
        if self._client is None or generation != self._seen:
            self.close()
            self._client = self._connect()
            self._seen = generation
        return self._client

    def collection(self, name: str) -> Collection | None:
        """A collection by its Chroma name, or None. Raises `BackendError` if its vector files are cut short."""
        from chromadb.errors import NotFoundError

        if not self._url and not (self.folder / "chroma.sqlite3").exists():
            return None
        self._verify_files(name)
        try:
            return self.client.get_collection(name, embedding_function=None)
        except NotFoundError:
            return None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """The right to write; one process at a time. Raises `BackendError` while another has it."""
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "writer.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise BackendError("Documents are being indexed already.", "Wait until that has finished.") from None
        try:
            yield
        finally:
            lock.release()

    def state(self) -> dict[str, Any]:
        """What writers left in `state.json`; empty before the first write."""
        try:
            state = json.loads((self.folder / "state.json").read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def wrote(self, name: str, unfinished: dict[str, str] | None = None) -> None:
        """Tell every process that a collection changed. `unfinished` says what to undo if this process dies."""
        state = self.state()
        files = state.get("files", {})
        files[name] = {} if self._url else self._vector_files(name)
        state |= {"generation": uuid.uuid4().hex, "files": files, "unfinished": unfinished}
        draft = self.folder / "state.json.new"
        draft.write_text(json.dumps(state), "utf-8")
        os.replace(draft, self.folder / "state.json")
        self._seen = state["generation"]

    def drop(self, name: str) -> None:
        """Delete a collection and its files; if the database itself is damaged, delete the whole database."""
        try:
            with chroma_faults(name):
                if self._url or (self.folder / "chroma.sqlite3").exists():
                    with contextlib.suppress(_not_found()):
                        self.client.delete_collection(name)
        except BackendError as error:
            if self._url or error.cause != damaged(name).cause:
                raise
            self.close()
            for path in (*self.folder.glob("chroma.sqlite3*"), self.folder / "state.json"):
                path.unlink(missing_ok=True)
        self.close()
        self.wrote(name)
        if not self._url:
            self._remove_unused_folders()

    def close(self) -> None:
        """Let go of the database, so that the next use reads it from disk."""
        client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[attr-defined]

    def _connect(self) -> ClientAPI:
        import chromadb
        from chromadb.config import Settings

        settings = Settings(anonymized_telemetry=False)
        if not self._url:
            return self._open_folder(settings)
        parts = urlsplit(self._url)
        secure = parts.scheme == "https"
        try:
            return chromadb.HttpClient(
                parts.hostname or "localhost", parts.port or (443 if secure else 8000), secure, settings=settings
            )
        except (ValueError, OSError) as error:
            raise BackendError(
                f"The Chroma server at {parts.hostname} cannot be reached.", "Start it, or correct rag.chroma_url."
            ) from error

    def _open_folder(self, settings: ChromaSettings) -> ClientAPI:
        import chromadb
        from chromadb.api.shared_system_client import SharedSystemClient
        from chromadb.errors import ChromaError, InternalError

        folder = str(self.folder)
        try:
            return chromadb.PersistentClient(folder, settings=settings)
        except BaseException as error:
            # Chroma keeps the half-open database, and would answer the next try with an AttributeError.
            SharedSystemClient._identifier_to_system.pop(folder, None)
            SharedSystemClient._identifier_to_refcount.pop(folder, None)
            if isinstance(error, Exception) and not isinstance(error, ChromaError):
                raise InternalError(str(error)) from error
            raise

    def _verify_files(self, name: str) -> None:
        for file, size in self.state().get("files", {}).get(name, {}).items():
            path = self.folder / file
            if not path.exists() or path.stat().st_size < size:
                raise damaged(name)

    def _segments(self, name: str | None = None) -> list[str]:
        """The vector folders that the database knows, of one collection or of all."""
        query = "SELECT s.id FROM segments s JOIN collections c ON s.collection = c.id WHERE s.scope = 'VECTOR'"
        database = f"{(self.folder / 'chroma.sqlite3').as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            if name is None:
                rows = connection.execute(query).fetchall()
            else:
                rows = connection.execute(f"{query} AND c.name = ?", (name,)).fetchall()
        return [str(row[0]) for row in rows]

    def _vector_files(self, name: str) -> dict[str, int]:
        """Sizes in bytes of the vector files, which only ever grow."""
        if not (self.folder / "chroma.sqlite3").exists():
            return {}
        try:
            files = [file for segment in self._segments(name) for file in (self.folder / segment).glob("*.bin")]
        except sqlite3.Error:
            return {}
        return {file.relative_to(self.folder).as_posix(): file.stat().st_size for file in files}

    def _remove_unused_folders(self) -> None:
        """Chroma leaves the vector folders of deleted collections behind."""
        known: list[str] = []
        if (self.folder / "chroma.sqlite3").exists():
            try:
                known = self._segments()
            except sqlite3.Error:
                return
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name not in known and _is_uuid(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def damaged(name: str) -> BackendError:
    """The fault of an index that cannot be trusted; `Index` gives it the user's collection name."""
    return BackendError(f"The index of {name} is damaged.", "Build it again.")


@contextlib.contextmanager
def chroma_faults(name: str) -> Iterator[None]:
    """Turn what Chroma raises about its files or its server into `BackendError`."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except BackendError:
        raise
    except httpx.HTTPError as error:
        raise BackendError("The Chroma server does not answer.", "Start it, or correct rag.chroma_url.") from error
    except BaseException as error:
        # A panic in Chroma's Rust part arrives as a BaseException of a class that cannot be imported.
        if not isinstance(error, (ChromaError, sqlite3.Error)) and type(error).__name__ != "PanicException":
            raise
        if "locked" in str(error) or "busy" in str(error):
            raise BackendError("The index is being written by another program.", "Try again in a moment.") from error
        if "readonly" in str(error):
            raise BackendError("The index cannot be written.", "Check the permissions of the data folder.") from error
        if "disk is full" in str(error):
            raise BackendError("The disk is full.", "Make room and try again.") from error
        raise damaged(name) from error


def _not_found() -> type[Exception]:
    from chromadb.errors import NotFoundError

    return NotFoundError


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
