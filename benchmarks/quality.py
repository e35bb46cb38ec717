"""How many sample questions each local approach answers right, and how often retrieval finds the document.

Every question of sample_docs/questions.csv is put to all local approaches through `compare()`, as the app does: one
after another, greedy, at most 60 tokens. Greedy decoding repeats itself, so there is one pass; the questions are the
sample, and the intervals (Wilson, 95 %) say how far a share may be off. The paid approach needs a key and is not in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import backends
from backends.base import Answer, Backend
from backends.rag.approach import open_searcher
from backends.run.compare import compare
from backends.settings import Settings
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure
from evaluation.metrics import hit_at
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from evaluation.scorers.right import is_right
from evaluation.statistics import share_text

NAME = "quality"
_QUICK = ("single_fact", "two_passages", "not_answered")
_HITS = 5


def run(bench: Bench) -> Outcome:
    """Ask everything, judge it, and search once more for the hits."""
    settings = bench.settings(max_tokens=60, temperature=0)
    samples = read_question_set(SAMPLE_QUESTIONS)
    if bench.quick:
        samples = [next(sample for sample in samples if tag in sample.tags) for tag in _QUICK]
    names = [name for name in ("raw", "fine_tuned", "rag") if bench.adapter or name != "fine_tuned"]
    asked = [backends.make(name, settings) for name in names]
    for backend in asked:
        list(backend.load(threading.Event()))
    answers = _answers(asked, settings, samples, bench.report)
    hits = _hits(settings, samples)
    figures = [*_right(names, samples, answers), *_hit_figures(samples, hits)]
    for name in names:
        figures += _spent(name, [given[name] for given in answers])
    raw = {"models": {b.approach: b.model for b in asked}, "samples": _records(samples, answers, hits)}
    notes = _NOTES if bench.adapter else (*_NOTES, "There was no adapter, so the fine-tuned column is missing.")
    return Outcome(tuple(figures), notes, raw)


_NOTES = (
    "The paid approach was not asked: there is no key here. An answer is right if it holds every key fact as a whole "
    "word, or says that the documents do not say where they do not (the scorer right).",
    "A question with several tags counts under each of them.",
)

_Given = dict[str, Answer]


def _answers(
    asked: Sequence[Backend], settings: Settings, samples: Sequence[Sample], report: Callable[[str], None]
) -> list[_Given]:
    given: list[_Given] = []
    for number, sample in enumerate(samples, 1):
        events = compare(asked, settings.question(sample.question), threading.Event())
        given.append({name: event for name, event in events if isinstance(event, Answer)})
        if number % 10 == 0 or number == len(samples):
            right = {b.approach: sum(_rights(b.approach, samples, given)) for b in asked}
            report(f"question {number} of {len(samples)}, right so far: {right}")
    return given


def _rights(approach: str, samples: Sequence[Sample], answers: Sequence[_Given]) -> list[bool]:
    """For each answered sample, whether `approach` got it right."""
    return [is_right(given[approach].text, sample) for sample, given in zip(samples, answers, strict=False)]


def _right(names: Sequence[str], samples: Sequence[Sample], answers: Sequence[_Given]) -> list[Figure]:
    figures = []
    tags = ["all", *dict.fromkeys(tag for sample in samples for tag in sample.tags)]
    for tag in tags:
        chosen = [number for number, sample in enumerate(samples) if tag == "all" or tag in sample.tags]
        percent: dict[str, float] = {}
        for name in names:
            rights = _rights(name, samples, answers)
            right = sum(rights[number] for number in chosen)
            percent[name] = 100 * right / len(chosen)
            reference = {} if name == "raw" else {"reference": "raw", "reference_values": (percent["raw"],)}
            figures.append(
                Figure(
                    NAME,
                    f"right answers, {tag}: {name}",
                    "%",
                    (percent[name],),
                    compared=None if name == "raw" else "difference",
                    shown=share_text(right, len(chosen)),
                    **reference,  # type: ignore[arg-type]
                )
            )
    return figures


def _hits(settings: Settings, samples: Sequence[Sample]) -> list[list[str]]:
    """The documents of the first five passages for each question, best first, whatever their similarity."""
    searcher = open_searcher(settings)
    found = [searcher.search(sample.question, _HITS) for sample in samples]
    return [[hit.passage.document for hit in result.hits] for result in found]


def _hit_figures(samples: Sequence[Sample], hits: Sequence[list[str]]) -> list[Figure]:
    kinds = (
        ("single_fact", 1, "hit@1 by document, single_fact"),
        ("single_fact", _HITS, f"hit@{_HITS} by document, single_fact"),
        ("two_passages", _HITS, f"every source within {_HITS} hits, two_passages"),
    )
    figures = []
    for tag, k, label in kinds:
        pairs = [pair for pair in zip(samples, hits, strict=True) if tag in pair[0].tags]
        found = sum(hit_at(documents, sample.sources, k) for sample, documents in pairs)
        if pairs:
            shown = share_text(found, len(pairs))
            figures.append(Figure(NAME, f"retrieval: {label}", "%", (100 * found / len(pairs),), shown=shown))
    return figures


def _spent(name: str, answers: Sequence[Answer]) -> list[Figure]:
    """Latency over the questions and the cost of them all; an unknown cost makes the total unknown."""
    latencies = tuple(a.timings.latency_s for a in answers if a.timings.latency_s is not None)
    costs = [a.cost.usd for a in answers]
    failed = sum(a.status == "error" for a in answers)
    figures = [Figure(NAME, f"latency per answer: {name}", "s", latencies)] if latencies else []
    if None not in costs:
        total = sum((cost for cost in costs if cost is not None), Decimal(0))
        shown = f"{total:.3g} USD for {len(answers)} answers"
        figures.append(Figure(NAME, f"cost of all answers: {name}", "USD", (float(total),), shown=shown))
    if failed:
        figures.append(Figure(NAME, f"answers that failed (counted as wrong): {name}", "", (failed,)))
    return figures


def _records(samples: Sequence[Sample], answers: Sequence[_Given], hits: Sequence[list[str]]) -> list[dict[str, Any]]:
    return [
        {
            "id": sample.id,
            "tags": list(sample.tags),
            "sources": list(sample.sources),
            "hits": documents,
            "answers": {
                name: {
                    "text": answer.text,
                    "status": answer.status,
                    "error": answer.error,
                    "right": is_right(answer.text, sample),
                    "latency_s": answer.timings.latency_s,
                    "completion_tokens": answer.usage.completion_tokens,
                    "cost_usd": None if answer.cost.usd is None else f"{answer.cost.usd:f}",
                }
                for name, answer in given.items()
            },
        }
        for sample, given, documents in zip(samples, answers, hits, strict=True)
    ]
