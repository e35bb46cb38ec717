"""One attempt at an answer, read by a thread that can be left at any moment.

Reading happens apart from waiting because nothing else is reliable: a read timeout is per read and never trips
on a slow drip, name resolution cannot be interrupted, and closing a socket does not wake a thread that reads it.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.remote.address import host_of
from backends.remote.client import client_of, sending
from backends.remote.connection import NO_KEY, Connection
from backends.remote.error_bodies import reported_error
from backends.remote.events import EventReader, Received
from backends.remote.request import OPENAI_HOST

if TYPE_CHECKING:
    import httpx2

_KEPT_S = 10.0

Work = Callable[[], None]

_idle: list[queue.SimpleQueue[Work]] = []
_lock = threading.Lock()


def run_on_reader(work: Work) -> None:
    """Do `work` on a reading thread; returns at once. It must not raise.

    The threads are daemons: one that is stuck (name resolution cannot be interrupted) does not hold up the exit.
    """
    with _lock:
        inbox = _idle.pop() if _idle else None
    if inbox is None:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="remote-answer", daemon=True).start()
    inbox.put(work)


def _serve(inbox: queue.SimpleQueue[Work]) -> None:
    while True:
        try:
            work = inbox.get(timeout=_KEPT_S)
        except queue.Empty:
            with _lock:
                if inbox in _idle:  # else somebody has just taken it, and work is on its way
                    _idle.remove(inbox)
                    return
            continue
        work()
        with _lock:
            _idle.append(inbox)


_HEADERS_FOR_ALL = {
    "host",
    "accept",
    "accept-encoding",
    "connection",
    "content-type",
    "content-length",
    "user-agent",
    "authorization",
}
# The thread's own timeout lies after the deadline, so that the waiting side always notices first.
_GRACE_S = 1.0


class NotAStream(Exception):
    """A status 200 that carries something else than text of a kind that may be an answer."""

    def __init__(self, content_type: str) -> None:
        super().__init__(content_type)
        self.content_type = content_type


class ReportedError(Exception):
    """An error that a server reports with status 200. `body` is what it said, of any shape; `framed`: in an event."""

    def __init__(self, body: object, framed: bool) -> None:
        super().__init__("an error with status 200")
        self.body = body
        self.framed = framed


@dataclass(frozen=True)
class StrayText:
    """Text that is no part of any event."""

    text: str


@dataclass(frozen=True)
class Chunk:
    """What arrived (for an answer: a JSON document of any shape), and when (monotonic seconds).

    `framed`: as an event of a stream, and not as a document by itself.
    """

    value: Any
    at: float
    framed: bool = True


@dataclass(frozen=True)
class StreamEnd:
    """The server closed the stream properly, at this time (monotonic seconds)."""

    at: float


@dataclass(frozen=True)
class StreamError:
    """The attempt failed."""

    error: BaseException


class StreamAttempt:
    """One request on one connection of its own.

    Every answer pays for its own connection: otherwise its latency would depend on how long ago the last one was.
    """

    def __init__(self, connection: Connection, body: Mapping[str, Any], remaining_s: float) -> None:
        self._connection = connection
        self._body = dict(body)
        self._remaining_s = remaining_s
        self._items: queue.SimpleQueue[Chunk | StreamEnd | StreamError] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._closed = False

    def start(self) -> None:
        """Send the request; returns at once."""
        run_on_reader(self._run)

    def next(self, timeout_s: float) -> Chunk | StreamEnd | StreamError | None:
        """The next thing that arrived, or None if nothing did within `timeout_s`."""
        try:
            return self._items.get(timeout=max(timeout_s, 0))
        except queue.Empty:
            return None

    def close(self) -> None:
        """Break the connection now, whatever the thread is doing: the server sees it and can stop generating."""
        with self._lock:
            self._closed = True
            for duplicate in self._sockets:
                with suppress(OSError):
                    duplicate.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            with sending(self):
                self._read()
            self._items.put(StreamEnd(time.monotonic()))
        except BaseException as error:  # every fault is judged on the caller's thread
            self._items.put(StreamError(error))
        finally:
            with self._lock:
                self._closed = True
                for duplicate in self._sockets:
                    duplicate.close()
                self._sockets.clear()

    def _read(self) -> None:
        """Send the request and pass on the JSON documents of the answer as they are.

        `chat.completions.create` would copy the body by OpenAI's types and make objects of every chunk first, whose
        shape it does not check: more than half of the processor time of an answer, for nothing that is used here.
        """
        import httpx2
        from openai import APIConnectionError, Stream

        stream = client_of(self._connection).post(
            "/chat/completions",
            body=self._body,
            cast_to=object,
            options={"timeout": self._timeout()},
            stream=True,
            stream_cls=Stream[object],
        )
        response = stream.response
        try:
            _check_kind(response.headers.get("content-type", ""))
            reader = EventReader()
            for packet in response.iter_bytes():
                self._pass_on(reader.feed(packet))
                if reader.done:
                    return
            self._pass_on(reader.finish())
        except httpx2.RequestError as error:
            raise APIConnectionError(request=response.request) from error
        finally:
            response.close()

    def _pass_on(self, received: Iterable[Received]) -> None:
        """Queue documents; raises `ReportedError` for one that reports an error, after what else it holds."""
        for one in received:
            if one.kind == "text":
                self._items.put(Chunk(StrayText(str(one.value)), time.monotonic()))
                continue
            error = one.value if one.kind == "error" else reported_error(one.value)
            if error is None or (isinstance(one.value, dict) and one.value.get("choices")):
                self._items.put(Chunk(one.value, time.monotonic(), one.framed))
            if error is not None:
                raise ReportedError(error, one.framed)

    def _timeout(self) -> httpx2.Timeout:
        import httpx2

        read_s = self._remaining_s + _GRACE_S
        return httpx2.Timeout(read_s, connect=min(self._connection.connect_timeout_s, read_s))

    def prepare(self, request: httpx2.Request) -> None:
        """Watch the connection being made; keep OPENAI_ORG_ID and the like from servers that are not OpenAI's."""
        request.extensions["trace"] = self._trace
        if host_of(self._connection.base_url) != OPENAI_HOST:
            for name in [name for name in request.headers if name.lower() not in _HEADERS_FOR_ALL]:
                del request.headers[name]
        request.headers["Accept-Encoding"] = "identity"
        for name, value in self._connection.headers:
            request.headers[name] = value.get_secret_value()
        request.headers["Authorization"] = f"Bearer {self._connection.key or NO_KEY}"

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event != "connection.connect_tcp.complete":
            return
        connected: socket.socket = info["return_value"].get_extra_info("socket")
        with self._lock:
            # A duplicate stays valid when TLS wraps the socket, and shutting it down ends the connection itself.
            self._sockets.append(connected.dup())
            if self._closed:
                self._sockets[-1].shutdown(socket.SHUT_RDWR)


_KINDS = {"", "text/event-stream", "text/plain", "application/octet-stream", "application/jsonl", "text/json"}


def _check_kind(content_type: str) -> None:
    """Raise `NotAStream` for a web page and for what is no text, with status 200. JSON may be an answer."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _KINDS and "json" not in kind:
        raise NotAStream(kind)
