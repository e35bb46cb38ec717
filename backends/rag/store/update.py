"""What a collection lacks that an earlier version has made, and how it is brought up to date.

A document keeps which version read and cut it. Its file is read again where it is still the one that was read; else its
stored text is cut anew. A document is replaced whole or not at all, so a run that is cancelled has lost nothing.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from backends.rag.documents.chunks import CHUNKS_VERSION
from backends.rag.documents.files import Source
from backends.rag.documents.formats import READERS
from backends.rag.store import sentence_vectors
from backends.rag.store.ingest import stamp_of
from backends.rag.store.library import Library
from backends.storage.files import sha256
from backends.text import counted

_NAMED = 3
"""Documents that a sentence names; of more it says how many."""

_OUTDATED = """
SELECT name, format, bytes, sha256, path, stamp, reader, cutter FROM filed WHERE collection_name = ? AND NOT deleted
AND (cutter < ? OR reader < coalesce((SELECT value FROM json_each(?) WHERE key = format), 0)) ORDER BY name"""


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a collection lacks.

    `again` are the files that would be read otherwise today, and are still where they were; `gone` the names of those
    that are not, or were changed. `recut` are the documents, by name, that have not been cut by today's rules.
    `sentences` counts the chunks whose sentences have no vectors.
    """

    again: tuple[Source, ...] = ()
    gone: tuple[str, ...] = ()
    recut: tuple[str, ...] = ()
    sentences: int = 0

    @property
    def can_update(self) -> bool:
        """Whether there is anything that an update makes better."""
        return bool(self.again or self.recut or self.sentences)

    @property
    def sentence(self) -> str:
        """What would be better after an update; "" if nothing."""
        again = counted(len(self.again), "file was", "files were")
        recut = counted(len(self.recut), "document was", "documents were")
        parts = (
            f"{again} read by an earlier version, which lost tables and headings" * bool(self.again),
            f"{recut} not looked through by today's rules for headings" * bool(self.recut),
            f"the sentences of {counted(self.sentences, 'chunk')} have no vectors yet, so questions wait for them"
            * bool(self.sentences),
        )
        listed = "; ".join(filter(None, parts))
        return f"This collection can be brought up to date: {listed}." if listed else ""

    @property
    def kept(self) -> str:
        """Which documents cannot be read again, and what helps; "" if there are none."""
        if not self.gone:
            return ""
        names = ", ".join(self.gone[:_NAMED])
        more = f" and {len(self.gone) - _NAMED:,} more" if len(self.gone) > _NAMED else ""
        return (
            f"Read by an earlier version, and the file is gone or was changed: {names}{more}. What the collection has "
            "of it stays; add the file again to have its tables and headings read by today's rules."
        )


def lacking(library: Library, collection: str) -> Lacking:
    """What a collection lacks. Files are looked at, and not read."""
    if not library.database.exists:
        return Lacking()
    again: list[Source] = []
    gone: list[str] = []
    recut: list[str] = []
    with library.database.reading() as connection:
        found = connection.execute(_OUTDATED, (collection, CHUNKS_VERSION, json.dumps(READERS))).fetchall()
    for name, format, size, sha, path, stamp, reader, cutter in found:
        if reader < READERS.get(format, 0):
            if _is_still_there(Path(path), size, sha, stamp):
                again.append(Source(Path(path), name, named=True))
            else:
                gone.append(name)
        if cutter < CHUNKS_VERSION:
            recut.append(name)
    rows = sentence_vectors.lacking(library.database, collection)
    return Lacking(tuple(again), tuple(gone), tuple(recut), len(rows))


def _is_still_there(path: Path, size: int, digest: str, stamp: str) -> bool:
    """Whether a file is the one that was read. It is read itself only where size and stamp leave it open."""
    try:
        if not path.is_file() or path.stat().st_size != size:
            return False
        return (bool(stamp) and stamp_of(path, time.time_ns()) == stamp) or sha256(path) == digest
    except (OSError, ValueError):
        return False
