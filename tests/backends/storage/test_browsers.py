"""What browsers get back: kept by browser, bounded by number, size and age, forgotten without a trace."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.storage import browsers
from backends.storage.browsers import forget, keep, kept

ONE, OTHER = "a" * 43, "b" * 43
SECRET = b"what was asked in confidence"


def written_last(data: Path, browser: str, at: str) -> None:
    """As if the browser had been here at another time."""
    with closing(sqlite3.connect(data / "browsers.sqlite")) as connection, connection:
        connection.execute("UPDATE parts SET at = ? WHERE browser = ?", (at, browsers._hashed(browser)))


def test_a_browser_gets_its_parts_back_and_no_other_does(tmp_path: Path) -> None:
    keep(tmp_path, ONE, "comparison:compare", b"first")
    keep(tmp_path, ONE, "comparison:compare", b"second")
    keep(tmp_path, ONE, "cost_changes", b"{}")
    keep(tmp_path, OTHER, "cost_changes", b"[]")
    keep(tmp_path, OTHER, "cost_changes", None)
    assert kept(tmp_path, ONE) == {"comparison:compare": b"second", "cost_changes": b"{}"}
    assert kept(tmp_path, OTHER) == {}


def test_only_the_owner_reads_the_file_and_it_holds_no_id(tmp_path: Path) -> None:
    keep(tmp_path, ONE, "rag_query", SECRET)
    file = tmp_path / "browsers.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ONE.encode() not in file.read_bytes()


def test_nothing_is_written_before_something_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path, ONE) == {}
    keep(tmp_path, ONE, "rag_query", None)
    forget(tmp_path, ONE)
    assert list(tmp_path.iterdir()) == []


def test_what_is_forgotten_is_in_no_file_any_more(tmp_path: Path) -> None:
    keep(tmp_path, ONE, "rag_query", SECRET)
    keep(tmp_path, OTHER, "rag_query", b"stays")
    forget(tmp_path, ONE)
    assert kept(tmp_path, ONE) == {}
    assert kept(tmp_path, OTHER) == {"rag_query": b"stays"}
    assert not [file for file in tmp_path.iterdir() if SECRET in file.read_bytes()]


def test_the_browsers_that_were_here_least_recently_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, browser in enumerate("xyz"):
        keep(tmp_path, browser, "rag_query", b"?")
        written_last(tmp_path, browser, f"2999-01-0{place + 1}T00:00:00.000+00:00")
    monkeypatch.setattr(browsers, "MOST_BROWSERS", 2)
    keep(tmp_path, "now", "rag_query", b"?")  # long before the others in this test's time
    assert [browser for browser in ("x", "y", "z", "now") if kept(tmp_path, browser)] == ["y", "z"]


def test_all_together_they_have_so_much_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsers, "LARGEST", 100)
    keep(tmp_path, ONE, "rag_query", b"x" * 60)
    written_last(tmp_path, ONE, "2999-01-01T00:00:00.000+00:00")
    keep(tmp_path, OTHER, "rag_query", b"x" * 60)
    assert kept(tmp_path, OTHER) == {}
    assert len(kept(tmp_path, ONE)["rag_query"]) == 60


def test_what_is_old_is_gone(tmp_path: Path) -> None:
    keep(tmp_path, ONE, "rag_query", b"?")
    written_last(tmp_path, ONE, "2026-01-01T00:00:00.000+00:00")
    assert kept(tmp_path, ONE) == {}
    keep(tmp_path, OTHER, "rag_query", b"?")
    with closing(sqlite3.connect(tmp_path / "browsers.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM parts").fetchone() == (1,)


def test_what_is_too_large_is_refused_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsers, "LARGEST_PART", 2_000_000)
    with pytest.raises(BackendError, match="too large to be kept for a reload: 3 MB of 2 MB"):
        keep(tmp_path, ONE, "fine_tuned_pairs", b"x" * 3_000_000)


def damaged(file: Path) -> None:
    file.write_bytes(b"no database" * 500)


def newer(file: Path) -> None:
    keep(file.parent, ONE, "rag_query", b"?")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 9")


@pytest.mark.parametrize(
    ("made", "sentence"), [(damaged, "is damaged. Move it away"), (newer, "written by a newer version of Crossroads")]
)
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, made: Callable[[Path], None], sentence: str) -> None:
    made(tmp_path / "browsers.sqlite")
    for work in (
        lambda: kept(tmp_path, ONE),
        lambda: keep(tmp_path, ONE, "rag_query", b"?"),
        lambda: forget(tmp_path, ONE),
    ):
        with pytest.raises(BackendError, match=sentence):
            work()
