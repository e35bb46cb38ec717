"""Which adapters there are and what is known of each: trained here, imported, or the sample one in the repository.

An adapter of one's own is a folder under the data folder's `adapters/`. Folders appear there whole, by a rename, so
one that is still being written (`NAME.ID.part`) or replaced (`NAME.PID.old`) is never listed.
"""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import README, Score, created, is_reader, read_card, score, write_card
from backends.models.adapter_files import CONFIG, ORIGIN, WEIGHTS, Base, Fit, fit, json_object, read
from backends.models.adapter_view import base_of
from backends.models.local import loaded
from backends.settings import Settings

SAMPLE_ADAPTERS = Path(__file__).resolve().parents[3] / "sample_docs" / "adapters"
Origin = Literal["trained here", "sample", "Hub", "zip file", "folder"]

_UNFINISHED = (".part", ".old")
_ORIGINS: tuple[Origin, ...] = ("Hub", "zip file", "folder")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One line of the catalogue. `fit` is against the base in force; what is unknown is None or empty.

    A damaged adapter is listed too: `fit` then says what is wrong and the rest is empty. `reads`: it was taught to read
    passages, and no facts.
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
    reads: bool = False


def adapters(settings: Settings) -> list[Adapter]:
    """Every complete adapter, newest first, the damaged ones last. Reads headers only."""
    base = base_in_force(settings)
    any_name = settings.fine_tuned.any_base_name
    found = [_entry(folder, base, any_name) for folder in adapter_folders(settings.data).values()]
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


def answering_adapters(data: Path) -> list[str]:
    """The names of those that answer by themselves: an adapter that was taught to read is for RAG."""
    return [name for name, folder in adapter_folders(data).items() if not _reads(folder)]


def _reads(folder: Path) -> bool:
    try:
        return is_reader(read_card(folder))
    except BackendError:
        return False  # damaged: what is wrong with it is said where it is used


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
            f"{name[:80]!r} cannot be an adapter's name.", "Use up to 64 letters, digits, dots, hyphens, underscores."
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


def _entry(folder: Path, base: Base, any_base_name: bool) -> Adapter:
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
        fit(files, base, any_base_name),
        files.base_model,
        method if isinstance(method, str) else files.method,
        files.size_bytes,
        created(files),
        score(files.card),
        files.sha256,
        is_reader(files.card),
    )


def _origin(folder: Path) -> tuple[Origin, str]:
    if folder.parent == SAMPLE_ADAPTERS:
        return "sample", "comes with the program"
    try:
        record = json_object(folder / ORIGIN) if (folder / ORIGIN).is_file() else {}
    except BackendError:
        record = {}
    for origin in _ORIGINS:
        if record.get("kind") == origin:
            return origin, str(record.get("source", ""))
    return "trained here", ""


KEPT_DAYS = 30

_TRASH = ".trash"


@dataclass(frozen=True, slots=True)
class Deleted:
    """An adapter that can be restored by its `id`; `at` is when it was deleted, in UTC."""

    id: str
    name: str
    at: datetime


def publish(draft: Path, name: str, data: Path) -> Path:
    """Move a complete adapter from `draft` into the catalogue as `name`. An adapter of that name goes to the trash.

    `draft` has to be on the same disk, best beside the adapters as `NAME.ID.part`. Raises `BackendError` for a name
    that cannot be one, or a fault of the disk.
    """
    folder = data / "adapters" / check_name(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            to_trash(folder, data)
        draft.rename(folder)
    except OSError as error:
        raise _failed("put in its place", name, error) from None
    return folder


def rename(name: str, new: str, data: Path) -> Path:
    """Give an adapter of one's own another name. Raises `BackendError` if the name is taken or cannot be one."""
    folder = _own(name, data)
    target = folder.with_name(check_name(new))
    if new in adapter_folders(data) or target.exists():
        raise BackendError(f"There is an adapter called {new} already.", "Choose another name.")
    try:
        folder.rename(target)
        if (target / README).is_file() and not (target / ORIGIN).is_file():
            write_card(target, read_card(target))  # its README carries the name
    except OSError as error:
        raise _failed("renamed", name, error) from None
    return target


def delete(name: str, data: Path) -> Deleted:
    """Put an adapter of one's own into the trash. Raises `BackendError` for a sample, or one that is gone."""
    folder = _own(name, data)
    try:
        return to_trash(folder, data)
    except OSError as error:
        raise _failed("deleted", name, error) from None


def deleted(data: Path) -> list[Deleted]:
    """What can be restored, what was deleted last first."""
    return [one for one in _trash(data) if is_complete(_trash_folder(one, data))]


def restore(id: str, data: Path) -> str:
    """Bring a deleted adapter back and return its name, which differs if another adapter has that name by now."""
    found = next((one for one in deleted(data) if one.id == id), None)
    if found is None:
        raise BackendError("That adapter is no longer in the trash.", "Train or import it again.")
    own = data / "adapters" / found.name
    name = free_name(found.name, data) if own.exists() else found.name
    try:
        _trash_folder(found, data).rename(own.with_name(name))
        _trash_folder(found, data).parent.rmdir()
    except OSError as error:
        raise _failed("restored", found.name, error) from None
    return name


def empty_trash(data: Path) -> int:
    """Remove for good what was deleted. Returns how many bytes that frees."""
    trash = data / "adapters" / _TRASH
    size = sum(file.stat().st_size for file in trash.rglob("*") if file.is_file())
    shutil.rmtree(trash, ignore_errors=True)
    return size


def to_trash(folder: Path, data: Path) -> Deleted:
    """Put a folder into the trash, from another disk too. Raises `OSError` if that is not possible."""
    one = Deleted(f"{time.time_ns()}-{uuid.uuid4().hex[:8]}", folder.name, datetime.now(UTC))
    for old in _trash(data):
        if (one.at - old.at).days >= KEPT_DAYS:
            shutil.rmtree(_trash_folder(old, data).parent, ignore_errors=True)
    _trash_folder(one, data).parent.mkdir(parents=True)
    shutil.move(folder, _trash_folder(one, data))
    return one


def _trash(data: Path) -> Iterator[Deleted]:
    for place in sorted((data / "adapters" / _TRASH).glob("*-*/*"), reverse=True):
        stamp = place.parent.name.partition("-")[0]
        if stamp.isdigit():
            yield Deleted(place.parent.name, place.name, datetime.fromtimestamp(int(stamp) / 1e9, UTC))


def _trash_folder(one: Deleted, data: Path) -> Path:
    return data / "adapters" / _TRASH / one.id / one.name


def _own(name: str, data: Path) -> Path:
    """The folder of an adapter of one's own. Raises `BackendError` if it is a sample, or not there."""
    folder = data / "adapters" / check_name(name)
    if is_complete(folder):
        return folder
    if name in adapter_folders(data):
        raise BackendError(f"{name} comes with the program and stays as it is.", "Train or import one of your own.")
    raise BackendError(f"There is no adapter called {name} any more.", "Reload the list.")


def _failed(what: str, name: str, error: OSError) -> BackendError:
    reason = error.strerror or type(error).__name__
    return BackendError(f"The adapter {name} could not be {what}: {reason}.", "Reload the list and try again.")
