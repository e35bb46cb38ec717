"""The right to write in a data folder: one writer at a time, in whatever process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from backends.errors import BackendError, not_written


class Busy(BackendError):
    """Somebody else is writing."""


@contextlib.contextmanager
def writing(data: Path) -> Iterator[None]:
    """The right to write in `data/index`. Raises `Busy` while another has it, `BackendError` for what is read-only."""
    from filelock import FileLock, Timeout

    try:
        file = Path(data) / "index" / "writer.lock"
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file, timeout=0, thread_local=False)
        lock.acquire()
    except Timeout:
        raise Busy("Documents are being indexed already.", "Wait until that has finished.") from None
    except OSError as error:
        raise not_written("The index", error) from error
    try:
        yield
    finally:
        lock.release()
