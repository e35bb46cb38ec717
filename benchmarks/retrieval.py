"""How well each way of searching finds what is asked for, on two question sets or more, with intervals.

`handbook` is sample_docs with its questions, judged by document and by key fact; `policy` is Debian Policy, which
nobody here wrote: one document per section, its title taken out and asked for; `--manual` names other manuals.
Intervals are percentile bootstraps; those of differences are paired, question by question. The settings were chosen on
other text: the manuals developers-reference and debian-reference (in the same way), and the training questions of
sample_docs.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.errors import BackendError
from backends.rag.approach import embedder
from backends.rag.search.retriever import Mode, Searcher
from backends.rag.store.index import Index
from backends.settings import RagSettings, Settings
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure, Goal
from benchmarks.manuals import POLICY, questions, read_manual
from benchmarks.vector_cache import RememberingEmbedder, as_embedder
from evaluation.metrics import NOT_ANSWERED
from evaluation.retrieval import Judge, RetrievalReport, Scores, difference, evaluate, fact_ranks
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from evaluation.statistics import Estimate

NAME = "retrieval"
MAIN = "nDCG@10"
WEIGHTS = (0.1, 0.2, 0.25, 0.3, 0.4, 0.6)
THRESHOLDS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
_AHEAD = Goal(0, "at least")
_QUICK = 12


@dataclass(frozen=True, slots=True)
class _Corpus:
    """A collection with its questions, and how they are judged."""

    name: str
    index: Index
    samples: Sequence[Sample]
    judges: tuple[Judge, ...]


def run(bench: Bench) -> Outcome:
    """Search both corpora in every mode."""
    settings = bench.settings(**({"rag__reranker": bench.reranker} if bench.reranker else {}))
    figures: list[Figure] = []
    notes: list[str] = []
    raw: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="crossroads-policy-") as folder:
        corpora = [_handbook(settings, bench.quick), *_manuals(bench, settings, Path(folder), notes)]
        for corpus in corpora:
            bench.report(f"{corpus.name}: {len(corpus.samples)} questions, {corpus.index.count()} chunks")
            report = _report(corpus, settings, settings.rag)
            figures += _quality(corpus, report, settings.rag.mode)
            figures += _latency(corpus, report)
            raw[corpus.name] = _record(report)
        if not bench.quick:
            notes.append(_weights(corpora, settings, raw))
        notes.append(_thresholds(corpora[0], settings, raw))
        for corpus in corpora[1:]:
            corpus.index.drop()
    if not bench.reranker:
        notes.append(
            "Reranked search was not measured: no cross-encoder comes inside a package. "
            "Name one with --reranker (a Hub id or a folder)."
        )
    return Outcome(tuple(figures), tuple(notes), raw)


def _handbook(settings: Settings, quick: bool) -> _Corpus:
    samples = read_question_set(SAMPLE_QUESTIONS)
    index = Index(settings.data, settings.rag.collection, embedder(settings), settings.rag)
    return _Corpus("handbook", index, samples[:_QUICK] if quick else samples, ("document", "fact"))


def _manuals(bench: Bench, settings: Settings, folder: Path, notes: list[str]) -> Iterator[_Corpus]:
    """A collection of sections for each manual; `notes` has those that cannot be read."""
    for number, path in enumerate(bench.manuals or (POLICY,)):
        name = path.name.partition(".")[0] if path.is_file() else "/".join(path.parts[-2:])
        try:
            sections = read_manual(path)
        except (OSError, UnicodeDecodeError, BackendError) as fault:
            notes.append(
                f"Figures of {path} are left out: it cannot be read ({type(fault).__name__}: {fault}). "
                "Debian Policy is installed by `apt-get install debian-policy`; images that leave out /usr/share/doc "
                "need `apt-get download` and `dpkg-deb -x`, and --manual FILE for policy.txt.gz."
            )
            continue
        if not (samples := questions(sections)):
            notes.append(f"Figures of {path} are left out: it has no headings that could be asked for.")
            continue
        if bench.quick:
            samples, sections = samples[:_QUICK], sections[: 2 * _QUICK]
        (texts := folder / str(number)).mkdir()
        for section in sections:
            (texts / section.file).write_text(section.text, "utf-8")
        bench.report(f"{name}: indexing {len(sections)} sections")
        index = Index(settings.data, f"manual-{number}", embedder(settings), settings.rag)
        for _ in index.add([texts], threading.Event()):
            pass
        yield _Corpus(name, index, samples, ("document",))


def _report(
    corpus: _Corpus, settings: Settings, rag: RagSettings, vectors: RememberingEmbedder | None = None
) -> RetrievalReport:
    searcher = Searcher(corpus.index, as_embedder(vectors) if vectors else embedder(settings), rag)
    *_, last = evaluate(searcher, corpus.index, corpus.samples, threading.Event(), label=corpus.name)
    if last.result is None:
        raise BackendError(f"{corpus.name} was not judged.", "Run it again.")
    return last.result


def _scores(report: RetrievalReport, mode: Mode, judge: Judge) -> Scores:
    one = report.modes[mode]
    scores = one.by_document if judge == "document" else one.by_fact
    assert scores
    return scores


def _quality(corpus: _Corpus, report: RetrievalReport, default: Mode) -> list[Figure]:
    figures = []
    for judge in corpus.judges:
        for mode in report.modes:
            metrics = _scores(report, mode, judge).metrics
            label = f"{corpus.name}, by {judge}: {mode}" + (" (default)" if mode == default else "")
            figures.append(Figure(NAME, label, "", (metrics[MAIN].value,), shown=_all(metrics)))
        for other in ("dense", "keyword"):
            if other != default:
                ahead = difference(_scores(report, default, judge), _scores(report, other, judge))
                name = f"{corpus.name}, by {judge}: {default} ahead of {other}"
                figures.append(Figure(NAME, name, "", (ahead[MAIN].value,), goal=_AHEAD, shown=_all(ahead, "+")))
    return figures


def _all(metrics: Mapping[str, Estimate], sign: str = "") -> str:
    """The main metric with its interval, then the others."""
    one = metrics[MAIN]
    main = f"{MAIN} {one.value:{sign}.3f} (95 %: {one.low:{sign}.3f} to {one.high:{sign}.3f})"
    return "; ".join([main, *(f"{name} {m.value:{sign}.3f}" for name, m in metrics.items() if name != MAIN)])


def _latency(corpus: _Corpus, report: RetrievalReport) -> list[Figure]:
    figures = []
    last = list(report.modes.values())[-1]
    for step, latency in last.latency.items():
        shown = f"{1000 * latency.p50_s:.1f} ms; p95 {1000 * latency.p95_s:.1f} ms"
        name = f"{corpus.name}: time of {last.mode} search, {step}"
        figures.append(Figure(NAME, name, "ms", (1000 * latency.p50_s,), shown=shown))
    return figures


def _weights(corpora: Sequence[_Corpus], settings: Settings, raw: dict[str, Any]) -> str:
    """What other weights would give, and what the best weight of the other corpora gives on each."""
    vectors = RememberingEmbedder(embedder(settings), settings.data)
    table: dict[str, dict[float, float]] = {}
    for corpus in corpora:
        for weight in WEIGHTS:
            rag = settings.rag.model_copy(update={"keyword_weight": weight, "reranker": None})
            scores = _scores(_report(corpus, settings, rag, vectors), "fused", corpus.judges[-1])
            table.setdefault(corpus.name, {})[weight] = scores.metrics[MAIN].value
    raw["keyword_weight"] = {name: {str(w): value for w, value in row.items()} for name, row in table.items()}
    parts = [f"{name} " + ", ".join(f"{w:g}: {v:.3f}" for w, v in row.items()) for name, row in table.items()]
    for name, row in table.items():
        if others := [other for key, other in table.items() if key != name]:
            sums = {weight: sum(other[weight] for other in others) for weight in WEIGHTS}
            best = max(WEIGHTS, key=sums.__getitem__)
            parts.append(f"{best:g}, the best of all but {name}, gives {row[best]:.3f} on it")
    default = f"default {settings.rag.keyword_weight:g}"
    return f"{MAIN} of fused search by rag.keyword_weight ({default}): " + "; ".join(parts)


def _thresholds(corpus: _Corpus, settings: Settings, raw: dict[str, Any]) -> str:
    """What `rag.min_score` does: to questions that the documents do not answer, and to those that they do."""
    searcher = Searcher(corpus.index, embedder(settings), settings.rag)
    unanswered: list[float] = []
    found: list[float] = []
    for sample in corpus.samples:
        result = searcher.search(sample.question, settings.rag.k)
        hits, best = result.hits, result.sentences[0].score if result.sentences else 0.0
        if NOT_ANSWERED in sample.tags:
            unanswered.append(best)
        elif sample.key_facts and None not in fact_ranks(hits, sample):
            found.append(best)
    rows = {
        threshold: (sum(best < threshold for best in unanswered), sum(best < threshold for best in found))
        for threshold in THRESHOLDS
    }
    raw["min_score"] = {
        "unanswered": len(unanswered),
        "answered_with_facts_found": len(found),
        "emptied_and_lost": {str(threshold): row for threshold, row in rows.items()},
    }
    parts = ", ".join(f"{t:g}: {emptied} and {lost}" for t, (emptied, lost) in rows.items())
    return (
        f"rag.min_score (default {settings.rag.min_score:g}): of {len(unanswered)} questions without answer how many "
        f"find nothing, and of {len(found)} whose facts are among {settings.rag.k} hits how many lose them: {parts}."
    )


def _record(report: RetrievalReport) -> dict[str, Any]:
    return {
        "left_out": dict(report.left_out),
        "modes": {
            mode: {
                judge: {
                    "metrics": {name: [m.value, m.low, m.high] for name, m in scores.metrics.items()},
                    "questions": {id: _finite(values) for id, values in scores.questions.items()},
                }
                for judge, scores in (("document", one.by_document), ("fact", one.by_fact))
                if scores
            }
            | {"latency_s": {step: [found.p50_s, found.p95_s] for step, found in one.latency.items()}}
            for mode, one in report.modes.items()
        },
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: value if value == value else None for name, value in values.items()}
