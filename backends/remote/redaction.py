"""Takes the secrets of a connection out of every text that comes back from its server, or is said about it.

Nothing keeps a server from sending a key back, in any field. It is found in any case, percent-encoded, as escapes of
JSON or HTML, and with invisible characters between its own.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from html.entities import html5
from typing import Any

from backends.base import BackendEvent, Finished, Reclassified, TextDelta
from backends.errors import BackendError
from backends.text import CONTROLS, FORMATS, ZERO_WIDTH

REPLACEMENT = "[key]"

# A shorter "key" is a placeholder, and replacing it would garble words. In an answer, so would a plain word.
_SHORTEST, _SHORTEST_IN_ANSWER = 4, 8
_HELD_FROM = _SHORTEST
"""So many characters that could be the beginning of a secret are held back until it is clear whether they are."""

_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk)-[\w*.\-]{6,}", re.IGNORECASE)
_INVISIBLE = f"[{CONTROLS}{FORMATS}{ZERO_WIDTH}\ufeff]*"
_CUT_OFF = r"(?:%[0-9a-f]?|\\(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|&#?\w{0,10})"  # the beginning of a spelling
_ENDS_HERE = re.compile(rf"{_INVISIBLE}{_CUT_OFF}?\Z", re.IGNORECASE)
_LONGEST_CUT_OFF = 12
_ENDS_CUT_OFF = re.compile(rf"{_CUT_OFF}\Z", re.IGNORECASE)


class Redaction:
    """Knows the secrets of one connection. Immutable, so any thread may use it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._secrets = tuple(known)
        self._in_answers = tuple(one for one in known if len(one) >= _SHORTEST_IN_ANSWER and not one.isalpha())

    def text(self, text: str) -> str:
        """A message without the secrets, and without anything that looks like a key."""
        for secret in self._secrets:
            spans, _ = _found(text, secret, _HELD_FROM)
            between = zip([0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)], strict=True)
            text = REPLACEMENT.join(text[start:end] for start, end in between)
        return _KEY_LIKE.sub(REPLACEMENT, text)

    def redacted(self, value: Any) -> Any:
        """A text, a tuple or a dataclass with every text in it redacted; anything else as it is."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self.redacted(one) for one in value)
        if is_dataclass(value) and not isinstance(value, type):
            before = {field.name: getattr(value, field.name) for field in fields(value)}
            after = {name: self.redacted(one) for name, one in before.items()}
            return value if after == before else replace(value, **after)
        return value

    def events(self, events: Generator[BackendEvent]) -> Iterator[BackendEvent]:
        """The events of an answer, redacted, and so is the fault with which they may end.

        Text is held back only where it may be the beginning of a secret.
        """
        pieces, last = _Pieces(self._in_answers), TextDelta("")
        try:
            for event in events:
                if isinstance(event, TextDelta):
                    last = event
                    if text := pieces.feed(event.text):
                        yield event if text == event.text else replace(event, text=text)
                    continue
                if isinstance(event, Reclassified):  # what is held back is no longer part of the answer
                    pieces = _Pieces(self._in_answers)
                if isinstance(event, Finished) and (rest := pieces.flush()):
                    yield replace(last, text=rest)
                yield self.redacted(event)
        except Exception as error:
            if rest := pieces.flush():
                yield replace(last, text=rest)
            raise self._fault(error) from None
        finally:
            events.close()

    def _fault(self, error: Exception) -> Exception:
        if isinstance(error, BackendError):
            cause, next_step = self.text(error.cause), self.text(error.next_step)
            return error if (cause, next_step) == (error.cause, error.next_step) else BackendError(cause, next_step)
        message = self.text(str(error))
        return error if message == str(error) else RuntimeError(f"{type(error).__name__}: {message}")


class _Pieces:
    """Redacts a text that comes in pieces, wherever the cuts are."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._gone = ""  # what was passed on of the beginning of a secret
        self._held = ""
        self._length = 0  # how much of a secret the two are

    def feed(self, piece: str) -> str:
        """What may be passed on now that `piece` has come."""
        if not self._secrets:
            return piece
        text = self._gone + self._held + piece
        found = [_found(text, secret, 1) for secret in self._secrets]
        passed, done, clear = "", len(self._gone), 0
        for start, end in sorted(span for spans, _ in found for span in spans):
            if end > clear:
                passed += text[done : max(start, done)] + REPLACEMENT
                done = clear = end
        begin = max(clear, min(start for _, (start, _) in found))
        self._length = max(length for _, (_, length) in found)
        hold = max(begin, done) if self._length >= _HELD_FROM else len(text)
        self._gone, self._held = text[begin:hold], text[hold:]
        return passed + text[done:hold]

    def flush(self) -> str:
        """What was held back. A good part of a secret is not passed on either."""
        rest, self._gone, self._held = self._held, "", ""
        return REPLACEMENT if rest and self._length >= 2 * _HELD_FROM else rest


def _found(text: str, secret: str, least: int) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Where `secret` is in `text`, as begins and ends; and where a beginning of it is that `text` ends with, and how
    much of it. There is none, or fewer than `least` characters: the end of the text (or where a spelling begins that is
    cut off), and 0.
    """
    spans: list[tuple[int, int]] = []
    begins, at = _pattern(secret[:least]), 0
    while first := begins.search(text, at):
        before, end, length = first.start(), first.end(), least
        while length < len(secret) and (one := _further(secret[length]).match(text, end)):
            before, end, length = end, one.end(), length + 1
        if length == len(secret):
            spans.append((first.start(), end))
            at = end
        elif _ENDS_HERE.match(text, end) or _ENDS_HERE.match(text, before):  # the last one may be read in two ways
            return spans, (first.start(), length)
        else:
            at = first.start() + 1
    cut_off = _ENDS_CUT_OFF.search(text, max(len(text) - _LONGEST_CUT_OFF, 0))
    return spans, (cut_off.start() if cut_off else len(text), 0)


@lru_cache(256)
def _pattern(part: str) -> re.Pattern[str]:
    """What finds a few characters one after another, however they are spelled."""
    return re.compile(_INVISIBLE.join(map(_spellings, part)), re.IGNORECASE)


@lru_cache(256)
def _further(character: str) -> re.Pattern[str]:
    """What matches one more character of a secret."""
    return re.compile(_INVISIBLE + _spellings(character), re.IGNORECASE)


def _spellings(character: str) -> str:
    """A pattern for every way to write a character that is still read as it. Letters come in either case."""
    ways = list(_named().get(character, ()))
    for code in {ord(one) for one in (character, character.lower(), character.upper()) if len(one) == 1}:
        ways += [rf"%{code:02x}", rf"\\u{code:04x}", rf"\\x{code:02x}", f"&#0{{0,5}}{code};", f"&#x0{{0,5}}{code:x};"]
    itself = re.escape(character) if character.isalnum() else rf"\\?{re.escape(character)}"
    return f"(?:{'|'.join([*ways, itself])})"  # itself last: an ampersand begins other spellings of itself


@lru_cache(1)
def _named() -> dict[str, list[str]]:
    """The names that HTML has for a character, as patterns."""
    names: dict[str, list[str]] = {}
    for name, value in html5.items():
        if name.endswith(";") and value.isascii():
            names.setdefault(value, []).append(f"&{name}")
    return names
