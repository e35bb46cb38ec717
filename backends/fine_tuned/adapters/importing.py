"""Adapters from elsewhere come into the catalogue: from an uploaded zip, a folder, or the Hub.

Each is read and checked before it appears, gets a name that is free, and a note of where it came from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath

from backends.errors import BackendError, disk_error
from backends.fine_tuned.adapters.catalogue import Origin, adapter_folders, check_name, free_name, publish
from backends.fine_tuned.adapters.zip_files import check_links, is_wanted, unpack
from backends.models import hub
from backends.models.adapter_files import ORIGIN, read
from backends.storage.files import draft_folder

_SOURCE_CHARACTERS = 200


def import_zip(source: bytes | Path, filename: str, data: Path, name: str | None = None) -> Path:
    """Take an adapter from a zip file that is called `filename`, which is only displayed. Returns its folder.

    The name is `name`, or one made from `filename` that is free. Raises `BackendError` for what is not an adapter in
    safetensors, is damaged, too large, or of a kind that cannot be used; and for a name that is taken.
    """
    displayed = PureWindowsPath(filename)  # which takes / and \\ alike
    with _draft(name, displayed.stem, data) as (part, chosen):
        unpack(source, part)
        return _admit(part, chosen, "zip file", displayed.name, data)


def import_folder(folder: Path, data: Path, name: str | None = None) -> Path:
    """Copy an adapter from a folder into the catalogue. Returns its folder there. Raises as `import_zip` does."""
    check_links(folder)
    read(folder)
    with _draft(name, folder.resolve().name, data) as (part, chosen):
        _copy(folder, part)
        return _admit(part, chosen, "folder", str(folder.resolve()), data)


def import_from_hub(repository: str, data: Path, revision: str | None = None, name: str | None = None) -> Path:
    """Fetch an adapter's repository (owner/name) from the Hub at one commit, which is noted. Returns its folder.

    Raises as `import_zip` does, and for what the Hub refuses.
    """
    snapshot = hub.download_adapter(repository, data, revision)
    with _draft(name, repository.rpartition("/")[2], data) as (part, chosen):
        _copy(snapshot, part)
        return _admit(part, chosen, "Hub", f"{repository} at {snapshot.name}", data)


@contextmanager
def _draft(name: str | None, wanted: str, data: Path) -> Iterator[tuple[Path, str]]:
    """A folder to fill, which is no adapter yet, and the name that it will have."""
    if name is not None and check_name(name) in adapter_folders(data):
        raise BackendError(f"There is an adapter called {name} already.", "Choose another name.")
    chosen = name or free_name(wanted, data)
    try:
        with draft_folder(data / "adapters" / chosen) as part:
            yield part, chosen
    except OSError as error:
        if (refused := disk_error(error)) is None:
            raise
        raise BackendError(
            f"The adapter could not be stored: {refused.strerror}.", "Make room for it and try again."
        ) from error


def _copy(folder: Path, part: Path) -> None:
    part.mkdir()
    for file in folder.iterdir():
        if file.is_file() and is_wanted(file.name):
            shutil.copyfile(file, part / file.name)


def _admit(part: Path, name: str, kind: Origin, source: str, data: Path) -> Path:
    """Check what has been put aside and let it appear. Whoever made it does not say where it came from."""
    (part / ORIGIN).unlink(missing_ok=True)
    try:
        files = read(part)
    except BackendError as fault:
        raise BackendError(fault.cause.replace(part.name, name), fault.next_step) from None
    record = {
        "kind": kind,
        "source": source[:_SOURCE_CHARACTERS],
        "imported": datetime.now(UTC).isoformat("T", "seconds"),
        "sha256": files.sha256,
    }
    (part / ORIGIN).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return publish(part, name, data)
