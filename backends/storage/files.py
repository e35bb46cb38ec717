"""Files and folders that appear whole or not at all, the locks that guard them, and what dead processes leave.

Whoever fills a draft folder `NAME.ID.part` holds a lock beside it as long as its process lives, so that what is left of
a dead one can be told from what is being written, in whatever process or container. Earlier versions wrote
`NAME.PID.part` without.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from backends.errors import BackendError, disk_faults, not_written
from backends.storage.process import is_alive

_PART, _LOCK = ".part", ".lock"
_PATIENCE_S = 1.0  # whoever only looks holds a lock for a moment

_LOOK_UP_S = 0.2


def prepared(data: Path, what: str | None = None) -> Path:
    """The data folder, made where it was missing. Raises `BackendError` if it is no folder, or takes no file.

    `what` names it in the sentence, in place of its path.
    """
    with disk_faults(what or f"The data folder {data}", "used"):
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data) as probe:
            probe.write(b".")
            probe.flush()
    return data


def sha256(file: Path) -> str:
    """The file's sha256 in hexadecimal. Raises `OSError`."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def links_outside(path: Path, folder: Path) -> bool:
    """Whether `path`, which stands in `folder`, is a link to something outside of it, through others if need be.

    The folder itself may be a link, or be reached through one.
    """
    return path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


# --- written whole or not at all ------------------------------------------------------------------


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A free path beside `file`, to be written: at the end it takes the place of `file`, after a fault it is removed.

    Folders that are missing are made. Raises `OSError` if the disk refuses.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = _draft(file)
    try:
        yield part
        part.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_text(file: Path, text: str) -> None:
    """Write `file` in UTF-8, whole or not at all, in place of an earlier one. Raises `OSError`."""
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def draft_folder(target: Path) -> Iterator[Path]:
    """A free path beside `target`, to be made, filled and moved there; what has not been moved at the end is removed.

    What dead processes left of the same target goes first. Raises `OSError` if the disk refuses.
    """
    from filelock import FileLock

    clear_drafts(target.parent, target.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _draft(target)
    lock = FileLock(_lock_of(part), timeout=_PATIENCE_S, thread_local=False)
    lock.acquire()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()
        _lock_of(part).unlink(missing_ok=True)


def _draft(target: Path) -> Path:
    return target.with_name(f"{target.name}.w{uuid.uuid4().hex[:8]}{_PART}")  # the w: no process id


def _lock_of(part: Path) -> Path:
    return part.with_name(part.name + _LOCK)


# --- locks ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(file: Path, what: str, in_use: Callable[[], BackendError], wait_s: float = 0) -> Iterator[None]:
    """Hold the lock of `file` against every thread and process; one that dies gives it up.

    Raises what `in_use` makes if another one holds it for `wait_s` seconds, and `BackendError` that `what` cannot be
    written if the disk refuses.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file, timeout=wait_s, thread_local=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:  # which is an OSError too
        raise in_use() from None
    except OSError as error:
        raise not_written(what, error) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def turn_by_lock(file: Path, what: str, cancel: threading.Event, waits: Callable[[], None]) -> Iterator[bool]:
    """Hold the lock of `file` once no other thread or process does, however long that takes; `waits` is called at
    each look as long as another one holds it. False, and nothing held, if `cancel` was set meanwhile.

    Raises `BackendError` that `what` cannot be written if the disk refuses.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(file, timeout=0, thread_local=False)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            with contextlib.suppress(Timeout):
                lock.acquire()
                break
            waits()
            if cancel.wait(_LOOK_UP_S):
                break
    except OSError as error:
        raise not_written(what, error) from error
    try:
        yield lock.is_locked
    finally:
        lock.release()


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


# --- what dead processes leave --------------------------------------------------------------------

_KINDS = ("models", "adapters", "exports", "trainings")


def clear_leftovers(data: Path) -> None:
    """Remove unfinished conversions, imports, exports, trainings, downloads whose process is dead. Raises nothing."""
    with contextlib.suppress(OSError):
        for kind in _KINDS:
            clear_drafts(data / kind)
        _clear_trainings(data / "trainings")
        _clear_downloads(data / "hub")


def clear_drafts(root: Path, name: str = "*") -> None:
    """Remove what dead processes left in `root` of folders to be called `name`. Raises nothing."""
    name = name if name == "*" else glob.escape(name)
    with contextlib.suppress(OSError):
        for part in root.glob(f"{name}.*{_PART}"):
            if _lock_of(part).is_file():
                with unlocked(_lock_of(part)) as dead:
                    if dead:
                        shutil.rmtree(part, ignore_errors=True)
                if dead and not part.exists():
                    _lock_of(part).unlink(missing_ok=True)
            elif (pid := part.name.split(".")[-2]).isdecimal() and is_alive(int(pid)) is False:
                shutil.rmtree(part, ignore_errors=True)
        for lock in root.glob(f"{name}.*{_PART}{_LOCK}"):  # its folder had not been made, or was moved already
            with unlocked(lock) as dead:
                pass
            if dead and not lock.with_suffix("").exists():
                lock.unlink(missing_ok=True)


def _clear_trainings(trainings: Path) -> None:
    """Half-written checkpoints, if nobody trains, and trainings that were being discarded."""
    if parts := list(trainings.glob(f"*/*{_PART}")):
        with unlocked(trainings / "running.lock") as nobody:
            for part in parts if nobody else ():
                part.unlink(missing_ok=True)
    for gone in trainings.glob("*.gone"):
        shutil.rmtree(gone, ignore_errors=True)


def _clear_downloads(hub: Path) -> None:
    """Files whose download was cut: huggingface_hub begins each anew under another name and holds a lock meanwhile."""
    for part in hub.glob("models--*/blobs/*.incomplete"):
        lock = hub / ".locks" / part.parent.parent.name / f"{part.name.split('.')[0]}.lock"
        if not lock.is_file():
            part.unlink(missing_ok=True)
            continue
        with unlocked(lock) as dead:
            if dead:
                part.unlink(missing_ok=True)
