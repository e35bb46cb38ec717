"""Whether Chroma's vector files are as they were left, told by their sizes alone.

Chroma writes them in place, about every 1,000 vectors, while vectors are added or deleted and never by a search
(chromadb 1.5.9). A process that is killed just then leaves a part. Opened, that ends the whole process or has a
search miss neighbours, and looking for stored vectors does not show it (docs/decisions.md). So whoever writes notes
the sizes, and files that have other sizes are not opened: vectors are built again from the library.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

_PATIENCE_S = 1.0
"""How long files may differ from what was noted because another process is writing them."""


def sizes(folder: Path) -> dict[str, int]:
    """Sizes in bytes of the vector files in a Chroma folder. They only ever grow."""
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in folder.glob("*/*.bin")}


def not_shorter(folder: Path, noted: Mapping[str, int]) -> bool:
    """Whether the files have at least the sizes that were noted. Costs microseconds."""
    return _soon(lambda: all(_size(folder / file) >= size for file, size in noted.items()))


def as_noted(folder: Path, noted: Mapping[str, int]) -> bool:
    """Whether the files have the sizes that were noted."""
    return _soon(lambda: sizes(folder) == noted)


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return -1
