"""What is done to adapters of one's own: put in place, renamed, deleted and restored.

What is deleted or replaced waits in `adapters/.trash/ID/NAME` for 30 days. On one disk, every step is one rename, so a
process that is killed leaves an adapter either where it was or where it was to go.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backends.base import BackendError
from backends.engines.adapter_files import ORIGIN
from backends.fine_tuned.card import README, read_card, write_card
from backends.fine_tuned.catalogue import adapter_folders, check_name, free_name, is_complete

KEPT_DAYS = 30

_TRASH = ".trash"


@dataclass(frozen=True, slots=True)
class Deleted:
    """An adapter that can be restored by its `id`; `at` is when it was deleted, in UTC."""

    id: str
    name: str
    at: datetime


def publish(aside: Path, name: str, data: Path) -> Path:
    """Move a complete adapter from `aside` into the catalogue as `name`. An adapter of that name goes to the trash.

    `aside` has to be on the same disk, best beside the adapters as `NAME.ID.part`. Raises `BackendError` for a name
    that cannot be one, or a fault of the disk.
    """
    folder = data / "adapters" / check_name(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            to_trash(folder, data)
        aside.rename(folder)
    except OSError as error:
        raise _failed("put in its place", name, error) from None
    return folder


def rename(name: str, new: str, data: Path) -> Path:
    """Give an adapter of one's own another name. Raises `BackendError` if the name is taken or cannot be one."""
    folder = _own(name, data)
    target = folder.with_name(check_name(new))
    if new in adapter_folders(data) or target.exists():
        raise BackendError(f"There is an adapter called {new} already.", "Choose another name.")
    try:
        folder.rename(target)
        if (target / README).is_file() and not (target / ORIGIN).is_file():
            write_card(target, read_card(target))  # its README carries the name
    except OSError as error:
        raise _failed("renamed", name, error) from None
    return target


def delete(name: str, data: Path) -> Deleted:
    """Put an adapter of one's own into the trash. Raises `BackendError` for a sample, or one that is gone."""
    folder = _own(name, data)
    try:
        return to_trash(folder, data)
    except OSError as error:
        raise _failed("deleted", name, error) from None


def deleted(data: Path) -> list[Deleted]:
    """What can be restored, what was deleted last first."""
    return [one for one in _trash(data) if is_complete(_place(one, data))]


def restore(id: str, data: Path) -> str:
    """Bring a deleted adapter back and return its name, which differs if another adapter has that name by now."""
    found = next((one for one in deleted(data) if one.id == id), None)
    if found is None:
        raise BackendError("That adapter is no longer in the trash.", "Train or import it again.")
    own = data / "adapters" / found.name
    name = free_name(found.name, data) if own.exists() else found.name
    try:
        _place(found, data).rename(own.with_name(name))
        _place(found, data).parent.rmdir()
    except OSError as error:
        raise _failed("restored", found.name, error) from None
    return name


def empty_trash(data: Path) -> int:
    """Remove for good what was deleted. Returns how many bytes that frees."""
    trash = data / "adapters" / _TRASH
    size = sum(file.stat().st_size for file in trash.rglob("*") if file.is_file())
    shutil.rmtree(trash, ignore_errors=True)
    return size


def to_trash(folder: Path, data: Path) -> Deleted:
    """Put a folder into the trash, from another disk too. Raises `OSError` if that is not possible."""
    one = Deleted(f"{time.time_ns()}-{uuid.uuid4().hex[:8]}", folder.name, datetime.now(UTC))
    for old in _trash(data):
        if (one.at - old.at).days >= KEPT_DAYS:
            shutil.rmtree(_place(old, data).parent, ignore_errors=True)
    _place(one, data).parent.mkdir(parents=True)
    shutil.move(folder, _place(one, data))
    return one


def _trash(data: Path) -> Iterator[Deleted]:
    for place in sorted((data / "adapters" / _TRASH).glob("*-*/*"), reverse=True):
        stamp = place.parent.name.partition("-")[0]
        if stamp.isdigit():
            yield Deleted(place.parent.name, place.name, datetime.fromtimestamp(int(stamp) / 1e9, UTC))


def _place(one: Deleted, data: Path) -> Path:
    return data / "adapters" / _TRASH / one.id / one.name


def _own(name: str, data: Path) -> Path:
    """The folder of an adapter of one's own. Raises `BackendError` if it is a sample, or not there."""
    folder = data / "adapters" / check_name(name)
    if is_complete(folder):
        return folder
    if name in adapter_folders(data):
        raise BackendError(f"{name} comes with the program and stays as it is.", "Train or import one of your own.")
    raise BackendError(f"There is no adapter called {name} any more.", "Reload the list.")


def _failed(what: str, name: str, error: OSError) -> BackendError:
    reason = error.strerror or type(error).__name__
    return BackendError(f"The adapter {name} could not be {what}: {reason}.", "Reload the list and try again.")
