"""Whether the bytes of a file are what its extension promises."""

from __future__ import annotations

import zipfile

from backends.base import BackendError
from backends.rag.archives import check_archive, office_format
from backends.rag.encodings import wide_encoding
from backends.rag.formats import OFFICE, SUPPORTED

_TEXT_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_READABLE_CONTROLS = frozenset(b"\t\n\r\f\x0b\x1b\b")
_WORDS = {"binary": "binary data", "old office": "an old Office file", "text": "plain text"}


def check_content(data: bytes, format: str) -> None:
    """Raise `BackendError` when the bytes are not the promised format, are encrypted, or unpack to too much."""
    found = _sniff(data, format)
    if found == "zip":
        found = _sniff_zip(data, format)
    promised = format if format == "pdf" or format in OFFICE else "text"
    if found != promised:
        raise _mismatch(found, promised)
    if promised in OFFICE:
        try:
            check_archive(data)
        except zipfile.BadZipFile:
            raise damaged(format) from None


def damaged(format: str) -> BackendError:
    """What is said of a file whose inside cannot be read."""
    return BackendError(
        f"The {format.upper()} file is damaged or cut short.", "Open it in its own program and save it again."
    )


def _mismatch(found: str, promised: str) -> BackendError:
    if found == "old office" and promised in OFFICE:
        return BackendError(
            f"This {promised.upper()} file is protected by a password, or is an old Office file with a new name.",
            f"Remove the password, or save it as {promised.upper()} again.",
        )
    if promised == "text":
        return _wrong("is named as text but holds", found)
    return damaged(promised) if found == "binary" else _wrong(f"is named {promised.upper()} but holds", found)


def _wrong(what: str, found: str) -> BackendError:
    return BackendError(
        f"The file {what} {_WORDS.get(found, found.upper())}.",
        f"Give it its true extension, or save it as {SUPPORTED}.",
    )


def _sniff(data: bytes, format: str) -> str:
    """pdf, zip, old office, text or binary, from the bytes; `format` only decides how far into them a PDF may begin."""
    if data.lstrip().startswith(b"%PDF-") or (format == "pdf" and b"%PDF-" in data[:1024]):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return "zip"
    if data.startswith(_OLD_OFFICE):
        return "old office"
    if data.startswith(_TEXT_MARKS):
        return "text"
    if b"\x00" in data:
        return "text" if wide_encoding(data) else "binary"
    sample = data[:65536]
    controls = sum(1 for byte in sample if byte < 32 and byte not in _READABLE_CONTROLS)
    return "binary" if controls > len(sample) * 0.01 else "text"


def _sniff_zip(data: bytes, format: str) -> str:
    """Which Office format a zip file holds, or zip."""
    try:
        return office_format(data)
    except zipfile.BadZipFile:
        raise damaged(format) if format in OFFICE else _wrong("is a damaged", "zip") from None
