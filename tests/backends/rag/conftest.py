"""Documents and collections made on the spot, and the real embedder from its installed package."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backends.rag.documents.files import Source
from backends.rag.search.embedder import Embedder
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.quick import SETTINGS, QuickEmbedder, default_weights

NEVER = threading.Event()

TEXTS = {
    "returns.md": "# Returns\n\nUnopened goods may be returned within 45 days of delivery.",
    "leave.txt": "Every employee has 27 days of paid holiday a year.",
    "sub/kettle.csv": "item,price\nKettle K2,49 pounds\nKettle K3,89 pounds\n",
}


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    return default_weights()


@pytest.fixture(scope="session")
def embedder(weights_folder: Path) -> Embedder:
    return Embedder(weights_folder, "cpu", "all-MiniLM-L6-v2@test")


@pytest.fixture
def quick() -> QuickEmbedder:
    return QuickEmbedder()


@pytest.fixture
def data(tmp_path: Path, shared_parser: None) -> Iterator[Path]:
    """A data folder; what was opened in it is closed afterwards."""
    folder = tmp_path / "data"
    yield folder
    close_stores(folder)
    open_database(folder).close()


@pytest.fixture
def index(data: Path, quick: QuickEmbedder) -> Index:
    """An empty collection with the quick embedder."""
    return Index(data, "My händbook / 2025", quick, RagSettings(**SETTINGS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four small documents; the PDF has two pages."""
    return write_folder(tmp_path / "docs")


def write_folder(folder: Path) -> Path:
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "manual.pdf").write_bytes(make_pdf(["Fill the tank with water.", "Descale every 60 days."]))
    return folder


def fill(index: Index, *paths: Path | Source) -> dict[str, str]:
    """Index, and what became of each file."""
    return {step.file: step.state for step in index.add(paths, NEVER) if step.file}


def nearest_texts(index: Index, query: str, n: int, documents: Sequence[str] | None = None) -> list[str]:
    """The texts of the chunks nearest to a query, best first."""
    found = index.nearest(index._embedder.embed_query(query), n, documents)
    chunks = index.rows([row for row, _ in found])
    return [chunks[row].text for row, _ in found if row in chunks]


def make_pdf(pages: Sequence[str]) -> bytes:
    """A PDF with one line of text per page, written by hand."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1"))
    table = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    for offset in offsets:
        out.write(f"{offset:010d} 00000 n \n".encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode())
    return out.getvalue()


def make_docx(heading: str, text: str) -> bytes:
    """A Word file with one heading and one paragraph, written by hand."""
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{relations}">'
        f'<Relationship Id="rId1" Type="{kind}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f"<w:document {w}><w:body>"
        f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>{heading}</w:t></w:r></w:p>'
        f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>",
    }
    return make_zip({name: text.encode() for name, text in files.items()})


def make_zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()
