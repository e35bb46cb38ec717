"""A scripted server that streams chat completions, in a process of its own: `python -m benchmarks.sse_server`.

It prints its port and serves until its standard input closes. The path says what to send: under `/200/5/v1` every
answer is 200 tokens, one every 5 ms on a fixed schedule (a late token does not delay the next); 0 ms is full speed.
Connections are kept alive, as a real server would.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_BASE = {"id": "bench", "object": "chat.completion.chunk", "created": 0, "model": "bench"}


@dataclass(frozen=True, slots=True)
class Script:
    """What one answer is: how many tokens, and the milliseconds before each."""

    tokens: int
    pace_ms: float

    @classmethod
    def from_path(cls, path: str) -> Script:
        """The script that a path such as `/200/5/v1/chat/completions` names."""
        _, tokens, pace_ms, *_ = path.split("/")
        return cls(int(tokens), float(pace_ms))


def chunked(data: bytes) -> bytes:
    """`data` as one chunk of HTTP's chunked transfer coding."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(delta: Mapping[str, str], finish_reason: str | None = None) -> bytes:
    """One server-sent event with a piece of the answer."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": finish_reason}
    return _event({**_BASE, "choices": [choice]})


def _event(document: Mapping[str, object]) -> bytes:
    return chunked(b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n")


def answer(client: socket.socket, script: Script) -> None:
    """Stream one answer, one packet per token."""
    token = event({"content": " token"})
    usage = {"prompt_tokens": 20, "completion_tokens": script.tokens, "total_tokens": 20 + script.tokens}
    client.sendall(_HEAD + event({"role": "assistant", "content": ""}))
    start = time.monotonic()
    for number in range(1, script.tokens + 1):
        wait = start + number * script.pace_ms / 1000 - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        client.sendall(token)
    client.sendall(
        event({}, "stop")
        + _event({**_BASE, "choices": [], "usage": usage})
        + chunked(b"data: [DONE]\n\n")
        + chunked(b"")
    )


def _request(client: socket.socket) -> str | None:
    """Read one request and return its path, or None if the client is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    missing = int(fields.get("content-length", "0")) - len(body)
    while missing > 0:
        missing -= len(client.recv(missing))
    return lines[0].split(" ")[1]


def _serve(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        try:
            while (path := _request(client)) is not None:
                answer(client, Script.from_path(path))
        except OSError:
            return  # the client left; that is its right


def main() -> None:
    """Serve on a free port of the loopback address."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
