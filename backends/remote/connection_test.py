"""Tries a connection step by step: name, line, certificate, list of models, one token. Says which step failed and why.

Each step needs the one before, but a server need not list its models. No step shows a key.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from backends.base import FAILED, Answer, Question
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.remote.client import client_of
from backends.remote.connection import Connection, check
from backends.remote.faults import fault_of
from backends.remote.stream import Chunk, StreamAttempt, StreamError
from backends.remote.transport import proxy_for
from backends.run.timing import run_timed

MOST_MODELS = 2000


class _Listing(StreamAttempt):
    """GET /models, on a connection of its own."""

    def _read(self) -> None:
        for model in client_of(self._connection).models.list(timeout=self._timeout()):
            self._items.put(Chunk(getattr(model, "id", None), time.monotonic()))


def listed_models(connection: Connection, limit_s: float) -> list[str]:
    """What GET /models names, in order, at most `MOST_MODELS`. Raises what went wrong; `TimeoutError` at `limit_s`."""
    listing = _Listing(connection, {}, limit_s)
    listing.start()
    deadline = time.monotonic() + limit_s
    names: set[str] = set()
    try:
        while len(names) < MOST_MODELS:
            item = listing.next(deadline - time.monotonic())
            if isinstance(item, StreamError):
                raise item.error
            if item is None:
                raise TimeoutError
            if not isinstance(item, Chunk):
                break
            if isinstance(item.value, str) and item.value:
                names.add(connection.redaction.text(item.value))
    finally:
        listing.close()
    return sorted(names)


Name = Literal["address", "DNS", "TCP", "TLS", "models", "chat"]

PATIENCE_S = 10.0
"""How long one step may take."""

_QUESTION = Question("Hi", max_tokens=1)


@dataclass(frozen=True, slots=True)
class Step:
    """How one step went. `says` is a sentence; `models` what the server lists, `answer` what the chat came to."""

    name: Name
    passed: bool
    says: str
    models: tuple[str, ...] = ()
    answer: Answer | None = None


def run_steps(backend: PaidApiBackend, cancel: threading.Event) -> Iterator[Step]:
    """The steps as they are done, up to the first that failed. The chat is paid for: its step has the answer."""
    redaction = backend.connection.redaction
    return map(redaction.redacted, _steps(backend, cancel))


def _steps(backend: PaidApiBackend, cancel: threading.Event) -> Iterator[Step]:
    connection = backend.connection
    connection = replace(connection, deadline_s=min(connection.deadline_s, PATIENCE_S), max_retries=0)
    try:
        backend.check_address()
        check(connection)
        if proxy_for(connection.address):
            yield Step("DNS", True, f"A proxy stands between: {connection.where} is reached through it.")
        else:
            yield from _to_the_server(connection)
        yield _models(connection)
        list(backend.load(cancel))
    except BackendError as fault:
        yield Step("address", False, f"{fault.cause} {fault.next_step}")
        return
    except _StepFailed as failed:
        yield Step(failed.name, False, f"{failed.cause} {failed.next_step}")
        return
    yield _chat(backend, cancel)


class _StepFailed(Exception):
    def __init__(self, name: Name, fault: BackendError) -> None:
        super().__init__(fault.cause)
        self.name, self.cause, self.next_step = name, fault.cause, fault.next_step


def _to_the_server(connection: Connection) -> Iterator[Step]:
    parts = urlsplit(connection.address)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise _StepFailed("DNS", _fault(connection, error)) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    named = f"{host} is {', '.join(addresses[:4])}." if addresses != [host] else f"{host} is an address, no name."
    yield Step("DNS", True, named)
    try:
        line = socket.create_connection((host, port), PATIENCE_S)
    except TimeoutError:
        cause = f"{connection.where} could not be reached within {PATIENCE_S:.0f} s."
        raise _StepFailed("TCP", BackendError(cause, "Check the base URL, the network and firewalls.")) from None
    except OSError:
        cause = f"{connection.where} does not accept connections."
        raise _StepFailed(
            "TCP", BackendError(cause, "Check that the server runs and that the port is right.")
        ) from None
    with closing(line):
        reached = str(line.getpeername()[0])
        try:
            connection.rule.check(connection.where, reached)
        except BackendError as refused:
            raise _StepFailed("TCP", refused) from None
        yield Step("TCP", True, f"{reached}, port {port}, accepts connections.")
        if secure:
            yield _tls(connection, line, host)


def _tls(connection: Connection, line: socket.socket, host: str) -> Step:
    import httpx2

    try:
        with httpx2.create_ssl_context().wrap_socket(line, server_hostname=host) as secured:
            return Step("TLS", True, f"The certificate is valid for {host} ({secured.version()}).")
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "handshake failed"
        cause = f"No secure connection to {connection.where} could be made ({reason})."
    except OSError:
        cause = f"{connection.where} broke off while a secure connection was made."
    raise _StepFailed("TLS", BackendError(cause, "Check that the address wants https, and the server's certificate."))


def _models(connection: Connection) -> Step:
    """What GET /models says. A server that has no such list goes on to the chat; a refused key does not."""

    try:
        names = tuple(listed_models(connection, PATIENCE_S))
    except Exception as error:
        fault = fault_of(error, connection, False, 0.0)
        if fault.status in (401, 403):
            raise _StepFailed("models", fault.error()) from None
        why = "no answer in time" if isinstance(error, TimeoutError) else fault.short
        return Step("models", True, f"This server lists no models ({why}).")
    if not names:
        return Step("models", True, "This server lists no models.")
    where = "is among them" if connection.model in names else "is not among them, so the chat may fail"
    return Step("models", True, f"The server lists {len(names):,} models; {connection.model} {where}.", names)


def _chat(backend: PaidApiBackend, cancel: threading.Event) -> Step:
    """One token, through the same path as every answer."""
    answer = next(event for event in run_timed(backend, _QUESTION, cancel) if isinstance(event, Answer))
    if answer.status in (*FAILED, "cancelled"):
        return Step("chat", False, answer.error or "The chat failed.", answer=answer)
    waited = "" if answer.timings.latency_s is None else f" within {answer.timings.latency_s:.2g} s"
    return Step("chat", True, f"{backend.connection.model} answered{waited}.", answer=answer)


def _fault(connection: Connection, error: BaseException) -> BackendError:
    cause = f"The host name in {connection.where} could not be found."
    again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    return BackendError(cause, "Check the network connection." if again else "Check the base URL and the network.")
