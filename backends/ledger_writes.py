"""Writes to the ledger's file that come at the same time share one transaction: the disk is what takes the time."""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from backends.base import BackendError
from backends.ledger_file import opened

T = TypeVar("T")


@dataclass
class _Write(Generic[T]):
    """One piece of work and what came of it."""

    work: Callable[[sqlite3.Connection], T]
    done: bool = False
    result: T | None = None
    fault: BaseException | None = None


_waiting: defaultdict[Path, list[_Write[object]]] = defaultdict(list)
_lock = threading.Lock()
_one_thread = threading.Lock()  # waiting here is fair and quick; waiting for the file's lock is neither


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection to read from. Raises `BackendError`."""
    with _one_thread, opened(file, create=False) as connection:
        yield connection


def write(file: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do `work` within a transaction, durable on return, perhaps after and before that of other threads.

    A `BackendError` of `work` is raised and concerns nobody else; what it wrote before that stays.
    """
    mine: _Write[T] = _Write(work)
    with _lock:
        _waiting[file].append(mine)  # type: ignore[arg-type]
    with _one_thread:
        if not mine.done:  # nobody has done it in the meantime, so it is done here with all that waits
            with _lock:
                together = _waiting.pop(file)
            _write(file, together)
    if mine.fault is not None:
        raise mine.fault
    return mine.result  # type: ignore[return-value]


def _write(file: Path, together: list[_Write[object]]) -> None:
    """All in one transaction; if that fails, each in its own, so that none suffers from another one's fault."""
    try:
        with opened(file, create=True) as connection:
            for one in together:
                try:
                    one.result = one.work(connection)
                except BackendError as refusal:
                    one.fault = refusal
    except BaseException as fault:
        if len(together) > 1 and isinstance(fault, Exception):
            for one in together:
                one.fault = None
                _write(file, [one])
            return
        together[0].fault = fault
    finally:
        for one in together:
            one.done = True
