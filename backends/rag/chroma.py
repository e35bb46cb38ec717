"""Opening Chroma, and what its faults mean."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from backends.base import BackendError

if TYPE_CHECKING:
    from chromadb.api import ClientAPI


_REQUEST_S = 60.0
"""How long a server may take for one request. Chroma itself would wait for ever."""


class StoreFault(BackendError):
    """The vectors cannot be used; they can be made again from the library. `Index` adds the command."""

    def __init__(self, state: Literal["missing", "damaged"]) -> None:
        super().__init__(f"The vectors are {state}.", "Build them again.")
        self.state = state


def open_folder(folder: Path) -> ClientAPI:
    """The embedded Chroma in a folder, which is made if it is not there."""
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient
    from chromadb.config import Settings
    from chromadb.errors import ChromaError, InternalError

    try:
        return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    except BaseException as error:
        # Chroma keeps the half-open database, and would answer the next try with an AttributeError.
        SharedSystemClient._identifier_to_system.pop(str(folder), None)
        SharedSystemClient._identifier_to_refcount.pop(str(folder), None)
        if isinstance(error, Exception) and not isinstance(error, ChromaError):
            raise InternalError(str(error)) from error
        raise


def connect_to_server(url: str) -> ClientAPI:
    """The Chroma server at a URL. Raises `BackendError` if it cannot be reached."""
    import chromadb
    from chromadb.config import Settings

    host, port, secure = _address(url)
    try:
        client = chromadb.HttpClient(
            host,
            port,
            secure,
            settings=Settings(anonymized_telemetry=False),
        )
    except (ValueError, OSError) as error:
        raise BackendError(
            f"The Chroma server at {host}:{port} cannot be reached.", "Start it, or correct rag.chroma_url."
        ) from error
    for session in _sessions(client):
        session.timeout = _REQUEST_S
    return client


def _address(url: str) -> tuple[str, int, bool]:
    """Host, port and whether it is encrypted. Raises `BackendError` for what is no such address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BackendError(
            "The setting rag.chroma_url is not the address of a server.", "Write it as http://host:8000."
        )
    secure = parts.scheme == "https"
    return parts.hostname, port or (443 if secure else 8000), secure


def close_client(client: ClientAPI) -> None:
    """Let go of a folder, or of the connections to a server, which Chroma itself leaves open."""
    client.close()  # type: ignore[attr-defined]
    for session in _sessions(client):
        session.close()


def _sessions(client: ClientAPI) -> list[Any]:
    """The HTTP clients inside: its own, and that of the admin client with which it looks the database up."""
    servers = [getattr(one, "_server", None) for one in (client, getattr(client, "_admin_client", None))]
    return [server._session for server in servers if server is not None and hasattr(server, "_session")]


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
            raise BackendError("The index is being written by another program.", "Try again in a moment.") from error
        if "readonly" in str(error):
            raise BackendError("The index cannot be written.", "Check the permissions of the data folder.") from error
        if "disk is full" in str(error):
            raise BackendError("The disk is full.", "Make room and try again.") from error
        raise StoreFault("damaged") from error
