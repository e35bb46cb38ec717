"""The tables of a new store in tests: what the migrations made once, in place of running all of them for each store.

Running the migrations takes 50 ms of the processor, and hundreds of tests begin a store.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends.store import database

if TYPE_CHECKING:
    from sqlalchemy import Connection

migrate = database._migrate
HEAD = database.HEAD


@cache
def statements() -> tuple[str, ...]:
    """What makes the tables, indices and triggers as the migrations leave them in an empty file of SQLite."""
    from sqlalchemy import text

    with tempfile.TemporaryDirectory() as folder:
        store = database.Store.at(Path(folder), "")
        with store._opened(writes=True) as connection:
            migrate(connection, store.place)
            order = "ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, rowid"
            made = connection.scalars(text(f"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL {order}")).all()
            tables = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
            filled = [name for name in tables if connection.scalar(text(f"SELECT count(*) FROM {name}"))]
        store.close()
    assert filled == [database.VERSION_TABLE], "a migration writes rows: they would have to be written here too"
    return tuple(made)


def replay(connection: Connection, place: str) -> None:
    """Stands for `_migrate`: an empty file of SQLite gets the newest tables at once, all else is really migrated."""
    known = "SELECT count(*) FROM sqlite_master"
    if connection.dialect.name != "sqlite" or database.HEAD != HEAD or connection.exec_driver_sql(known).scalar():
        migrate(connection, place)
        return
    for statement in statements():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"INSERT INTO {database.VERSION_TABLE} VALUES (?)", (HEAD,))
