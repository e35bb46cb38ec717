"""SQLite files: made whole or not at all, brought up to date, opened, and what their faults mean.

Every connection waits for other processes, checks foreign keys, and is durable when a transaction has ended (WAL with
synchronous=FULL, https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backends.errors import BackendError, disk_faults, too_little_memory
from backends.storage.files import locked, replacing

_BESIDE = ("-wal", "-shm")
"""Ends of the names of the files that SQLite keeps beside its own."""


@dataclass(frozen=True, slots=True)
class Format:
    """What one kind of file holds, and how its faults are said.

    `what` begins a sentence. `version` is kept in the file as `user_version`; `tables` makes a file of version 1, and
    `migrations` has the statements that bring a file of a version to the next one. `damaged` and `foreign` make the
    faults of a file that cannot be read, and of one whose version cannot be brought up to date.
    """

    what: str
    version: int
    tables: str
    damaged: Callable[[Path], BackendError]
    foreign: Callable[[Path, int], BackendError]
    wait_s: float
    migrations: Mapping[int, Sequence[str]] = field(default_factory=dict)


def movable(what: str, version: int, tables: str, wait_s: float) -> Format:
    """The format of a file that whoever has a damaged one can do without: it is moved away, and a new one begun."""

    def unusable(file: Path, found: int | None = None) -> BackendError:
        if found is not None and found > version:
            return BackendError(f"{file.name} was written by a newer version of Crossroads.", "Update Crossroads.")
        return BackendError(f"{file.name} in the data folder is damaged.", "Move it away; a new one is begun.")

    return Format(what, version, tables, damaged=unusable, foreign=unusable, wait_s=wait_s)


def create(file: Path, format: Format) -> None:
    """Make an empty file of the current version; nobody ever sees a part of it."""
    with replacing(file) as draft, contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.executescript(f"{format.tables} PRAGMA user_version = 1; PRAGMA journal_mode = WAL;")
        _bring_up_to_date(connection, file, format)


def connect(file: Path, format: Format) -> sqlite3.Connection:
    """A connection to a file that exists, in autocommit; an older file is brought up to date first.

    One thread may use it at a time. Raises what `format` makes, and `sqlite3.Error` (see `explaining`).
    """
    address = f"{file.as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {round(format.wait_s * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        _bring_up_to_date(connection, file, format)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def alone(file: Path, format: Format, *, writing: bool) -> Iterator[sqlite3.Connection]:
    """A connection within one transaction, alone with the file, which only its owner may read.

    For `writing`, the file is made if it is missing; what is deleted leaves nothing behind, in the file or its log,
    which SQLite removes with its last connection. Raises `BackendError`.
    """
    turn = locked(file.with_suffix(".lock"), format.what, lambda: in_use(format.what), format.wait_s)
    with turn, disk_faults(format.what), explaining(file, format):
        if writing and not file.exists():
            create(file, format)
            file.chmod(0o600)
        with contextlib.closing(connect(file, format)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            yield connection
            connection.execute("COMMIT")


def set_aside(file: Path, target: Path) -> None:
    """Rename a file, if it is there, so that a new one can be begun. Raises `OSError`."""
    for end in (*_BESIDE, ""):  # these first: SQLite would apply them to the new file
        try:
            os.replace(f"{file}{end}", f"{target}{end}")
        except FileNotFoundError:
            if end:  # nor may those of a file that was renamed earlier stay beside this one
                Path(f"{target}{end}").unlink(missing_ok=True)


@contextlib.contextmanager
def explaining(file: Path, format: Format) -> Iterator[None]:
    """Faults of SQLite become `BackendError`; those of this program (a constraint, a wrong call) stay as they are."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        raise explained(error, format.what, format.damaged(file), file) from error


def explained(error: sqlite3.Error, what: str, damaged: BackendError, file: Path) -> BackendError:
    """What an error code (https://sqlite.org/rescode.html) means for the user.

    `what` begins a sentence, `damaged` is the fault of `file` if it cannot be read.
    """
    if file.is_dir():
        return a_folder(what, file)
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return in_use(what)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return no_permission(what)
        case sqlite3.SQLITE_FULL:
            return disk_full()
        case sqlite3.SQLITE_NOMEM:
            return too_little_memory("SQLite")
        case sqlite3.SQLITE_IOERR:
            return BackendError("The disk of the data folder does not work.", "Check it, and try again.")
    return damaged


def in_use(what: str) -> BackendError:
    """Another process holds the file for longer than anybody waits."""
    return BackendError(f"{what} is in use by another program.", "Try again in a moment.")


def no_permission(what: str) -> BackendError:
    """The file, or its folder, may not be written."""
    return BackendError(f"{what} cannot be written.", "Check the permissions of the data folder.")


def a_folder(what: str, file: Path) -> BackendError:
    """There is a folder where the file should be."""
    return BackendError(
        f"{what} cannot be used: {file.name} in the data folder is a folder.", "Move it away; a new file is begun."
    )


def disk_full() -> BackendError:
    """There is no room for what was to be written."""
    return BackendError("The disk is full.", "Make room and try again.")


def _bring_up_to_date(connection: sqlite3.Connection, file: Path, format: Format) -> None:
    """An older file gets what was added since, in one transaction; what a row says stays."""
    found = _version(connection)
    if found == format.version:
        return
    if found > format.version or found not in format.migrations:
        raise format.foreign(file, found)
    connection.execute("BEGIN IMMEDIATE")
    for version in range(_version(connection), format.version):  # another process may have been first
        for statement in format.migrations[version]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {format.version}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
