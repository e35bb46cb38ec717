"""Opening Chroma, and what its faults mean."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from backends.base import BackendError
from backends.engines.remote_address import AddressRule, normalised
from backends.engines.remote_transport import checked_transport, refusal_in

if TYPE_CHECKING:
    from chromadb.api import ClientAPI


_REQUEST_S = 60.0
"""How long a server may take for one request. Chroma itself would wait for ever."""


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """A Chroma server by its URL; `allow_private` says that it may have an address of a private network."""

    url: str
    allow_private: bool = False


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


def connect_to_server(server: ChromaServer) -> ClientAPI:
    """A client for a Chroma server. Raises `BackendError` if it cannot be reached or its address is refused."""
    import httpx
    from chromadb.api.client import Client
    from chromadb.config import Settings

    address, where, host = _address(server.url)
    rule = AddressRule(
        server.allow_private,
        "Give the address of a Chroma server as rag.chroma_url.",
        "If you trust this server with your documents and questions, set rag.chroma_allow_private=true.",
    )
    rule.check(where, host)

    def check_addresses(holder: Any) -> None:
        for one in _servers(holder):
            made_by_chroma = one._session
            one._session = httpx.Client(
                transport=checked_transport(httpx, rule, limits=one.http_limits),
                headers=made_by_chroma.headers,
                timeout=_REQUEST_S,
            )
            made_by_chroma.close()

    class CheckedClient(Client):
        """Sends its first requests, from here, with clients that obey the rule for addresses."""

        def get_user_identity(self) -> Any:
            check_addresses(self)
            return super().get_user_identity()

        def _validate_tenant_database(self, tenant: str, database: str) -> None:
            check_addresses(self)  # by now the admin client has been made, with a session of its own
            super()._validate_tenant_database(tenant, database)

    try:
        return CheckedClient(
            settings=Settings(
                anonymized_telemetry=False,
                chroma_api_impl="chromadb.api.fastapi.FastAPI",
                chroma_server_host=address,
                chroma_server_http_port=urlsplit(address).port,
            )
        )
    except (ValueError, OSError) as error:
        if refused := refusal_in(error):
            raise refused from None
        raise BackendError(
            f"The Chroma server at {where} cannot be reached.", "Start it, or correct rag.chroma_url."
        ) from error


def _address(url: str) -> tuple[str, str, str]:
    """The server's address, the same as it is shown (host and port), and its host.

    Raises `BackendError` for what is no such address.
    """
    try:
        parts = urlsplit(normalised(url))
        port = parts.port or (443 if parts.scheme == "https" else 8000)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BackendError(
            "The setting rag.chroma_url is not the address of a server.", "Write it as http://host:8000."
        )
    where = f"{parts.netloc.removesuffix(f':{port}')}:{port}"
    return f"{parts.scheme}://{where}", where, parts.hostname


def close_client(client: ClientAPI) -> None:
    """Let go of a folder, or of the connections to a server, which Chroma itself leaves open."""
    client.close()  # type: ignore[attr-defined]
    for server in _servers(client):
        server._session.close()


def _servers(client: Any) -> list[Any]:
    """What sends requests: the client's own part for that, and the one with which it looks the database up."""
    servers = [getattr(one, "_server", None) for one in (client, getattr(client, "_admin_client", None))]
    return [server for server in servers if hasattr(server, "_session")]


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
