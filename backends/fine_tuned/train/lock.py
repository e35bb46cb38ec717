"""The right to train in a data folder: one training at a time, in whatever process."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import BackendError, disk_faults
from backends.storage import strict_json

_PATIENCE_S = 1.0  # whoever only looks holds the lock for a moment


@dataclass(frozen=True, slots=True)
class Holder:
    """Who trains: the run's id and the number of its process."""

    run: str
    pid: int


@contextlib.contextmanager
def training(run_id: str, data: Path) -> Iterator[None]:
    """The right to train. Raises `Busy` while somebody else has it; a process that dies gives it up."""
    from filelock import Timeout

    lock = _lock(data)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout:
        raise Busy(holder(data)) from None
    try:
        _claim(data).write_text(json.dumps({"run": run_id, "pid": os.getpid()}), encoding="utf-8")
        yield
    finally:
        lock.release()


class Busy(BackendError):
    """Another training runs; `by` is None if it ended in this very moment."""

    def __init__(self, by: Holder | None) -> None:
        where = f" in process {by.pid}" if by else ""
        super().__init__(f"Another training runs{where}.", "Wait until it has finished, or stop it.")
        self.by = by


def holder(data: Path) -> Holder | None:
    """Who trains in this data folder at the moment, in this process or another one; None if nobody does."""
    from filelock import Timeout

    if not _claim(data).is_file():
        return None
    try:
        with _lock(data).acquire(timeout=0):
            return None
    except Timeout:
        return _claimed(data)


def _claimed(data: Path) -> Holder | None:
    try:
        told = strict_json.an_object(_claim(data).read_bytes())
        return Holder(str(told["run"]), int(told["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _claim(data: Path) -> Path:
    return data / "trainings" / "running.json"


def _lock(data: Path) -> Any:
    from filelock import FileLock

    folder = data / "trainings"
    with disk_faults("The training"):
        folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "running.lock", thread_local=False)
