"""What browsers get back after a reload: `browsers.sqlite` in the data folder, by browser and by name.

A browser is known by an id that nobody can guess. The file holds its sha256 alone, so whoever reads the file cannot
take a browser's place. Only the owner of the file may read it. What was not written for `LONGEST_DAYS` is removed, and
so are the browsers that were here least recently beyond `MOST_BROWSERS` or `LARGEST` bytes in all.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backends.errors import BackendError
from backends.storage import sqlite

MOST_BROWSERS = 200
LONGEST_DAYS = 30
LARGEST = 512_000_000
"""Bytes of all browsers together."""

LARGEST_PART = 64_000_000
"""Bytes of one part: pairs from a file of 25 MB have room, with their edits."""

_VERSION = 1
_PATIENCE_S = 5
_WHAT = "What this browser asked before"
_TABLES = """
CREATE TABLE parts (
    browser TEXT NOT NULL,      -- sha256 of the browser's id
    part TEXT NOT NULL,         -- what it is, such as `comparison:compare`
    at TEXT NOT NULL,           -- when it was written last: UTC, ISO 8601
    content BLOB NOT NULL,
    PRIMARY KEY (browser, part)
);
"""
_OLD = "DELETE FROM parts WHERE at < ?"
_BEYOND = """
DELETE FROM parts WHERE browser IN (
    SELECT browser FROM (
        SELECT browser, row_number() OVER latest AS place, sum(bytes) OVER latest AS bytes FROM (
            SELECT browser, max(at) AS at, sum(length(content)) AS bytes FROM parts GROUP BY browser
        ) WINDOW latest AS (ORDER BY at DESC)
    ) WHERE place > ? OR (bytes > ? AND place > 1)
)"""


def keep(data: Path, browser: str, part: str, content: bytes | None) -> None:
    """Keep a part of what a browser gets back, in place of what it was; None takes it away.

    Raises `BackendError` if it is larger than `LARGEST_PART`, or the file cannot be used.
    """
    if content is not None and len(content) > LARGEST_PART:
        raise BackendError(
            f"This is too large to be kept for a reload: {len(content) / 1e6:.0f} MB of {LARGEST_PART / 1e6:.0f} MB.",
            "It stays until the page is loaded again.",
        )
    if content is None and not _file(data).exists():
        return
    now = datetime.now(UTC)
    with sqlite.alone(_file(data), _FORMAT, writing=True) as connection:
        if content is None:
            connection.execute("DELETE FROM parts WHERE browser = ? AND part = ?", (_hashed(browser), part))
            return
        row = (_hashed(browser), part, _text(now), content)
        connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?)", row)
        connection.execute(_OLD, (_text(now - timedelta(days=LONGEST_DAYS)),))
        connection.execute(_BEYOND, (MOST_BROWSERS, LARGEST))


def kept(data: Path, browser: str) -> dict[str, bytes]:
    """What is kept for a browser, by part; nothing for one that is not known. Raises `BackendError`."""
    if not _file(data).exists():
        return {}
    with sqlite.alone(_file(data), _FORMAT, writing=False) as connection:
        oldest = _text(datetime.now(UTC) - timedelta(days=LONGEST_DAYS))
        query = "SELECT part, content FROM parts WHERE browser = ? AND at >= ?"
        return dict(connection.execute(query, (_hashed(browser), oldest)).fetchall())


def forget(data: Path, browser: str) -> None:
    """Take away all that is kept for a browser. Raises `BackendError`."""
    file = _file(data)
    if not file.exists():
        return
    with sqlite.alone(file, _FORMAT, writing=True) as connection:
        connection.execute("DELETE FROM parts WHERE browser = ?", (_hashed(browser),))


def _hashed(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _file(data: Path) -> Path:
    return Path(os.path.realpath(data)) / "browsers.sqlite"


_FORMAT = sqlite.movable(_WHAT, _VERSION, _TABLES, _PATIENCE_S)
