"""The right to train in a data folder: one training at a time, in whatever process."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.errors import BackendError
from backends.storage import strict_json
from backends.storage.files import locked

_PATIENCE_S = 1.0  # whoever only looks holds the lock for a moment


@dataclass(frozen=True, slots=True)
class Holder:
    """Who trains: the run's id and the number of its process."""

    run: str
    pid: int


@contextlib.contextmanager
def training(run_id: str, data: Path) -> Iterator[None]:
    """The right to train. Raises `Busy` while somebody else has it; a process that dies gives it up."""
    with locked(_lock(data), "The training", lambda: Busy(holder(data)), _PATIENCE_S):
        _claim(data).write_text(json.dumps({"run": run_id, "pid": os.getpid()}), encoding="utf-8")
        yield


class Busy(BackendError):
    """Another training runs; `by` is None if it ended in this very moment."""

    def __init__(self, by: Holder | None) -> None:
        where = f" in process {by.pid}" if by else ""
        super().__init__(f"Another training runs{where}.", "Wait until it has finished, or stop it.")
        self.by = by


def holder(data: Path) -> Holder | None:
    """Who trains in this data folder at the moment, in this process or another one; None if nobody does."""
    if not _claim(data).is_file():
        return None
    try:
        with locked(_lock(data), "The training", lambda: Busy(None)):
            return None
    except Busy:
        return _claimed(data)


def _claimed(data: Path) -> Holder | None:
    try:
        record = strict_json.an_object(_claim(data).read_bytes())
        return Holder(str(record["run"]), int(record["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _claim(data: Path) -> Path:
    return data / "trainings" / "running.json"


def _lock(data: Path) -> Path:
    return data / "trainings" / "running.lock"
