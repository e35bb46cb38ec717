"""The keyword index of a collection: built when it is first needed, kept up to date, and kept on disk."""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from backends.matching import VERSION
from backends.rag.search.keyword import KeywordIndex
from backends.rag.store.index import Index
from backends.rag.store.library import StoredChunk
from backends.storage.files import draft_folder
from backends.terms import STEMMER

KEPT_FROM = 2_000
"""Chunks from which the index is written to disk: with fewer, building takes less than half a second."""

MEANWHILE_FROM = 20_000
"""Chunks from which the last index goes on serving while a change is worked in, which takes seconds."""

_READ = 5_000
"""Chunks that are read at once."""

_log = logging.getLogger(__name__)
_caches: dict[tuple[Path, str], KeywordCache] = {}
_caches_lock = threading.Lock()


class Chunks(Protocol):
    """What is read of a collection. `version` changes with its content."""

    @property
    def version(self) -> str: ...

    def numbers(self, documents: Sequence[str] | None = None) -> list[int]: ...

    def rows(self, rows: Sequence[int]) -> dict[int, StoredChunk]: ...


def indexed_text(chunk: StoredChunk) -> str:
    """What is searched by keyword: file name and headings, twice (docs/measurements.md says why), then the text."""
    return f"{chunk.context}\n{chunk.searched_text}"


def keyword_cache(index: Index) -> KeywordCache:
    """The one cache of this process for a collection."""
    key = (Path(index.data).resolve(), index.collection)
    with _caches_lock:
        if key not in _caches:
            name = hashlib.sha256(index.collection.encode()).hexdigest()[:32]
            _caches[key] = KeywordCache(index, key[0] / "index" / "keyword" / name)
        return _caches[key]


class KeywordCache:
    """Keeps the `KeywordIndex` of a collection up to date with its chunks. Safe to use from several threads.

    In `folder` (None: nothing is written) there is one folder per version. What cannot be read there is built again.
    `kept_from` and `meanwhile_from` are numbers of chunks, see `KEPT_FROM` and `MEANWHILE_FROM`.
    """

    def __init__(
        self,
        chunks: Chunks,
        folder: Path | None = None,
        kept_from: int = KEPT_FROM,
        meanwhile_from: int = MEANWHILE_FROM,
    ) -> None:
        self._chunks = chunks
        self._folder = folder
        self._kept_from, self._meanwhile_from = kept_from, meanwhile_from
        self._building = threading.Lock()
        self._held: tuple[str, KeywordIndex] | None = None
        self._background: threading.Thread | None = None

    def current(self) -> KeywordIndex:
        """The index of the chunks as they are now; of many chunks perhaps as they were a moment ago.

        The first call for a collection may take seconds: about 20 s for 100,000 chunks that are not on disk yet.
        """
        version = self._chunks.version
        held = self._held
        if held and held[0] == version:
            return held[1]
        if held and len(held[1].rows) >= self._meanwhile_from:
            self._update_meanwhile()
            return held[1]
        with self._building:
            return self._update()

    def wait(self) -> None:
        """Wait until nothing is being worked in any more."""
        if self._background:
            self._background.join()

    def _update_meanwhile(self) -> None:
        if self._building.acquire(blocking=False):
            self._background = threading.Thread(target=self._update_and_release, name="keyword index", daemon=True)
            self._background.start()

    def _update_and_release(self) -> None:
        try:
            self._update()
        except Exception:  # the search of the next caller meets the same fault, or it has passed
            _log.exception("the keyword index could not be brought up to date")
        finally:
            self._building.release()

    def _update(self) -> KeywordIndex:
        """Work in what changed since the last index. Call with `_building` held."""
        version = self._chunks.version
        if self._held and self._held[0] == version:
            return self._held[1]
        index = self._load(version) if self._held is None else None
        if index is None:
            index = self._updated(self._held[1] if self._held else KeywordIndex.empty())
            self._save(version, index)
        self._held = (version, index)
        return index

    def _updated(self, last: KeywordIndex) -> KeywordIndex:
        rows = self._chunks.numbers()
        new = sorted(set(rows).difference(last.rows.tolist()))
        texts: dict[int, str] = {}
        for start in range(0, len(new), _READ):
            found = self._chunks.rows(new[start : start + _READ])
            texts |= {row: indexed_text(chunk) for row, chunk in found.items()}
        return last.updated(rows, texts)

    def _load(self, version: str) -> KeywordIndex | None:
        """The index on disk, if it is of this version and complete."""
        folder = self._folder_of(version)
        if folder is None or not folder.is_dir():
            return None
        try:
            return KeywordIndex.load(folder)
        except (OSError, ValueError, KeyError, EOFError) as fault:
            _log.warning("the keyword index on disk cannot be read (%s) and is built again", fault)
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def _save(self, version: str, index: KeywordIndex) -> None:
        """Written under another name first, so that nobody ever reads a part of it."""
        folder = self._folder_of(version)
        if folder is None:
            return
        if len(index.rows) < self._kept_from:
            shutil.rmtree(folder.parent, ignore_errors=True)
            return
        try:
            with draft_folder(folder) as draft:
                draft.mkdir()
                index.save(draft)
                if not folder.is_dir():
                    draft.rename(folder)
            for other in folder.parent.iterdir():
                if other != folder:  # another process that writes there meanwhile does without
                    shutil.rmtree(other, ignore_errors=True)
        except OSError as fault:
            _log.warning("the keyword index cannot be kept on disk (%s)", fault)

    def _folder_of(self, version: str) -> Path | None:
        return (
            self._folder / hashlib.sha256(f"{version} {STEMMER} {VERSION}".encode()).hexdigest()[:32]
            if self._folder
            else None
        )
