"""Faults as a user meets them: a cause and a next step, foreseen or not; lack of memory apart from everything else."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path


class BackendError(Exception):
    """A fault that a user can act on: what happened, and what to do next."""

    def __init__(self, cause: str, next_step: str) -> None:
        super().__init__(f"{cause} {next_step}")
        self.cause = cause
        self.next_step = next_step


class NotSent(BackendError):
    """A fault before anything was sent, so that nothing can have been charged."""


class NotAsked(NotSent):
    """Nobody could be asked yet, and nothing went wrong: a key or a recorded answer is missing."""


class CapReached(NotSent):
    """A cap on spending stopped a question that costs `worst_usd` at most: `setting` would have to be `needed_usd`."""

    def __init__(self, cause: str, next_step: str, setting: str, needed_usd: Decimal, worst_usd: Decimal) -> None:
        super().__init__(cause, next_step)
        self.setting = setting
        self.needed_usd = needed_usd
        self.worst_usd = worst_usd


_CHOOSE = "Choose another data folder with CROSSROADS_DATA."
_OTHER_DATA_FOLDER = "choose another data folder with CROSSROADS_DATA."
_FULL = ("the disk is full", f"Make room, or {_OTHER_DATA_FOLDER}")
_DENIED = ("permission is denied", f"Check its permissions, or {_OTHER_DATA_FOLDER}")
_A_FILE = ("there is a file where a folder should be", _CHOOSE)
_BUSY = ("too many files are open", "Close other programs, and try again.")
_MEANINGS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("the disk is read-only", f"Make it writable, or {_OTHER_DATA_FOLDER}"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: _A_FILE,
    errno.EEXIST: _A_FILE,
    errno.EISDIR: ("there is a folder where a file should be", _CHOOSE),
    errno.ENOENT: ("it is not there", f"Check the path, or {_OTHER_DATA_FOLDER}"),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter one."),
    errno.ELOOP: ("its links lead in a circle", f"Check the path, or {_OTHER_DATA_FOLDER}"),
    errno.EIO: ("the disk does not work", f"Check it, or {_OTHER_DATA_FOLDER}"),
    errno.EMFILE: _BUSY,
    errno.ENFILE: _BUSY,
}
_RUST = re.compile(r"\(os error (\d{1,3})\)")

_NO_MEMORY = ("defaultcpuallocator", "can't allocate memory", "out of memory", "not enough memory")
_MAKE_ROOM = "Close other programs, or choose a smaller model."


@contextlib.contextmanager
def disk_faults(what: str, to_be: str = "written") -> Iterator[None]:
    """What the disk refuses within becomes a `BackendError`: `what` cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise not_written(what, error, to_be) from error


def not_written(what: str, error: OSError, to_be: str = "written") -> BackendError:
    """The sentence for an `error` of the disk that came of writing `what`."""
    why, next_step = _MEANINGS.get(
        error.errno or 0, (error.strerror or str(error), f"Check the disk, or {_OTHER_DATA_FOLDER}")
    )
    return BackendError(f"{what} cannot be {to_be}: {why}.", next_step)


def disk_fault(error: BaseException) -> BackendError | None:
    """What a user reads of an error that may have come from a disk; None if it did not.

    The file goes by its name alone: where folders are is nobody's business who only sees the page.
    """
    found = disk_error(error)
    if found is None or found.errno not in _MEANINGS:
        return None
    what = f"The file {Path(str(found.filename)).name}" if found.filename else "A file"
    return not_written(what, found, "used")


def disk_error(error: BaseException) -> OSError | None:
    """The error of the disk that `error` is or tells of, always with `strerror`; None if it is of another kind.

    Libraries that are written in Rust have exceptions of their own and tell the number in words.
    """
    if isinstance(error, ConnectionError | TimeoutError):
        return None
    if isinstance(error, OSError):
        return error if error.strerror else OSError(error.errno, str(error) or type(error).__name__)
    found = _RUST.search(str(error)[:10_000]) if isinstance(error, Exception) else None
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, on a CPU or a GPU, or Python could get no memory."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _NO_MEMORY)


def too_little_memory(what_for: str) -> BackendError:
    """Memory does not do for what the words say."""
    return BackendError(f"There is not enough memory for {what_for}.", _MAKE_ROOM)


def unexpected_fault(what: str, error: Exception, again: str = "try again") -> BackendError:
    """What a user reads of an error that ended `what`; the log has the rest."""
    if is_out_of_memory(error):
        return BackendError(f"{what} failed: there was not enough memory.", _MAKE_ROOM)
    if (fault := disk_fault(error)) is not None:
        return BackendError(f"{what} failed. {fault.cause}", fault.next_step)
    cause = f"{what} failed unexpectedly ({type(error).__name__})."
    return BackendError(cause, f"The log has the details; {again}.")
