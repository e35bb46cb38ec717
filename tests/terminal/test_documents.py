"""`crossroads index`: documents in, what became of each, and mending, with the real embedder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from terminal.commands import app
from tests.backends.rag.samples import half_scanned


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Four files, of which one is a copy and one cannot be read."""
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in {
        "a.md": "# Tea\n\nTea at four.",
        "b.txt": "Coffee at ten.",
        "copy.txt": "Coffee at ten.",
    }.items():
        (folder / name).write_text(text)
    (folder / "empty.txt").touch()
    yield folder
    close_stores(tmp_path / "data")
    open_database(tmp_path / "data").close()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["index", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def indexed(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_what_became_of_each_file(docs: Path) -> None:
    result = indexed(str(docs), "--collection", "drinks")
    files = result.pop("files")
    assert result == {
        "collection": "drinks",
        "chunks": 2,
        "indexed": 2,
        "replaced": 0,
        "skipped": 0,
        "duplicate": 1,
        "rejected": 1,
    }
    assert sorted((file["file"], file["state"], file["error"]) for file in files) == [
        ("a.md", "indexed", None),
        ("b.txt", "indexed", None),
        ("copy.txt", "duplicate", "It has the same content as b.txt."),
        ("empty.txt", "rejected", "The file is empty (0 bytes). Check that it was saved or copied completely."),
    ]
    (first,) = [file for file in files if file["file"] == "a.md"]
    assert first == {
        "file": "a.md",
        "state": "indexed",
        "error": None,
        "pages": None,
        "characters": 19,
        "chunks": 1,
        "language": None,
        "warnings": [],
    }
    (docs / "b.txt").write_text("Coffee at eleven.")
    said = run(str(docs), "--collection", "drinks")
    assert said.stdout == "1 indexed, 1 replaced, 1 skipped, 0 duplicate, 1 rejected; 3 chunks in all.\n"
    assert "b.txt: replaced" in said.stderr


def test_warnings_and_files_that_are_not_read_are_told(docs: Path) -> None:
    (docs / "half.pdf").write_bytes(half_scanned({1}, 2))
    for name in ("old.doc", "picture.png", "other.png", ".hidden.png"):
        (docs / name).write_bytes(b"x")
    said = run(str(docs))
    assert said.exit_code == 0
    assert "Left out, of a type that is not read: 2 .png, 1 .doc.\n" in said.stderr
    told = "half.pdf: indexed (2 pages, 8 characters, 1 chunk, language unknown) Page 2 has no text"
    assert told in said.stderr
    (half,) = [file for file in indexed(str(docs), "--rebuild")["files"] if file["file"] == "half.pdf"]
    assert (half["pages"], half["chunks"]) == (2, 1)
    assert half["warnings"] == ["Page 2 has no text: it was probably scanned."]


def test_nothing_but_rejected_files_is_a_failure(docs: Path) -> None:
    result = run(str(docs / "empty.txt"))
    assert result.exit_code == 1
    assert "empty.txt: rejected The file is empty (0 bytes)." in result.stderr


def test_damage_is_named_with_the_command_that_mends_it(docs: Path, tmp_path: Path) -> None:
    indexed(str(docs))
    close_stores(tmp_path / "data")
    (database,) = (tmp_path / "data" / "index").glob("v-*/chroma.sqlite3")
    database.write_bytes(b"not a database " * 1000)
    searched = CliRunner().invoke(app, ["search", "tea"])
    assert (searched.exit_code, searched.stdout) == (1, "")
    assert searched.stderr == (
        "The vectors of the collection handbook are damaged. "
        "Build them again from the stored chunks with `crossroads index --repair`.\n"
    )
    assert indexed("--repair") == {
        "collection": "handbook",
        "chunks": 2,
        **dict.fromkeys(["indexed", "replaced", "skipped", "duplicate", "rejected"], 0),
        "files": [],
    }
    assert CliRunner().invoke(app, ["search", "tea"]).exit_code == 0


def test_an_older_collection_says_what_it_lacks_and_is_brought_up_to_date(docs: Path, tmp_path: Path) -> None:
    indexed(str(docs))
    with open_database(tmp_path / "data").writing() as library:
        library.execute("UPDATE documents SET cutter = 0")
    result = run(str(docs))
    lacks = (
        "This collection can be brought up to date: 2 documents were not looked through by today's rules for headings."
    )
    assert f"{lacks} Run `crossroads index --update`." in result.stderr
    updated = indexed("--update")
    assert (updated["updated"], "lacks" in updated) == (2, False)


def test_other_chunk_settings_need_a_rechunk(docs: Path) -> None:
    indexed(str(docs))
    refused = run(str(docs), "--set", "rag.chunk_tokens=64")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "`crossroads index --rechunk --set rag.chunk_tokens=64`" in refused.stderr
    said = run("--rechunk", "--set", "rag.chunk_tokens=64")
    assert (said.exit_code, said.stdout) == (0, "2 chunks in all.\n")
    assert indexed(str(docs), "--set", "rag.chunk_tokens=64")["skipped"] == 2
    assert indexed(str(docs), "--rebuild")["indexed"] == 2


def test_an_encoding_can_be_chosen_for_a_file_that_was_guessed_wrong(docs: Path) -> None:
    (docs / "shelf.txt").write_bytes("Шкаф".encode("koi8-r"))
    first = indexed(str(docs / "shelf.txt"))["files"][0]
    again = indexed(str(docs / "shelf.txt"), "--encoding", "KOI8-R")["files"][0]
    assert (first["state"], again["state"]) == ("indexed", "replaced")
    assert again["warnings"] == []
    found = CliRunner().invoke(app, ["search", "Шкаф", "--mode", "keyword"])
    assert "shelf.txt: Шкаф" in found.stdout
    assert indexed(str(docs / "shelf.txt"))["skipped"] == 1


def test_an_unknown_encoding_is_refused_with_the_known_ones(docs: Path) -> None:
    result = run(str(docs), "--encoding", "klingon")
    assert result.exit_code == 1
    assert "There is no encoding klingon. Use one of utf-8," in result.stderr
