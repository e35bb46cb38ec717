"""Writes that come at the same time: one transaction, one fault each, nothing lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.spend import ledger_file as ledger_writes
from backends.spend.ledger_file import ledger_file, opened, reading, write
from tests.scripted import PATIENCE_S

INSERT = "INSERT INTO charges (at, run, approach, model, state, pico_usd) VALUES ('now', ?, 'a', 'm', 'charged', 1)"


def adding(run: str) -> Callable[[sqlite3.Connection], int | None]:
    return lambda connection: connection.execute(INSERT, (run,)).lastrowid


def runs(file: Path) -> list[str]:
    with reading(file) as connection:
        return [run for (run,) in connection.execute("SELECT run FROM charges ORDER BY run")]


class Announced:
    """A lock that says that somebody has come to wait for it."""

    def __init__(self) -> None:
        self.come = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.come.release()
        self._lock.acquire()

    def __exit__(self, *fault: object) -> None:
        self._lock.release()


@pytest.fixture
def line() -> Announced:
    return Announced()


def together(line: Announced, file: Path, *works: Callable[[sqlite3.Connection], object]) -> list[object]:
    """Let all of them wait while the file is held, then let go; what came of each, faults included."""
    came: list[object] = [None] * len(works)

    def one(place: int) -> None:
        try:
            came[place] = write(file, works[place], line)
        except Exception as fault:
            came[place] = fault

    threads = [threading.Thread(target=one, args=(place,), daemon=True) for place in range(len(works))]
    with line:
        for thread in threads:
            thread.start()
        for _ in range(len(works) + 1):
            assert line.come.acquire(timeout=PATIENCE_S)
    for thread in threads:
        thread.join(PATIENCE_S)
    return came


def test_those_that_wait_together_are_written_in_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Announced
) -> None:
    file, transactions = ledger_file(tmp_path), []

    def counted(file: Path, *, create: bool) -> object:
        transactions.append(create)
        return opened(file, create=create)

    monkeypatch.setattr(ledger_writes, "opened", counted)
    came = together(line, file, *(adding(f"run {number}") for number in range(5)))
    assert sorted(came) == [1, 2, 3, 4, 5]  # type: ignore[type-var]
    assert transactions == [True]
    assert runs(file) == [f"run {number}" for number in range(5)]


def test_a_refusal_concerns_nobody_else(tmp_path: Path, line: Announced) -> None:
    def refused(connection: sqlite3.Connection) -> None:
        raise BackendError("No.", "Ask for less.")

    first, second, third = together(line, ledger_file(tmp_path), adding("a"), refused, adding("b"))
    assert isinstance(second, BackendError)
    assert {type(first), type(third)} == {int}
    assert runs(ledger_file(tmp_path)) == ["a", "b"]


def test_a_fault_of_one_leaves_the_others_written(tmp_path: Path, line: Announced) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO charges (at) VALUES (NULL)")

    came = together(line, ledger_file(tmp_path), adding("a"), broken, adding("b"))
    assert [isinstance(one, Exception) for one in came] == [False, True, False]
    assert runs(ledger_file(tmp_path)) == ["a", "b"]
