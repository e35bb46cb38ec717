"""Writes that come at the same time: one transaction, one fault each, nothing lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backends.errors import BackendError
from backends.storage.shared_writes import write_together
from backends.store.database import Store, store_of
from backends.store.tables import charges
from tests.scripted import PATIENCE_S

if TYPE_CHECKING:
    from sqlalchemy import Connection


def adding(run: str) -> Callable[[Connection], int]:
    row = {"at": "now", "run": run, "approach": "a", "model": "m", "state": "charged", "pico_usd": 1}
    return lambda connection: connection.execute(charges.insert(), row).inserted_primary_key[0]


def runs(store: Store) -> list[str]:
    with store.reading() as connection:
        return [row.run for row in connection.execute(charges.select().order_by(charges.c.run))]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of(tmp_path)


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


def together(line: Announced, store: Store, *works: Callable[[Connection], object], **more: object) -> list[object]:
    """Let all of them wait while the store is held, then let go; what came of each, faults included."""
    came: list[object] = [None] * len(works)

    def one(place: int) -> None:
        try:
            came[place] = write_together("here", works[place], more.get("transaction", store.writing), line)  # type: ignore[arg-type]
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


def test_those_that_wait_together_are_written_in_one_transaction(store: Store, line: Announced) -> None:
    transactions = []

    @contextmanager
    def counted() -> Iterator[Connection]:
        with store.writing() as connection:
            transactions.append(connection)
            yield connection

    came = together(line, store, *(adding(f"run {number}") for number in range(5)), transaction=counted)
    assert sorted(came) == [1, 2, 3, 4, 5]  # type: ignore[type-var]
    assert len(transactions) == 1
    assert runs(store) == [f"run {number}" for number in range(5)]


def test_a_refusal_concerns_nobody_else(store: Store, line: Announced) -> None:
    def refused(connection: Connection) -> None:
        raise BackendError("No.", "Ask for less.")

    first, second, third = together(line, store, adding("a"), refused, adding("b"))
    assert isinstance(second, BackendError)
    assert {type(first), type(third)} == {int}
    assert runs(store) == ["a", "b"]


def test_a_fault_of_one_leaves_the_others_written(store: Store, line: Announced) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(charges.insert(), {"at": None})

    came = together(line, store, adding("a"), broken, adding("b"))
    assert [isinstance(one, Exception) for one in came] == [False, True, False]
    assert runs(store) == ["a", "b"]
