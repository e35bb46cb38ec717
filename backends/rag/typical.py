"""Passages of typical length, for reckoning with a prompt before anything is searched."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from backends.base import BackendError, Passage
from backends.rag.database import open_database
from backends.rag.library import Library


def typical_passages(data: Path, collection: str, count: int) -> tuple[Passage, ...]:
    """`count` times the chunk whose length is nearest to the mean. Raises `BackendError` if nothing is indexed."""
    serving = Library(open_database(data), collection).serving()
    found = _typical(Path(data).resolve(), collection, serving.version) if serving else None
    if found is None:
        raise BackendError(
            f"nothing is indexed in the collection {collection} yet", "Add documents to it, or ask a first question."
        )
    return (found,) * count


@lru_cache(maxsize=32)
def _typical(data: Path, collection: str, version: str) -> Passage | None:
    """Read once for each version of a collection."""
    chunk = Library(open_database(data), collection).typical()
    if chunk is None:
        return None
    return Passage(chunk.document, chunk.page, chunk.chunk_id, 0.0, chunk.start, chunk.end, chunk.text, chunk.heading)
