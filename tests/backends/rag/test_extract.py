"""Documents are read in a child process; every bad one is refused with a reason and a next step."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pytest

from backends.base import BackendError
from backends.rag.child import ExtractProcess
from backends.rag.documents import Document, Rejected, Source, clean, find_files, read_documents
from tests.backends.rag.conftest import make_docx, make_pdf, make_zip

NEVER = threading.Event()


def read_one(path: Path, max_file_mb: float = 25) -> Document | Rejected:
    (result,) = read_documents([path], max_file_mb, NEVER)
    return result


def blank_pdf(pages: int, password: str | None = None) -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


DOCX = make_docx("Returns", "Within 45 days.")
PDF = make_pdf(["The first page.", "The second page."])

BAD = {
    "nothing.txt": (b"", "The file is empty (0 bytes)."),
    "nothing.pdf": (b"", "The file is empty (0 bytes)."),
    "spaces.md": (b" \n\t\n", "The file holds no text."),
    "picture.txt": (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(50),
        "The file is named as text but holds binary data.",
    ),
    "noise.csv": (bytes(range(1, 32)) * 20, "The file is named as text but holds binary data."),
    "document.txt": (PDF, "The file is named as text but holds PDF."),
    "page.pdf": (b"<html>please log in</html>", "The file is named PDF but holds plain text."),
    "word.pdf": (DOCX, "The file is named PDF but holds DOCX."),
    "letter.docx": (PDF, "The file is named DOCX but holds PDF."),
    "other.docx": (make_zip({"a.txt": b"a"}), "The file is named DOCX but holds ZIP."),
    "cut.docx": (DOCX[: len(DOCX) // 2], "The DOCX file is damaged or cut short."),
    "hollow.docx": (make_zip({"word/document.xml": b"<w:document"}), "The DOCX file is damaged or cut short."),
    "locked.docx": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "This DOCX file is protected by a password, or is an old Office file with a new name.",
    ),
    "cut.pdf": (PDF[: len(PDF) // 2], "The PDF is damaged or cut short."),
    "wrecked.pdf": (b"%PDF-1.7\n" + b"\xff\x00rubbish" * 99 + b"\n%%EOF", "The PDF is damaged or cut short."),
    "scan.pdf": (blank_pdf(3), "The PDF has 3 pages but no text: it was probably scanned."),
    "secret.pdf": (blank_pdf(1, "secret"), "The PDF is encrypted with a password."),
    "program.exe": (b"MZ", "Files of the type .exe are not supported."),
    "Makefile": (b"all:", "Files without an extension are not supported."),
}


def test_every_bad_document_is_refused_with_its_reason(tmp_path: Path) -> None:
    for name, (data, _) in BAD.items():
        (tmp_path / name).write_bytes(data)
    results = list(read_documents([tmp_path / name for name in BAD], 25, NEVER))
    assert {one.name: one.cause for one in results if isinstance(one, Rejected)} == {
        name: cause for name, (_, cause) in BAD.items()
    }
    assert all(isinstance(one, Rejected) and one.next_step.endswith(".") for one in results)


def test_a_file_over_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_bytes(b"word " * 400_000)
    refused = read_one(tmp_path / "big.txt", max_file_mb=1.5)
    assert refused == Rejected(
        "big.txt", "The file has 2.0 MB; at most 1.5 MB are read.", "Split it, or raise the setting rag.max_file_mb."
    )


def test_a_zip_bomb_is_refused_without_unpacking(tmp_path: Path) -> None:
    (tmp_path / "bomb.xlsx").write_bytes(make_zip({"xl/sheet.xml": bytes(201_000_000)}))
    refused = read_one(tmp_path / "bomb.xlsx")
    assert isinstance(refused, Rejected)
    assert refused.cause == "The file unpacks to more than 200 MB."


@pytest.fixture
def ordinary_user(tmp_path: Path) -> Iterator[None]:
    """Root may read everything, so a test that runs as root becomes somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005 and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "private.txt"
    path.write_text("secret")
    path.chmod(0)
    request.getfixturevalue("ordinary_user")
    refused = read_one(path)
    assert isinstance(refused, Rejected)
    assert refused.cause == "The file cannot be read: Permission denied."


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "link.txt").symlink_to(tmp_path / "gone.txt")
    assert [
        one.cause
        for one in read_documents([tmp_path / "pipe.txt", tmp_path / "link.txt"], 25, NEVER)
        if isinstance(one, Rejected)
    ] == ["This is not a regular file.", "The link points to nothing."]


def test_a_pdf_keeps_its_pages_and_their_offsets(tmp_path: Path) -> None:
    (tmp_path / "two.pdf").write_bytes(PDF)
    document = read_one(tmp_path / "two.pdf")
    assert isinstance(document, Document)
    assert document.text == "The first page.\n\nThe second page."
    assert [(page.page, page.start) for page in document.pages] == [(1, 0), (2, 17)]
    assert all(document.text[page.start :].startswith(page.text) for page in document.pages)


def test_a_pdf_that_opens_without_a_password_is_read(tmp_path: Path) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(PDF))
    writer.encrypt("", "owner", algorithm="RC4-128")
    writer.write(tmp_path / "open.pdf")
    document = read_one(tmp_path / "open.pdf")
    assert isinstance(document, Document)
    assert document.pages[0].text == "The first page."


def test_office_and_html_files_become_markdown(tmp_path: Path) -> None:
    import openpyxl
    import pptx

    (tmp_path / "a.docx").write_bytes(DOCX)
    (tmp_path / "b.html").write_bytes(
        '<meta charset="latin-1"><h2>Grüße</h2><script>evil()</script><p>Tee &amp; Kaffee</p>'.encode("latin-1")
    )
    book = openpyxl.Workbook()
    book.active.title = "Prices"
    book.active.append(["item", "price"])
    book.active.append(["kettle", 49])
    book.save(tmp_path / "c.xlsx")
    slides = pptx.Presentation()
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = "Year in review"
    slides.save(str(tmp_path / "d.pptx"))
    documents = {one.name: one for one in read_documents([tmp_path], 25, NEVER) if isinstance(one, Document)}
    assert documents["a.docx"].text == "# Returns\n\nWithin 45 days."
    assert documents["b.html"].text == "## Grüße\n\nTee & Kaffee"
    assert "## Prices" in documents["c.xlsx"].text
    assert "| kettle | 49 |" in documents["c.xlsx"].text
    assert "# Year in review" in documents["d.pptx"].text
    assert [page.page for one in documents.values() for page in one.pages] == [None] * 4


def test_text_is_read_in_the_encoding_it_has(tmp_path: Path) -> None:
    text = "Die Rückgabe ist für geöffnete Geräte möglich, außer für große Öfen. " * 5
    for number, encoding in enumerate(["utf-8", "utf-8-sig", "utf-16", "cp1252"]):
        (tmp_path / f"{number}.txt").write_bytes(text.encode(encoding))
    documents = list(read_documents([tmp_path], 25, NEVER))
    assert [one.text for one in documents if isinstance(one, Document)] == [text] * 4


def test_text_that_hides_or_reorders_is_cleaned() -> None:
    assert clean("a\x00b\x1b[31m\r\nc\u202egnp\u2066\ufeff\ud800d\x0ce\U000e0041") == "ab[31m\ncgnpd\ne"


def test_folders_expand_in_order_without_hidden_and_foreign_files(tmp_path: Path) -> None:
    for name in ("b.md", "sub/a.txt", ".hidden.md", ".git/c.md", "photo.jpg", "~$open.docx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [source.name for source in find_files([tmp_path, tmp_path / "b.md"])] == ["b.md", "sub/a.txt"]
    assert find_files([tmp_path / "photo.jpg"]) == [Source(tmp_path / "photo.jpg", "photo.jpg")]
    with pytest.raises(BackendError, match=r"^There is no file or folder .*missing\."):
        find_files([tmp_path / "missing"])


def test_a_file_that_takes_too_long_is_given_up_and_the_next_one_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.txt")  # nobody writes to it, so reading never ends
    (tmp_path / "good.txt").write_text("fine")
    with ExtractProcess(limit_s=0.2) as child, pytest.raises(BackendError, match=r"took longer than 0\.2 s"):
        child.extract(tmp_path / "endless.txt", "text", NEVER)
    with ExtractProcess(limit_s=60) as child:
        assert child.extract(tmp_path / "good.txt", "text", NEVER) == [{"page": None, "text": "fine"}]


def test_a_child_that_died_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("fine")
    with ExtractProcess(limit_s=60) as child:
        child.extract(tmp_path / "good.txt", "text", NEVER)
        process = child._process
        assert process
        process.kill()
        process.wait()
        with pytest.raises(BackendError, match="The reader gave up on this file"):
            child.extract(tmp_path / "good.txt", "text", NEVER)
        assert child.extract(tmp_path / "good.txt", "text", NEVER) == [{"page": None, "text": "fine"}]


def test_cancelling_ends_a_read_in_progress(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.txt")
    cancel = threading.Event()
    cancel.set()
    with ExtractProcess(limit_s=60) as child:
        assert child.extract(tmp_path / "endless.txt", "text", cancel) is None


def test_the_child_answers_in_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    requests = [{"path": str(tmp_path / "a.txt"), "format": "text"}, {"path": str(tmp_path / "no"), "format": "text"}]
    child = subprocess.run(
        [sys.executable, "-m", "backends.rag.extract"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line) for line in child.stdout.splitlines()] == [
        {"pages": [{"page": None, "text": "hello"}], "format": "text"},
        {
            "error": {
                "cause": "The file cannot be read: No such file or directory.",
                "next_step": "Check that it exists and that you may read it.",
            }
        },
    ]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_the_child_sees_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    (tmp_path / "a.txt").write_text("hello")
    with ExtractProcess(limit_s=60) as child:
        child.extract(tmp_path / "a.txt", "text", NEVER)
        assert child._process
        environment = Path(f"/proc/{child._process.pid}/environ").read_bytes()
    assert b"PYTHONPATH=" in environment
    assert b"sk-secret" not in environment
