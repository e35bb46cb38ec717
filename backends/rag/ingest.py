"""Putting documents into a collection: what changed is replaced, a file goes in whole or not at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from backends.base import BackendError
from backends.rag.chunks import Chunk, chunk, embedded_texts
from backends.rag.documents import Document, Rejected, Source, check_size, find_files, hash_file, read_documents
from backends.rag.embedder import BATCH_SIZE, Embedder
from backends.rag.records import Records, StoredDocument
from backends.settings import RagSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IndexState = Literal["skipped", "indexed", "replaced", "rejected"]


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """One file is done: its number, how many there are, chunks written so far, and what became of the file.

    `cause` and `next_step` are filled for a rejected file.
    """

    files_done: int
    files_total: int
    chunks_done: int
    file: str
    state: IndexState
    cause: str = ""
    next_step: str = ""


class _Cancelled(Exception):
    pass


class Ingest:
    """One run of indexing into one collection. The caller holds the right to write."""

    def __init__(self, records: Records, embedder: Embedder, settings: RagSettings, cancel: threading.Event) -> None:
        self._records = records
        self._embedder = embedder
        self._settings = settings
        self._cancel = cancel
        self._stored: dict[str, StoredDocument] = {}
        self._files = 0
        self._chunks = 0

    def run(self, paths: Iterable[Path | str | Source]) -> Iterator[IndexProgress]:
        """Index files, yielding after each one. Raises `BackendError` for a path that does not exist."""
        sources = find_files(paths)
        self._records.undo_unfinished()
        self._stored = self._records.documents()
        pending: dict[str, Source] = {}
        for source in sources:
            if self._cancel.is_set():
                return
            named, unchanged = self._plan(source, pending)
            if unchanged:
                yield self._done(len(sources), named.name, "skipped")
            else:
                pending[named.name] = named
        for result in read_documents(pending.values(), self._settings.max_file_mb, self._cancel):
            if isinstance(result, Rejected):
                progress = self._done(len(sources), result.name, "rejected")
                yield replace(progress, cause=result.cause, next_step=result.next_step)
                continue
            try:
                self._write(result, pending[result.name].path)
            except _Cancelled:
                return
            yield self._done(len(sources), result.name, "replaced" if result.name in self._stored else "indexed")

    def _plan(self, source: Source, pending: Mapping[str, Source]) -> tuple[Source, bool]:
        """The source under the name it is stored as, and whether exactly this content is stored already."""
        try:
            check_size(source.path, self._settings.max_file_mb)
            sha256 = hash_file(source.path)
        except (OSError, BackendError):  # the reader meets the same fault and reports it
            sha256 = ""
        if not source.named:
            source = replace(source, name=self._name(source, sha256, pending))
        stored = self._stored.get(source.name)
        return source, bool(stored and stored.revision == self._revision(sha256))

    def _name(self, source: Source, sha256: str, pending: Mapping[str, Source]) -> str:
        """The stored name of this very file, or its own; with folders in front where another file has that name."""
        for stored in self._stored.values():
            if stored.path == str(source.path):
                return stored.info.name
        name, folders = source.name, list(source.path.parents)
        while self._taken(name, source, sha256, pending) and folders:
            folder = source.path.relative_to(folders.pop(0)).as_posix()
            name = folder if len(folder) > len(name) else name
        return name

    def _taken(self, name: str, source: Source, sha256: str, pending: Mapping[str, Source]) -> bool:
        if name in pending:
            return pending[name].path != source.path
        stored = self._stored.get(name)
        if stored is None or stored.info.sha256 == sha256:
            return False
        return stored.path != str(source.path) and Path(stored.path).exists()

    def _revision(self, sha256: str) -> str:
        """Content and chunk settings: what must be equal for chunks to be up to date."""
        return f"{sha256}:{self._settings.chunk_tokens}/{self._settings.overlap_tokens}"

    def _write(self, document: Document, path: Path) -> None:
        revision = self._revision(document.sha256)
        chunks = chunk(document, self._embedder.tokenizer, self._settings.chunk_tokens, self._settings.overlap_tokens)
        vectors = self._embed(chunks)
        try:
            self._records.add(document, str(path), revision, chunks, vectors)
        except BaseException:
            # The fault that stopped the writing is the one to report; what this cannot undo, the next run will.
            with contextlib.suppress(BackendError):
                self._records.undo_unfinished()
            raise
        self._chunks += len(chunks)

    def _embed(self, chunks: list[Chunk]) -> NDArray[np.float32]:
        import numpy as np

        texts = embedded_texts(chunks, self._embedder.tokenizer)
        parts = []
        for start in range(0, len(texts), BATCH_SIZE):
            if self._cancel.is_set():
                raise _Cancelled
            parts.append(self._embedder.embed_documents(texts[start : start + BATCH_SIZE]))
        return np.concatenate(parts)

    def _done(self, total: int, file: str, state: IndexState) -> IndexProgress:
        self._files += 1
        return IndexProgress(self._files, total, self._chunks, file, state)
