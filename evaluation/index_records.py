"""What became of an indexed file, as JSON and as a line."""

from __future__ import annotations

from typing import Any

from backends.rag.index_progress import IndexProgress


def file_record(step: IndexProgress) -> dict[str, Any]:
    """The file as JSON: its state and why, and what was understood of it if it was stored now (else null)."""
    read = step.understood
    return {
        "file": step.file,
        "state": step.state,
        "error": _reason(step) or None,
        "pages": read and read.pages,
        "characters": read and read.characters,
        "chunks": read and read.chunks,
        "language": read and read.language,
        "warnings": list(read.warnings) if read else [],
    }


def file_line(step: IndexProgress) -> str:
    """The file in a line: `3/16 manual.pdf: indexed (4 pages, ...) Page 2 has no text: it was probably scanned.`"""
    start = f"{step.files_done}/{step.files_total} {step.file}: {step.state}"
    if read := step.understood:
        return " ".join([f"{start} ({read.words})", *read.warnings])
    return f"{start} {_reason(step)}".rstrip()


def _reason(step: IndexProgress) -> str:
    return " ".join(filter(None, (step.cause, step.next_step)))
