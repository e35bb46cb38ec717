"""How well a collection is searched: every mode is judged on the same questions, with intervals and latency."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import isnan
from typing import Protocol

from backends.base import BackendError
from backends.lane import Cancelled
from backends.rag.batches import Turn
from backends.rag.documents import PAGE_BREAK, Page
from backends.rag.index import DocumentInfo
from backends.rag.search import Filters, Mode, SearchResult
from evaluation.intervals import Estimate, bootstrap
from evaluation.metrics import holds
from evaluation.question_sets import Sample
from evaluation.rankings import DEPTH, METRICS, document_ranks, fact_ranks, judged

Judge = str
"""What counts as found: "document" (a hit from a source) or "fact" (a hit from a source that holds a key fact)."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One mode on one question set. `questions` has the value of each metric (`METRICS`) by sample id."""

    questions: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds: the median, and what 95 % of the searches stay below."""

    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class ModeReport:
    """One mode. `by_fact` is None if no question has key facts; `latency` is by step, with their sum as `total`."""

    mode: Mode
    by_document: Scores
    by_fact: Scores | None
    latency: Mapping[str, Latency]


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """What was measured. `left_out` says by sample id why a question was not judged."""

    label: str
    modes: Mapping[Mode, ModeReport]
    left_out: Mapping[str, str]
    chunk_tokens: int | None = None
    overlap_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class EvaluationStep:
    """Progress in questions (or parts of the text, while it is cut and embedded); a `result` ends one evaluation."""

    done: int
    total: int
    detail: str
    result: RetrievalReport | None = None


class Compares(Protocol):
    """A `Searcher`, or what searches like one."""

    def prepare(self) -> None: ...

    def compare(self, query: str, k: int, filters: Filters = ...) -> dict[Mode, SearchResult]: ...


class Texts(Protocol):
    """What the questions are checked against: an `Index`."""

    def documents(self) -> list[DocumentInfo]: ...

    def pages(self, document: str) -> tuple[Page, ...]: ...


def evaluate(
    searcher: Compares,
    texts: Texts,
    samples: Sequence[Sample],
    cancel: threading.Event,
    turn: Turn | None = None,
    label: str = "",
) -> Iterator[EvaluationStep]:
    """Search for every question once and judge all modes; the last step has the report, none if it is cancelled.

    Each search runs inside `with turn():`. Raises `BackendError` if no question can be judged.
    """
    turn = turn or nullcontext
    asked, by_fact, left_out = judgeable(texts, samples)
    if not asked:
        reasons = "; ".join(sorted(set(left_out.values()))[:3])
        raise BackendError(f"No question can be judged: {reasons}.", "Give questions with sources of this collection.")
    collected = _Collected(by_fact)
    try:
        with turn():
            searcher.prepare()
            searcher.compare(asked[0].question, DEPTH)  # the first search reads what later ones find in memory
        for number, sample in enumerate(asked, 1):
            if cancel.is_set():
                return
            with turn():
                results = searcher.compare(sample.question, DEPTH)
            collected.add(sample, results)
            yield EvaluationStep(number, len(asked), f"question {number} of {len(asked)}")
    except Cancelled:
        return
    yield EvaluationStep(len(asked), len(asked), "done", RetrievalReport(label, collected.modes(), left_out))


def judgeable(texts: Texts, samples: Sequence[Sample]) -> tuple[list[Sample], set[str], dict[str, str]]:
    """The samples with all sources in the collection, the ids of those whose key facts stand there, and why not."""
    there = {document.name for document in texts.documents()}
    pages: dict[str, str] = {}
    asked: list[Sample] = []
    by_fact: set[str] = set()
    left_out: dict[str, str] = {}
    for sample in samples:
        missing = [source for source in sample.sources if source not in there]
        if not sample.sources or missing:
            left_out[sample.id] = f"{missing[0]} is not in the collection" if missing else "it names no source"
            continue
        asked.append(sample)
        for source in sample.sources:
            if source not in pages:
                pages[source] = PAGE_BREAK.join(page.text for page in texts.pages(source))
        if not sample.key_facts:
            continue
        lost = [fact for fact in sample.key_facts if not any(holds(pages[source], fact) for source in sample.sources)]
        if lost:
            left_out[sample.id] = f"judged by document only: its sources do not hold the key fact {lost[0][0]!r}"
        else:
            by_fact.add(sample.id)
    return asked, by_fact, left_out


def difference(one: Scores, other: Scores) -> dict[str, Estimate]:
    """By how much `one` is ahead of `other` in each metric, on the questions that both have (paired bootstrap)."""
    common = [id for id in one.questions if id in other.questions]
    return _means({id: {m: one.questions[id][m] - other.questions[id][m] for m in METRICS} for id in common})


@dataclass(slots=True)
class _Collected:
    """Values and seconds as they come in."""

    by_fact: set[str]
    values: dict[tuple[Mode, Judge], dict[str, dict[str, float]]] = field(default_factory=dict)
    seconds: dict[Mode, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, sample: Sample, results: Mapping[Mode, SearchResult]) -> None:
        passages = len(sample.sources)
        for mode, result in results.items():
            of = self.values.setdefault((mode, "document"), {})
            of[sample.id] = judged(document_ranks(result.hits, sample), passages)
            if sample.id in self.by_fact:
                of = self.values.setdefault((mode, "fact"), {})
                of[sample.id] = judged(fact_ranks(result.hits, sample), passages)
            steps = self.seconds.setdefault(mode, {})
            for step, seconds in {**result.stage_s, "total": sum(result.stage_s.values())}.items():
                steps.setdefault(step, []).append(seconds)

    def modes(self) -> dict[Mode, ModeReport]:
        return {
            mode: ModeReport(mode, self._scores(mode, "document"), self._facts(mode), self._latency(mode))
            for mode in self.seconds
        }

    def _facts(self, mode: Mode) -> Scores | None:
        return self._scores(mode, "fact") if (mode, "fact") in self.values else None

    def _scores(self, mode: Mode, judge: Judge) -> Scores:
        values = self.values[mode, judge]
        return Scores(values, _means(values))

    def _latency(self, mode: Mode) -> dict[str, Latency]:
        import numpy as np

        return {step: Latency(*map(float, np.percentile(s, (50, 95)))) for step, s in self.seconds[mode].items()}


def _means(questions: Mapping[str, Mapping[str, float]]) -> dict[str, Estimate]:
    """Each metric with its interval, without the questions to which it does not apply."""
    found = {m: [values[m] for values in questions.values() if not isnan(values[m])] for m in METRICS}
    return {metric: bootstrap(values) for metric, values in found.items() if values}
