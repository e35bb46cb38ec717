"""Which files are read, and whether their content is what the extension promises."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePath

from backends.base import BackendError

FORMATS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".xlsx": "xlsx",
    ".pptx": "pptx",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".csv": "csv",
    ".jsonl": "jsonl",
}
"""Extension -> format id."""

MARKDOWN_LIKE = frozenset({"markdown", "docx", "html", "xlsx", "pptx"})
"""Formats whose extracted text has Markdown headings."""

MAX_EXPANDED_BYTES = 200_000_000
"""An Office file may unpack to this much; a zip bomb unpacks to more."""

_OFFICE_FOLDERS = {"docx": "word/", "xlsx": "xl/", "pptx": "ppt/"}
_TEXT_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_READABLE_CONTROLS = frozenset(b"\t\n\r\f\x0b\x1b\b")


def supported() -> str:
    """The extensions that are read, in words."""
    return ", ".join(sorted({extension.lstrip(".").upper() for extension in FORMATS}))


def format_of(name: str) -> str:
    """The format id that a file name promises. Raises `BackendError` if it is not supported."""
    extension = PurePath(name).suffix.lower()
    if extension not in FORMATS:
        what = f"Files of the type {extension}" if extension else "Files without an extension"
        raise BackendError(f"{what} are not supported.", f"Save it as one of: {supported()}.")
    return FORMATS[extension]


def check_content(data: bytes, format: str) -> None:
    """Raise `BackendError` when the bytes are not the promised format, are encrypted, or unpack to too much."""
    found = _sniff(data)
    if found == "zip":
        found = _sniff_zip(data, format)
    promised = format if format == "pdf" or format in _OFFICE_FOLDERS else "text"
    if found == promised:
        return
    if found == "old office" and promised in _OFFICE_FOLDERS:
        raise BackendError(
            f"This {format.upper()} file is protected by a password, or is an old Office file with a new name.",
            f"Remove the password, or save it as {format.upper()} again.",
        )
    if promised in ("pdf", *_OFFICE_FOLDERS):
        raise _damaged(format) if found == "binary" else _wrong(f"is named {format.upper()} but holds", found)
    raise _wrong("is named as text but holds", found)


def _wrong(what: str, found: str) -> BackendError:
    words = {"binary": "binary data", "old office": "an old Office file", "text": "plain text"}
    return BackendError(
        f"The file {what} {words.get(found, found.upper())}.",
        f"Give it its true extension, or save it as {supported()}.",
    )


def _damaged(format: str) -> BackendError:
    return BackendError(
        f"The {format.upper()} file is damaged or cut short.", "Open it in its own program and save it again."
    )


def _sniff(data: bytes) -> str:
    """pdf, zip, old office, text or binary, from the bytes alone."""
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return "zip"
    if data.startswith(_OLD_OFFICE):
        return "old office"
    if data.startswith(_TEXT_MARKS):
        return "text"
    if b"\x00" in data:
        return "binary"
    sample = data[:65536]
    controls = sum(1 for byte in sample if byte < 32 and byte not in _READABLE_CONTROLS)
    return "binary" if controls > len(sample) * 0.01 else "text"


def _sniff_zip(data: bytes, format: str) -> str:
    """Which Office format a zip file holds. Reads its table of contents only."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError, OverflowError):
        raise _damaged(format) if format in _OFFICE_FOLDERS else _wrong("is a damaged", "zip") from None
    if sum(entry.file_size for entry in entries) > MAX_EXPANDED_BYTES:
        raise BackendError(
            f"The file unpacks to more than {MAX_EXPANDED_BYTES // 1_000_000} MB.",
            "Split it into smaller files, or remove what is not text.",
        )
    for office, folder in _OFFICE_FOLDERS.items():
        if any(entry.filename.startswith(folder) for entry in entries):
            return office
    return "zip"
