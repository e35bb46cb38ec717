"""The ledger of earlier versions, `ledger.sqlite` in the data folder: taken over into the store once, then kept aside.

It is given a name of its own first, which the store keeps in the same transaction as its rows. So a process that is
killed on the way leaves nothing lost and nothing doubled: the next one finds either no row of it in the store, or all.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DataError

from backends.errors import BackendError, disk_faults
from backends.storage import sqlite
from backends.storage.files import locked
from backends.store.database import Store
from backends.store.tables import charges, spent_answers, taken_over

VERSION = 5
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
_JUDGING = (  # of what is no answer: whether it was a verdict on one, and no test of a connection
    "ALTER TABLE answers ADD COLUMN judging INTEGER NOT NULL DEFAULT 0",
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
    """What holds the ledger cannot be read: it can be set aside, and a new one begun."""

    def __init__(self, what: Path | str, next_step: str = "") -> None:
        old = isinstance(what, Path)
        super().__init__(
            f"The ledger {what.name} is damaged, so answers are not recorded."
            if isinstance(what, Path)
            else f"The ledger in {what} is damaged, so answers are not recorded.",
            "Set it aside on the Costs page: a new one is begun, and the old file is kept."
            + ("" if old or not next_step else " The evaluation runs that it holds go with it."),
        )


_FORMAT = sqlite.Format(
    "The ledger of answers",
    VERSION,
    _FIRST,
    damaged=LedgerDamaged,
    foreign=lambda file, found: LedgerNewer(file, found) if found > VERSION else LedgerDamaged(file),
    wait_s=_PATIENCE_S,
    migrations={1: _EXPECTED, 2: _PURPOSE, 3: _WRITER, 4: _JUDGING},
)


@contextmanager
def _turn(file: Path) -> Iterator[None]:
    """One thread of one process at a time; what the disk refuses meanwhile is a `BackendError`."""
    what = _FORMAT.what
    with locked(file.with_suffix(".lock"), what, lambda: sqlite.in_use(what), _PATIENCE_S), disk_faults(what):
        yield


def is_waiting(file: Path) -> bool:
    """Whether there is something to take over. Raises `BackendError` where that cannot be seen."""
    with disk_faults(_FORMAT.what, "read"):
        return file.exists()


def take_over(file: Path, store: Store) -> None:
    """Bring every row into the store, and rename the file, which stays as a backup. Raises `BackendError`."""
    with _turn(file), sqlite.explaining(file, _FORMAT):
        if not file.exists():
            return  # another process was first
        with closing(sqlite.connect(file, _FORMAT)) as old:
            name = _name_of(old)
            rows = [_rows(old, table) for table in ("answers", "charges")]
        for answer in rows[0]:
            if answer.pop("judging"):
                answer["purpose"] = "judge"

        def add(connection: Any) -> None:
            store.alone(connection, taken_over.name)
            if connection.execute(taken_over.select().where(taken_over.c.file == name)).first():
                return
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            connection.execute(taken_over.insert(), {"file": name, "at": at})
            for table, found in zip((spent_answers, charges), rows, strict=True):
                if found:
                    connection.execute(table.insert(), found)

        try:
            store.write(add)
        except DataError as fault:  # what no recorder writes
            raise LedgerDamaged(file) from fault
        sqlite.set_aside(file, file.with_name(f"{file.stem}.taken-over-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite"))


def _name_of(old: sqlite3.Connection) -> str:
    """The name that the file was given, once and for all."""
    old.execute("BEGIN IMMEDIATE")
    old.execute("CREATE TABLE IF NOT EXISTS taken_over (name TEXT NOT NULL)")
    found = old.execute("SELECT name FROM taken_over").fetchone()
    name = found[0] if found else uuid.uuid4().hex
    if not found:
        old.execute("INSERT INTO taken_over VALUES (?)", (name,))
    old.execute("COMMIT")
    return str(name)


def _rows(old: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """The rows in their order, without the numbers that they had there."""
    found = old.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
    names = [column[0] for column in found.description]
    rows = [dict(zip(names, row, strict=True)) for row in found]
    for row in rows:
        del row["id"]
        for name, value in row.items():
            if isinstance(value, str):
                row[name] = value.replace("\x00", "\ufffd")  # which PostgreSQL refuses
    return rows


def set_aside(file: Path) -> Path | None:
    """Rename a file that cannot be taken over; where it lies now, None if there was none. Raises `BackendError`."""
    with _turn(file):
        if not file.exists():
            return None
        target = file.with_name(f"{file.stem}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite")
        sqlite.set_aside(file, target)
        return target
