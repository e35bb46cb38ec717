"""Measuring how a collection is searched, as a job: every mode with every chunk setting, and which is the best."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import BackendError
from backends.rag.documents.chunks import CONTEXT_TOKENS, SPECIAL_TOKENS, chunk, embedded_texts
from backends.rag.documents.files import Document
from backends.rag.search.embedder import Embedder, Turn, embed
from backends.rag.search.retriever import Mode, judged_searcher
from backends.rag.store.index import DocumentInfo, Index
from backends.rag.store.library import StoredChunk
from backends.run import jobs
from backends.run.jobs import Job, Progress
from backends.run.lane import Cancelled, turns
from backends.settings import RagSettings
from evaluation.retrieval import ModeReport, RetrievalReport, Scores, difference, evaluate
from evaluation.samples import Sample
from evaluation.statistics import Estimate
from evaluation.thresholds import BestScore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class InMemoryChunks:
    """Chunks and vectors in memory, searched exactly. Rows count from 0."""

    version = "aside"

    def __init__(
        self, data: Path, documents: list[DocumentInfo], chunks: Sequence[StoredChunk], vectors: NDArray[np.float32]
    ) -> None:
        self.data = data
        self._documents = documents
        self._chunks = chunks
        self._vectors = vectors

    def documents(self) -> list[DocumentInfo]:
        """The documents that were cut."""
        return self._documents

    def beginnings(self, characters: int) -> dict[str, str]:
        """How each document begins, by name."""
        return {one.document: one.text[:characters] for one in reversed(self._chunks)}

    def numbers(self, documents: Sequence[str] | None = None) -> list[int]:
        """The rows of all documents or of these, ascending."""
        return [one.row for one in self._chunks if documents is None or one.document in documents]

    def rows(self, rows: Sequence[int]) -> dict[int, StoredChunk]:
        """Chunks by row."""
        return {row: self._chunks[row] for row in rows}

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """The vectors of these rows, shape (n, dimension)."""
        return self._vectors[list(rows)]

    def sentence_vectors(self, rows: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """None: they are made when they are needed."""
        return {}

    def nearest(
        self, vector: NDArray[np.float32], n: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]:
        """Row and cosine similarity of the `n` nearest chunks, best first."""
        rows = self.numbers(documents)
        cosines = (self._vectors[rows] @ vector).tolist()
        return sorted(zip(rows, cosines, strict=True), key=lambda hit: (-hit[1], hit[0]))[:n]

    def check(self) -> None:
        """Raises `BackendError` if there is nothing to search."""
        if not self._chunks:
            raise BackendError("The collection is empty.", "Index documents first.")


def evaluate_chunk_settings(
    index: Index,
    embedder: Embedder,
    settings: RagSettings,
    samples: Sequence[Sample],
    chunk_settings: Sequence[tuple[int, int]],
    cancel: threading.Event,
    turn: Turn | None = None,
) -> Iterator[Progress[RetrievalReport]]:
    """Cut the stored text anew for each (chunk_tokens, overlap_tokens), search it and judge it; one report for each.

    The stored collection is not touched. Each step of work runs inside `with turn():`. Raises `BackendError` for
    settings that cannot be, or if no question can be judged.
    """
    turn = turn or nullcontext
    for tokens, overlap in chunk_settings:
        label = f"{tokens}/{overlap}"
        try:
            collection = yield from _chunk_in_memory(index, embedder, tokens, overlap, cancel, turn)
        except Cancelled:
            return
        searcher = judged_searcher(collection, embedder, settings)
        for step in evaluate(searcher, index, samples, cancel, turn, label):
            report = step.result and replace(step.result, chunk_tokens=tokens, overlap_tokens=overlap)
            yield replace(step, detail=f"chunks of {tokens} tokens: {step.detail}", result=report)


def _chunk_in_memory(
    index: Index, embedder: Embedder, tokens: int, overlap: int, cancel: threading.Event, turn: Turn
) -> Generator[Progress[RetrievalReport], None, InMemoryChunks]:
    if tokens > (limit := embedder.max_tokens - CONTEXT_TOKENS - SPECIAL_TOKENS):
        raise BackendError(f"Chunks of {tokens} tokens are too long for the embedder.", f"Take {limit} or fewer.")
    documents = index.documents()
    stored: list[StoredChunk] = []
    texts: list[str] = []
    for info in documents:
        if cancel.is_set():
            raise Cancelled
        with turn():
            text = Document(info.name, info.sha256, info.format, index.pages(info.name))
            chunks = chunk(text, embedder.tokenizer, tokens, overlap)
            texts += embedded_texts(chunks, embedder.tokenizer)
        for one in chunks:
            place = (one.page, one.start, one.end, one.heading, one.text)
            stored.append(StoredChunk(len(stored), one.chunk_id, one.document, *place))
    steps = embed(texts, embedder, cancel, turn)
    while True:
        try:
            done = next(steps)
        except StopIteration as finished:
            return InMemoryChunks(index.data, documents, stored, finished.value)
        yield Progress(done, len(texts), f"chunks of {tokens} tokens: {done} of {len(texts)} embedded")


METRIC = "nDCG@10"
"""What decides which setting is the best: it counts every place among the first ten."""

_QUESTION_S = 0.05
_EMBED_S = 0.04
"""Roughly what one search, and embedding one chunk, take on two cores: they share out the progress bar."""


@dataclass(frozen=True, slots=True)
class SearchSetting:
    """One way of searching. Sizes in tokens."""

    mode: Mode
    chunk_tokens: int
    overlap_tokens: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one setting."""

    setting: SearchSetting
    report: ModeReport

    @property
    def deciding(self) -> Scores:
        """By key facts where there are some: the passage itself must be found, and not just its document."""
        return self.report.by_fact or self.report.by_document


@dataclass(frozen=True, slots=True)
class Lead:
    """The best setting by `METRIC`, its value, and by how much it is ahead of another one (None: there is no other)."""

    best: Row
    value: Estimate
    other: Row | None = None
    ahead: Estimate | None = None

    @property
    def clear(self) -> bool:
        """Whether the whole interval of the lead is above 0."""
        return self.ahead is not None and self.ahead.low > 0


@dataclass(frozen=True, slots=True)
class Measurement:
    """All rows, best first; the lead over the next best row, and over the setting in force.

    `scores`: of each question, what a threshold is compared with, in the collection as it is stored.
    """

    rows: tuple[Row, ...]
    questions: int
    left_out: dict[str, str]
    lead: Lead
    over_in_force: Lead | None
    scores: tuple[BestScore, ...] = ()

    @property
    def gain(self) -> Lead | None:
        """The lead over the setting in force, if it is clear; else nothing is gained by changing it."""
        return self.over_in_force if self.over_in_force and self.over_in_force.clear else None


def measuring_key(data: Path, collection: str) -> str:
    """The key of the job that measures a collection."""
    return f"measure {Path(data).resolve()} {collection}"


def start_measurement(
    index: Index,
    embedder: Embedder,
    settings: RagSettings,
    samples: Sequence[Sample],
    stored: tuple[int, int],
    others: Sequence[tuple[int, int]],
) -> Job:
    """Start to measure the collection as it is `stored` (chunk and overlap tokens), and cut in `others` ways aside.

    Raises `BackendError` while the same collection is being measured.
    """

    def steps(cancel: threading.Event) -> Iterator[Progress[Measurement]]:
        turn = turns("measuring the search", cancel)
        searching = len(samples) * _QUESTION_S
        cutting = max(index.count(), 1) * _EMBED_S
        costs = [searching, *(cost for _ in others for cost in (cutting, searching))]
        searcher = judged_searcher(index, embedder, settings)
        reports: list[RetrievalReport] = []
        for step in in_thousandths(
            _chained(
                evaluate(searcher, index, samples, cancel, turn, f"{stored[0]}/{stored[1]}"),
                evaluate_chunk_settings(index, embedder, settings, samples, others, cancel, turn),
            ),
            costs,
            reports,
        ):
            if cancel.is_set():
                break
            yield step
        if reports:
            yield Progress(1000, 1000, "done", measurement(reports, stored, settings.mode, len(samples)))

    return jobs.start(measuring_key(index.data, index.collection), f"Measuring {index.collection}", steps)


def _chained(*parts: Iterator[Progress[RetrievalReport]]) -> Iterator[Progress[RetrievalReport]]:
    for part in parts:
        yield from part


def in_thousandths(
    steps: Iterator[Progress[RetrievalReport]], costs: Sequence[float], reports: list[RetrievalReport]
) -> Iterator[Progress[Measurement]]:
    """Phases that each count from their own beginning, as one progress; their reports are collected."""
    phase, last_done, last_total, shown = -1, 0, 0, 0
    for step in steps:
        if step.result is not None:
            reports.append(step.result)
        if step.total != last_total or step.done < last_done or (step.done == last_done and step.result is None):
            phase = min(phase + 1, len(costs) - 1)
        last_done, last_total = step.done, step.total
        past = sum(costs[:phase]) + costs[phase] * step.done / max(step.total, 1)
        shown = max(shown, min(int(1000 * past / sum(costs)), 999))
        yield Progress(shown, 1000, step.detail if step.result is None else "computing the intervals")


def measurement(reports: Sequence[RetrievalReport], stored: tuple[int, int], mode: Mode, questions: int) -> Measurement:
    """What was measured, best setting first; `stored` are the chunk settings of the collection, `mode` is in force."""
    rows = [
        Row(SearchSetting(name, report.chunk_tokens or stored[0], _overlap(report, stored)), found)
        for report in reports
        for name, found in report.modes.items()
    ]
    rows.sort(key=lambda row: -row.deciding.metrics[METRIC].value)
    best = rows[0]
    value = best.deciding.metrics[METRIC]
    lead = Lead(best, value, rows[1], _ahead(best, rows[1])) if len(rows) > 1 else Lead(best, value)
    in_force = next((row for row in rows if row.setting == SearchSetting(mode, *stored)), None)
    over = Lead(best, value, in_force, _ahead(best, in_force)) if in_force not in (None, best) else None
    return Measurement(tuple(rows), questions, dict(reports[0].left_out), lead, over, reports[0].scores)


def _overlap(report: RetrievalReport, stored: tuple[int, int]) -> int:
    return stored[1] if report.overlap_tokens is None else report.overlap_tokens


def _ahead(one: Row, other: Row | None) -> Estimate | None:
    return None if other is None else difference(one.deciding, other.deciding).get(METRIC)
