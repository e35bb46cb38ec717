"""Everything that was asked on the pages, in the store: found again by words and filters, and opened as it was.

An entry is a question with all its answers (`backends.run.stored`). It is written whenever an answer comes, so that a
process that dies loses none that was there. With `store.keep_texts=false` nothing is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from backends.errors import BackendError
from backends.run.live import LiveComparison
from backends.run.stored import from_json, to_json
from backends.store.database import Store
from backends.store.tables import metadata
from evaluation.marks import LONGEST_NOTE
from evaluation.runs.records import stamp, storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, RowMapping
    from sqlalchemy.sql import ColumnElement

KEPT_DAYS = 30
"""So long a deleted entry can be brought back."""

LARGEST = 16_000_000
"""Bytes of an entry; a larger one is not kept."""

_SEARCHED = 20_000  # characters of question and answers that are searched

asked = Table(
    "asked",
    metadata,
    Column("id", String(40), primary_key=True),  # what the question was asked for (`Question.run`)
    Column("at", String(32), nullable=False),  # when the first answer was there
    Column("page", String(80), nullable=False),
    Column("who", String(64), nullable=False),  # sha256 of the browser's id, or that it has none
    Column("question", Text, nullable=False),
    Column("words", Text, nullable=False),  # question and answers without capitals, for the search
    Column("content", LargeBinary, nullable=False),  # the comparison as JSON
    Column("star", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("deleted_at", String(32)),  # NULL unless it was deleted; it can be brought back until it is erased
    Index("asked_in_time", "at"),
)

asked_columns = Table(
    "asked_columns",
    metadata,
    Column("asked_id", String(40), ForeignKey("asked.id", ondelete="CASCADE"), primary_key=True),
    Column("approach", String(80), primary_key=True),
    Column("model", Text, nullable=False),
    Column("status", String(16), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the history. `columns` are approach, model and how it ended, in the order of the approaches."""

    id: str
    at: datetime
    page: str
    question: str
    star: bool
    note: str
    columns: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is empty or None does not count. Days are UTC, `until` is the last one."""

    words: str = ""
    approaches: Sequence[str] = ()
    models: Sequence[str] = ()
    statuses: Sequence[str] = ()
    since: date | None = None
    until: date | None = None
    starred: bool = False
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the entries, newest first, and how many there are in all."""

    entries: tuple[Asked, ...] = field(default=())
    count: int = 0


def keep_asked(store: Store, page: str, who: str, comparison: LiveComparison) -> None:
    """Keep a comparison as it is now, in place of what was kept of it; nothing as long as nobody answered.

    A star and a note stay; one that was deleted stays deleted. Raises `BackendError` if it cannot be written.
    """
    answered = [one for one in comparison.columns if one.answer]
    if not answered:
        return
    content = to_json(comparison.question, comparison.columns)
    if len(content) > LARGEST:
        raise BackendError(
            f"This is too large for the history: {len(content) / 1e6:.0f} MB of {LARGEST / 1e6:.0f} MB.",
            "It stays on its page.",
        )
    id = comparison.question.run
    texts = [comparison.question.text, *(one.text for one in answered)]
    words = storable("\n".join(texts)[:_SEARCHED].casefold())
    shown: dict[str, Any] = {"question": storable(comparison.question.text), "words": words, "content": content}
    rows = [
        {
            "asked_id": id,
            "approach": one.approach[:80],
            "model": storable(one.model),
            "status": one.answer.status if one.answer else "",
        }
        for one in answered
    ]

    def write(connection: Connection) -> None:
        if not connection.execute(asked.update().where(asked.c.id == id).values(**shown)).rowcount:
            new = {"id": id, "at": stamp(datetime.now(UTC)), "page": page, "who": who, "star": False, "note": ""}
            connection.execute(asked.insert().values(**new, **shown))
        connection.execute(asked_columns.delete().where(asked_columns.c.asked_id == id))
        connection.execute(asked_columns.insert(), rows)

    store.write(write)


def found(store: Store, wanted: Wanted, first: int = 0, count: int = 20) -> Found:
    """`count` of the entries that are wanted, from the one with number `first` on. Raises `BackendError`."""
    from sqlalchemy import func, select

    where = _conditions(wanted)
    line = [asked.c[name] for name in ("id", "at", "page", "question", "star", "note")]
    with store.reading() as connection:
        in_all = connection.scalar(select(func.count()).select_from(asked).where(*where)) or 0
        query = select(*line).where(*where).order_by(asked.c.at.desc(), asked.c.id).offset(first).limit(count)
        rows = list(connection.execute(query).mappings())
        ended = _columns_of(connection, [row["id"] for row in rows])
    return Found(tuple(_asked(row, ended.get(row["id"], ())) for row in rows), in_all)


def models_asked(store: Store) -> list[str]:
    """Every model that answered, for a choice. Raises `BackendError`."""
    from sqlalchemy import select

    with store.reading() as connection:
        return sorted(set(connection.scalars(select(asked_columns.c.model).distinct())) - {""})


def opened(store: Store, id: str) -> tuple[Asked, LiveComparison]:
    """An entry, and its comparison as it was; nothing is asked. Raises `BackendError` if it is not there."""
    with store.reading() as connection:
        row = connection.execute(asked.select().where(asked.c.id == id)).mappings().first()
        ended = _columns_of(connection, [id])
    if row is None or row["deleted_at"] is not None:
        what = "was deleted" if row is not None else "is not in the history"
        raise BackendError(f"This question {what}.", "Choose another one, or ask it again.")
    try:
        comparison = from_json(row["content"])
    except ValueError:
        raise BackendError("What was kept of this question cannot be read.", "Ask it again.") from None
    return _asked(row, ended.get(id, ())), comparison


def annotate(store: Store, id: str, *, star: bool | None = None, note: str | None = None) -> None:
    """Set the star or the note of an entry; None leaves it as it is. Raises `BackendError`."""
    changed: dict[str, Any] = {} if star is None else {"star": star}
    if note is not None:
        changed["note"] = storable(note.strip())[:LONGEST_NOTE]
    with store.writing() as connection:
        connection.execute(asked.update().where(asked.c.id == id).values(**changed))


def delete(store: Store, id: str) -> None:
    """Take an entry out; `restore` brings it back for `KEPT_DAYS`. Raises `BackendError`."""
    now = datetime.now(UTC)
    with store.writing() as connection:
        connection.execute(asked.update().where(asked.c.id == id).values(deleted_at=stamp(now)))
        expired = stamp(now - timedelta(days=KEPT_DAYS))
        connection.execute(asked.delete().where(asked.c.deleted_at < expired))


def restore(store: Store, id: str) -> None:
    """Bring a deleted entry back. Raises `BackendError` if it was erased meanwhile."""
    with store.writing() as connection:
        back = connection.execute(asked.update().where(asked.c.id == id).values(deleted_at=None)).rowcount
    if not back:
        raise BackendError("This question was deleted for good.", "Ask it again.")


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    from sqlalchemy import select

    where: list[ColumnElement[bool]] = [asked.c.deleted_at.is_(None)]
    where += [asked.c.words.contains(word, autoescape=True) for word in storable(wanted.words.casefold()).split()]
    for column, values in (
        (asked_columns.c.approach, wanted.approaches),
        (asked_columns.c.model, wanted.models),
        (asked_columns.c.status, wanted.statuses),
    ):
        if values:
            where.append(asked.c.id.in_(select(asked_columns.c.asked_id).where(column.in_(values))))
    if wanted.since:
        where.append(asked.c.at >= wanted.since.isoformat())
    if wanted.until:
        where.append(asked.c.at < (wanted.until + timedelta(days=1)).isoformat())
    if wanted.starred:
        where.append(asked.c.star)
    if wanted.who is not None:
        where.append(asked.c.who == wanted.who)
    return where


def _columns_of(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[tuple[str, str, str], ...]]:
    if not ids:
        return {}
    columns: dict[str, tuple[tuple[str, str, str], ...]] = {}
    query = asked_columns.select().where(asked_columns.c.asked_id.in_(ids)).order_by(asked_columns.c.approach)
    for row in connection.execute(query).mappings():
        columns[row["asked_id"]] = (*columns.get(row["asked_id"], ()), (row["approach"], row["model"], row["status"]))
    return columns


def _asked(row: RowMapping, columns: tuple[tuple[str, str, str], ...]) -> Asked:
    at = datetime.fromisoformat(row["at"])
    return Asked(row["id"], at, row["page"], row["question"], row["star"], row["note"], columns)
