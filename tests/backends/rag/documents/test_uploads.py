"""Uploads: the name that came with them is displayed and never used on the disk."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.rag.documents.files import Document, Rejected, Source, read_documents
from backends.rag.documents.uploads import NAME_CHARACTERS, discard, save_upload
from tests.backends.rag.samples import NEVER

LONG = "n" * 300


@pytest.mark.parametrize(
    ("name", "shown", "extension"),
    [
        ("notes.txt", "notes.txt", ".txt"),
        ("Notes.PDF", "Notes.PDF", ".pdf"),
        ("../../x", "x", ""),
        ("../../etc/passwd.md", "passwd.md", ".md"),
        ("C:\\x", "x", ""),
        ("C:\\Users\\me\\a b.docx", "a b.docx", ".docx"),
        ("CON", "CON", ""),
        ("con.txt", "con.txt", ".txt"),
        ("nul\x00.txt", "nul.txt", ".txt"),
        ("a.exe\x00.txt", "a.exe.txt", ".txt"),
        ("a.txt\x00.exe", "a.txt.exe", ""),
        ("invoice\u202etxt.exe", "invoicetxt.exe", ""),
        (" \n\t", "unnamed", ""),
        ("..", "unnamed", ""),
        ("folder/", "folder", ""),
        ("", "unnamed", ""),
        ("\ud800.txt", ".txt", ""),
        ("a\nb\r\tc.csv", "a b c.csv", ".csv"),
        ("u\u0308ber.txt", "\u00fcber.txt", ".txt"),
        (f"{LONG}.txt", "n" * (NAME_CHARACTERS - 5) + "….txt", ".txt"),
        (LONG, "n" * (NAME_CHARACTERS - 1) + "…", ""),
        (f"a.{LONG}", "a." + "n" * (NAME_CHARACTERS - 3) + "…", ""),
    ],
)
def test_a_name_is_displayed_but_not_used(tmp_path: Path, name: str, shown: str, extension: str) -> None:
    source = save_upload(tmp_path, name, b"content")
    assert (source.name, source.named) == (shown, True)
    assert len(source.name) <= NAME_CHARACTERS
    assert source.path.parent == tmp_path / "uploads"
    assert re.fullmatch(rf"[0-9a-f]{{32}}{re.escape(extension)}", source.path.name)
    assert list(tmp_path.rglob("*")) == [tmp_path / "uploads", source.path]
    assert source.path.read_bytes() == b"content"


def test_uploads_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    source = save_upload(tmp_path, "a.txt", b"x")
    assert stat.S_IMODE(source.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(source.path.parent.stat().st_mode) == 0o700


def test_uploads_are_read_under_the_name_they_had(tmp_path: Path) -> None:
    names = ["../../x", "C:\\x", "CON", "nul\x00.md", "program.exe", f"{LONG}.txt", "empty.pdf"]
    sources = [save_upload(tmp_path, name, b"" if name == "empty.pdf" else b"# Hello") for name in names]
    results = list(read_documents(sources, 25, NEVER))
    assert [(one.name, one.cause if isinstance(one, Rejected) else one.format) for one in results] == [
        ("x", "Files without an extension are not supported."),
        ("x", "Files without an extension are not supported."),
        ("CON", "Files without an extension are not supported."),
        ("nul.md", "markdown"),
        ("program.exe", "Files of the type .exe are not supported."),
        ("n" * 195 + "….txt", "text"),
        ("empty.pdf", "The file is empty (0 bytes)."),
    ]


def test_the_same_name_with_other_content_is_another_file(tmp_path: Path) -> None:
    sources = [save_upload(tmp_path, "a.txt", content) for content in (b"one", b"two")]
    texts = [one.text for one in read_documents(sources, 25, NEVER) if isinstance(one, Document)]
    assert texts == ["one", "two"]


def test_discarding_deletes_uploads_only(tmp_path: Path) -> None:
    source = save_upload(tmp_path, "a.txt", b"x")
    own = tmp_path / "uploads" / "mine.txt"
    own.write_text("mine")
    discard(source)
    discard(source)
    discard(Source(own, "mine.txt", named=True))
    assert list((tmp_path / "uploads").iterdir()) == [own]


def test_uploads_of_yesterday_are_swept(tmp_path: Path) -> None:
    old, young = (save_upload(tmp_path, "a.txt", b"x") for _ in range(2))
    yesterday = time.time() - 25 * 3600
    os.utime(old.path, (yesterday, yesterday))
    new = save_upload(tmp_path, "b.txt", b"x")
    assert set((tmp_path / "uploads").iterdir()) == {young.path, new.path}


def test_an_upload_that_cannot_be_stored_says_so(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("a file in the way")
    with pytest.raises(BackendError) as error:
        save_upload(tmp_path, "a.txt", b"x")
    assert error.value.cause == "The upload a.txt cannot be stored: File exists."
    assert (
        error.value.next_step == f"Check that {tmp_path / 'uploads'} can be written and that there is room on the disk."
    )
