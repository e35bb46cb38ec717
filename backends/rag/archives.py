"""Whether an Office file, a zip of XML parts, is safe to unpack and parse."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from typing import IO
from xml.parsers import expat

from backends.base import BackendError
from backends.rag.formats import SUPPORTED

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
