"""Which adapters there are and what is known of each: trained here, imported, or the sample one in the repository.

An adapter of one's own is a folder under the data folder's `adapters/`. Folders appear there whole, by a rename, so
one that is still being written (`NAME.ID.part`) or replaced (`NAME.PID.old`) is never listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from backends.base import BackendError
from backends.engines.adapter_files import CONFIG, ORIGIN, WEIGHTS, Base, Fit, fit, json_object, read
from backends.engines.adapter_view import base_of
from backends.engines.local_model import loaded
from backends.fine_tuned.card import Score, created, score
from backends.settings import Settings

SAMPLE_ADAPTERS = Path(__file__).resolve().parents[2] / "sample_docs" / "adapters"
Origin = Literal["trained here", "sample", "Hub", "zip file", "folder"]

_UNFINISHED = (".part", ".old")
_ORIGINS: tuple[Origin, ...] = ("Hub", "zip file", "folder")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One line of the catalogue. `fit` is against the base in force; what is unknown is None or empty.

    A damaged adapter is listed too: `fit` then says what is wrong and the rest is empty.
    """

    name: str
    folder: Path
    origin: Origin
    source: str
    fit: Fit
    base_model: str | None = None
    method: str = ""
    size_bytes: int = 0
    created: datetime | None = None
    score: Score | None = None
    sha256: str = ""


def adapters(settings: Settings) -> list[Adapter]:
    """Every complete adapter, newest first, the damaged ones last. Reads headers only."""
    base = base_in_force(settings)
    found = [_entry(folder, base) for folder in adapter_folders(settings.data).values()]
    return sorted(found, key=lambda one: -one.created.timestamp() if one.created else 0)


def base_in_force(settings: Settings) -> Base:
    """The base that adapters have to fit: as it is in memory, or by its name until then."""
    raw = settings.raw
    base = loaded(raw.model, raw.revision, raw.device)
    if base is not None:
        return base_of(base)
    folder = Path(raw.model).expanduser()
    return Base(folder.resolve().name, folder) if folder.is_dir() else Base(raw.model, revision=raw.revision)


def adapter_folders(data: Path) -> dict[str, Path]:
    """Name -> folder of every adapter that is complete; one in the data folder goes before a sample of its name."""
    found: dict[str, Path] = {}
    for root in (SAMPLE_ADAPTERS, data / "adapters"):
        if root.is_dir():
            found |= {folder.name: folder for folder in sorted(root.iterdir()) if is_complete(folder)}
    return found


def adapter_folder(name: str, data: Path) -> Path:
    """The folder for an adapter's name or path. Raises `BackendError` that lists the names there are."""
    known = adapter_folders(data)
    if name in known:
        return known[name]
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    names = ", ".join(known) or "none"
    raise BackendError(
        f"There is no adapter called {name!r} (known: {names}).", "Train one with `crossroads train PAIRS --name NAME`."
    )


def check_name(name: str) -> str:
    """A name that is safe as a folder name. Raises `BackendError` otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith((".", *_UNFINISHED)):
        raise BackendError(
            f"{name[:80]!r} can not be an adapter's name.", "Use up to 64 letters, digits, dots, hyphens, underscores."
        )
    return name


def free_name(wanted: str, data: Path) -> str:
    """A name like `wanted` that no adapter has: other characters become hyphens, and a number is added if need be."""
    cleaned, taken = _cleaned(wanted), adapter_folders(data)
    candidates = [cleaned, *(f"{cleaned}-{number}" for number in range(2, len(taken) + 3))]
    return check_name(next(name for name in candidates if name not in taken and not name.endswith(_UNFINISHED)))


def usable_name(wanted: str) -> str:
    """`wanted` if it can be an adapter's name, else one like it."""
    try:
        return check_name(wanted)
    except BackendError:
        cleaned = _cleaned(wanted)
        return f"{cleaned}-2" if cleaned.endswith(_UNFINISHED) else cleaned


def _cleaned(wanted: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", wanted)[:48].strip("-._") or "adapter"


def is_complete(folder: Path) -> bool:
    """Whether an adapter's files are all there and nobody is still writing them."""
    if folder.name.startswith(".") or folder.name.endswith(_UNFINISHED):
        return False
    return (folder / WEIGHTS).is_file() and (folder / CONFIG).is_file()


def _entry(folder: Path, base: Base) -> Adapter:
    origin, source = _origin(folder)
    try:
        files = read(folder)
    except (BackendError, OSError) as fault:
        why = f"{fault.cause} {fault.next_step}" if isinstance(fault, BackendError) else f"It cannot be read: {fault}."
        return Adapter(folder.name, folder, origin, source, Fit(False, why))
    method = files.card.get("method")
    return Adapter(
        files.name,
        folder,
        origin,
        source,
        fit(files, base),
        files.base_model,
        method if isinstance(method, str) else files.method,
        files.size_bytes,
        created(files),
        score(files.card),
        files.sha256,
    )


def _origin(folder: Path) -> tuple[Origin, str]:
    if folder.parent == SAMPLE_ADAPTERS:
        return "sample", "comes with the program"
    try:
        told = json_object(folder / ORIGIN) if (folder / ORIGIN).is_file() else {}
    except BackendError:
        told = {}
    for origin in _ORIGINS:
        if told.get("kind") == origin:
            return origin, str(told.get("source", ""))
    return "trained here", ""
