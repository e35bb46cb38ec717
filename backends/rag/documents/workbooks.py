"""Workbooks as tables of what their cells show, read in the child process that reads documents."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from backends.errors import BackendError
from backends.question_files.records import Unreadable
from backends.rag.documents.files import FILE_LIMIT_S
from backends.rag.documents.parser import ExtractProcess

SUFFIX = "xlsx"
_OTHERS = {".xls": "an old Excel file", ".xlsb": "a binary Excel file", ".ods": "an OpenDocument spreadsheet"}
_ZIP, _PART = b"PK\x03\x04", b"[Content_Types].xml"


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a sheet that are not empty, each with its number. `warnings` are sentences on what was left out."""

    name: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    warnings: tuple[str, ...] = ()


def is_workbook(name: str, data: bytes) -> bool:
    """Whether a file is one, or is called one: by its name, or as a zip file with parts of Office."""
    suffix = PurePath(name).suffix.lower()
    return suffix in (f".{SUFFIX}", ".xlsm", *_OTHERS) or (data.startswith(_ZIP) and _PART in data)


def read_workbook(name: str, data: bytes, cancel: threading.Event | None = None) -> tuple[Sheet, ...]:
    """Its visible sheets; none when cancelled. Raises `BackendError` for what is no workbook, encrypted or damaged."""
    if kind := _OTHERS.get(PurePath(name).suffix.lower()):
        raise BackendError(f"{name} is {kind}.", "Save it as XLSX.")
    handle, place = tempfile.mkstemp(prefix="crossroads-", suffix=f".{SUFFIX}")
    file = Path(place)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        with ExtractProcess(FILE_LIMIT_S) as child:
            found = child.sheets(file, cancel or threading.Event())
    except BackendError as fault:
        raise BackendError(f"{name} was not read. {fault.cause}", fault.next_step) from None
    finally:
        file.unlink(missing_ok=True)
    return tuple(map(_sheet, found or ()))


def _sheet(found: dict[str, Any]) -> Sheet:
    unreadable = {(row, place): why for row, place, why in found["unreadable"]}
    rows = []
    for number, cells in found["rows"]:
        texts = list(cells)
        for place in range(len(texts)) if unreadable else ():
            if why := unreadable.get((number, place)):
                texts[place] = Unreadable.of(texts[place], why)
        rows.append((number, tuple(texts)))
    return Sheet(found["name"], tuple(rows), tuple(found["warnings"]))
