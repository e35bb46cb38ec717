"""What embedding documents with 8-bit layers loses: dense search over such vectors, against exact ones.

Questions are embedded exactly in both. Two question sets: the sample handbook with its questions, and Debian Policy
with its section titles as questions. Where the processor is not fast at 8 bits, both are exact and nothing is lost.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from backends.models.weights import resolve
from backends.rag.approach import SAMPLE_DOCUMENTS
from backends.rag.search.embedder import Embedder
from backends.rag.search.retriever import Searcher
from backends.rag.store.index import Index
from backends.settings import RagSettings
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure
from benchmarks.manuals import POLICY, questions, read_manual
from evaluation.retrieval import Scores, difference, evaluate
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set

NAME = "int8_loss"
_METRICS = ("hit@1", "hit@5", "MRR", "nDCG@10")
_Set = tuple[str, Path, Sequence[Sample]]
_NOTE = "Below 0 means that less is found with 8 bits; the intervals are paired bootstraps."


def run(bench: Bench) -> Outcome:
    """Index each corpus twice and search both."""
    settings = bench.settings()
    weights = resolve(settings.rag.embedder, settings.data)
    models = [Embedder(weights.folder, settings.raw.device, weights.model_id, int8) for int8 in (True, False)]
    figures: list[Figure] = []
    notes = [_NOTE]
    with tempfile.TemporaryDirectory(prefix="crossroads-int8-") as folder:
        for name, corpus, samples in _sets(bench, Path(folder), notes):
            bench.report(f"{name}: {len(samples)} questions")
            data = Path(folder, f"{name} index")
            eights, exact = (_dense(model, settings.rag, data, corpus, samples) for model in models)
            figures += _figures(name, eights, exact)
    return Outcome(tuple(figures), tuple(notes))


def _sets(bench: Bench, folder: Path, notes: list[str]) -> list[_Set]:
    sets: list[_Set] = [("handbook", SAMPLE_DOCUMENTS, read_question_set(SAMPLE_QUESTIONS))]
    if bench.quick:
        return sets
    try:
        sections = read_manual(next(iter(bench.manuals), POLICY))
    except (OSError, UnicodeDecodeError):
        notes.append("Debian Policy is not installed, so the loss on it was not measured (see the notes of retrieval).")
        return sets
    corpus = folder / "policy"
    corpus.mkdir()
    for section in sections:
        (corpus / section.file).write_text(section.text, "utf-8")
    return [*sets, ("policy", corpus, questions(sections))]


def _dense(model: Embedder, rag: RagSettings, data: Path, corpus: Path, samples: Sequence[Sample]) -> Scores:
    """What dense search finds in a fresh collection, by document."""
    index = Index(data, model.identity, model, rag)
    for step in index.add([corpus], threading.Event()):
        if step.state == "rejected":
            raise RuntimeError(f"{step.file} was rejected: {step.cause}")
    *_, last = evaluate(Searcher(index, model, rag), index, samples, threading.Event())
    if last.result is None:
        raise RuntimeError("nothing was judged")
    return last.result.modes["dense"].by_document


def _figures(name: str, eights: Scores, exact: Scores) -> list[Figure]:
    lost = difference(eights, exact)
    return [
        Figure(
            NAME,
            f"{name}, dense search: {metric} with 8 bits, less that without",
            "",
            (lost[metric].value,),
            shown=f"{eights.metrics[metric].value:.3f} - {exact.metrics[metric].value:.3f} = {lost[metric]}",
        )
        for metric in _METRICS
    ]
