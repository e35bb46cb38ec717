"""Question sets that people saved under a name. A set is edited in place until a run has used it; then it gets a new
version, so that what a run asked never changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.store.database import Store
from backends.text import encodable
from evaluation.runs.model import cluster_of, content_hash
from evaluation.runs.records import add_set, drop_unused_set, set_samples, stamp
from evaluation.runs.tables import question_sets, runs, saved_sets, saved_versions
from evaluation.samples import Sample

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT_DAYS = 30
"""So long a deleted set can be brought back."""

LONGEST_NAME = 200
"""Characters of a name."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a set, numbered from 1. `runs` counts those that asked it, from whatever source they had it."""

    number: int
    set_hash: str
    questions: int
    saved_at: datetime
    runs: int


@dataclass(frozen=True, slots=True)
class SavedSet:
    """A set with its versions, the newest last."""

    id: str
    name: str
    versions: tuple[Version, ...]

    @property
    def newest(self) -> Version:
        """The version that is edited."""
        return self.versions[-1]


def all_saved(store: Store) -> list[SavedSet]:
    """Every saved set by its name, without those that were deleted. Raises `BackendError`."""
    with store.reading() as connection:
        return _read(connection)


def save_set(store: Store, name: str, samples: Sequence[Sample], id: str | None = None) -> SavedSet:
    """Save questions as a new set, or as those of the set `id`: in place of its newest version if no run has used that,
    else as the next one. Raises `BackendError` without a name or questions, and for a set that is not there any more.
    """
    name = encodable(name).strip()[:LONGEST_NAME]
    if not name or not samples:
        missing = "name" if not name else "question"
        raise BackendError(f"The set has no {missing}, so it was not saved.", f"Give it a {missing}.")
    set_hash, now = content_hash(samples), datetime.now(UTC)
    with store.writing() as connection:
        known = next((one for one in _read(connection) if one.id == id), None)
        if id is not None and known is None:
            raise BackendError("The set was deleted in the meantime.", "Save it as a new one.")
        add_set(connection, set_hash, name, samples, now, keeps_texts=True)
        saved = known.id if known else f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        if known is None:
            connection.execute(saved_sets.insert().values(id=saved, name=name))
        else:
            connection.execute(saved_sets.update().where(saved_sets.c.id == saved).values(name=name))
        _put(connection, saved, known.newest if known else None, set_hash, now)
        return next(one for one in _read(connection) if one.id == saved)


def _put(connection: Connection, id: str, newest: Version | None, set_hash: str, now: datetime) -> None:
    """Make `set_hash` what the set holds."""
    if newest is not None and newest.set_hash == set_hash:
        return
    row = {"set_hash": set_hash, "saved_at": stamp(now)}
    if newest is None or newest.runs:
        number = newest.number + 1 if newest else 1
        connection.execute(saved_versions.insert().values(set_id=id, number=number, **row))
        return
    same = (saved_versions.c.set_id == id) & (saved_versions.c.number == newest.number)
    connection.execute(saved_versions.update().where(same).values(**row))
    drop_unused_set(connection, newest.set_hash)


def open_set(store: Store, version: Version) -> list[Sample]:
    """The questions of a version, as they were saved. Raises `BackendError`."""
    found = set_samples(store, version.set_hash) or []
    alone = [replace(sample, cluster="") for sample in found]
    plain = [one if cluster_of(one) == kept.cluster else kept for one, kept in zip(alone, found, strict=True)]
    return plain if content_hash(plain) == version.set_hash else found


def delete_set(store: Store, id: str) -> None:
    """Take a set out of the list; its runs stay. `restore_set` brings it back for `KEPT_DAYS` days.

    Raises `BackendError`.
    """
    now = datetime.now(UTC)
    with store.writing() as connection:
        connection.execute(saved_sets.update().where(saved_sets.c.id == id).values(deleted_at=stamp(now)))
        _erase(connection, stamp(now - timedelta(days=KEPT_DAYS)))


def restore_set(store: Store, id: str) -> None:
    """Bring a deleted set back. Raises `BackendError`."""
    with store.writing() as connection:
        connection.execute(saved_sets.update().where(saved_sets.c.id == id).values(deleted_at=None))


def _erase(connection: Connection, last: str) -> None:
    """Remove the sets that were deleted before `last` for good."""
    gone = saved_sets.select().where(saved_sets.c.deleted_at < last)
    for id in [row.id for row in connection.execute(gone)]:
        own = saved_versions.select().where(saved_versions.c.set_id == id)
        hashes = [row.set_hash for row in connection.execute(own)]
        connection.execute(saved_sets.delete().where(saved_sets.c.id == id))
        for set_hash in hashes:
            drop_unused_set(connection, set_hash)


def _read(connection: Connection) -> list[SavedSet]:
    from sqlalchemy import func, select

    counted = connection.execute(select(runs.c.set_hash, func.count()).group_by(runs.c.set_hash))
    used: dict[str, int] = {set_hash: count for set_hash, count in counted}
    query = select(saved_versions, question_sets.c.questions).join(
        question_sets, question_sets.c.hash == saved_versions.c.set_hash
    )
    versions: dict[str, list[Version]] = {}
    for row in connection.execute(query.order_by(saved_versions.c.number)).mappings():
        saved_at, count = datetime.fromisoformat(row["saved_at"]), used.get(row["set_hash"], 0)
        one = Version(row["number"], row["set_hash"], row["questions"], saved_at, count)
        versions.setdefault(row["set_id"], []).append(one)
    named = saved_sets.select().where(saved_sets.c.deleted_at.is_(None)).order_by(saved_sets.c.name, saved_sets.c.id)
    return [SavedSet(row.id, row.name, tuple(versions[row.id])) for row in connection.execute(named)]
