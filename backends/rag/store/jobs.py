"""The long work of a collection as jobs: each step waits for its turn, so that questions are answered in between."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.rag.documents import uploads
from backends.rag.documents.files import Source
from backends.rag.search import projection
from backends.rag.search.projection import Projection, lay_out
from backends.rag.store.index import Index
from backends.rag.store.progress import IndexProgress
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.lane import Cancelled, turns
from backends.text import counted

_DOCUMENTS = 0.55
"""The part of the time of indexing after which all files are stored; then the vectors of sentences are made."""


def writing_key(data: Path) -> str:
    """The key of whatever job writes in a data folder: there is one at a time."""
    return f"writing {Path(data).resolve()}"


def map_key(data: Path, collection: str) -> str:
    """The key of the job that draws the map of a collection."""
    return f"map {Path(data).resolve()} {collection}"


def add(index: Index, data: Path, paths: Sequence[Path | Source]) -> Job:
    """Start to index folders, files and uploads; uploads are discarded afterwards.

    Raises `BackendError` while another job writes.
    """

    def steps(cancel: threading.Event) -> Iterator[Progress[IndexProgress]]:
        try:
            with contextlib.suppress(Cancelled):
                yield from in_thousandths(index.add(paths, cancel, turns("indexing documents", cancel)))
        finally:
            _discard(paths)

    try:
        return jobs.start(writing_key(data), f"Adding to {index.collection}", steps)
    except BaseException:
        _discard(paths)
        raise


def _discard(paths: Sequence[Path | Source]) -> None:
    for path in paths:
        if isinstance(path, Source):
            uploads.discard(path)


def update(index: Index, data: Path) -> Job:
    """Start to bring a collection of an earlier version up to date. Raises `BackendError` while another job writes."""

    def steps(cancel: threading.Event) -> Iterator[Progress[IndexProgress]]:
        with contextlib.suppress(Cancelled):
            yield from in_thousandths(index.update(cancel, turns("indexing documents", cancel)))

    return jobs.start(writing_key(data), f"Bringing {index.collection} up to date", steps)


def rebuild(index: Index, data: Path) -> Job:
    """Start to build the vectors from the stored chunks. Raises `BackendError` while another job writes."""

    def steps(cancel: threading.Event) -> Iterator[Progress[None]]:
        with contextlib.suppress(Cancelled):
            yield from index.rebuild(cancel, turns("rebuilding the index", cancel))

    return jobs.start(writing_key(data), f"Rebuilding {index.collection}", steps)


def rechunk(index: Index, data: Path, chunk_tokens: int, overlap_tokens: int) -> Job:
    """Start to cut and embed the stored text again. Raises `BackendError` while another job writes."""

    def steps(cancel: threading.Event) -> Iterator[Progress[None]]:
        with contextlib.suppress(Cancelled):
            yield from index.rechunk(chunk_tokens, overlap_tokens, cancel, turns("indexing documents", cancel))

    return jobs.start(writing_key(data), f"Re-indexing {index.collection}", steps)


def draw_map(index: Index, data: Path) -> Job:
    """Start to lay out the collection as it is now, and keep the map. Raises `BackendError` while that goes on."""

    def steps(cancel: threading.Event) -> Iterator[Progress[Projection]]:
        version = index.version
        rows, vectors = index.matrix()
        with contextlib.suppress(Cancelled):
            for step in lay_out(version, rows, vectors, cancel, turns("drawing the map", cancel)):
                if step.result is not None:
                    projection.store(data, index.collection, step.result)
                yield step

    return jobs.start(map_key(data, index.collection), f"Drawing the map of {index.collection}", steps)


def in_thousandths(steps: Iterator[IndexProgress]) -> Iterator[Progress[IndexProgress]]:
    """Indexing in thousandths of the whole, by the sizes of files and, within them, by chunks.

    Files are stored a window of chunks at a time, so files alone would stand still and then leap. By number they
    would mislead: the last of a hundred may be most of the work.
    """
    chunks = 0  # of finished files
    shown = 0
    for step in steps:
        if step.state == "sentences":
            made = step.chunks_done / step.chunks_known if step.chunks_known else 1.0
            shown = max(shown, int((_DOCUMENTS + (1 - _DOCUMENTS) * made) * 1000))
            yield Progress(shown, 1000, _detail(step))
            continue
        if step.file and step.state in ("indexed", "replaced"):
            chunks = step.chunks_done
        share = 1.0 if step.files_done == step.files_total > 0 else step.share
        embedding, waiting = step.chunks_done - chunks, step.chunks_known - chunks
        if not step.file and waiting > 0:
            share += step.share_read * embedding / waiting
        shown = max(shown, min(int(_DOCUMENTS * share * 1000), 1000))
        yield Progress(shown, 1000, _detail(step), step if step.file else None)


def _detail(step: IndexProgress) -> str:
    if step.state == "rebuilding":
        return step.cause
    known = counted(step.chunks_known, "chunk")
    if step.state == "sentences":
        return f"everything can be searched; sentences of {step.chunks_done:,} of {known}"
    files = f"{step.files_done:,} of {counted(step.files_total, 'file')}"
    if not step.chunks_known:
        return files
    return f"{files}, {step.chunks_done:,} of {known} known so far"
