"""SQLite files: made, brought up to date once, renamed with what lies beside them, and what is said of their faults."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.storage.sqlite import Format, connect, create, explaining, set_aside

FIRST = Format(
    "The list",
    version=1,
    tables="CREATE TABLE items (name TEXT NOT NULL);",
    damaged=lambda file: BackendError(f"{file.name} is damaged.", "Rename it."),
    foreign=lambda file, found: BackendError(f"{file.name} has version {found}.", "Update."),
    wait_s=5,
)
SECOND = replace(FIRST, version=2, migrations={1: ("ALTER TABLE items ADD COLUMN price TEXT",)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "list.sqlite"
    create(file, FIRST)
    return file


def test_a_new_file_is_whole_and_nothing_lies_beside_it(file: Path) -> None:
    assert list(file.parent.iterdir()) == [file]
    with closing(connect(file, FIRST)) as connection:
        assert connection.execute("SELECT * FROM items").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_older_file_is_brought_up_to_date_once_however_many_open_it(file: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: connect(file, SECOND), range(8)))
    for connection in opened:
        assert [column[1] for column in connection.execute("PRAGMA table_info(items)")] == ["name", "price"]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        connection.close()


def test_a_newer_file_is_refused(file: Path) -> None:
    connect(file, SECOND).close()
    with pytest.raises(BackendError, match=r"^list\.sqlite has version 2\. Update\.$"):
        connect(file, FIRST)


def test_a_file_that_is_set_aside_takes_along_what_lies_beside_it(file: Path) -> None:
    target = file.with_suffix(".damaged")
    Path(f"{target}-wal").write_bytes(b"of an earlier one")
    Path(f"{file}-shm").write_bytes(b"of this one")
    set_aside(file, target)
    assert sorted(one.name for one in file.parent.iterdir()) == ["list.damaged", "list.damaged-shm"]
    set_aside(file, target)  # there is nothing to rename, and what was renamed stays
    assert target.is_file()


def test_faults_of_sqlite_are_sentences_and_those_of_this_program_are_not(file: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError), explaining(file, FIRST), closing(connect(file, FIRST)) as connection:
        connection.execute("INSERT INTO items VALUES (NULL)")
    file.write_bytes(b"no database at all, but long enough to be read as one" * 20)
    with pytest.raises(BackendError, match=r"^list\.sqlite is damaged\. Rename it\.$"), explaining(file, FIRST):
        connect(file, FIRST)
    with pytest.raises(BackendError, match=r"^The list cannot be written\."), explaining(file, FIRST):
        connect(file.with_name("missing.sqlite"), FIRST)


def test_a_folder_in_the_place_of_a_file_is_named_as_one(tmp_path: Path) -> None:
    file = tmp_path / "list.sqlite"
    file.mkdir()
    with pytest.raises(BackendError) as fault, explaining(file, FIRST):
        connect(file, FIRST)
    assert str(fault.value) == (
        "The list cannot be used: list.sqlite in the data folder is a folder. Move it away; a new file is begun."
    )
