"""The rows of a store on SQLite, past the program: to make what time, other machines and faults make of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from backends.store.database import store_file


@contextmanager
def stored_rows(data: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the store of a data folder; what is changed is there at the end."""
    with closing(sqlite3.connect(store_file(data))) as connection, connection:
        yield connection
