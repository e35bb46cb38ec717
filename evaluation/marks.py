"""What people said of answers to their own questions: good or not, and a note.

`marks.sqlite` in the data folder keeps each with its question and answer, so that rating sessions can read them as
human marks. Without a mark nothing is written.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backends.base import Answer, Question
from backends.spend.ledger import Kind
from backends.storage import sqlite
from backends.text import encodable

LONGEST_NOTE = 2_000
"""Characters of a note that are kept."""

NOBODY = "a browser without cookies"
"""Who marked or asked, where the browser cannot be told from others: all such browsers are one."""

_VERSION = 1
_PATIENCE_S = 5
_WHAT = "The file of marks"
_TABLES = """
CREATE TABLE marks (
    run TEXT NOT NULL,          -- what the question was asked for (`Question.run`)
    approach TEXT NOT NULL,
    answer TEXT NOT NULL,
    at TEXT NOT NULL,           -- when it was marked last: UTC, ISO 8601
    question TEXT NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('real', 'stand-in', 'scripted')),
    good INTEGER CHECK (good IN (0, 1)),  -- NULL: a note alone
    note TEXT NOT NULL,
    PRIMARY KEY (run, approach, answer)
);
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's word on one answer. `good` is None where only a note was written; `at` is UTC."""

    question: str
    approach: str
    model: str
    kind: Kind
    answer: str
    good: bool | None
    note: str
    at: datetime


def person(browser: str | None) -> str:
    """Who marks or asks, by the id of the browser, which is kept by its sha256 alone."""
    return hashlib.sha256(browser.encode()).hexdigest() if browser else NOBODY


def mark_answer(data: Path, question: Question, answer: Answer, kind: Kind, good: bool | None, note: str = "") -> None:
    """Keep a mark; a later one of the same answer takes its place, and one that says nothing removes it.

    Raises `BackendError` if it cannot be written.
    """
    note = encodable(note.strip())[:LONGEST_NOTE]
    key = (question.run, answer.approach, encodable(answer.text))
    with sqlite.alone(_file(data), _FORMAT, writing=True) as connection:
        if good is None and not note:
            connection.execute("DELETE FROM marks WHERE run = ? AND approach = ? AND answer = ?", key)
            return
        row = (_now(), encodable(question.text), encodable(answer.model), kind, good, note)
        connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*key, *row))


def marks(data: Path, run: str | None = None) -> list[Mark]:
    """Every mark, or those of one run, oldest first; none where nobody marked anything. Raises `BackendError`."""
    if not _file(data).exists():
        return []
    query = "SELECT question, approach, model, kind, answer, good, note, at FROM marks"
    chosen = " WHERE run = ?" if run is not None else ""
    with sqlite.alone(_file(data), _FORMAT, writing=False) as connection:
        found = connection.execute(f"{query}{chosen} ORDER BY at, rowid", () if run is None else (run,))
        rows = found.fetchall()
    return [
        Mark(question, approach, model, kind, answer, None if good is None else bool(good), note, _time(at))
        for question, approach, model, kind, answer, good, note, at in rows
    ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _file(data: Path) -> Path:
    return Path(os.path.realpath(data)) / "marks.sqlite"


_FORMAT = sqlite.movable(_WHAT, _VERSION, _TABLES, _PATIENCE_S)
