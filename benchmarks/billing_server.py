"""A server that bills what it answers and fails as told: `python -m benchmarks.billing_server`.

It prints its port and serves until its standard input closes. The question's text ends with its number; the number
decides how many tokens the answer has and, for every n-th question (`/EVERY/v1` in the address), how it fails.
`GET /account` is the account: what each question was charged, in whole 10^-12 USD, and how much of that the server
reported to whoever asked. It knows nothing of the program that it is asked by.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

INPUT_USD, CACHED_USD, OUTPUT_USD = "2500", "250", "10000"
"""USD per million tokens: a thousand times the usual, so that a token of an answer is a cent."""

_PICO_INPUT, _PICO_CACHED, _PICO_OUTPUT = 2_500_000_000, 250_000_000, 10_000_000_000  # a token in 10^-12 USD
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

FAULTS = {
    "503 once": "ok",
    "429 once": "ok",
    "no answer once": "ok",
    "500 always": "error",
    "401": "error",
    "web page": "error",
    "cut after usage": "truncated",
    "error after usage": "truncated",
    "no finish reason": "truncated",
    "content filter": "truncated",
    "empty": "empty",
    "cut before usage": "truncated",
    "malformed": "truncated",
    "stall": "truncated",
}
"""How a question may fail, and the status in which its answer has to end."""

UNREPORTED = ("cut before usage", "malformed", "stall")
"""Faults after which the provider bills what it sent and nobody was told how much that is."""


SILENT = (*UNREPORTED, "web page")
"""Faults after which whoever asked cannot know what was charged."""


@dataclass(slots=True)
class Charged:
    """What one question came to: 10^-12 USD in all, and that part of it whose tokens were reported."""

    pico_usd: int = 0
    reported_pico_usd: int = 0
    requests: int = 0
    billed_requests: int = 0


def fault_of(number: int, every: int) -> str:
    """How question `number` fails; empty for most."""
    names = list(FAULTS)
    return names[number // every % len(names)] if every and number % every == 0 else ""


def status_of(number: int, every: int) -> str:
    """The status in which the answer to question `number` has to end."""
    return FAULTS.get(fault_of(number, every), "ok")


class BillingServer:
    """Serves on a free port of the loopback address."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self.account: defaultdict[int, Charged] = defaultdict(Charged)

    @contextmanager
    def run(self) -> Iterator[BillingServer]:
        """Serve until the block ends."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # the client may leave
            path, body = _request(client)
            if path == "/account":
                with self._lock:
                    said = json.dumps({number: asdict(charged) for number, charged in self.account.items()})
                client.sendall(_plain(200, "application/json", said))
                return
            number = int(re.findall(r"\d+", json.loads(body)["messages"][-1]["content"])[-1])
            fault = fault_of(number, int(path.split("/")[1]))
            with self._lock:
                self.account[number].requests += 1
                asked = self.account[number].requests
            self._answer(client, number, fault, first=asked == 1)

    def _answer(self, client: socket.socket, number: int, fault: str, first: bool) -> None:
        again = "Retry-After: 0\r\n"
        match fault:
            case "503 once" | "429 once" if first:
                client.sendall(_plain(int(fault[:3]), "application/json", "{}", again))
            case "no answer once" if first:
                return
            case "500 always":
                client.sendall(_plain(500, "application/json", "{}", again))
            case "401":
                client.sendall(_plain(401, "application/json", "{}"))
            case "web page":
                client.sendall(_plain(200, "text/html", "<html>Welcome</html>"))
            case _:
                self._stream(client, number, fault)

    def _stream(self, client: socket.socket, number: int, fault: str) -> None:
        """Send the answer and bill it: the tokens that were sent, and the prompt."""
        prompt, cached = 20 + number % 37, number % 11
        tokens = 0 if fault == "empty" else 5 + number % 23
        report = {
            "prompt_tokens": prompt,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens": tokens,
        }
        pico = (prompt - cached) * _PICO_INPUT + cached * _PICO_CACHED + tokens * _PICO_OUTPUT
        reported = fault not in UNREPORTED
        with self._lock:
            charged = self.account[number]
            charged.pico_usd += pico
            charged.reported_pico_usd += pico if reported else 0
            charged.billed_requests += 1
        reason = "content_filter" if fault == "content filter" else "stop"
        end = b"" if fault == "no finish reason" else _event(_choice({}, reason))
        usage = _event({"choices": [], "usage": report})
        client.sendall(_HEAD + b"".join(_event(_choice({"content": f"w{place} "})) for place in range(tokens)))
        match fault:
            case "cut before usage":
                return
            case "malformed":
                client.sendall(_chunked(b'data: {"choices": [\n\n'))
            case "stall":
                while client.recv(1024):  # until the client has had enough
                    pass
            case "cut after usage":
                client.sendall(usage)
            case "error after usage":
                client.sendall(usage + _event({"error": {"message": "The worker died."}}))
            case _:
                client.sendall(end + usage + _chunked(b"data: [DONE]\n\n") + _chunked(b""))


def _choice(delta: dict[str, str], reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _event(document: object) -> bytes:
    return _chunked(b"data: " + json.dumps(document).encode() + b"\n\n")


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _plain(status: int, kind: str, body: str, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + body.encode()


def _request(client: socket.socket) -> tuple[str, bytes]:
    """Path and body of one request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(client)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += _more(client)
    return head.split(b" ")[1].decode(), body


def _more(client: socket.socket) -> bytes:
    data = client.recv(65536)
    if not data:
        raise ConnectionResetError
    return data


def main() -> None:
    """Serve until standard input closes."""
    with BillingServer().run() as server:
        print(server.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
