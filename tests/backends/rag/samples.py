"""Files made on the spot for tests of the readers, good and bad ones."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import pypdf
from PIL import Image

from backends.rag.documents.files import Document, Rejected, read_documents
from tests.backends.rag.conftest import make_docx, make_pdf, make_zip

NEVER = threading.Event()


def read_one(path: Path, max_file_mb: float = 25) -> Document | Rejected:
    (result,) = read_documents([path], max_file_mb, NEVER)
    return result


def read_good(path: Path) -> Document:
    document = read_one(path)
    assert isinstance(document, Document), document
    return document


def read_bad(path: Path) -> str:
    """Why a file is refused; every refusal has a next step."""
    refused = read_one(path)
    assert isinstance(refused, Rejected), refused
    assert refused.next_step.endswith(".")
    return refused.cause


def scanned_page() -> bytes:
    """A PDF of one page that is a picture."""
    out = io.BytesIO()
    Image.new("L", (120, 160), 200).save(out, "pdf")
    return out.getvalue()


def pdf_of(parts: list[bytes], password: str | None = None, algorithm: str = "AES-256") -> bytes:
    """One PDF from several."""
    writer = pypdf.PdfWriter()
    for part in parts:
        writer.append(io.BytesIO(part))
    if password is not None:
        writer.encrypt(password, algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def half_scanned(text_pages: set[int], pages: int) -> bytes:
    """A PDF in which only some pages, counted from 1, have text."""
    return pdf_of([make_pdf([f"Page {n}"]) if n in text_pages else scanned_page() for n in range(1, pages + 1)])


def docx_of(xml: str = "", prolog: str = "", others: dict[str, bytes] | None = None, relations: str = "") -> bytes:
    """A Word file with "Hello" and raw XML after its paragraph, in front of its root, and more parts and relations."""
    with zipfile.ZipFile(io.BytesIO(make_docx("Title", "Hello"))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    body = parts["word/document.xml"].decode().replace("</w:body>", f"{xml}</w:body>")
    parts["word/document.xml"] = (prolog + body).encode()
    if relations:
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        parts["word/_rels/document.xml.rels"] = f'<Relationships xmlns="{package}">{relations}</Relationships>'.encode()
    return make_zip({**parts, **(others or {})})
