"""The child process that parses documents, so that a hostile file can only hurt this process.

`python -m backends.rag.documents.parser_process` reads one JSON request per line, `{"path": ..., "format": ...}`, with
`"encoding"` where one was chosen, and answers one JSON line each: `{"pages": [{"page": 1, "text": ...}],
"language": ..., "warnings": [...], "sha256": ..., "bytes": ..., "last": false}` or
`{"error": {"cause": ..., "next_step": ...}, "last": false}`. With `"cells": true` a workbook is answered as
`{"sheets": [...]}`, each with the fields of `readers.xlsx.reader.SheetTable`. After an answer with `last` it ends, and
whoever asks needs a new one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import sys
from typing import Any, TextIO

from backends.errors import BackendError
from backends.rag.documents.content import check_content
from backends.rag.documents.readers import read, tables_of

MEMORY_BYTES = 4_000_000_000
"""Address space of the child. The parsers' own imports take about 0.7 GB of it."""

SPENT_BYTES = 1_000_000_000
"""A child that has grown to this leaves the next file to a new one: freed memory is not always given back."""

CPU_S = 90
"""Processor seconds for one file; a PDF of 1,000 pages takes 10 to 60."""

MAX_CHARACTERS = 20_000_000
"""More text than this in one file is refused."""

_FORBIDDEN_EVENTS = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.startfile",
)


def extract(path: str, format: str, encoding: str | None = None, cells: bool = False) -> dict[str, Any]:
    """The answer to one request; every fault becomes an `error` with a cause and a next step."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if not data:
            raise BackendError("The file is empty (0 bytes).", "Check that it was saved or copied completely.")
        check_content(data, format)
        return _cells(data, format) if cells else _text(data, format, encoding)
    except BackendError as error:
        return _fault(error.cause, error.next_step)
    except OSError as error:
        return _fault(f"The file cannot be read: {error.strerror}.", "Check that it exists and that you may read it.")
    except MemoryError:
        return _fault("Reading the file needs more memory than is allowed.", "Split it into smaller files.")


def _text(data: bytes, format: str, encoding: str | None) -> dict[str, Any]:
    reading = read(data, format, encoding)
    _check_length(reading.characters)
    return {
        "pages": [{"page": page, "text": text} for page, text in reading.pages],
        "language": _language(reading.pages, format),
        "warnings": reading.warnings,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }


def _cells(data: bytes, format: str) -> dict[str, Any]:
    tables = tables_of(data, format)
    _check_length(sum(len(cell) for table in tables for _, cells in table.rows for cell in cells))
    return {"sheets": [dataclasses.asdict(table) for table in tables]}


def _check_length(characters: int) -> None:
    if characters > MAX_CHARACTERS:
        millions = MAX_CHARACTERS // 1_000_000
        raise BackendError(f"The file holds more than {millions} million characters.", "Split it into parts.")


def _language(pages: tuple[tuple[int | None, str], ...], format: str) -> str | None:
    if format == "code":
        return None
    from backends.language import CHARACTERS, detect

    beginning = ""
    for _, text in pages:
        beginning += f"{text[:CHARACTERS]}\n"
        if len(beginning) >= CHARACTERS:
            break
    return detect(beginning)


def _fault(cause: str, next_step: str) -> dict[str, Any]:
    return {"error": {"cause": cause, "next_step": next_step}}


def sandbox_process() -> None:
    """No network and no other programs from here on, whatever a library tries. Cannot be undone."""

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_FORBIDDEN_EVENTS):
            raise PermissionError("documents are read without network and without other programs")

    sys.addaudithook(refuse)


def _limit_process() -> None:
    """No more memory than `MEMORY_BYTES`, no core dumps. On Windows only the parent's clock limits."""
    try:
        import resource
    except ImportError:
        return
    # Refused where a lower hard limit is in force already, which is as good.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_next_file() -> None:
    """Move the processor limit to `CPU_S` from now; beyond it the system ends this process."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + CPU_S
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _is_spent() -> bool:
    import psutil  # the system's own highest value counts what the parent had before this process began

    return psutil.Process().memory_info().rss > SPENT_BYTES


def _own_stdout() -> TextIO:
    """Standard output for answers only; whatever a library prints goes to standard error."""
    private = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    return private


def main() -> None:
    """Answer requests until standard input ends, or until this process has grown too large."""
    answers = _own_stdout()
    logging.disable(logging.CRITICAL)
    _limit_process()
    sandbox_process()
    for line in sys.stdin:
        request = json.loads(line)
        _limit_next_file()
        answer = extract(request["path"], request["format"], request.get("encoding"), request.get("cells", False))
        last = _is_spent()
        answers.write(json.dumps({**answer, "last": last}) + "\n")
        answers.flush()
        if last:
            return


if __name__ == "__main__":
    main()
