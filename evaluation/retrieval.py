"""How well a collection is searched: every mode is judged on the same questions, with intervals and latency."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from math import isnan, log2, nan
from typing import Protocol

from backends.errors import BackendError
from backends.rag.documents.files import PAGE_BREAK, Page
from backends.rag.search.embedder import Turn
from backends.rag.search.retriever import Filters, Hit, Mode, SearchResult
from backends.rag.store.index import DocumentInfo
from backends.run.jobs import Progress
from backends.run.lane import Cancelled
from evaluation.metrics import NOT_ANSWERED, contains_fact
from evaluation.samples import Sample
from evaluation.statistics import Estimate, bootstrap
from evaluation.thresholds import BestScore

DEPTH = 10
"""Hits that are judged."""

WITHOUT_ANSWER = "the documents do not answer it: it shows what the threshold refuses rightly"
HITS_AT = (1, 3, 5, 10)
METRICS = (*(f"hit@{k}" for k in HITS_AT), "MRR", "nDCG@10")
"""`hit@k`: share of questions for which everything wanted is among the first k hits. `MRR`: mean of 1 / rank of the
first hit that is wanted. `nDCG@10`: the sum over what is wanted of 1 / log2(1 + rank), over the best possible sum.
Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval" (2008), chapter 8.
"""


def document_ranks(hits: Sequence[Hit], sample: Sample) -> list[int | None]:
    """For each source of a sample, the rank of the first hit from it; None if there is none."""
    found = [{passage.document for passage in (hit.passage, *hit.near_duplicates)} for hit in hits[:DEPTH]]
    return [_first(source in documents for documents in found) for source in sample.sources]


def fact_ranks(hits: Sequence[Hit], sample: Sample) -> list[int | None]:
    """For each key fact, the rank of the first hit from a source of the sample that holds it; None if there is none."""
    found = [
        [passage.text for passage in (hit.passage, *hit.near_duplicates) if passage.document in sample.sources]
        for hit in hits[:DEPTH]
    ]
    return [_first(any(contains_fact(text, fact) for text in texts) for texts in found) for fact in sample.key_facts]


def metric_values(ranks: Sequence[int | None], passages: int) -> dict[str, float]:
    """The value of every metric for one question, which needs at least this many passages.

    hit@k is NaN where k passages cannot be enough. The best possible list has one thing in each of the first
    `passages` places and the rest in the first.
    """
    places = min(passages, len(ranks))
    found = [rank for rank in ranks if rank is not None and rank <= DEPTH]
    complete = max(found) if len(found) == len(ranks) else DEPTH + 1
    values = {f"hit@{k}": nan if k < places else float(complete <= k) for k in HITS_AT}
    values["MRR"] = 1 / min(found) if found else 0.0
    best = len(ranks) - places + sum(1 / log2(1 + place) for place in range(1, places + 1))
    values["nDCG@10"] = sum(1 / log2(1 + rank) for rank in found) / best
    return values


def _first(wanted: Iterable[bool]) -> int | None:
    """The rank of the first true one."""
    for rank, is_wanted in enumerate(wanted, 1):
        if is_wanted:
            return rank
    return None


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
    """What was measured. `left_out` says by sample id why a question was not judged.

    `scores` are what a threshold is compared with, of the questions that were judged and of those without an answer.
    """

    label: str
    modes: Mapping[Mode, ModeReport]
    left_out: Mapping[str, str]
    chunk_tokens: int | None = None
    overlap_tokens: int | None = None
    scores: tuple[BestScore, ...] = ()


class ComparingSearcher(Protocol):
    """A `Searcher`, or what searches like one."""

    def prepare(self) -> None: ...

    def compare(self, query: str, k: int, filters: Filters = ...) -> dict[Mode, SearchResult]: ...

    def holds_code(self, query: str) -> bool: ...


class DocumentTexts(Protocol):
    """What the questions are checked against: an `Index`."""

    def documents(self) -> list[DocumentInfo]: ...

    def pages(self, document: str) -> tuple[Page, ...]: ...


def evaluate(
    searcher: ComparingSearcher,
    texts: DocumentTexts,
    samples: Sequence[Sample],
    cancel: threading.Event,
    turn: Turn | None = None,
    label: str = "",
) -> Iterator[Progress[RetrievalReport]]:
    """Search for every question once and judge all modes; the last step has the report, none if it is cancelled.

    Questions tagged as having no answer are searched for too: they tell what a threshold refuses rightly.
    Each search runs inside `with turn():`. Raises `BackendError` if no question can be judged.
    """
    turn = turn or nullcontext
    asked, by_fact, left_out = usable_samples(texts, samples)
    if not asked:
        reasons = "; ".join(sorted(set(left_out.values()))[:3])
        raise BackendError(f"No question can be judged: {reasons}.", "Give questions with sources of this collection.")
    without = [one for one in samples if NOT_ANSWERED in one.tags and one.id in left_out]
    left_out |= dict.fromkeys((one.id for one in without), WITHOUT_ANSWER)
    every = (*asked, *without)
    collected, scores = _Collected(by_fact), list[BestScore]()
    try:
        with turn():
            searcher.prepare()
            searcher.compare(asked[0].question, DEPTH)  # the first search reads what later ones find in memory
        for number, sample in enumerate(every, 1):
            if cancel.is_set():
                return
            with turn():
                results = searcher.compare(sample.question, DEPTH)
                by_code = searcher.holds_code(sample.question)
            if number <= len(asked):
                collected.add(sample, results)
            scores.append(BestScore(sample.question, _best(results), NOT_ANSWERED not in sample.tags, by_code))
            yield Progress(number, len(every), f"question {number} of {len(every)}")
    except Cancelled:
        return
    report = RetrievalReport(label, collected.modes(), left_out, scores=tuple(scores))
    yield Progress(len(every), len(every), "done", report)


def _best(results: Mapping[Mode, SearchResult]) -> float | None:
    """The score of the best sentence, which all modes have in common."""
    return next((result.best_score for result in results.values() if result.sentences), None)


def _name_there(source: str, there: Collection[str]) -> str:
    """A source as the collection calls it: a folder above it may have been indexed. As given if that is ambiguous."""
    found = () if source in there else tuple(name for name in there if name.endswith(f"/{source}"))
    return found[0] if len(found) == 1 else source


def usable_samples(texts: DocumentTexts, samples: Sequence[Sample]) -> tuple[list[Sample], set[str], dict[str, str]]:
    """The samples with all sources in the collection, the ids of those whose key facts stand there, and why not."""
    there = {document.name for document in texts.documents()}
    pages: dict[str, str] = {}
    asked: list[Sample] = []
    by_fact: set[str] = set()
    left_out: dict[str, str] = {}
    for read in samples:
        sample = replace(read, sources=tuple(_name_there(source, there) for source in read.sources))
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
        lost = [
            fact
            for fact in sample.key_facts
            if not any(contains_fact(pages[source], fact) for source in sample.sources)
        ]
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
            by_sample = self.values.setdefault((mode, "document"), {})
            by_sample[sample.id] = metric_values(document_ranks(result.hits, sample), passages)
            if sample.id in self.by_fact:
                by_sample = self.values.setdefault((mode, "fact"), {})
                by_sample[sample.id] = metric_values(fact_ranks(result.hits, sample), passages)
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
