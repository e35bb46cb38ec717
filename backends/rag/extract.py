"""The child process that parses documents, so that a hostile file can only hurt this process.

`python -m backends.rag.extract` reads one JSON request per line, `{"path": ..., "format": ...}`, and answers
one JSON line each: `{"pages": [{"page": 1, "text": ...}], "format": ...}` or
`{"error": {"cause": ..., "next_step": ...}}`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from typing import Any, TextIO

from backends.base import BackendError
from backends.rag.formats import check_content
from backends.rag.readers import read

MEMORY_BYTES = 4_000_000_000
"""Address space of the child. The parsers' own imports take about 0.7 GB of it."""

CPU_S = 60
"""Processor seconds for one file."""

MAX_CHARACTERS = 20_000_000
"""More text than this in one file is refused."""


def extract(path: str, format: str) -> dict[str, Any]:
    """The answer to one request; every fault becomes an `error` with a cause and a next step."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        if not data:
            raise BackendError("The file is empty (0 bytes).", "Check that it was saved or copied completely.")
        check_content(data, format)
        pages = read(data, format)
        if sum(len(text) for _, text in pages) > MAX_CHARACTERS:
            millions = MAX_CHARACTERS // 1_000_000
            raise BackendError(f"The file holds more than {millions} million characters.", "Split it into parts.")
    except BackendError as error:
        return _fault(error.cause, error.next_step)
    except OSError as error:
        return _fault(f"The file cannot be read: {error.strerror}.", "Check that it exists and that you may read it.")
    except MemoryError:
        return _fault("Reading the file needs more memory than is allowed.", "Split it into smaller files.")
    return {"pages": [{"page": page, "text": text} for page, text in pages], "format": format}


def _fault(cause: str, next_step: str) -> dict[str, Any]:
    return {"error": {"cause": cause, "next_step": next_step}}


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


def _own_stdout() -> TextIO:
    """Standard output for answers only; whatever a library prints goes to standard error."""
    private = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    return private


def main() -> None:
    """Answer requests until standard input ends."""
    answers = _own_stdout()
    logging.disable(logging.CRITICAL)
    _limit_process()
    for line in sys.stdin:
        request = json.loads(line)
        _limit_next_file()
        answers.write(json.dumps(extract(request["path"], request["format"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
