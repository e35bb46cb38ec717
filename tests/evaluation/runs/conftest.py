"""The store on SQLite and on a real PostgreSQL, which is started for the tests on a port of this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backends.settings import Settings, load_settings
from backends.store.database import Store

SERVER_USER = "postgres"
"""Who runs the server where the tests run as root, as whom it refuses to start."""


class PostgresServer:
    """A cluster of its own in a folder of its own. `stop` and `start` as often as wanted."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data = programs, folder / "cluster"
        self._as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(SERVER_USER)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8", "--no-locale")

    def url(self, database: str) -> str:
        return f"postgresql://postgres:a-secret-password@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "--wait", "--silent", "--log", f"{self._data}/log", "--options", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "--silent", "--mode", "immediate", "stop")

    def emptied(self) -> str:
        """The database that tests share, without a table."""
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", "postgres")
        return "postgres"

    def new_database(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def execute(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        with closing(psycopg.connect(self.url(database), autocommit=True)) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments, "-D", str(self._data)]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **self._as_user)  # type: ignore[call-overload]
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that runs. Skipped where none is installed, except in continuous integration."""
    found = [shutil.which("initdb"), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True))]
    initdb = next((Path(one) for one in found if one), None)
    if initdb is None:
        missing = "no PostgreSQL is installed here (apt-get install postgresql)"
        pytest.fail(missing) if os.environ.get("POSTGRESQL_REQUIRED") else pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="crossroads-postgres-"))
    try:
        server = PostgresServer(initdb.resolve().parent, folder)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings whose store is empty, once for each kind of store."""
    more = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        more["store.url"] = server.url(server.emptied())
    return load_settings({"data": str(tmp_path / "data"), "max_tokens": 24, **more})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(Store(settings)) as opened:
        yield opened


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    """For tests of what is the same on every store."""
    return load_settings({"data": str(tmp_path / "data"), "max_tokens": 24})


@pytest.fixture
def sqlite_store(sqlite_settings: Settings) -> Iterator[Store]:
    with closing(Store(sqlite_settings)) as opened:
        yield opened
