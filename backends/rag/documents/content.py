"""Whether the bytes of a file are what its extension promises."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from typing import IO
from xml.parsers import expat

from backends.decoding import MARKS, is_binary, wide_encoding
from backends.errors import BackendError
from backends.rag.documents.formats import OFFICE, SUPPORTED

MAX_EXPANDED_BYTES = 200_000_000
"""An Office file may unpack to this much; a zip bomb unpacks to more."""

MAX_RATIO = 200
"""A large part of an Office file unpacks to 15 to 30 times its size, even where every row is the same."""

LARGE_BYTES = 20_000_000
"""Below this, parts may unpack to any multiple of their size: 50,000 equal paragraphs are 3 MB at ratio 270."""

MAX_ENTRIES = 20_000
"""Parts of an Office file; a presentation of 1,000 slides with two pictures on each has about 8,000."""

_FOLDERS = {"word/": "docx", "xl/": "xlsx", "ppt/": "pptx"}
_ENCRYPTED = 0x1
_BLOCK = 65_536
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError),
    *(ValueError, OverflowError, NotImplementedError),
)


def office_format(data: bytes) -> str:
    """The format id of a zip file: docx, xlsx, pptx, or zip for any other. Reads its table of contents only.

    Raises `zipfile.BadZipFile` if that is damaged.
    """
    for entry in _entries(data):
        for folder, format in _FOLDERS.items():
            if entry.filename.startswith(folder):
                return format
    return "zip"


def check_archive(data: bytes) -> None:
    """Raise `BackendError` for an Office file that is encrypted or built to exhaust its reader.

    The sizes that the table of contents states can be relied on: `zipfile` never unpacks more than that.
    Raises `zipfile.BadZipFile` if the file is damaged.
    """
    entries = _entries(data)
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise BackendError("The file is protected by a password.", "Save a copy without a password.")
    if len(entries) > MAX_ENTRIES:
        raise BackendError(f"The file holds more than {MAX_ENTRIES:,} parts.", "Split it into smaller files.")
    size = sum(entry.file_size for entry in entries)
    if size > MAX_EXPANDED_BYTES:
        raise BackendError(
            f"The file unpacks to more than {MAX_EXPANDED_BYTES // 1_000_000} MB.",
            "Split it into smaller files, or remove what is not text.",
        )
    dense = [entry for entry in entries if entry.file_size > MAX_RATIO * entry.compress_size]
    size = sum(entry.file_size for entry in dense)
    if size > LARGE_BYTES:
        ratio = size // max(1, sum(entry.compress_size for entry in dense))
        raise BackendError(
            f"The file unpacks to {size // 1_000_000} MB, {ratio:,} times its size, as no ordinary document does.",
            f"If you trust it, save its text as {SUPPORTED}.",
        )
    _check_parts(data)


def _entries(data: bytes) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.infolist()
    except _DAMAGE as error:
        raise zipfile.BadZipFile(str(error)) from None


def _check_parts(data: bytes) -> None:
    """Refuse a part that declares XML entities: they can expand to gigabytes, and Office files have none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            try:
                with archive.open(entry) as part:
                    declared = _has_doctype(part)
            except _DAMAGE as error:
                raise zipfile.BadZipFile(str(error)) from None
            if declared:
                raise BackendError(
                    "The file declares XML entities, as no office program does.",
                    "Open it in its own program and save it again.",
                )


class _RootReached(Exception):
    pass


class _DoctypeFound(Exception):
    pass


def _has_doctype(part: IO[bytes]) -> bool:
    """Whether an XML document type comes before the root element; False for what is not XML."""

    def found(*_: object) -> None:
        raise _DoctypeFound

    def done(*_: object) -> None:
        raise _RootReached

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = found
    parser.StartElementHandler = done
    try:
        while block := part.read(_BLOCK):
            parser.Parse(block, False)
    except _DoctypeFound:
        return True
    except (_RootReached, expat.ExpatError):
        pass
    return False


_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
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
    if data.startswith(tuple(mark for mark, _, _ in MARKS)) or wide_encoding(data):
        return "text"
    return "binary" if is_binary(data) else "text"


def _sniff_zip(data: bytes, format: str) -> str:
    """Which Office format a zip file holds, or zip."""
    try:
        return office_format(data)
    except zipfile.BadZipFile:
        raise damaged(format) if format in OFFICE else _wrong("is a damaged", "zip") from None
