"""Measuring how a collection is searched, as a job: every mode with every chunk setting, and which is the best."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends import jobs
from backends.jobs import Job
from backends.lane import turns
from backends.rag.embedder import Embedder
from backends.rag.index import Index
from backends.rag.search import Mode, Searcher
from backends.settings import RagSettings
from evaluation.chunk_settings import evaluate_chunk_settings
from evaluation.intervals import Estimate
from evaluation.question_sets import Sample
from evaluation.retrieval import EvaluationStep, ModeReport, RetrievalReport, Scores, difference, evaluate

METRIC = "nDCG@10"
"""What decides which setting is the best: it counts every place among the first ten."""

_QUESTION_S = 0.05
_EMBED_S = 0.04
"""Roughly what one search, and embedding one chunk, take on two cores: they share out the progress bar."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of searching. Sizes in tokens."""

    mode: Mode
    chunk_tokens: int
    overlap_tokens: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one setting."""

    setting: Setting
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
    """All rows, best first; the lead over the next best row, and over the setting in force."""

    rows: tuple[Row, ...]
    questions: int
    left_out: dict[str, str]
    lead: Lead
    over_in_force: Lead | None


@dataclass(frozen=True, slots=True)
class MeasuringStep:
    """Progress in thousandths; the last step has the measurement."""

    done: int
    total: int
    detail: str
    result: Measurement | None = None


def measuring_key(data: Path, collection: str) -> str:
    """The key of the job that measures a collection."""
    return f"measure {Path(data).resolve()} {collection}"


def measure(
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

    def steps(cancel: threading.Event) -> Iterator[MeasuringStep]:
        turn = turns("measuring the search", cancel)
        searching = len(samples) * _QUESTION_S
        cutting = max(index.count(), 1) * _EMBED_S
        costs = [searching, *(cost for _ in others for cost in (cutting, searching))]
        searcher = Searcher(index, embedder, settings)
        reports: list[RetrievalReport] = []
        for step in _in_thousandths(
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
            yield MeasuringStep(1000, 1000, "done", _measurement(reports, stored, settings.mode, len(samples)))

    return jobs.start(measuring_key(index.data, index.collection), f"Measuring {index.collection}", steps)


def _chained(*parts: Iterator[EvaluationStep]) -> Iterator[EvaluationStep]:
    for part in parts:
        yield from part


def _in_thousandths(
    steps: Iterator[EvaluationStep], costs: Sequence[float], reports: list[RetrievalReport]
) -> Iterator[MeasuringStep]:
    """Phases that each count from their own beginning, as one progress; their reports are collected."""
    phase, last, of, shown = -1, 0, 0, 0
    for step in steps:
        if step.result is not None:
            reports.append(step.result)
        if step.total != of or step.done < last or (step.done == last and step.result is None):
            phase = min(phase + 1, len(costs) - 1)
        last, of = step.done, step.total
        past = sum(costs[:phase]) + costs[phase] * step.done / max(step.total, 1)
        shown = max(shown, min(int(1000 * past / sum(costs)), 999))
        yield MeasuringStep(shown, 1000, step.detail if step.result is None else "reckoning the intervals")


def _measurement(
    reports: Sequence[RetrievalReport], stored: tuple[int, int], mode: Mode, questions: int
) -> Measurement:
    rows = [
        Row(Setting(name, report.chunk_tokens or stored[0], _overlap(report, stored)), found)
        for report in reports
        for name, found in report.modes.items()
    ]
    rows.sort(key=lambda row: -row.deciding.metrics[METRIC].value)
    best = rows[0]
    value = best.deciding.metrics[METRIC]
    lead = Lead(best, value, rows[1], _ahead(best, rows[1])) if len(rows) > 1 else Lead(best, value)
    in_force = next((row for row in rows if row.setting == Setting(mode, *stored)), None)
    over = Lead(best, value, in_force, _ahead(best, in_force)) if in_force not in (None, best) else None
    return Measurement(tuple(rows), questions, dict(reports[0].left_out), lead, over)


def _overlap(report: RetrievalReport, stored: tuple[int, int]) -> int:
    return stored[1] if report.overlap_tokens is None else report.overlap_tokens


def _ahead(one: Row, other: Row | None) -> Estimate | None:
    return None if other is None else difference(one.deciding, other.deciding).get(METRIC)
