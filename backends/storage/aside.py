"""Folders that are filled aside and then moved into place, and what killed processes leave of them.

Whoever fills `NAME.ID.part` holds a lock beside it as long as its process lives, so that what is left of a dead one can
be told from what is being written, in whatever process or container. Earlier versions wrote `NAME.PID.part` without.
"""

from __future__ import annotations

import contextlib
import glob
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from backends.fine_tuned.train.lock import holder

_PART, _LOCK = ".part", ".lock"
_PATIENCE_S = 1.0  # whoever only looks holds a lock for a moment


@contextlib.contextmanager
def aside(target: Path) -> Iterator[Path]:
    """A free path beside `target`, to be made, filled and moved there; what has not been moved at the end is removed.

    What dead processes left of the same target goes first. Raises `OSError` if the disk refuses.
    """
    from filelock import FileLock

    clear(target.parent, target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.w{uuid.uuid4().hex[:8]}{_PART}")  # the w: no process id
    lock = FileLock(_lock_of(part), timeout=_PATIENCE_S, thread_local=False)
    lock.acquire()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()
        _lock_of(part).unlink(missing_ok=True)


def clear(root: Path, name: str = "*") -> None:
    """Remove what dead processes left in `root` of folders to be called `name`. Raises nothing."""
    import psutil

    name = name if name == "*" else glob.escape(name)
    with contextlib.suppress(OSError):
        for part in root.glob(f"{name}.*{_PART}"):
            if _lock_of(part).is_file():
                with unlocked(_lock_of(part)) as dead:
                    if dead:
                        shutil.rmtree(part, ignore_errors=True)
                if dead and not part.exists():
                    _lock_of(part).unlink(missing_ok=True)
            elif (pid := part.name.split(".")[-2]).isdecimal() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(part, ignore_errors=True)
        for lock in root.glob(f"{name}.*{_PART}{_LOCK}"):  # its folder had not been made, or was moved already
            with unlocked(lock) as dead:
                pass
            if dead and not lock.with_suffix("").exists():
                lock.unlink(missing_ok=True)


@contextlib.contextmanager
def unlocked(lock_file: Path) -> Iterator[bool]:
    """Whether nobody holds the lock; meanwhile we do."""
    from filelock import FileLock, Timeout

    lock = FileLock(lock_file, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _lock_of(part: Path) -> Path:
    return part.with_name(part.name + _LOCK)


_KINDS = ("models", "adapters", "exports", "trainings")


def clear_leftovers(data: Path) -> None:
    """Remove unfinished conversions, imports, exports, trainings, downloads whose process is dead. Raises nothing."""
    with contextlib.suppress(OSError):
        for kind in _KINDS:
            clear(data / kind)
        _trainings(data)
        _downloads(data / "hub")


def _trainings(data: Path) -> None:
    """Half-written checkpoints, if nobody trains, and trainings that were being discarded."""
    parts = list((data / "trainings").glob("*/*.part"))
    if parts and holder(data) is None:
        for part in parts:
            part.unlink(missing_ok=True)
    for gone in (data / "trainings").glob("*.gone"):
        shutil.rmtree(gone, ignore_errors=True)


def _downloads(hub: Path) -> None:
    """Files whose download was cut: huggingface_hub begins each anew under another name and holds a lock meanwhile."""
    for part in hub.glob("models--*/blobs/*.incomplete"):
        lock = hub / ".locks" / part.parent.parent.name / f"{part.name.split('.')[0]}.lock"
        if not lock.is_file():
            part.unlink(missing_ok=True)
            continue
        with unlocked(lock) as dead:
            if dead:
                part.unlink(missing_ok=True)
