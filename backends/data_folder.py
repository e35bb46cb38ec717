"""The folder that holds what is kept, and what it means when a disk refuses: one place for both.

Faults of a disk are told apart by the number that the system gives (errno); Rust libraries write it into their words.
"""

from __future__ import annotations

import contextlib
import errno
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from backends.base import BackendError

_CHOOSE = "Choose another data folder with CROSSROADS_DATA."
_ELSEWHERE = "choose another data folder with CROSSROADS_DATA."
_FULL = ("the disk is full", f"Make room, or {_ELSEWHERE}")
_DENIED = ("permission is denied", f"Check its permissions, or {_ELSEWHERE}")
_A_FILE = ("there is a file where a folder should be", _CHOOSE)
_BUSY = ("too many files are open", "Close other programs, and try again.")
_MEANINGS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("the disk is read-only", f"Make it writable, or {_ELSEWHERE}"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: _A_FILE,
    errno.EEXIST: _A_FILE,
    errno.EISDIR: ("there is a folder where a file should be", _CHOOSE),
    errno.ENOENT: ("it is not there", f"Check the path, or {_ELSEWHERE}"),
    errno.ENAMETOOLONG: ("the name is too long", "Choose a shorter one."),
    errno.ELOOP: ("its links lead in a circle", f"Check the path, or {_ELSEWHERE}"),
    errno.EIO: ("the disk does not work", f"Check it, or {_ELSEWHERE}"),
    errno.EMFILE: _BUSY,
    errno.ENFILE: _BUSY,
}
_RUST = re.compile(r"\(os error (\d{1,3})\)")


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


@contextlib.contextmanager
def disk_faults(what: str, to_be: str = "written") -> Iterator[None]:
    """What the disk refuses within becomes a `BackendError`: `what` cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise not_written(what, error, to_be) from error


def not_written(what: str, error: OSError, to_be: str = "written") -> BackendError:
    """The sentence for an `error` of the disk that came of writing `what`."""
    why, next_step = _MEANINGS.get(error.errno or 0, (error.strerror or str(error), f"Check the disk, or {_ELSEWHERE}"))
    return BackendError(f"{what} cannot be {to_be}: {why}.", next_step)


def disk_fault(error: BaseException) -> BackendError | None:
    """What a user reads of an error that may have come from a disk; None if it did not.

    The file goes by its name alone: where folders are is nobody's business who only sees the page.
    """
    told = _RUST.search(str(error)) if isinstance(error, Exception) else None
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if number not in _MEANINGS or isinstance(error, ConnectionError | TimeoutError):
        return None
    name = getattr(error, "filename", None)
    what = f"The file {Path(str(name)).name}" if name else "A file"
    return not_written(what, OSError(number, ""), "used")
