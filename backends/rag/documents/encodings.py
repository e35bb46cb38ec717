"""Bytes become text: as marked, as UTF-8, as declared, or as guessed, and it is said which."""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.errors import BackendError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CHARACTERS = 20_000
"""How much of a text is looked at, from its beginning."""

MIN_LETTERS = 20
"""Fewer letters than this say nothing."""

_MIN_CONFIDENCE = 0.5
_NO_LANGUAGE = "zxx"
_NOT_WORDS = re.compile(r"https?://\S+|[\W\d_]+")


def detect(text: str) -> str | None:
    """The ISO 639-1 code of a text's language; None if it is too short or no language is likely."""
    words = _NOT_WORDS.sub(" ", text[:CHARACTERS]).strip()
    if len(words) - words.count(" ") < MIN_LETTERS:
        return None
    language, confidence = _identifier().classify(words)
    return str(language) if confidence >= _MIN_CONFIDENCE and language != _NO_LANGUAGE else None


@functools.cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


REPLACEMENT = "\ufffd"
"""What stands for bytes that are no character."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_LATIN_RUN = 1.5
"""Bytes beyond ASCII in a row, on average: accents stand alone, other scripts fill words."""
_SAMPLE = 65_536
_BEFORE = 2_000
_DAMAGED_SHARE = 0.1
"""UTF-8 with up to this many bad bytes per good character beyond ASCII is damaged UTF-8, not another encoding."""

_WEB_NAMES = dict.fromkeys(("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"), "cp1252")
"""What a web page means by these names (https://encoding.spec.whatwg.org/#names-and-labels)."""

_WINDOWS = {
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "hr", "bs", "ro", "sq"), "cp1250"),
    **dict.fromkeys(("tr", "az"), "cp1254"),
    **dict.fromkeys(("lt", "lv", "et"), "cp1257"),
    "vi": "cp1258",
}
"""Language -> the Windows code page that it is written in, where that is not 1252."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, and Python's name of the encoding that was guessed for it (None if none had to be)."""

    text: str
    guessed: str | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the text should know, in plain sentences."""
        said = []
        if self.guessed:
            name = self.guessed.replace("_", "-").upper().replace("CP125", "Windows-125")
            said.append(f"The file does not say how its text is encoded: {name} was guessed.")
        if lost := self.text.count(REPLACEMENT):
            many = (
                f"{lost:,} characters are unreadable and stand" if lost > 1 else "1 character is unreadable and stands"
            )
            said.append(f"{many} as {REPLACEMENT}.")
        return tuple(said)


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Bytes as text; `declared` is the encoding that a web page names.

    Raises `BackendError` if they are text in no known encoding.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(data.decode(encoding, "replace"))
    declared = _WEB_NAMES.get((declared or "").lower(), declared)
    for name in ("utf-8", declared):
        try:
            if name and not (name == "utf-8" and b"\x00" in data):
                return Decoded(data.decode(name))
        except (UnicodeError, LookupError):
            continue
    if _damaged_utf8(data):
        return Decoded(data.decode("utf-8", "replace"))
    guessed = wide_encoding(data) or _guess(data)
    return Decoded(data.decode(guessed, "replace"), guessed)


def wide_encoding(data: bytes) -> str | None:
    """utf-16-le or utf-16-be, if the bytes are such text without a byte order mark; else None.

    Spaces, line ends and the letters of most European languages have one zero byte, always on the same side.
    """
    sample = data[: min(len(data), _SAMPLE) // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if bool(even) == bool(odd):
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    text = sample.decode(encoding, "replace")
    return encoding if _readable(text) > 0.99 else None


def _readable(text: str) -> float:
    """The share of characters that are assigned and no control characters."""
    readable = sum(1 for character in text if character in "\t\n\r\f" or unicodedata.category(character)[0] != "C")
    return readable / max(1, len(text))


def _damaged_utf8(data: bytes) -> bool:
    text = data.decode("utf-8", "replace")
    bad = text.count(REPLACEMENT)
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    return 0 < bad <= good * _DAMAGED_SHARE


def _guess(data: bytes) -> str:
    """The likeliest encoding of what is not Unicode, from a piece around the first byte beyond ASCII."""
    import charset_normalizer

    sample = _sample(data)
    runs = _BEYOND_ASCII.findall(sample)
    if sum(map(len, runs)) < _LATIN_RUN * len(runs) and (code_page := _latin(sample)):
        return code_page
    best = charset_normalizer.from_bytes(sample).best()
    if best is None:
        raise BackendError("The file is not text in any known encoding.", "Save it as UTF-8 text.")
    return best.encoding


def _latin(sample: bytes) -> str | None:
    """The code page of a text in Latin letters; None if it fits none.

    Code pages differ in a few letters only, too few for statistics of characters in a short text.
    But each belongs to languages, and most of the text is readable in any of them.
    """
    for code_page in ("cp1252", *dict.fromkeys(_WINDOWS.values())):
        try:
            language = detect(sample.decode(code_page))
        except UnicodeDecodeError:
            continue
        if _WINDOWS.get(language or "", "cp1252") == code_page:
            return code_page
    return None


def _sample(data: bytes) -> bytes:
    """At most `_SAMPLE` bytes around the first byte beyond ASCII, from line to line where there are lines."""
    found = _BEYOND_ASCII.search(data)
    first = found.start() if found else 0
    start = max(data.rfind(b"\n", 0, first) + 1, first - _BEFORE, 0)
    end = start + _SAMPLE
    if end < len(data):
        end = max(data.rfind(b"\n", first, end), data.rfind(b" ", first, end)) + 1 or end
    return data[start:end]
