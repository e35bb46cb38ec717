"""Whether Chroma's vector files are whole. It crashes the process, or finds wrong neighbours, if they are cut short.

Chroma writes them in place, about every 1,000 vectors: a process that is killed just then leaves a part.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_HEADER = struct.Struct("<iQQQQ")
"""Persistence version, offset of level 0, capacity, number of elements, bytes per element.

As written by `saveIndex` in hnswlib's hnswalg.h, version 1 of the chroma-core fork (chromadb 1.5.9).
"""
_HEADER_BYTES = 100
_VERSION = 1
_LENGTH = struct.Struct("<I")

_PATIENCE_S = 1.0
"""How long files may be incomplete because another process is writing them."""


def sizes(folder: Path) -> dict[str, int]:
    """Sizes in bytes of the vector files in a Chroma folder. They only ever grow."""
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in folder.glob("*/*.bin")}


def not_shorter(folder: Path, noted: Mapping[str, int]) -> bool:
    """Whether the files have at least the sizes that were noted when they were whole. Costs microseconds."""
    return _soon(lambda: all(_size(folder / file) >= size for file, size in noted.items()))


def whole(folder: Path, noted: Mapping[str, int]) -> bool:
    """Whether the files can be opened: they have the sizes that were noted, or those that their header asks for."""
    return _soon(lambda: sizes(folder) == noted or all(_fits(header) for header in folder.glob("*/header.bin")))


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


def _fits(header: Path) -> bool:
    try:
        start = header.read_bytes()
        if len(start) < _HEADER_BYTES:
            return False
        version, _, _, elements, element_bytes = _HEADER.unpack_from(start)
        if version != _VERSION:
            return True  # of a format that we do not know
        return (
            _size(header.with_name("data_level0.bin")) >= elements * element_bytes
            and _end_with(header.with_name("link_lists.bin").read_bytes(), elements)
            and _is_complete(header.with_name("index_metadata.pickle"))
        )
    except OSError:
        return False


def _end_with(links: bytes, elements: int) -> bool:
    """Whether there is a list of links (its length in bytes, then itself) for each element, and nothing more."""
    place = 0
    for _ in range(elements):
        if place + _LENGTH.size > len(links):
            return False
        place += _LENGTH.size + _LENGTH.unpack_from(links, place)[0]
    return place == len(links)


def _is_complete(ids: Path) -> bool:
    """Whether a pickle has its last byte. There is none before the first 1,000 vectors."""
    return not ids.exists() or ids.read_bytes().endswith(b".")
