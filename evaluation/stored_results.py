"""Results of long measurements as JSON files: each appears whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from backends.errors import BackendError
from backends.storage import strict_json
from backends.storage.files import replacing

_T = TypeVar("_T")


def write_result(file: Path, kind: type[_T], result: _T) -> None:
    """Write a frozen dataclass. Raises `BackendError` if the disk does not take it."""
    try:
        with replacing(file) as part:
            part.write_bytes(TypeAdapter(kind).dump_json(result, indent=1))
    except OSError as error:
        raise BackendError(
            f"The result could not be written to {file} ({error.strerror}).", "Make room, then measure again."
        ) from error


def read_result(file: Path, kind: type[_T]) -> _T:
    """Read it back. Raises `BackendError` if it is damaged."""
    try:
        content = file.read_bytes()
        strict_json.loads(content)  # pydantic lets NaN and Infinity pass
        return TypeAdapter(kind).validate_json(content)
    except (OSError, ValueError) as error:
        raise BackendError(f"The result {file} cannot be read.", "Delete the file, then measure again.") from error


def newest(files: list[Path]) -> list[Path]:
    """The files, the one written last first."""
    return sorted(files, key=lambda file: (-file.stat().st_mtime, file.as_posix()))
