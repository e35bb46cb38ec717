"""At the start of a process: what killed ones left unfinished in the data folder is removed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from backends.aside import clear, unlocked
from backends.fine_tuned.training_lock import holder

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
