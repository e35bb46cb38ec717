"""A Chroma server: its address, what lets us in, and what its refusals mean."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from backends.errors import BackendError
from backends.remote.address import AddressRule, normalised
from backends.remote.transport import checked_transport, refusal_in
from backends.storage import strict_json

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

# What these log below a warning repeats what servers send, and that may be the key.
_TALKATIVE = ("httpx", "httpcore", "chromadb")

_REQUEST_S = 60.0
"""How long a server may take for one request. Chroma itself would wait for ever."""


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """A Chroma server by its URL; `allow_private` says that it may have an address of a private network.

    `api_key` and `headers` go with every request. `withheld` says which of them are not sent because they belong to
    another address.
    """

    url: str
    allow_private: bool = False
    api_key: SecretStr | None = None
    headers: tuple[tuple[str, SecretStr], ...] = ()
    withheld: str = field(default="", compare=False)

    @property
    def secret_headers(self) -> dict[str, str]:
        """The headers that let us in. A key goes under both names that Chroma's own token authentication has.

        https://cookbook.chromadb.dev/security/auth-1.0.x/ and chromadb.auth.token_authn. Raises `BackendError` for what
        cannot be sent.
        """
        key = self.api_key.get_secret_value().strip() if self.api_key else ""
        if not re.fullmatch(r"[\x21-\x7e]*", key):
            raise BackendError(
                "The key in rag.chroma_api_key contains a blank or a character that cannot be sent.",
                "Copy it again, without line breaks or quotation marks around it.",
            )
        own = {"Authorization": f"Bearer {key}", "X-Chroma-Token": key} if key else {}
        names = {name.lower() for name, _ in self.headers}
        kept = {name: value for name, value in own.items() if name.lower() not in names}
        return kept | {name: value.get_secret_value() for name, value in self.headers}


def connect_to_server(server: ChromaServer) -> ClientAPI:
    """A client for a Chroma server. Raises `BackendError` if it cannot be reached or its address is refused."""
    address = _address(server.url)
    rule = AddressRule(
        server.allow_private,
        "Give the address of a Chroma server as rag.chroma_url.",
        "If you trust this server with your documents and questions, set rag.chroma_allow_private=true.",
    )
    rule.check(address.where, address.host)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return _checked_client(server, address, rule)
    except BackendError:
        raise
    except Exception as error:  # Chroma raises types of its own, ValueError and bare Exception, by no rule
        raise _not_connected(error, address.where) from None


def _not_connected(error: Exception, where: str) -> BackendError:
    """What a user reads of an error with which Chroma's client could not be made."""
    import httpx

    if refused := refusal_in(error):
        return refused
    if isinstance(error, (OSError, httpx.HTTPError)) or "Could not connect" in str(error):
        return BackendError(f"The Chroma server at {where} cannot be reached.", "Start it, or correct rag.chroma_url.")
    return _no_chroma(where, "does not answer as Chroma does")


def _checked_client(server: ChromaServer, address: _Address, rule: AddressRule) -> ClientAPI:
    """Chroma's client. It sends its first requests while it is made, so the rule is put in force from within."""
    from chromadb.api.client import Client
    from chromadb.config import Settings

    if not hasattr(Client, "_validate_tenant_database"):
        raise _other_chroma()

    class CheckedClient(Client):
        """Sends its first requests, from here, with clients that obey the rule for addresses."""

        def get_user_identity(self) -> Any:
            _obey_rule(self, server, address.where, rule)
            return super().get_user_identity()

        def _validate_tenant_database(self, tenant: str, database: str) -> None:
            # by now the admin client has been made, with a session of its own
            _obey_rule(self, server, address.where, rule)
            super()._validate_tenant_database(tenant, database)

    return CheckedClient(
        settings=Settings(
            anonymized_telemetry=False,
            chroma_api_impl="chromadb.api.fastapi.FastAPI",
            chroma_server_host=address.url,
            chroma_server_http_port=urlsplit(address.url).port,
        )
    )


def _obey_rule(client: Any, server: ChromaServer, where: str, rule: AddressRule) -> None:
    """Replace everything with which a client of Chroma's sends requests. Raises `BackendError` where there is none."""
    import httpx

    def judge(response: Any) -> None:
        _judge(response, server, where)

    servers = senders(client)
    if not servers:
        raise _other_chroma()
    for one in servers:
        made_by_chroma = one._session
        headers = httpx.Headers(made_by_chroma.headers)
        headers.update(server.secret_headers)  # in place of those of the same name in any spelling
        one._session = httpx.Client(
            transport=checked_transport(httpx, rule, limits=one.http_limits),
            headers=headers,
            timeout=_REQUEST_S,
            event_hooks={"response": [judge]},
        )
        made_by_chroma.close()


def _other_chroma() -> BackendError:
    """What is said where Chroma's client is built in another way than the rule for addresses relies on.

    Chroma has no public way to give its client a transport. `Client._validate_tenant_database` is the one place where
    all that sends requests is there and nothing was sent; `_server._session` and `_admin_client._server._session` are
    what sends.
    """
    return BackendError(
        f"This version of Chroma ({version('chromadb')}) cannot be kept from forbidden addresses.",
        "Install the version that requirements/app.txt names, or unset rag.chroma_url.",
    )


_UNKNOWN_HERE = (404, 405, 410)
_READ_CHARACTERS = 10_000


def _judge(response: Any, server: ChromaServer, where: str) -> None:
    """Raise `BackendError` for a response that says nothing about collections, before Chroma makes its own of it."""
    code = response.status_code
    if code < 300 and "html" in response.headers.get("content-type", ""):
        raise _no_chroma(where, "answers with a web page")
    if code < 300:
        return
    has_secret = bool(server.secret_headers)
    if code in (401, 403, 407):
        if not has_secret:
            step = server.withheld or "Set rag.chroma_api_key, or rag.chroma_headers for another header than a token's."
            raise BackendError(
                f"The Chroma server at {where} wants a key and none is configured for it ({code}).", step
            )
        raise BackendError(
            f"The Chroma server at {where} does not let this key in ({code}).",
            "Check rag.chroma_api_key and rag.chroma_headers.",
        )
    if code < 400:
        raise BackendError(
            f"The Chroma server at {where} redirects to another address ({code}), and redirects are not followed.",
            "Set rag.chroma_url to the final address.",
        )
    response.read()
    if _is_chroma_s(response):
        return
    if code in _UNKNOWN_HERE:
        raise _no_chroma(where, f"does not know Chroma's requests ({code})")
    if code in (429, 502, 503, 504):
        raise BackendError(f"The Chroma server at {where} is not available now ({code}).", "Try again in a moment.")
    cause = f"The Chroma server at {where} cannot be reached: what answers fails with status {code}."
    raise BackendError(cause, "Look into that server's log, or correct rag.chroma_url.")


def _no_chroma(where: str, what: str) -> BackendError:
    """There is a server, but not Chroma's."""
    return BackendError(
        f"The server at {where} {what}.",
        "Check rag.chroma_url: its path, if there is one, is what comes before /api/v2. Chroma must be 1.0 or newer.",
    )


def _is_chroma_s(response: Any) -> bool:
    """Whether an error is one of Chroma's own, which its client understands."""
    from chromadb import errors

    try:
        body = strict_json.an_object(response.content[:_READ_CHARACTERS])
    except ValueError:
        return False
    return body.get("error") in errors.error_types and body.get("error") != "AuthError"


class _Address(NamedTuple):
    """A server's address: its `url` with its path, `where` (host and port) as it is shown, and its `host`."""

    url: str
    where: str
    host: str


def _address(url: str) -> _Address:
    """The address of a server.

    Raises `BackendError` for what is no such address.
    """
    try:
        given, parts = urlsplit(url), urlsplit(normalised(url))
        port = parts.port or (443 if parts.scheme == "https" else 8000)
    except ValueError:
        given, parts, port = urlsplit(""), urlsplit(""), 0
    if given.username is not None or given.password is not None:
        raise BackendError(
            "The setting rag.chroma_url contains a user name or a password.",
            "Remove it and set rag.chroma_headers, as JSON: "
            '{"Authorization": "Basic ..."} with what `printf USER:PASSWORD | base64` prints.',
        )
    if given.query or given.fragment:
        raise BackendError(
            "The setting rag.chroma_url contains ? or #.", "Give the address only, for example http://host:8000."
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BackendError(
            "The setting rag.chroma_url is not the address of a server.", "Write it as http://host:8000."
        )
    where = f"{parts.netloc.removesuffix(f':{port}')}:{port}"
    # Chroma puts /api/v2 behind the path unless it ends so, and percent-encodes it.
    path = unquote(parts.path).rstrip("/")
    return _Address(f"{parts.scheme}://{where}{path}", where, parts.hostname)


def senders(client: Any) -> list[Any]:
    """What sends requests: the client's own part for that, and the one with which it looks the database up."""
    servers = [getattr(one, "_server", None) for one in (client, getattr(client, "_admin_client", None))]
    return [server for server in servers if hasattr(server, "_session")]
