"""Bytes become text: as marked, as UTF-8, as declared, or as guessed, and it is said which.

Training pairs, question sets and documents are all read by `decode`, so that the same file is taken everywhere.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from backends.encodings import encoding_name, guess
from backends.errors import BackendError

REPLACEMENT = "\ufffd"
"""What stands for bytes that are no character."""

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark is how this one begins
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with BOM"),
)
"""Byte order marks, Python's name of the encoding that each states, and its name in words."""

_STRAY = re.compile("[\udc80-\udcff]")
"""A byte that is not UTF-8, as Python's `surrogateescape` keeps it."""
_VALID = re.compile("[^\x00-\x7f\udc80-\udcff]")
"""A character beyond ASCII that is UTF-8."""

_SHIFT_OUT = b"\x1b$"
"""How ISO-2022-JP begins a stretch of Japanese."""
_SAMPLE = 65_536
_DAMAGED_SHARE = 0.1
"""UTF-8 with up to this many bad bytes per good character beyond ASCII is damaged UTF-8, not another encoding."""
_CHANCE = 0.05
"""Share of the lines of another encoding in which everything beyond ASCII may happen to be valid UTF-8."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x0b\x1b\b"))
"""Control characters that stand in no text but by accident."""
_CONTROL_SHARE = 0.01

_WEB_NAMES = dict.fromkeys(("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"), "cp1252")
"""What a web page means by these names (https://encoding.spec.whatwg.org/#names-and-labels)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text and the encoding it was in, in words.

    `guessed`: the bytes do not prove it. `mixed`: most of it is UTF-8, and the bytes that are not are in `text` as lone
    surrogates, which `with_windows_1252` turns into letters.
    """

    text: str
    encoding: str
    guessed: bool = False
    mixed: bool = False

    @property
    def clean_text(self) -> str:
        """The text without lone surrogates. A line that has UTF-8 in it is damaged: its stray bytes are lost."""
        if not self.mixed:
            return self.text
        return "\n".join(
            _STRAY.sub(REPLACEMENT, line) if _VALID.search(line) else with_windows_1252(line)
            for line in self.text.split("\n")
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the text should know, in plain sentences."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if self.guessed:
            yield f"The file does not say how its text is encoded: {self.encoding} was guessed."
        foreign = sum(1 for line in self.text.split("\n") if _is_foreign(line)) if self.mixed else 0
        if foreign:
            lines = f"{foreign:,} lines are" if foreign > 1 else "1 line is"
            yield f"{lines} not UTF-8, as the rest of the file is: Windows-1252 was guessed."
        if lost := self.clean_text.count(REPLACEMENT):
            many = (
                f"{lost:,} characters are unreadable and stand" if lost > 1 else "1 character is unreadable and stands"
            )
            yield f"{many} as {REPLACEMENT}."


def decode(data: bytes, name: str = "The file", declared: str | None = None, chosen: str | None = None) -> Decoded:
    """The text of a file called `name`.

    `declared` is the encoding that a web page names, `chosen` the one that somebody says it has: it takes the place of
    what is declared or guessed, not of what the bytes prove. Raises `BackendError` if it is no text, or in no known
    encoding, or not in the chosen one.
    """
    if data.startswith(b"PK\x03\x04"):
        raise BackendError(f"{name} is a workbook or a zip archive, not text.", "Export it as CSV (UTF-8).")
    for mark, codec, encoding in MARKS:
        if data.startswith(mark) and mark != codecs.BOM_UTF8:
            return Decoded(data.decode(codec, "replace"), encoding)
    if chosen is not None and not (_is_utf8(data) and not data.isascii()):
        return _chosen(data, name, chosen)
    if _SHIFT_OUT in data and (shifted := _shifted(data)):
        return shifted
    if wide := wide_encoding(data):
        return Decoded(data.decode(wide, "replace"), wide.upper(), guessed=True)
    if is_binary(data):
        raise BackendError(f"{name} is not text.", "Save it as UTF-8 text.")
    if data.startswith(codecs.BOM_UTF8):
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
        return Decoded(text, "UTF-8 with BOM", mixed=_STRAY.search(text) is not None)
    declared = _WEB_NAMES.get((declared or "").lower(), declared)
    for stated in filter(None, ("utf-8", declared)):
        with contextlib.suppress(UnicodeError, LookupError):
            return Decoded(data.decode(stated), encoding_name(stated))
    text = data.decode("utf-8", "surrogateescape")
    if _is_mostly_utf8(text):
        return Decoded(text, "UTF-8", mixed=True)
    guessed = guess(data)
    if guessed is None:
        raise BackendError(
            f"{name} is not text in any known encoding.",
            "Save it as UTF-8 text, or choose its encoding where documents are added.",
        )
    return Decoded(data.decode(guessed, "replace"), encoding_name(guessed), guessed=True)


def _shifted(data: bytes) -> Decoded | None:
    """Japanese mail text, all bytes of which are ASCII; None if it is not."""
    with contextlib.suppress(UnicodeDecodeError):
        return Decoded(data.decode("iso2022_jp"), "ISO-2022-JP", guessed=True)
    return None


def _chosen(data: bytes, name: str, chosen: str) -> Decoded:
    try:
        text = data.decode(chosen)
    except UnicodeDecodeError:
        raise BackendError(
            f"{name} is not text in the encoding {encoding_name(chosen)}.", "Choose another one, or let it be guessed."
        ) from None
    if is_binary(text.encode()):
        raise BackendError(f"{name} is not text.", "Save it as UTF-8 text.")
    return Decoded(text, encoding_name(chosen))


def with_windows_1252(text: str) -> str:
    """`text` with its stray bytes read as Windows-1252; U+FFFD for the five that mean nothing there."""
    return _STRAY.sub(lambda found: bytes([ord(found[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def wide_encoding(data: bytes) -> str | None:
    """utf-16-le, utf-16-be, utf-32-le or utf-32-be, if the bytes are such text without a byte order mark; else None.

    Spaces, line ends and the letters of most European languages have zero bytes, most of them on the same side.
    """
    sample = data[:_SAMPLE]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if not (first or second) or (not is_binary(data) and _is_utf8(data)):  # zero bytes by accident
        return None
    for encoding in ("utf-32-le", "utf-32-be"):
        with contextlib.suppress(UnicodeDecodeError):
            if _readable(sample[: len(sample) // 4 * 4].decode(encoding)) > 0.99:
                return encoding
    encoding = "utf-16-le" if second > first else "utf-16-be"
    return encoding if _readable(sample[: len(sample) // 2 * 2].decode(encoding, "replace")) > 0.99 else None


def is_binary(data: bytes) -> bool:
    """Whether there are more control characters than text has by accident."""
    sample = data[:_SAMPLE]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls > max(1, len(sample) * _CONTROL_SHARE)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_foreign(line: str) -> bool:
    """Whether all that a line has beyond ASCII is not UTF-8."""
    return _STRAY.search(line) is not None and _VALID.search(line) is None


def _readable(text: str) -> float:
    """The share of characters that are assigned and no control characters."""
    readable = sum(1 for character in text if character in "\t\n\r\f" or unicodedata.category(character)[0] != "C")
    return readable / max(1, len(text))


def _is_mostly_utf8(text: str) -> bool:
    """Whether what is not UTF-8 is damage, or lines that came from elsewhere, rather than another encoding."""
    stray, valid = len(_STRAY.findall(text)), len(_VALID.findall(text))
    if stray <= valid * _DAMAGED_SHARE:
        return True
    lines = [line for line in text.split("\n") if not line.isascii()]
    whole = sum(1 for line in lines if not _STRAY.search(line))
    return whole > (len(lines) - whole) * _CHANCE
