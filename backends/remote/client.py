"""The openai client of each server, made once; every request still gets a connection of its own.

Making a client and reading the certificates takes longer than sending a request, and many answers may begin at once.
The client holds no key: whoever asks puts it into the request (`Sender.prepare`), on the thread that sends it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from backends.remote.address import AddressRule
from backends.remote.connection import NO_KEY, Connection
from backends.remote.transport import checked_transport

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import OpenAI

LARGEST_ANSWER_MB = 10
"""What one answer may hold on the wire, error pages and lists of models included."""

_MOST_CLIENTS = 64
# What httpx reads when a client is made: a change of these makes another client.
_READ_ONCE = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# What these log below a warning repeats what servers send, and that may be the key.
_TALKATIVE = ("openai", "httpx2", "httpcore2")
_sending = threading.local()
_making = threading.Lock()


class TooLarge(Exception):
    """The answer exceeds `LARGEST_ANSWER_MB`, or came compressed, so that its size cannot be told."""


class Sender(Protocol):
    """Whoever sends a request."""

    def prepare(self, request: httpx2.Request) -> None:
        """Complete the request before it is sent."""


@contextmanager
def sending(sender: Sender) -> Iterator[None]:
    """Within this block, requests of this thread are `sender`'s."""
    _sending.sender = sender
    try:
        yield
    finally:
        del _sending.sender


def client_of(connection: Connection) -> OpenAI:
    """The client for a server. Use it inside `sending`; its own retries are off, redirects are not followed."""
    environment = tuple(os.environ.get(name) or os.environ.get(name.lower()) for name in _READ_ONCE)
    with _making:
        return _client(connection.address, connection.rule, environment)


@lru_cache(_MOST_CLIENTS)
def _client(address: str, rule: AddressRule, environment: tuple[str | None, ...]) -> OpenAI:
    import httpx2
    from openai import OpenAI

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    http = httpx2.Client(
        transport=checked_transport(
            httpx2,
            rule,
            verify=_certificates(environment),
            # An answer whose connection was open already would seem faster than one that had to open it.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        ),
        follow_redirects=False,
        event_hooks={"request": [_prepare], "response": [_limit]},
    )
    client = OpenAI(api_key=NO_KEY, base_url=address, max_retries=0, http_client=http)
    _ = client.chat.completions, client.default_headers  # what the SDK does on first use only
    return client


@lru_cache(4)
def _certificates(environment: tuple[str | None, ...]) -> ssl.SSLContext:
    """Read once: it takes about as long as the rest of an answer's overhead a hundred times over."""
    import httpx2

    return httpx2.create_ssl_context()


def _prepare(request: httpx2.Request) -> None:
    _sending.sender.prepare(request)


def _limit(response: httpx2.Response) -> None:
    """Stop reading at `LARGEST_ANSWER_MB`."""
    import httpx2

    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise TooLarge
    whole = response.stream
    assert isinstance(whole, httpx2.SyncByteStream)
    response.stream = _limited()(whole)


@lru_cache(1)
def _limited() -> Callable[[httpx2.SyncByteStream], httpx2.SyncByteStream]:
    """What makes a body end at the limit. Its class is made late, because importing httpx takes long."""
    import httpx2

    class Limited(httpx2.SyncByteStream):
        def __init__(self, pieces: httpx2.SyncByteStream) -> None:
            self._pieces = pieces

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for piece in self._pieces:
                size += len(piece)
                if size > LARGEST_ANSWER_MB * 1_000_000:
                    raise TooLarge
                yield piece

        def close(self) -> None:
            self._pieces.close()

    return Limited
