"""How each format becomes text. Runs in the child process: what is read here is not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.decoding import decode
from backends.errors import BackendError
from backends.rag.documents.content import damaged
from backends.rag.documents.readers.reading import Reading, unpaged

if TYPE_CHECKING:
    from backends.rag.documents.readers.xlsx.reader import SheetTable


def read(data: bytes, format: str, encoding: str | None = None) -> Reading:
    """The text of a file; `encoding` is one that was chosen, which only formats of plain text heed.

    Raises `BackendError` for a file that cannot be read or has no text.

    The parsers are imported on first use: a text file does not pay for them.
    """
    try:
        reading = _read(data, format, encoding)
    except (BackendError, MemoryError):
        raise
    except Exception:  # parsers raise anything on files that are not what they claim
        raise damaged(format) from None
    if not any(text.strip() for _, text in reading.pages):
        raise BackendError("The file holds no text.", "Leave it out, or add text to it.")
    return reading


def tables_of(data: bytes, format: str) -> list[SheetTable]:
    """The sheets of a workbook as rows of cells. Raises `BackendError` for a file that cannot be read."""
    from backends.rag.documents.readers.xlsx.reader import read_tables

    try:
        return read_tables(data)
    except (BackendError, MemoryError):
        raise
    except Exception:  # as above
        raise damaged(format) from None


def _read(data: bytes, format: str, encoding: str | None) -> Reading:
    if format == "pdf":
        from backends.rag.documents.readers.pdf.reader import read_pdf

        return read_pdf(data)
    if format == "docx":
        from backends.rag.documents.readers.docx import read_docx

        return read_docx(data)
    if format == "pptx":
        from backends.rag.documents.readers.pptx import read_pptx

        return read_pptx(data)
    if format == "xlsx":
        from backends.rag.documents.readers.xlsx.reader import read_xlsx

        return read_xlsx(data)
    if format == "html":
        from backends.rag.documents.readers.html import read_html

        return read_html(data, encoding)
    if format == "jsonl":
        from backends.rag.documents.readers.jsonl import read_jsonl

        return read_jsonl(data, encoding)
    decoded = decode(data, chosen=encoding)
    return unpaged(decoded.clean_text, decoded.warnings)
