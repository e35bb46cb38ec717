"""The bytes of a stream as JSON documents, however the server frames them.

The rules are those of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). Beyond them,
as servers send it: a byte order mark, several documents in one event or on one line, a last event without the blank
line that ends it, one document a line without `data:` (NDJSON), lines that begin with `error:` (llama.cpp), and a
single document in place of a stream. The decoder of the openai SDK keeps to events and raises for each of these, or
passes over it; should it come to read them, this one can go.

Gateways pass signs of life on as data (`data: : OPENROUTER PROCESSING`, mnfst/llm-gateway issue 2053); they say
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["document", "error", "text"]

_BLANK = " \t\r\n"
_BOM = "\ufeff"
_DONE = "[DONE]"
_SIGNS_OF_LIFE = {"ping", "pong", "keepalive", "keep-alive", "keep_alive", "heartbeat"}


@dataclass(frozen=True, slots=True)
class Received:
    """One document of a stream. An `error` is a document or text that the server marked as one; `text` is no JSON.

    `framed`: it came in an event.
    """

    kind: Kind
    value: object
    framed: bool = True


class Malformed(ValueError):
    """Part of a stream is not JSON. `said` is that part, if it may be words."""

    def __init__(self, said: str) -> None:
        super().__init__("not JSON")
        self.said = said


class EventReader:
    """Reads a stream that comes in packets, wherever the cuts are. Work is linear in what comes."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._after_cr = False
        self._data: list[str] = []
        self._event = ""
        self._stray: list[str] = []
        self._first = True
        self.done = False
        """Whether the server said that nothing more comes."""

    def feed(self, packet: bytes) -> Iterator[Received]:
        """The documents that are complete now. Raises `Malformed` and `UnicodeDecodeError`."""
        for line in () if self.done else self._lines(packet):
            yield from self._line(line)
            if self.done:
                return

    def finish(self) -> Iterator[Received]:
        """What is left when the connection has ended; raises as `feed` does.

        What belongs to no event is taken for one document or, if it is none, for text.
        """
        if self.done:
            return
        if rest := b"".join(self._pending):
            self._pending.clear()
            yield from self._line(rest)
        yield from self._dispatch()
        body = "\n".join(self._stray).strip()
        if body:
            try:
                yield Received("document", json.loads(body), framed=False)
            except (ValueError, RecursionError):
                yield Received("text", body, framed=False)

    def _lines(self, packet: bytes) -> Iterator[bytes]:
        """Lines that have ended, with CR, LF or both."""
        if not packet:
            return
        cut, self._after_cr = self._after_cr and packet[:1] == b"\n", packet.endswith(b"\r")
        packet = packet[1:] if cut else packet
        *ended, rest = packet.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in ended:
            self._pending.append(line)
            whole = b"".join(self._pending)
            self._pending.clear()
            yield whole
        if rest:
            self._pending.append(rest)

    def _line(self, raw: bytes) -> Iterator[Received]:
        line = raw.decode("utf-8")
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if not line:
            yield from self._dispatch()
            return
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and colon:
            if len(self._data) == 1 and (found := _documents(self._data[0])) is not None:
                self._data.clear()  # complete: the next line belongs to another event, whose blank line is missing
                yield from self._received(found)
            self._data.append(value)
        elif name == "event" and colon:
            self._event = value.strip()
        elif name == "error" and colon:
            yield from self._dispatch()
            yield Received("error", _document_or_text(value))
        elif name in ("", "id", "retry"):
            pass  # a comment, or what is for those who connect again
        elif line[0] in "{[" and not self._stray and (found := _documents(line)) is not None:
            yield from self._received(found, framed=False)
        else:
            self._stray.append(line)

    def _dispatch(self) -> Iterator[Received]:
        """The event that a blank line ends."""
        data, self._data = "\n".join(self._data), []
        if data.strip(_BLANK):
            if self._event == "error":
                yield Received("error", _document_or_text(data))
            elif data.removeprefix("data:").lstrip(_BLANK)[: len(_DONE)].upper() == _DONE:
                self.done = True
            else:
                found = _documents(data)
                if found is not None:
                    yield from self._received(found)
                elif not _is_sign_of_life(data):
                    raise Malformed(data)
        self._event = ""

    def _received(self, found: list[object], framed: bool = True) -> Iterator[Received]:
        kind: Kind = "error" if self._event == "error" else "document"
        yield from (Received(kind, value, framed) for value in found)


def _is_sign_of_life(data: str) -> bool:
    """Whether data is a comment, or a word by which a server only shows that it is still there."""
    lines = (line.strip().lower() for line in data.split("\n"))
    return all(not line or line.startswith(":") or line in _SIGNS_OF_LIFE for line in lines)


def _documents(text: str) -> list[object] | None:
    """The JSON documents that `text` consists of, one after another; None if it is anything else."""
    decoder = json.JSONDecoder()
    found: list[object] = []
    at = 0
    text = text.strip(_BLANK)
    text = text.removeprefix("data:").lstrip(_BLANK)  # sent twice, by gateways
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found.append(value)
        while at < len(text) and text[at] in _BLANK:
            at += 1
        at += 5 * text.startswith("data:", at)
        while at < len(text) and text[at] in _BLANK:
            at += 1
        if text.startswith(_DONE, at):
            break
    return found or None


def _document_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
