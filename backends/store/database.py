"""The store of runs and costs: SQLite in the data folder, or PostgreSQL by `store.url`; the rest of the code sees one.

Every transaction is durable when it has ended. On SQLite one thread of one process has its turn at a time: SQLite
before 3.51.3 can lose a WAL to two writing connections. The tables are made, and brought up to date, when they are
first used.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from backends.errors import BackendError, disk_faults
from backends.settings import Settings
from backends.storage import sqlite
from backends.storage.files import locked
from backends.storage.shared_writes import write_together

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.exc import DBAPIError

HEAD = "0011"
"""The migration that brings a store to these tables."""

VERSION_TABLE = "crossroads_version"
"""Where Alembic keeps which migration a store has; a name of its own, since a PostgreSQL may serve others too."""

TABLES = (
    *("question_sets", "questions", "saved_sets", "saved_versions", "runs", "baselines", "run_approaches", "cells"),
    *("scores", "marks", "verdicts", "preferences", "spent_answers", "charges", "taken_over"),
    *("rating_sessions", "rating_items", "raters", "ratings", "rating_leases"),
    *("audience_votes", "audience_ballots", "asked", "asked_columns"),
)
"""Every table of a store: those of `tables.py` here, in `evaluation.runs`, `evaluation.ratings` and
`evaluation.history`."""

WHAT = "The store of answers"
_PATIENCE_S = 10
_CLAIM_S = 2.0
_MIGRATIONS = Path(__file__).with_name("migrations")
_URL = "postgresql://USER:PASSWORD@HOST/DATABASE"
_turns: defaultdict[Path, threading.Lock] = defaultdict(
    threading.Lock
)  # waiting here is quick; for a file's lock it is not
_together: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)  # who write in one transaction
_turns_lock = threading.Lock()
T = TypeVar("T")


def store_file(data: Path) -> Path:
    """Where the store of a data folder is."""
    return Path(os.path.realpath(data)) / "evaluations.sqlite"


class StoreDamaged(BackendError):
    """The file of a store cannot be read."""


class Store:
    """The store in force. Safe to use from several threads; nothing is opened before it is needed.

    Raises `BackendError` for a `store.url` that is none.
    """

    def __init__(self, settings: Settings) -> None:
        self._open(settings.data, settings.store.url.get_secret_value().strip() if settings.store.url else "")

    @classmethod
    def at(cls, data: Path, url: str) -> Store:
        """The store of a data folder, or the one at a `url` if that is not empty. Raises `BackendError`."""
        made = cls.__new__(cls)
        made._open(data, url)
        return made

    def _open(self, data: Path, given: str) -> None:
        self._file: Path | None = None
        if given:
            url = _postgres_url(given)
            self.place = f"PostgreSQL, database {url.database} at {url.host or 'this machine'}"
            self._engine = _postgres_engine(url)
        else:
            self._file = store_file(data)
            self.place = self._file.name
            self._engine = _sqlite_engine(self._file)
        self._ready: int | None = None
        self._ready_lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection within a transaction that changes nothing. Raises `BackendError`."""
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection within one transaction: all of it is there at the end, durable, or none. Raises
        `BackendError`."""
        with self._transaction(writes=True) as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` as in `writing`; on SQLite within a transaction that it may share with other threads, so that many
        small writes at once cost the disk one. Raises `BackendError`."""
        if self._file is None:
            with self.writing() as connection:
                return work(connection)
        with _turns_lock:
            together = _together[self._file]
        return write_together(("store", self._file), work, self.writing, together)

    def alone(self, connection: Connection, name: str) -> None:
        """Within a transaction that writes: until its end no other one that asks for the same `name` goes on."""
        if self._file is None:  # on SQLite it is alone as it is
            _advisory(connection, "pg_advisory_xact_lock", name)

    def set_aside(self, target: Path) -> bool:
        """Rename the file of a store that cannot be read, so that a new one is begun; whether there was one."""
        if self._file is None:
            return False
        with self._turn():
            self.close()
            there = self._file.exists()
            sqlite.set_aside(self._file, target)
        return there

    @contextmanager
    def claimed(self, run: str, wait_s: float = _CLAIM_S) -> Iterator[None]:
        """Hold a run against every other thread, process and machine; one that dies gives it up.

        Raises `BackendError` if another one works on it, and goes on doing so for `wait_s` seconds.
        """
        if self._file is not None:
            with locked(self._claim_file(run), WHAT, lambda: _claimed(run), wait_s):
                yield
            return
        self._prepare()
        with self._explaining(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")  # no transaction that stays open all the while
            connection.detach()  # closed at the end, in place of going back to those that others use
            until = time.monotonic() + wait_s  # the server takes a moment to see that a process was killed
            while not _advisory(connection, "pg_try_advisory_lock", run):
                if time.monotonic() >= until:
                    raise _claimed(run)
                time.sleep(0.05)
            try:
                yield
            finally:
                self._release(connection, run)

    def _release(self, connection: Connection, run: str) -> None:
        """Give a claim up before this returns; where the server is away, it has done so itself."""
        from sqlalchemy.exc import SQLAlchemyError

        try:
            _advisory(connection, "pg_advisory_unlock", run)
        except SQLAlchemyError:
            connection.invalidate()

    def is_claimed(self, run: str) -> bool:
        """Whether somebody works on a run now."""
        try:
            with self.claimed(run, wait_s=0):
                return False
        except BackendError:
            return True

    def forget_claim(self, run: str) -> None:
        """Remove what the claims of a run that was deleted left on the disk."""
        if self._file is not None:
            self._claim_file(run).unlink(missing_ok=True)

    @property
    def exists(self) -> bool:
        """Whether there is a store yet; a server is taken to have one. Raises `OSError` where that cannot be seen."""
        if self._file is None:
            return True
        try:
            self._file.stat()
        except FileNotFoundError:
            return False
        return True

    @property
    def on_server(self) -> bool:
        """Whether it is on a PostgreSQL, where several transactions may write at the same time."""
        return self._file is None

    def close(self) -> None:
        """Give up the connections."""
        self._engine.dispose()

    def _claim_file(self, run: str) -> Path:
        assert self._file is not None
        return self._file.parent / "runs" / f"{run}.lock"

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Connection]:
        self._prepare()
        with self._opened(writes) as connection:
            yield connection

    @contextmanager
    def _opened(self, writes: bool) -> Iterator[Connection]:
        with self._turn(), self._explaining(), self._engine.connect() as found:
            connection = found.execution_options(writes=writes)
            with connection.begin():
                yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite: alone with the file. What the disk refuses meanwhile is a `BackendError`."""
        if self._file is None:
            yield
            return
        with _turns_lock:
            own = _turns[self._file]
        alone = locked(self._file.with_suffix(".lock"), WHAT, lambda: sqlite.in_use(WHAT), _PATIENCE_S)
        with own, alone, disk_faults(WHAT):
            yield

    def _prepare(self) -> None:
        """Make the tables, or bring them up to date. Raises `BackendError` for a store that is none of ours.

        A file that was moved away in the meantime is left alone, and another one is begun in its place.
        """
        with self._ready_lock:
            if self._ready is not None and self._ready == self._inode():
                return
            if self._ready is not None:
                self._engine.dispose()
            with self._opened(writes=True) as connection:
                self._bring_up_to_date(connection)
            self._ready = self._inode()

    def _inode(self) -> int:
        """Which file it is that lies in the store's place; 0 if there is none, and for a server."""
        try:
            return self._file.stat().st_ino if self._file is not None else 0
        except OSError:
            return 0

    def _bring_up_to_date(self, connection: Connection) -> None:
        from sqlalchemy import inspect, text

        if self._file is None:
            _advisory(connection, "pg_advisory_xact_lock", VERSION_TABLE)  # one process makes the tables, others wait
        tables = set(inspect(connection).get_table_names())
        if VERSION_TABLE not in tables:
            if taken := sorted(tables & set(TABLES)):
                raise BackendError(
                    f"{WHAT} ({self.place}) holds a table {taken[0]} of another program.", "Give it another place."
                )
        elif connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == HEAD:  # noqa: S608
            return
        _migrate(connection, self.place)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Faults of the database become `BackendError`; those of this program stay as they are."""
        from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

        try:
            yield
        except DBAPIError as error:
            if isinstance(error, IntegrityError):
                raise
            if isinstance(error.orig, sqlite3.Error):
                if isinstance(error, ProgrammingError):
                    raise
                assert self._file is not None
                raise sqlite.explained(error.orig, WHAT, self._damaged(), self._file) from error
            if (fault := _postgres_fault(error, self.place)) or isinstance(error, OperationalError):
                raise fault or BackendError(f"{WHAT} ({self.place}) failed.", "Look at the server's log.") from error
            raise

    def _damaged(self) -> BackendError:
        return StoreDamaged(
            f"{WHAT}, {self.place} in the data folder, is damaged.", "Move it away: a new one is begun."
        )


Where = Path | Settings
"""A data folder, whose store is a file in it; or settings, which may name a server."""

_shared: dict[tuple[Path, str], Store] = {}
_shared_lock = threading.Lock()


def store_of(where: Where) -> Store:
    """The store of a data folder or of settings, shared by all of this process. Raises `BackendError`."""
    data, url = (where, "") if isinstance(where, Path) else (where.data, "")
    if isinstance(where, Settings) and where.store.url:
        url = where.store.url.get_secret_value().strip()
    key = (Path(os.path.realpath(data)), url)
    with _shared_lock:
        if key not in _shared:
            _shared[key] = Store.at(data, url)
        return _shared[key]


@contextmanager
def only_added_lifted(connection: Connection) -> Iterator[None]:
    """Within a transaction: rows of answers that were spent can be taken out meanwhile, to be kept elsewhere."""
    from sqlalchemy import text

    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE spent_answers DISABLE TRIGGER spent_kept"))
        yield
        connection.execute(text("ALTER TABLE spent_answers ENABLE TRIGGER spent_kept"))
        return
    said = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'spent_delete'"))
    connection.execute(text("DROP TRIGGER spent_delete"))
    yield
    connection.exec_driver_sql(said)


def forget_stores() -> None:
    """Close the shared stores; who needs one opens it anew."""
    with _shared_lock:
        for store in _shared.values():
            store.close()
        _shared.clear()


def _claimed(run: str) -> BackendError:
    return BackendError(f"The run {run} is being worked on by another process.", "Wait until it has ended, or stop it.")


def _advisory(connection: Connection, function: str, name: str) -> Any:
    """Call a function of PostgreSQL's advisory locks for `name`."""
    from sqlalchemy import text

    key = zlib.crc32(name.encode()) << 16 | 0xC205  # the lower half keeps clear of other programs' keys
    return connection.scalar(text(f"SELECT {function}(:key)"), {"key": key})


def _migrate(connection: Connection, place: str) -> None:
    """Bring the tables to `HEAD`, within the transaction of `connection`."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    try:
        command.upgrade(configuration, HEAD)
    except CommandError as error:  # a revision that this version does not know
        raise BackendError(
            f"{WHAT} ({place}) was written by a newer version of Crossroads.",
            "Update Crossroads, or choose another store.",
        ) from error


# --- SQLite ---------------------------------------------------------------------------------------


def _sqlite_engine(file: Path) -> Engine:
    """One connection that stays open; transactions begin as `reading` and `writing` say."""
    from sqlalchemy import URL, create_engine, event

    url = URL.create("sqlite+pysqlite", database=str(file))
    arguments = {"check_same_thread": False, "timeout": _PATIENCE_S, "isolation_level": None}
    engine = create_engine(url, pool_size=1, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


# --- PostgreSQL -----------------------------------------------------------------------------------


def _postgres_url(given: str) -> URL:
    """The address with psycopg as its driver. Raises `BackendError`, which repeats nothing of what was given."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    refused = BackendError("The setting store.url is no address of a PostgreSQL.", f"Give it as {_URL}.")
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise refused from None
    if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg") or not url.database:
        raise refused
    return url.set(drivername="postgresql+psycopg")


def _postgres_engine(url: URL) -> Engine:
    """Connections that are tried before they are used, so that a server that was started again is found again."""
    from sqlalchemy import create_engine

    arguments = {"connect_timeout": _PATIENCE_S, "application_name": "crossroads"}
    return create_engine(url, pool_pre_ping=True, connect_args=arguments)


def _postgres_fault(error: DBAPIError, place: str) -> BackendError | None:
    """What an error of the server (https://www.postgresql.org/docs/current/errcodes-appendix.html) means."""
    state, said = getattr(error.orig, "sqlstate", None) or "", str(error.orig)
    if not state and "FATAL" in said:  # a connection that was refused has its reason in words only
        starting = "starting up" in said or "shutting down" in said
        state = "57P03" if starting else "3D000" if "does not exist" in said and "role" not in said else "28000"
    where = f"{WHAT} ({place})"
    for begins, cause, next_step in _MEANINGS:
        if state.startswith(begins):
            return BackendError(f"{where} {cause}.", next_step)
    return None if state else BackendError(f"{where} cannot be reached.", "Start the server, or correct store.url.")


_MEANINGS = (
    ("57", "was shut down or is being started", "Start it, then go on."),
    ("08", "was shut down or is being started", "Start it, then go on."),
    ("28", "refuses the user or the password", "Correct store.url."),
    ("3D", "does not exist", "Create the database, or correct store.url."),
    ("42501", "cannot be written by this user", "Give the user the right to create tables and to write."),
    ("25006", "cannot be written by this user", "Give the user the right to create tables and to write."),
    ("53100", "has no room left on its disk", "Make room and try again."),
    ("53", "has no connection or memory left", "Try again in a moment."),
    ("55P03", "is in use by another program", "Try again in a moment."),
    ("40", "is in use by another program", "Try again in a moment."),
    ("XX", "is damaged", "Look at the server's log."),
)
"""How a code begins, what it means, and what to do next."""
