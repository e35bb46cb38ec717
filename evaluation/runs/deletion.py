"""Runs that are deleted: marked first, so that they can be brought back, and erased for good after `KEPT_DAYS`."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.runs.model import Run
from evaluation.runs.records import all_runs, drop_unused_set, stamp
from evaluation.runs.tables import runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEPT_DAYS = 30
"""So long a deleted run can be brought back."""


def delete_run(store: Store, run: Run) -> None:
    """Take a run out of every list. `restore_run` brings it back as it was, for `KEPT_DAYS` days.

    Raises `BackendError` while another process works on it.
    """
    with store.claimed(run.id), store.writing() as connection:
        _mark(connection, run, stamp(datetime.now(UTC)))
    erase_expired(store)


def restore_run(store: Store, run: Run) -> None:
    """Bring a deleted run back with all its answers, scores and its approval as baseline. Raises `BackendError` if it
    was erased meanwhile."""
    with store.writing() as connection:
        if not _mark(connection, run, None):
            raise BackendError(f"The run {run.id} was deleted for good.", "Ask the questions again.")


def _mark(connection: Connection, run: Run, deleted_at: str | None) -> bool:
    """Whether the run was there to be marked."""
    changed = connection.execute(runs.update().where(runs.c.id == run.id).values(deleted_at=deleted_at))
    return changed.rowcount > 0


def erase_run(store: Store, run: Run, wait_s: float = 2.0) -> None:
    """Remove a run for good, with its cells and scores, and its question set if nothing else has it.

    Raises `BackendError` while another process works on it, and goes on doing so for `wait_s` seconds.
    """
    with store.claimed(run.id, wait_s), store.writing() as connection:
        connection.execute(runs.delete().where(runs.c.id == run.id))
        drop_unused_set(connection, run.set_hash)
    store.forget_claim(run.id)


def erase_expired(store: Store, now: datetime | None = None) -> None:
    """Erase the runs that were deleted more than `KEPT_DAYS` days before `now`. Raises `BackendError`."""
    last = (now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)
    for run in all_runs(store, deleted=True):
        if run.deleted_at is not None and run.deleted_at < last:
            with suppress(BackendError):  # somebody else erases it
                erase_run(store, run, wait_s=0)
