"""Servers to test against: answers in OpenAI's format, and a server whose every byte the test decides."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from werkzeug import Response

from backends.base import BackendEvent, Note, Question, TextDelta
from backends.remote.engine import Connection, OpenAICompatibleEngine, Pacing

KEY = "secret-key-0123456789"
MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
QUESTION = Question("What is the capital of France?", max_tokens=30)
PATH = "/v1/chat/completions"

SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED_HEAD = SSE_HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")


def text_chunk(text: str) -> dict[str, Any]:
    """One chunk of a stream that carries text."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}


def event(chunk: object) -> bytes:
    """A chunk as a server-sent event."""
    return b"data: " + (chunk.encode() if isinstance(chunk, str) else json.dumps(chunk).encode()) + b"\n\n"


def sse(*chunks: object) -> Response:
    """A complete stream; `[DONE]` is added."""
    return Response(b"".join(event(chunk) for chunk in (*chunks, "[DONE]")), content_type="text/event-stream")


def paris() -> Response:
    """The answer of a server that does everything right."""
    return sse(text_chunk("Par"), text_chunk("is."), STOP, USAGE)


def error(status: int, message: str, **fields: object) -> Response:
    """An error as OpenAI sends it."""
    body = json.dumps({"error": {"message": message, "type": "error", **fields}})
    return Response(body, status, content_type="application/json")


@dataclass
class Waits:
    """A waiter and a clock: waiting takes no time but moves the clock."""

    waited: list[float] = field(default_factory=list)
    cancel_after: int | None = None

    def wait(self, cancel: threading.Event, seconds: float) -> bool:
        """Record the wait; be cancelled in it if the test wants that."""
        self.waited.append(seconds)
        if self.cancel_after == len(self.waited):
            cancel.set()
        return cancel.is_set()

    def pacing(self) -> Pacing:
        """A pacing without chance and without real time."""
        return Pacing(wait=self.wait, jitter=lambda: 0.0, clock=lambda: sum(self.waited), wall_clock=lambda: 0.0)


def engine(
    base_url: str, waits: Waits | None = None, key: str | None = KEY, deadline_s: float = 30, retries: int = 2
) -> OpenAICompatibleEngine:
    """An engine for the test's server; without `waits` it runs on real clocks."""
    secret = SecretStr(key) if key else None
    connection = Connection(base_url, secret, "some-model", deadline_s, retries, connect_timeout_s=5)
    return OpenAICompatibleEngine(connection, waits.pacing() if waits else None)


def ask(
    base_url: str, waits: Waits | None = None, key: str | None = KEY, deadline_s: float = 30, retries: int = 2
) -> list[BackendEvent]:
    """All events of one answer."""
    asked = engine(base_url, waits, key, deadline_s, retries)
    return list(asked.stream(MESSAGES, QUESTION, threading.Event()))


def text(events: list[BackendEvent]) -> str:
    """The answer's text."""
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def notes(events: list[BackendEvent]) -> list[str]:
    """What the user is told on the way."""
    return [e.text for e in events if isinstance(e, Note)]


Script = Callable[["RawServer", socket.socket], None]


class RawServer:
    """Plays one script per connection (the last one for all further ones) after reading the request."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.scripts = scripts
        self.tls = tls
        self.requests: list[bytes] = []
        self.reached = threading.Event()
        self.client_gone = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client, len(self._threads)), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, number: int) -> None:
        with self.tls.wrap_socket(client, server_side=True) if self.tls else client as client:
            try:
                self.requests.append(_read_request(client))
                self.scripts[min(number, len(self.scripts) - 1)](self, client)
            except OSError:
                self.client_gone.set()

    def wait_until_client_is_gone(self, client: socket.socket) -> None:
        """Say that the script has got here, then wait for the other side to close."""
        self.reached.set()
        while client.recv(1024):
            pass
        self.client_gone.set()

    @contextmanager
    def run(self) -> Iterator[RawServer]:
        """Serve until the block ends."""
        accepting = threading.Thread(target=self._accept, daemon=True)
        accepting.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            accepting.join(5)
            for thread in self._threads:
                thread.join(5)


def _read_request(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(client)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += _more(client)
    return head + b"\r\n\r\n" + body


def _more(client: socket.socket) -> bytes:
    data = client.recv(65536)
    if not data:
        raise ConnectionResetError
    return data
