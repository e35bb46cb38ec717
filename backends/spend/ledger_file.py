"""The SQLite file of the ledger: its tables, one connection at a time, and writes that share a transaction."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from backends.errors import BackendError, disk_faults
from backends.storage import sqlite
from backends.storage.files import locked

VERSION = 4
"""Of the tables, kept in the file as `user_version`."""

_PATIENCE_S = 5
_KEPT = "CREATE TRIGGER answers_keep BEFORE UPDATE ON answers BEGIN SELECT raise(ABORT, 'rows are only added'); END"
_FIRST = f"""
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,           -- when it ended: UTC, ISO 8601
    approach TEXT NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('real', 'stand-in', 'scripted')),
    status TEXT NOT NULL,
    prompt_tokens INTEGER, completion_tokens INTEGER, cached_tokens INTEGER, reasoning_tokens INTEGER,
    tokens_counted_by TEXT,
    queued_s REAL, retry_s REAL, retrieval_s REAL, ttft_s REAL, latency_s REAL,
    retries INTEGER,            -- NULL where nothing is asked over a network
    cost_usd TEXT,              -- a Decimal, NULL where it is unknown
    cost_basis TEXT NOT NULL
);
CREATE INDEX answers_in_time ON answers (at);
CREATE INDEX answers_of_approach ON answers (approach, kind, id);
CREATE TABLE charges (         -- what backends.spend.budget counts; a reservation is changed once, when it is settled
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,           -- when it was reserved or charged: UTC, ISO 8601
    run TEXT NOT NULL,
    approach TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'charged', 'at most', 'unknown', 'released')),
    pico_usd INTEGER NOT NULL,  -- 10^-12 USD, rounded up
    host TEXT, pid INTEGER, began REAL  -- the process that reserved it
);
CREATE INDEX charges_in_time ON charges (at);
CREATE INDEX charges_of_run ON charges (run);
CREATE INDEX charges_reserved ON charges (state) WHERE state = 'reserved';
CREATE TRIGGER answers_stay BEFORE DELETE ON answers BEGIN SELECT raise(ABORT, 'rows are only added'); END;
{_KEPT};
"""
_EXPECTED = (  # what was expected before the question was asked; a Decimal, and how it was computed
    "ALTER TABLE answers ADD COLUMN expected_prompt_tokens INTEGER",
    "ALTER TABLE answers ADD COLUMN expected_completion_tokens INTEGER",
    "ALTER TABLE answers ADD COLUMN expected_usd TEXT",
    "ALTER TABLE answers ADD COLUMN expected_by TEXT",
    "CREATE INDEX answers_of_model ON answers (approach, kind, model, id)",
)
_PURPOSE = (  # what was asked for. Older rows say it by the rule below: nothing else of them is touched
    "ALTER TABLE answers ADD COLUMN purpose TEXT NOT NULL DEFAULT 'answer' CHECK (purpose IN ('answer', 'test'))",
    "DROP TRIGGER answers_keep",
    "UPDATE answers SET purpose = 'test' WHERE (approach = 'paid_api' OR approach LIKE 'paid_api:%') "
    "AND completion_tokens <= 1 AND expected_by IS NULL",  # a test asks for one token, and nothing was expected of it
    _KEPT,
)
_WRITER = (  # the approach whose model wrote an answer from documents; NULL elsewhere, and in older rows
    "ALTER TABLE answers ADD COLUMN writer TEXT",
)


class LedgerNewer(BackendError):
    """The file was written by a newer version of this program: it is whole, and is left alone."""

    def __init__(self, file: Path, version: int) -> None:
        super().__init__(
            f"The ledger {file.name} was written by a newer version of Crossroads (its format is {version}, this "
            f"version knows {VERSION}), so answers are not recorded.",
            "Update Crossroads, or choose another data folder.",
        )


class LedgerDamaged(BackendError):
    """The file is no ledger: it can be set aside, and a new one begun."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"The ledger {file.name} is damaged, so answers are not recorded.",
            "Set it aside on the Costs page: a new one is begun, and the old file is kept.",
        )


def ledger_file(data: Path) -> Path:
    """Where the ledger of a data folder is."""
    return Path(os.path.realpath(data)) / "ledger.sqlite"  # Path.resolve raises where links lead in a circle


_FORMAT = sqlite.Format(
    "The ledger of answers",
    VERSION,
    _FIRST,
    damaged=LedgerDamaged,
    foreign=lambda file, found: LedgerNewer(file, found) if found > VERSION else LedgerDamaged(file),
    wait_s=_PATIENCE_S,
    migrations={1: _EXPECTED, 2: _PURPOSE, 3: _WRITER},
)


@contextmanager
def opened(file: Path, *, create: bool) -> Iterator[sqlite3.Connection]:
    """A connection within one transaction, alone with the file: SQLite before 3.51.3 can lose a WAL to two writers."""
    with _turn(file), sqlite.explaining(file, _FORMAT):
        if create and not file.exists():
            sqlite.create(file, _FORMAT)
        with closing(sqlite.connect(file, _FORMAT)) as connection:
            connection.execute("BEGIN IMMEDIATE" if create else "BEGIN")
            yield connection
            connection.execute("COMMIT")


@contextmanager
def _turn(file: Path) -> Iterator[None]:
    """One thread of one process at a time; what the disk refuses meanwhile is a `BackendError`."""
    what = _FORMAT.what
    with locked(file.with_suffix(".lock"), what, lambda: sqlite.in_use(what), _PATIENCE_S), disk_faults(what):
        yield


def set_aside(file: Path) -> Path | None:
    """Rename the file; where it lies now, None if there was none. Raises `BackendError`."""
    with _turn(file):
        if not file.exists():
            return None
        target = file.with_name(f"{file.stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite")
        sqlite.set_aside(file, target)
        return target


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


def write(file: Path, work: Callable[[sqlite3.Connection], T], turn: AbstractContextManager[object] = _one_thread) -> T:
    """Do `work` within a transaction, durable on return, perhaps after and before that of other threads.

    A `BackendError` of `work` is raised and concerns nobody else; what it wrote before that stays. `turn`
    is the lock of those that write together.
    """
    mine: _Write[T] = _Write(work)
    with _lock:
        _waiting[file].append(mine)  # type: ignore[arg-type]
    with turn:
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
