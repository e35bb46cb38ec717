"""How fast files are indexed, and what changing one of a thousand costs. What 8-bit layers lose: `int8_loss`.

*Indexing*: `Index.add` of files on disk into a fresh collection (finding, parsing in the child process, cutting,
embedding, library, Chroma), in chunks per second, against `SentenceTransformer.encode` of all those chunks in one call
and one `add` to a bare Chroma collection, which get the finished chunks for nothing. Both use the same weights and the
same inference thread. The files are made of the sentences of the sample handbook, shuffled.

*Re-indexing*: 1,000 files of which one changed, against giving only a changed file.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.models import inference
from backends.rag.approach import SAMPLE_DOCUMENTS, embedder
from backends.rag.documents.files import Rejected, find_files, read_documents
from backends.rag.search.embedder import BATCH_SIZE, Embedder
from backends.rag.store.index import Index
from backends.settings import Settings
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure, Goal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "indexing"
FILES = 60
SENTENCES = 180
"""Per file; makes about 2,000 chunks in all."""

SMALL_FILES = 1000
_FASTER = Goal(1, "at least")
_AT_MOST = Goal(2, "at most", "s")


def run(bench: Bench) -> Outcome:
    """Ours, bare, ours, bare; then re-indexing in the same way."""
    settings = bench.settings()
    with tempfile.TemporaryDirectory(prefix="crossroads-indexing-") as temporary:
        folder = Path(temporary)
        figures, raw = _indexing(bench, settings, folder)
        figures.append(_reindexing(bench, settings, folder))
    return Outcome(tuple(figures), ("The first pair is a warm-up and left out.",), raw)


# --- indexing ------------------------------------------------------------------------------------


def _indexing(bench: Bench, settings: Settings, folder: Path) -> tuple[list[Figure], dict[str, Any]]:
    corpus = folder / "corpus"
    _write_corpus(corpus, FILES // 12 if bench.quick else FILES)
    model = embedder(settings)
    values: dict[str, list[float]] = {name: [] for name in ("ours", "bare", "our vectors", "bare vectors")}
    similarities: list[float] = []
    repeats = bench.repeats(5)
    for repeat in range(repeats + 1):
        bench.report(f"indexing: {repeat} of {repeats}")
        ours_s, texts = _add(settings, model, folder / f"data{repeat}", corpus)
        bare_s, exact = _bare(model, folder / f"bare{repeat}", texts)
        our_vectors_s, vectors = _embed(model, texts)
        if repeat:
            values["ours"].append(len(texts) / sum(ours_s))
            values["bare"].append(len(texts) / sum(bare_s))
            values["our vectors"].append(len(texts) / our_vectors_s)
            values["bare vectors"].append(len(texts) / bare_s[0])
            similarities += [float(one) for one in (vectors * exact).sum(1)]
    label, bare = f"{len(texts):,} chunks of {len(list(corpus.iterdir()))} files", "encode and bare Chroma add"
    mean, least = sum(similarities) / len(similarities), min(similarities)
    figures = [
        _figure(f"indexing {label}", "chunks/s", values["ours"], bare, values["bare"], _FASTER),
        _figure(f"embedding {label}", "chunks/s", values["our vectors"], "encode", values["bare vectors"], _FASTER),
        Figure(NAME, "cosine similarity of our vectors to encode's", "", (mean,), shown=f"{mean:.4f} (≥ {least:.4f})"),
    ]
    return figures, {"chunks": len(texts), "embedder": model.identity}


def _figure(
    name: str, unit: str, values: Sequence[float], reference: str, reference_values: Sequence[float], goal: Goal
) -> Figure:
    return Figure(NAME, name, unit, tuple(values), reference, tuple(reference_values), "ratio", goal)


def _add(settings: Settings, model: Embedder, data: Path, corpus: Path) -> tuple[tuple[float], list[str]]:
    """Seconds that indexing took, and what was embedded."""
    index = Index(data, "speed", model, settings.rag)
    began = time.monotonic()
    _drain(index, corpus)
    spent_s = time.monotonic() - began
    return (spent_s,), [chunk.searched_text for chunk in index.chunks()]


def _drain(index: Index, path: Path) -> None:
    """Index a file or folder. Raises `RuntimeError` if a file was not accepted."""
    for step in index.add([path], threading.Event()):
        if step.state == "rejected":
            raise RuntimeError(f"{step.file} was rejected: {step.cause}")


def _bare(model: Embedder, folder: Path, texts: list[str]) -> tuple[tuple[float, float], NDArray[np.float32]]:
    """Seconds of `encode` and of Chroma's `add`; the vectors."""
    import chromadb

    from backends.rag.store.chroma import close_client

    began = time.monotonic()
    vectors = inference.run(model.load().encode, texts, show_progress_bar=False)
    embedded = time.monotonic()
    client = chromadb.PersistentClient(folder, chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("bare", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None)
    limit = client.get_max_batch_size()
    for start in range(0, len(texts), limit):
        part = slice(start, start + limit)
        ids = [str(number) for number in range(len(texts))[part]]
        collection.add(ids=ids, embeddings=vectors[part], documents=texts[part])
    ended = time.monotonic()
    close_client(client)
    return (embedded - began, ended - embedded), vectors


def _embed(model: Embedder, texts: Sequence[str]) -> tuple[float, NDArray[np.float32]]:
    """Seconds, and the vectors, of handing over as many texts at once as indexing does."""
    import numpy as np

    began = time.monotonic()
    parts = [model.embed_documents(texts[start : start + BATCH_SIZE]) for start in range(0, len(texts), BATCH_SIZE)]
    return time.monotonic() - began, np.concatenate(parts)


def _write_corpus(folder: Path, files: int) -> None:
    """Markdown files of shuffled sentences, the same at every run."""
    folder.mkdir()
    shuffled = random.Random(1)
    known = sorted(_sentences())
    for number in range(files):
        lines: list[str] = []
        for place, sentence in enumerate(shuffled.choices(known, k=SENTENCES)):
            if place % 20 == 0:
                lines.append(f"\n\n## {' '.join(sentence.split()[:5])}\n\n")
            lines.append(sentence + ("\n\n" if shuffled.random() < 0.25 else " "))
        (folder / f"part-{number:02}.md").write_text("".join(lines), "utf-8")


def _sentences() -> Iterator[str]:
    for document in read_documents(find_files([SAMPLE_DOCUMENTS]), 25, threading.Event()):
        if isinstance(document, Rejected):
            raise RuntimeError(f"{document.name} was rejected: {document.cause}")
        for page in document.pages:
            yield from (one for one in re.split(r"(?<=[.!?])\s+|\n+", page.text) if 30 <= len(one) <= 400)


# --- re-indexing ---------------------------------------------------------------------------------


def _reindexing(bench: Bench, settings: Settings, folder: Path) -> Figure:
    corpus, count = folder / "small", SMALL_FILES // 20 if bench.quick else SMALL_FILES
    corpus.mkdir()
    for number in range(count):
        (corpus / f"note-{number:04}.txt").write_text(f"Note number {number}. Its value is {number * 37}.\n")
    index = Index(folder / "notes", "notes", embedder(settings), settings.rag)
    bench.report(f"re-indexing: {count} files for the first time")
    _drain(index, corpus)
    all_s, one_s = [], []
    repeats = bench.repeats(5)
    for repeat in range(repeats + 1):
        bench.report(f"re-indexing: {repeat} of {repeats}")
        spent_s = [_reindex_s(index, corpus / f"note-{2 * repeat + place:04}.txt", place == 0) for place in range(2)]
        if repeat:
            all_s.append(spent_s[0])
            one_s.append(spent_s[1])
    name = f"re-indexing {count:,} files of which one changed"
    return Figure(NAME, name, "s", tuple(all_s), "only that file", tuple(one_s), "difference", _AT_MOST)


def _reindex_s(index: Index, file: Path, folder: bool) -> float:
    """Change a file; seconds that indexing it, or the folder that it is in, takes."""
    file.write_text(f"{file.read_text()}It was changed, and the new value is {os.urandom(4).hex()}.\n")
    began = time.monotonic()
    _drain(index, file.parent if folder else file)
    return time.monotonic() - began
