"""What is looked at before a training begins, so that none fails on what was known."""

from __future__ import annotations

import shutil
from pathlib import Path

from backends.base import BackendError
from backends.engines.local_model import LocalModel
from backends.fine_tuned.catalogue import is_complete
from backends.fine_tuned.method import trained_bytes
from backends.fine_tuned.pairs import check_enough
from backends.fine_tuned.runs import Run

MOST_PAIRS = 10_000
"""More take hours: a hundred short pairs took about 20 seconds an epoch on one core (November 2026)."""

_SPARE_BYTES = 50_000_000


def check_number(pairs: int) -> None:
    """Raises `BackendError` for too few or too many pairs."""
    check_enough(pairs)
    if pairs > MOST_PAIRS:
        raise BackendError(
            f"{pairs:,} pairs are more than the {MOST_PAIRS:,} that are trained on at once.",
            f"Train on a sample of {MOST_PAIRS:,} or fewer.",
        )


def check_place(adapters: Path | None, name: str) -> None:
    """An earlier adapter gives way to the new one; anything else of its name in the wanted folder does not."""
    place = adapters / name if adapters else None
    if place and place.exists() and not is_complete(place):
        raise BackendError(f"{place} is there already and is no adapter.", "Choose another name or folder.")


def check_room(base: LocalModel, run: Run) -> None:
    """Parameters and two moments in float32, twice while a checkpoint is replaced; the best state; the adapter."""
    needed = 8 * trained_bytes(base, run.settings) + _SPARE_BYTES
    place = next(folder for folder in run.folder.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise BackendError(
            f"The training takes up to {needed / 1e6:,.0f} MB on disk; {free / 1e6:,.0f} MB are free at {place}.",
            "Make room, or train fewer layers or a lower rank.",
        )
