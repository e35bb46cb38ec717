"""Putting documents into a collection: what changed is replaced, a file goes in whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from backends.errors import BackendError
from backends.rag.documents.chunks import Chunk, chunk, embedded_texts
from backends.rag.documents.data_files import NEXT_STEP, no_document
from backends.rag.documents.files import Document, Rejected, Source, check_size, find_files, read_documents
from backends.rag.documents.formats import READERS
from backends.rag.search.embedder import WINDOW, Embedder, Turn, embed
from backends.rag.store.library import DocumentInfo, Entry
from backends.rag.store.progress import IndexProgress, IndexState, Understood, understood
from backends.rag.store.writer import Writer
from backends.run.lane import Cancelled
from backends.storage.files import sha256

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was read may change again without a new time of change."""

_EACH_FILE = 1_000
"""What a file costs beside its bytes, in bytes."""

_NAMESAKE = "Another file of this name was given at the same time."


@dataclass(frozen=True, slots=True)
class _File:
    """A file that has to be read, under the name it will be stored as."""

    source: Source
    sha256: str
    stamp: str


@dataclass(frozen=True, slots=True)
class _SplitDocument:
    """A document that was read and cut, and waits to be embedded."""

    document: Document
    file: _File
    chunks: list[Chunk]
    texts: list[str]
    reader: int


class Ingest:
    """One run of indexing into one collection. The caller holds the right to write."""

    def __init__(
        self,
        writer: Writer,
        embedder: Embedder,
        max_file_mb: float,
        cancel: threading.Event,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._writer = writer
        self._serving = writer.serving()
        self._embedder = embedder
        self._max_file_mb = max_file_mb
        self._cancel = cancel
        self._now_ns = now_ns
        self._stored = {one.name: one for one in writer.library.files()}
        self._at = {one.path: one for one in self._stored.values()}
        self._pending: dict[str, _File] = {}
        self._total = self._files = self._embedded = self._known = 0
        self._weights: dict[str, float] = {}  # of the files that are not finished, by name; of all together 1
        self._share = 0.0
        self._updated: set[str] = set()

    def run(self, paths: Iterable[Path | str | Source], turn: Turn) -> Iterator[IndexProgress]:
        """Index files, yielding after each one. Raises `BackendError` for a path that is not there, `Cancelled`."""
        sources = find_files(paths)
        self._total = len(sources)
        unchanged: dict[int, str] = {}
        weights = [self._weight(source.path) for source in sources]
        for source, weight in zip(sources, weights, strict=True):
            if self._cancel.is_set():
                raise Cancelled
            file = self._named(source)
            self._weights.setdefault(file.source.name, weight / sum(weights))
            if source.left_out:
                yield self._left_out(file.source)
                continue
            stored = self._stored.get(file.source.name)
            if stored and file.sha256 == stored.sha256 and file.source.encoding is None:
                if file.stamp != stored.stamp:
                    unchanged[stored.document] = file.stamp
                yield self._done(stored.name, "skipped")
            elif file.source.name in self._pending:
                yield self._done(file.source.name, "rejected", _NAMESAKE, "Rename one of them.")
            else:
                self._pending[file.source.name] = file
        self._writer.touch(unchanged)
        waiting = list(self._pending.values())
        while waiting:
            first, twins = self._without_duplicates(waiting)
            rejected: set[str] = set()
            yield from self._read_all(first, rejected, turn)
            waiting = [twin for twin, holder in twins if holder in rejected]
            for twin, holder in twins:
                if holder not in rejected:
                    yield self._done(twin.source.name, "duplicate", f"It has the same content as {holder}.")

    def update(self, again: Sequence[Source], stored: Sequence[DocumentInfo], turn: Turn) -> Iterator[IndexProgress]:
        """Read these files again, under the names that they are stored as, and cut these documents from their text.

        What cannot be read again is cut from its text. A document whose chunks are the same stays as it is.
        Raises `Cancelled`.
        """
        sizes = {one.name: _EACH_FILE + one.characters for one in stored}
        sizes |= {source.name: self._weight(source.path) for source in again}
        self._total, self._updated = len(sizes), set(sizes)
        self._weights = {name: size / sum(sizes.values()) for name, size in sizes.items()}
        self._pending = {one.name: _File(Source(Path(), one.name), one.sha256, "") for one in stored}
        read = {source.name: self._named(source) for source in again}
        self._pending |= read
        refused: set[str] = set()
        yield from self._read_all(list(read.values()), refused, turn)
        window: list[_SplitDocument] = []
        for info in stored:
            if info.name in read and info.name not in refused:
                continue
            if self._cancel.is_set():
                raise Cancelled
            with turn():
                one = self._from_library(info)
            if one is None:
                yield self._done(info.name, "updated")
                continue
            window.append(one)
            self._known += len(one.chunks)
            if sum(len(one.chunks) for one in window) >= WINDOW:
                yield from self._store(window, turn)
                window = []
        if window:
            yield from self._store(window, turn)

    def _from_library(self, info: DocumentInfo) -> _SplitDocument | None:
        """A document cut from its stored text; None if that gives the chunks that it has."""
        library, known = self._writer.library, self._stored[info.name]
        document = Document(
            info.name, info.sha256, info.format, library.pages(info.name), info.language, info.warnings, info.bytes
        )
        one = self._split(document)
        old = [(chunk.chunk_id, chunk.heading) for chunk in library.chunks([info.name])]
        if old == [(chunk.chunk_id, chunk.heading) for chunk in one.chunks]:
            self._writer.mark_cut(known.document)
            return None
        return replace(one, file=_File(Source(Path(known.path), info.name), info.sha256, known.stamp), reader=0)

    def _left_out(self, source: Source) -> IndexProgress:
        """A file of a folder that is no document. One that is in the collection from before stays there."""
        there = " It is in the collection from before: delete it there." if source.name in self._stored else ""
        return self._done(source.name, "left out", no_document(source.left_out), NEXT_STEP + there)

    def _named(self, source: Source) -> _File:
        """The file under the name it is stored as, with a hash ("" if it cannot be read: the reader reports that)."""
        known = self._at.get(_path(source))
        digest = stamp = ""
        try:
            if source.links_outside:
                return _File(source, "", "")
            check_size(source.path, self._max_file_mb)
            stamp = stamp_of(source.path, self._now_ns())
            digest = known.sha256 if known and stamp and known.stamp == stamp else sha256(source.path)
        except (OSError, BackendError):
            pass
        if not source.named:
            name = known.name if known else self._free_name(source, digest)
            source = replace(source, name=name)
        return _File(source, digest, stamp)

    def _free_name(self, source: Source, digest: str) -> str:
        """Its own name, with folders in front where another file has that name."""
        name, folders = source.name, list(source.path.parents)
        while self._taken(name, source, digest) and folders:
            folder = source.path.relative_to(folders.pop(0)).as_posix()
            name = folder if len(folder) > len(name) else name
        return name

    def _taken(self, name: str, source: Source, digest: str) -> bool:
        if name in self._pending:
            return self._pending[name].source.path != source.path
        stored = self._stored.get(name)
        if stored is None or stored.sha256 == digest:
            return False
        return stored.path != _path(source) and Path(stored.path).exists()

    def _without_duplicates(self, files: Sequence[_File]) -> tuple[list[_File], list[tuple[_File, str]]]:
        """The files of which each content is there once, and the others with the name of the one that holds it."""
        holders = {one.sha256: one.name for one in self._stored.values() if one.name not in self._pending}
        first, twins = [], []
        for file in files:
            if file.sha256 and file.sha256 in holders:
                twins.append((file, holders[file.sha256]))
            else:
                holders[file.sha256] = file.source.name
                first.append(file)
        return first, twins

    def _read_all(self, files: Sequence[_File], rejected: set[str], turn: Turn) -> Iterator[IndexProgress]:
        """Read, cut, embed and store. Raises `Cancelled`."""
        window: list[_SplitDocument] = []
        for read in self._documents(files, turn):
            if isinstance(read, Rejected):
                rejected.add(read.name)
                yield self._done(read.name, "rejected", read.cause, read.next_step)
                continue
            if window and len(read.chunks) >= WINDOW:  # small files need not wait for a huge one
                yield from self._store(window, turn)
                window = []
            window.append(read)
            self._known += len(read.chunks)
            if sum(len(one.chunks) for one in window) >= WINDOW:
                yield from self._store(window, turn)
                window = []
        if window:
            yield from self._store(window, turn)

    def _documents(self, files: Sequence[_File], turn: Turn) -> Iterator[_SplitDocument | Rejected]:
        """Each file is read and cut in one turn."""
        results = read_documents([file.source for file in files], self._max_file_mb, self._cancel)
        with contextlib.closing(cast("Generator[Document | Rejected, None, None]", results)):
            while True:
                with turn():
                    result = next(results, None)
                    read = self._split(result) if isinstance(result, Document) else result
                if self._cancel.is_set():
                    raise Cancelled
                if read is None:
                    return
                yield read

    def _split(self, document: Document) -> _SplitDocument:
        tokenizer = self._embedder.tokenizer
        chunks = chunk(document, tokenizer, self._serving.chunk_tokens, self._serving.overlap_tokens, self._cancel)
        texts, reader = embedded_texts(chunks, tokenizer), READERS.get(document.format, 0)
        return _SplitDocument(document, self._pending[document.name], chunks, texts, reader)

    def _store(self, window: Sequence[_SplitDocument], turn: Turn) -> Iterator[IndexProgress]:
        texts = [text for one in window for text in one.texts]
        before = self._embedded
        embedding = embed(texts, self._embedder, self._cancel, turn)
        while True:
            try:
                self._embedded = before + next(embedding)
            except StopIteration as end:
                vectors: NDArray[np.float32] = end.value
                break
            read = sum(self._weights.get(one.document.name, 0.0) for one in window)
            yield replace(self._progress("", "embedding"), share_read=read)
        entries, start = [], 0
        for one in window:
            vectors_of_one = vectors[start : start + len(one.chunks)]
            stamp = one.file.stamp if one.file.sha256 == one.document.sha256 else ""
            stored = self._stored.get(one.document.name) if one.document.name in self._updated else None
            entries.append(
                Entry(
                    one.document,
                    stored.path if stored else _path(one.file.source),
                    stamp,
                    one.chunks,
                    vectors_of_one,
                    one.reader,
                    stored.added if stored else "",
                )
            )
            start += len(one.chunks)
        self._writer.put(entries, turn)
        for one in window:
            yield self._done(
                one.document.name, self._became(one.document.name), read=understood(one.document, one.chunks)
            )

    def _became(self, name: str) -> IndexState:
        if name in self._updated:
            return "updated"
        return "replaced" if name in self._stored else "indexed"

    def _done(
        self, file: str, state: IndexState, cause: str = "", next_step: str = "", read: Understood | None = None
    ) -> IndexProgress:
        self._files += 1
        self._share += self._weights.pop(file, 0.0)
        return replace(self._progress(file, state), cause=cause, next_step=next_step, understood=read)

    def _progress(self, file: str, state: IndexState) -> IndexProgress:
        return IndexProgress(
            files_done=self._files,
            files_total=self._total,
            chunks_done=self._embedded,
            file=file,
            state=state,
            chunks_known=self._known,
            share=self._share,
        )

    def _weight(self, path: Path) -> int:
        """About how much work a file is: its bytes and a bit, or that bit alone for one that is refused."""
        with contextlib.suppress(OSError, BackendError):
            check_size(path, self._max_file_mb)
            return _EACH_FILE + path.stat().st_size
        return _EACH_FILE


def _path(source: Source) -> str:
    """The path of a file as it is stored: names that are not UTF-8 keep their bytes as escapes."""
    return os.fspath(source.path).encode("utf-8", "backslashreplace").decode()


def stamp_of(path: Path, now_ns: int) -> str:
    """Size, times of change and number of a file, which prove that it is the same; "" if it has just changed."""
    found = path.stat()
    if now_ns - max(found.st_mtime_ns, found.st_ctime_ns) < _SETTLED_NS:
        return ""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
