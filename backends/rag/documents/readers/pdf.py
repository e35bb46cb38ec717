"""PDF files, page by page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.rag.documents.content import damaged
from backends.rag.documents.readers.reading import Reading, numbered

if TYPE_CHECKING:
    from pypdf import PdfReader

_TAIL = 8192
"""The end mark of a PDF is looked for in this many last bytes; a file without it was cut short."""


def read_pdf(data: bytes) -> Reading:
    """The text of each page. Pages without text are named in a warning; a PDF of such pages only is refused."""
    from pypdf import PdfReader

    if b"%%EOF" not in data[-_TAIL:]:
        raise damaged("pdf")
    reader = PdfReader(io.BytesIO(data))
    _unlock(reader)
    pages: list[tuple[int | None, str]] = []
    silent, broken = [], []
    for number, page in enumerate(reader.pages, start=1):
        try:
            text = page.extract_text()
        except MemoryError:
            raise
        except Exception:  # one bad page of a hundred does not make the others unreadable
            text = ""
            broken.append(number)
        else:
            if not text.strip():
                silent.append(number)
        pages.append((number, text))
    if len(broken) == len(pages):
        raise damaged("pdf")
    if len(silent) + len(broken) == len(pages):
        count = f"{len(pages)} page{'s' if len(pages) > 1 else ''}"
        raise BackendError(
            f"The PDF has {count} but no text: it was probably scanned.", "Run OCR on it first (text recognition)."
        )
    return Reading(tuple(pages), tuple(_warnings(silent, broken)))


def _warnings(silent: list[int], broken: list[int]) -> list[str]:
    said = []
    if silent:
        rest = "have no text: they were" if len(silent) > 1 else "has no text: it was"
        said.append(f"{numbered('Page', silent)} {rest} probably scanned.")
    if broken:
        said.append(f"{numbered('Page', broken)} could not be read.")
    return said


def _unlock(reader: PdfReader) -> None:
    """Many PDFs are encrypted with an empty password and open for anybody; the others are refused."""
    if not reader.is_encrypted:
        return
    try:
        opened = bool(reader.decrypt(""))
    except Exception:  # an unknown or broken encryption is as closed as one with a password
        opened = False
    if not opened:
        raise BackendError("The PDF is encrypted with a password.", "Save a copy without a password.")
