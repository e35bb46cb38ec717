"""Which encoding a file of pairs is in: told by its byte order mark, proven by its bytes, or guessed and said so."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from backends.base import BackendError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark is how this one begins
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_STRAY_BYTE = re.compile("[\udc80-\udcff]")
"""A byte that is not UTF-8, as Python's `surrogateescape` keeps it."""
_BEYOND_ASCII = re.compile("[^\x00-\x7f\udc80-\udcff]")

_SAVE = "Save it as UTF-8."
_WESTERN_SHARE = 0.3
"""Share of bytes beyond ASCII that no Western European language reaches; Cyrillic, Greek and Japanese exceed it."""
_CHANCE = 0.05
"""Share of a Windows-1252 file's accented letters that may happen to form valid UTF-8."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text and the encoding it was in, in words.

    `guessed`: the bytes do not prove it. `mixed`: most of it is UTF-8, and the bytes that are not are in the text as
    lone surrogates, which `mended` turns into letters.
    """

    text: str
    encoding: str
    guessed: bool = False
    mixed: bool = False


def decode(data: bytes, name: str) -> Decoded:
    """The text of a file called `name`. Raises `BackendError` if it is no text, or in no encoding that is known here.

    Known are UTF-8, UTF-16 and UTF-32 (these with a byte order mark, UTF-16 also by guess), and Windows-1252 by guess.
    """
    if data.startswith(b"PK\x03\x04"):
        raise BackendError(f"{name} is a workbook or a zip archive, not text.", "Export it as CSV (UTF-8).")
    for mark, codec, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(_strictly(data, codec, encoding, name), encoding)
    if guess := _unmarked_utf16(data):
        return Decoded(_strictly(data, guess, "UTF-16", name), "UTF-16", guessed=True)
    if data[:4096].count(0) > len(data[:4096]) * _CHANCE:
        raise BackendError(f"{name} is not text.", "Give a CSV or JSONL file with question and answer.")
    marked = data.startswith(codecs.BOM_UTF8)
    encoding = "UTF-8 with BOM" if marked else "UTF-8"
    try:
        return Decoded(data.decode("utf-8-sig"), encoding)
    except UnicodeDecodeError:
        return _not_quite_utf8(data.removeprefix(codecs.BOM_UTF8), encoding, name)


def mended(text: str) -> str:
    """`text` with its stray bytes read as Windows-1252; U+FFFD for the five that mean nothing there."""
    return _STRAY_BYTE.sub(lambda found: bytes([ord(found[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def _strictly(data: bytes, codec: str, encoding: str, name: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise BackendError(f"{name} begins as {encoding} but is damaged or cut short.", _SAVE) from None


def _unmarked_utf16(data: bytes) -> str | None:
    """In UTF-16 every second byte of ASCII text is zero: the upper one."""
    head = data[:4096]
    first, second = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if half and second > half * 0.4 and first < half * _CHANCE:
        return "utf-16-le"
    if half and first > half * 0.4 and second < half * _CHANCE:
        return "utf-16-be"
    return None


def _not_quite_utf8(data: bytes, encoding: str, name: str) -> Decoded:
    text = data.decode("utf-8", "surrogateescape")
    stray, valid = len(_STRAY_BYTE.findall(text)), len(_BEYOND_ASCII.findall(text))
    visible = len(data) - sum(map(data.count, (b" ", b"\t", b"\r", b"\n")))
    if stray > visible * _WESTERN_SHARE:
        raise BackendError(f"{name} is not UTF-8, and does not look like Windows-1252 either.", _SAVE)
    if valid > stray * _CHANCE:
        return Decoded(text, encoding, mixed=True)
    return Decoded(data.decode("cp1252", "replace"), "Windows-1252", guessed=True)
