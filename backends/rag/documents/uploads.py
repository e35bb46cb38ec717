"""Uploaded files on their way into a collection: stored under a generated id, named as they were, only for display."""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from pathlib import Path, PurePosixPath

from backends.errors import BackendError
from backends.rag.documents.files import Source
from backends.rag.documents.formats import FORMATS, extension_of
from backends.text import normalised, visible_lines

NAME_CHARACTERS = 200
"""A longer name is shortened in the middle, so that its extension stays."""

_FORGOTTEN_S = 24 * 3600
_SEPARATORS = re.compile(r"[/\\]")
_GENERATED = re.compile(r"[0-9a-f]{32}")


def save_upload(data: Path, name: str, content: bytes) -> Source:
    """Store an upload under `data/uploads` and return it as what `Index.add` takes; then `discard` it.

    `name` comes from outside and never reaches the disk. What cannot be read is refused by the reader, not here.
    Raises `BackendError` if the file cannot be stored.
    """
    shown = display_name(name)
    extension = extension_of(shown)
    folder = data / "uploads"
    path = folder / f"{uuid.uuid4().hex}{extension if extension in FORMATS else ''}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
        with open(path, "xb", opener=_private) as file:
            file.write(content)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise BackendError(
            f"The upload {shown} cannot be stored: {error.strerror or error}.",
            f"Check that {folder} can be written and that there is room on the disk.",
        ) from error
    return Source(path, shown, named=True)


def discard(source: Source) -> None:
    """Delete an upload. Does nothing for a file that is no upload, or is gone already."""
    if source.path.parent.name == "uploads" and _GENERATED.fullmatch(source.path.stem):
        with contextlib.suppress(OSError):  # swept a day later
            source.path.unlink()


def display_name(name: str) -> str:
    """The last part of a name from any system, without what hides or breaks text, at most `NAME_CHARACTERS` long."""
    parts = [" ".join(visible_lines(part).split()) for part in _SEPARATORS.split(normalised("NFC", name))]
    last = next((part for part in reversed(parts) if part.strip(" .")), "unnamed")
    if len(last) <= NAME_CHARACTERS:
        return last
    ending = PurePosixPath(last).suffix
    ending = ending if len(ending) <= 20 else ""
    return f"{last[: NAME_CHARACTERS - len(ending) - 1]}…{ending}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sweep(folder: Path) -> None:
    """Delete uploads of yesterday: whoever took them ended without discarding them."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _FORGOTTEN_S:
                path.unlink()
