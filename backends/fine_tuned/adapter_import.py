"""Adapters from elsewhere come into the catalogue: from an uploaded zip, a folder, or the Hub.

Each is read and checked before it appears, gets a name that is free, and a note of where it came from.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath

from backends import hub
from backends.base import BackendError
from backends.engines.adapter_files import ORIGIN, read
from backends.fine_tuned.adapter_zip import is_wanted, unpack
from backends.fine_tuned.catalogue import Origin, adapter_folders, check_name, free_name
from backends.fine_tuned.catalogue_changes import publish

_SOURCE_CHARACTERS = 200


def import_zip(source: bytes | Path, filename: str, data: Path, name: str | None = None) -> Path:
    """Take an adapter from a zip file that is called `filename`, which is only displayed. Returns its folder.

    The name is `name`, or one made from `filename` that is free. Raises `BackendError` for what is not an adapter in
    safetensors, is damaged, too large, or of a kind that cannot be used; and for a name that is taken.
    """
    displayed = PureWindowsPath(filename)  # which takes / and \\ alike
    with _aside(name, displayed.stem, data) as (aside, chosen):
        unpack(source, aside)
        return _admit(aside, chosen, "zip file", displayed.name, data)


def import_folder(folder: Path, data: Path, name: str | None = None) -> Path:
    """Copy an adapter from a folder into the catalogue. Returns its folder there. Raises as `import_zip` does."""
    read(folder)
    with _aside(name, folder.resolve().name, data) as (aside, chosen):
        _copy(folder, aside)
        return _admit(aside, chosen, "folder", str(folder.resolve()), data)


def import_from_hub(repository: str, data: Path, revision: str | None = None, name: str | None = None) -> Path:
    """Fetch an adapter's repository (owner/name) from the Hub at one commit, which is noted. Returns its folder.

    Raises as `import_zip` does, and for what the Hub refuses.
    """
    snapshot = hub.download_adapter(repository, data, revision)
    with _aside(name, repository.rpartition("/")[2], data) as (aside, chosen):
        _copy(snapshot, aside)
        return _admit(aside, chosen, "Hub", f"{repository} at {snapshot.name}", data)


@contextmanager
def _aside(name: str | None, wanted: str, data: Path) -> Iterator[tuple[Path, str]]:
    """A folder to fill, which is no adapter yet, and the name that it will have."""
    if name is not None and check_name(name) in adapter_folders(data):
        raise BackendError(f"There is an adapter called {name} already.", "Choose another name.")
    chosen = name or free_name(wanted, data)
    aside = data / "adapters" / f"{chosen}.{uuid.uuid4().hex[:8]}.part"
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        yield aside, chosen
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BackendError(f"The adapter could not be stored: {reason}.", "Make room for it and try again.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy(folder: Path, aside: Path) -> None:
    aside.mkdir()
    for file in folder.iterdir():
        if file.is_file() and is_wanted(file.name):
            shutil.copyfile(file, aside / file.name)


def _admit(aside: Path, name: str, kind: Origin, source: str, data: Path) -> Path:
    """Check what has been put aside and let it appear. Whoever made it does not say where it came from."""
    (aside / ORIGIN).unlink(missing_ok=True)
    try:
        files = read(aside)
    except BackendError as fault:
        raise BackendError(fault.cause.replace(aside.name, name), fault.next_step) from None
    told = {
        "kind": kind,
        "source": source[:_SOURCE_CHARACTERS],
        "imported": datetime.now(UTC).isoformat("T", "seconds"),
        "sha256": files.sha256,
    }
    (aside / ORIGIN).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return publish(aside, name, data)
