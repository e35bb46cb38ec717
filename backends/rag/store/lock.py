"""The right to write in a data folder: one writer at a time, in whatever process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from backends.errors import BackendError
from backends.storage.files import locked


class Busy(BackendError):
    """Somebody else is writing."""

    def __init__(self) -> None:
        super().__init__("Documents are being indexed already.", "Wait until that has finished.")


def writing(data: Path) -> AbstractContextManager[None]:
    """The right to write in `data/index`. Raises `Busy` while another has it, `BackendError` for what is read-only."""
    return locked(Path(data) / "index" / "writer.lock", "The index", Busy)
