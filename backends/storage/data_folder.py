"""The folder that holds everything that is kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from backends.errors import disk_faults


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
