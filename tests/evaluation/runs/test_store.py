"""The store itself, on SQLite and PostgreSQL alike: its tables, its transactions, its claims, and its faults."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from backends.errors import BackendError
from backends.settings import Settings, load_settings
from backends.store import database as store_module
from backends.store.database import HEAD, VERSION_TABLE, Store, store_file
from backends.store.tables import metadata
from evaluation.runs.records import all_runs, set_state
from evaluation.runs.tables import runs
from tests.evaluation.runs.conftest import PostgresServer
from tests.evaluation.runs.made_runs import begun

HOME = Path(__file__).resolve().parents[3]


def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.writing() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == HEAD


def test_a_transaction_that_fails_leaves_nothing(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    with contextlib.suppress(ZeroDivisionError), store.writing() as connection:
        connection.execute(runs.update().values(state="done"))
        raise ZeroDivisionError
    assert [one.state for one in all_runs(store)] == ["running"]
    set_state(store, run.id, "done")
    assert [one.state for one in all_runs(store)] == ["done"]


def test_a_store_that_is_opened_again_has_what_was_written(settings: Settings) -> None:
    with closing(Store(settings)) as one:
        run = begun(one, settings)
    with closing(Store(settings)) as other:
        assert [found.id for found in all_runs(other)] == [run.id]


def test_a_run_is_claimed_once(store: Store, settings: Settings) -> None:
    with closing(Store(settings)) as other:
        assert not other.is_claimed("a-run")
        with store.claimed("a-run"):
            assert other.is_claimed("a-run")
            assert not other.is_claimed("another-run")
            refused = pytest.raises(BackendError, match="The run a-run is being worked on by another process")
            with refused, other.claimed("a-run"):
                pass
        with other.claimed("a-run"):
            pass


def test_threads_write_one_after_another(store: Store, settings: Settings) -> None:
    run = begun(store, settings)

    def count() -> None:
        for _ in range(10):
            with store.writing() as connection:
                connection.execute(runs.update().where(runs.c.id == run.id).values(repeats=runs.c.repeats + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all_runs(store)[0].repeats == 41


def test_processes_that_begin_at_once_make_the_tables_once(settings: Settings) -> None:
    """Each of them finds an empty store, and the second one waits for the first."""
    script = (
        "import sys\nfrom backends.settings import load_settings\nfrom evaluation.runs.records import all_runs\n"
        "from backends.store.database import Store\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "url = {'store.url': sys.argv[2]} if sys.argv[2] else {}\n"
        "print(len(all_runs(Store(load_settings({'data': sys.argv[1]} | url)))))\n"
    )
    url = settings.store.url.get_secret_value() if settings.store.url else ""
    command = [sys.executable, "-c", script, str(settings.data), url]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": HOME}
    processes = [subprocess.Popen(command, **streams) for _ in range(2)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in processes] == ["0\n"] * 2
    assert [process.returncode for process in processes] == [0] * 2


def test_a_newer_store_is_left_alone(store: Store, settings: Settings) -> None:
    begun(store, settings)
    with store.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with closing(Store(settings)) as other, pytest.raises(BackendError) as fault:
        all_runs(other)
    assert "was written by a newer version of Crossroads. Update Crossroads" in str(fault.value)
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 1


def test_tables_of_another_program_are_left_alone(settings: Settings) -> None:
    with closing(Store(settings)) as one:
        begun(one, settings)
        with one.writing() as connection:
            connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
    refused = pytest.raises(BackendError, match="holds a table audience_ballots of another program")
    with closing(Store(settings)) as other, refused:
        all_runs(other)


# --- SQLite ---------------------------------------------------------------------------------------


def test_a_damaged_file_is_said_and_kept(sqlite_settings: Settings) -> None:
    file = store_file(sqlite_settings.data)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 500)
    with closing(Store(sqlite_settings)) as store, pytest.raises(BackendError) as fault:
        all_runs(store)
    assert str(fault.value) == (
        "The store of answers, evaluations.sqlite in the data folder, is damaged. Move it away: a new one is begun."
    )
    assert file.read_bytes().startswith(b"no database")


def test_a_file_that_another_program_holds_is_said(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_PATIENCE_S", 0.05)
    with closing(Store(sqlite_settings)) as store:
        run = begun(store, sqlite_settings)
        with closing(sqlite3.connect(store_file(sqlite_settings.data), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BackendError, match="The store of answers is in use by another program"):
                set_state(store, run.id, "done")
            other.execute("ROLLBACK")
        set_state(store, run.id, "done")
        assert all_runs(store)[0].state == "done"


def test_a_full_disk_is_said_and_nothing_is_lost(sqlite_settings: Settings) -> None:
    with closing(Store(sqlite_settings)) as store:
        run = begun(store, sqlite_settings)
        with store.reading() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(BackendError, match="The disk is full"):
            set_state(store, run.id, "stopped", "x" * 1_000_000)
        assert all_runs(store)[0].state == "running"
        with store.reading() as connection:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


def test_a_folder_in_its_place_is_said(sqlite_settings: Settings) -> None:
    store_file(sqlite_settings.data).mkdir(parents=True)
    with closing(Store(sqlite_settings)) as store, pytest.raises(BackendError, match="is a folder"):
        all_runs(store)


# --- PostgreSQL -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["mysql://a:a-secret@b/c", "nonsense a-secret", "postgresql://a:a-secret@b", "sqlite://"]
)
def test_an_address_of_nothing_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(BackendError) as fault:
        Store(load_settings({"data": str(tmp_path), "store.url": url}))
    assert str(fault.value) == (
        "The setting store.url is no address of a PostgreSQL. Give it as postgresql://USER:PASSWORD@HOST/DATABASE."
    )


def test_a_database_that_does_not_exist_is_said(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "store.url": postgres.url("nowhere")})
    with closing(Store(settings)) as store, pytest.raises(BackendError) as fault:
        all_runs(store)
    assert "database nowhere at 127.0.0.1" in str(fault.value)
    assert "does not exist" in str(fault.value)
    assert "a-secret-password" not in str(fault.value)


def test_a_server_that_is_away_is_said_and_found_again(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "store.url": postgres.url(postgres.new_database())})
    with closing(Store(settings)) as store:
        run = begun(store, settings)
        postgres.stop()
        try:
            with pytest.raises(BackendError, match=r"cannot be reached|was shut down"):
                all_runs(store)
        finally:
            postgres.start()
        assert [one.id for one in all_runs(store)] == [run.id]


def test_a_user_who_may_only_read_is_told(postgres: PostgresServer, tmp_path: Path) -> None:
    name = postgres.new_database()
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    settings = load_settings({"data": str(tmp_path), "store.url": postgres.url(name)})
    with closing(Store(settings)) as store, pytest.raises(BackendError, match="cannot be written by this user"):
        all_runs(store)


def test_a_store_that_was_moved_away_is_begun_anew(sqlite_store: Store, sqlite_settings: Settings) -> None:
    begun(sqlite_store, sqlite_settings)
    file = store_file(sqlite_settings.data)
    file.rename(file.with_suffix(".moved"))
    assert all_runs(sqlite_store) == []
    run = begun(sqlite_store, sqlite_settings)
    assert [one.id for one in all_runs(sqlite_store)] == [run.id]
    with closing(Store(sqlite_settings)) as other:
        assert [one.id for one in all_runs(other)] == [run.id]


def test_every_table_is_named_where_no_table_is_known() -> None:
    """`backends.store` knows the tables of runs and ratings by name alone."""
    import evaluation.ratings.tables
    from backends.store.database import TABLES

    assert evaluation.ratings.tables.metadata is metadata
    assert set(TABLES) == set(metadata.tables)
