"""Files become documents: which files, under which names, with which facts about them."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.rag.documents.files import Document, Rejected, Source, find_files, read_documents
from backends.rag.documents.formats import FORMATS, SUPPORTED
from backends.text import visible_lines
from tests.backends.rag.conftest import make_docx, make_pdf
from tests.backends.rag.samples import NEVER, read_good, read_one

TEXTS = {
    "en": "The warranty begins on the day of delivery and is not the same thing as a return.",
    "de": "Die Garantie beginnt am Tag der Lieferung und ist nicht dasselbe wie eine Rückgabe.",
    "fr": "La garantie commence le jour de la livraison et n'est pas la même chose qu'un retour.",
    "ja": "保証は配達の日に始まり、返品と同じものではありません。説明書をよくお読みください。",
}


def test_a_document_knows_its_file_language_and_length(tmp_path: Path) -> None:
    data = make_pdf([TEXTS["en"], "The second page."])
    (tmp_path / "two.pdf").write_bytes(data)
    document = read_good(tmp_path / "two.pdf")
    assert document.name == "two.pdf"
    assert document.sha256 == hashlib.sha256(data).hexdigest()
    assert (document.format, document.language, document.warnings) == ("pdf", "en", ())
    assert document.bytes == len(data)
    assert document.characters == len(document.text) == len(TEXTS["en"]) + 2 + 16
    assert [(page.page, page.start) for page in document.pages] == [(1, 0), (2, len(TEXTS["en"]) + 2)]
    assert all(document.text[page.start :].startswith(page.text) for page in document.pages)


def test_the_language_is_recognised_where_there_is_enough_text(tmp_path: Path) -> None:
    expected: dict[str, tuple[str, str | None]] = {
        **{f"{language}.txt": (text, language) for language, text in TEXTS.items()},
        "late.md": ("2026 17 4711 " * 1_000 + TEXTS["de"], "de"),
        "too-late.md": ("2026 17 4711 " * 2_000 + TEXTS["de"], None),
        "short.txt": ("Hello, dear reader.", None),
        "numbers.csv": ("1,2\n3,4\n" * 99, None),
        "signs.csv": ("sku,qty\nBP-1,EO\nK2,ED\nOA,SL\nCO,IN\n" * 9, None),
        "code.py": (f"# {TEXTS['en']}\n", None),
    }
    for name, (text, _) in expected.items():
        (tmp_path / name).write_text(text)
    documents = [one for one in read_documents([tmp_path], 25, NEVER) if isinstance(one, Document)]
    assert {one.name: one.language for one in documents} == {name: language for name, (_, language) in expected.items()}


def test_every_format_is_read_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(make_docx("Returns", "Within 45 days."))
    (tmp_path / "b.pdf").write_bytes(make_pdf(["One."]))
    for name in ("c.html", "d.md", "e.txt", "f.csv", "g.jsonl", "h.py", "i.json", "j.XML"):
        (tmp_path / name).write_text("7")
    documents = list(read_documents([tmp_path], 25, NEVER))
    formats = [one.format for one in documents if isinstance(one, Document)]
    assert formats == ["docx", "pdf", "html", "markdown", "text", "csv", "jsonl", "code", "code", "code"]


def test_text_that_hides_or_reorders_is_cleaned_and_counted(tmp_path: Path) -> None:
    assert visible_lines("a\x00b\x1b[31m\r\nc\u202egnp\u2066\ufeff\ud800d\x0ce\U000e0041") == "ab[31m\ncgnpd\ne"
    (tmp_path / "a.txt").write_text("Pay\u202e 99 \u202cnow\U000e0041")
    document = read_good(tmp_path / "a.txt")
    assert document.text == "Pay 99 now"
    assert document.warnings == ("3 characters that hide or reorder text were left out.",)
    (tmp_path / "a.jsonl").write_text('{"a": "\\ud800x\\u202e"}')
    document = read_good(tmp_path / "a.jsonl")
    assert document.text == "a: x"
    assert document.warnings == ("1 character that hides or reorders text was left out.",)


def test_folders_expand_in_order_without_hidden_generated_and_foreign_files(tmp_path: Path) -> None:
    left_out = (".hidden.md", ".git/c.md", "photo.jpg", "~$open.docx", "node_modules/x/a.js", "__pycache__/a.py")
    for name in ("b.md", "sub/a.txt", "x.pdf/in.TXT", *left_out):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    names = [source.name for source in find_files([tmp_path, str(tmp_path / "b.md")])]
    assert names == ["b.md", "sub/a.txt", "x.pdf/in.TXT"]
    assert find_files([tmp_path / "photo.jpg"]) == [Source(tmp_path / "photo.jpg", "photo.jpg")]


@pytest.mark.parametrize("path", ["missing.txt", "x" * 300, "nul\x00.txt"])
def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(BackendError) as error:
        find_files([tmp_path / path])
    assert error.value.cause == f"There is no file or folder {tmp_path / path}."


def test_a_given_source_keeps_its_name_and_its_name_tells_the_format(tmp_path: Path) -> None:
    (tmp_path / "0f3a").write_text("# Hello")
    (result,) = read_documents([Source(tmp_path / "0f3a", "notes.md", named=True)], 25, NEVER)
    assert isinstance(result, Document)
    assert (result.name, result.format) == ("notes.md", "markdown")


def test_a_name_is_shown_without_what_hides_or_breaks_it(tmp_path: Path) -> None:
    path = tmp_path / "in\u202evoice\x1b[31m\n 1.txt"
    path.write_text("text")
    assert read_good(path).name == "invoice[31m 1.txt"
    raw = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(raw)).write_text("not UTF-8 in its name")
    assert read_good(Path(os.fsdecode(raw))).name == "caf.txt"


def test_cancelling_stops_before_the_next_file(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    cancel = threading.Event()
    read = []
    for document in read_documents([tmp_path], 25, cancel):
        read.append(document.name)
        cancel.set()
    assert read == ["a.txt"]


def test_a_batch_goes_on_after_a_bad_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("good")
    (tmp_path / "b.pdf").write_bytes(b"rubbish")
    (tmp_path / "c.txt").write_text("good")
    kinds = [(one.name, type(one)) for one in read_documents([tmp_path], 25, NEVER)]
    assert kinds == [("a.txt", Document), ("b.pdf", Rejected), ("c.txt", Document)]


def test_what_is_not_supported_is_said_with_what_is(tmp_path: Path) -> None:
    (tmp_path / "drawing.svg").write_text("<svg/>")
    assert read_one(tmp_path / "drawing.svg") == Rejected(
        "drawing.svg", "Files of the type .svg are not supported.", f"Save it as {SUPPORTED}."
    )
    assert {".pdf", ".docx", ".pptx", ".xlsx", ".html", ".md", ".txt", ".csv", ".jsonl", ".py", ".rs"} <= set(FORMATS)


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


def test_what_may_not_be_read_is_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    private, closed = tmp_path / "private.txt", tmp_path / "closed"
    private.write_text("secret")
    private.chmod(0)
    closed.mkdir(mode=0)
    request.getfixturevalue("ordinary_user")
    refused = [one for one in read_documents([tmp_path], 25, NEVER) if isinstance(one, Rejected)]
    assert [(one.name, one.cause) for one in refused] == [
        ("private.txt", "The file cannot be read: Permission denied."),
        ("closed", "The folder cannot be opened."),
    ]


def test_what_is_not_a_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("text")
    (tmp_path / "folder.pdf").mkdir()
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (tmp_path / "linked.txt").symlink_to(tmp_path / "real" / "a.txt")
    results = list(read_documents([tmp_path], 25, NEVER))
    assert [(one.name, one.text if isinstance(one, Document) else one.cause) for one in results] == [
        ("gone.txt", "The link points to nothing."),
        ("linked.txt", "text"),
        ("loop.txt", "The link points to nothing."),
        ("pipe.txt", "This is not a regular file."),
        ("real/a.txt", "text"),
    ]


def test_links_that_leave_the_folder_are_named_and_not_read(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (outside / "deep").mkdir(parents=True)
    (folder / "real").mkdir(parents=True)
    (outside / "pw.txt").write_text("secret")
    (outside / "deep" / "more.txt").write_text("secret too")
    (folder / "real" / "a.txt").write_text("text")
    (folder / "pw.txt").symlink_to(outside / "pw.txt")
    (folder / "through.txt").symlink_to("pw.txt")
    (folder / "up.txt").symlink_to("../outside/pw.txt")
    (folder / "deep").symlink_to(outside / "deep")
    (folder / "again").symlink_to("real")
    (folder / "round").symlink_to(".")
    (tmp_path / "linked").symlink_to(folder)
    cause = "The link leads out of the folder."
    for given in (folder, tmp_path / "linked", folder / "round"):
        results = list(read_documents([given], 25, NEVER))
        assert [(one.name, one.text if isinstance(one, Document) else one.cause) for one in results] == [
            ("pw.txt", cause),
            ("through.txt", cause),
            ("up.txt", cause),
            ("deep", cause),
            ("real/a.txt", "text"),
        ]
    (named,) = read_documents([folder / "pw.txt"], 25, NEVER)  # by somebody who knows where it leads
    assert isinstance(named, Document)
