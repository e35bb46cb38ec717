"""What the threshold refuses on collections as people begin with: three short documents, asked in people's own words.

Five of them (`benchmarks/corpora/small`), each a Markdown file, a Word file and a PDF on one subject, with seven
questions that they answer and two that they do not. Nothing was chosen on them.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from backends.errors import BackendError
from backends.rag.approach import open_index, open_searcher
from backends.settings import Settings
from benchmarks.bench import Bench, Outcome
from benchmarks.corpora import HOME
from benchmarks.figures import Figure
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample, read_question_set
from evaluation.statistics import share_text
from evaluation.thresholds import BestScore, curve, refusals

NAME = "small_collections"
SMALL = HOME / "small"


def run(bench: Bench) -> Outcome:
    """Every collection by itself, then all of them together over thresholds."""
    samples = read_question_set(SMALL / "questions.csv")
    folders = sorted(folder for folder in SMALL.iterdir() if folder.is_dir())
    figures: list[Figure] = []
    every: list[BestScore] = []
    threshold = bench.settings().rag.min_score
    with tempfile.TemporaryDirectory(prefix="small-", dir=bench.data) as data:
        for folder in folders[: 1 if bench.quick else None]:
            settings = bench.settings(data=data, rag__collection=folder.name)
            found = scores(settings, folder, [sample for sample in samples if folder.name in sample.tags])
            figures += _figures(folder.name, found, threshold)
            every += found
    figures += _figures("all", every, threshold)
    notes = [
        f"With threshold {one.threshold:g}, {one.falsely} of {one.answerable} questions with an answer are refused, "
        f"and {one.rightly} of {one.unanswerable} without."
        for one in curve(every, threshold)
        if one.threshold <= 0.2
    ]
    return Outcome(tuple(figures), tuple(notes), {one.question: one.score for one in every})


def scores(settings: Settings, folder: Path, samples: list[Sample]) -> list[BestScore]:
    """Index a folder and search for every question. Raises `BackendError` if a document cannot be read."""
    for step in open_index(settings).add([folder], threading.Event()):
        if step.state == "rejected":
            raise BackendError(f"{step.file} cannot be read: {step.cause}", step.next_step)
    searcher = open_searcher(settings)
    found = []
    for sample in samples:
        best = searcher.search(sample.question, settings.rag.k).sentences[:1]
        by_code = searcher.holds_code(sample.question)
        score = best[0].score if best else None
        found.append(BestScore(sample.question, score, NOT_ANSWERED not in sample.tags, by_code))
    return found


def _figures(name: str, found: list[BestScore], threshold: float) -> list[Figure]:
    one = refusals(found, threshold)
    return [
        Figure(NAME, f"{name}: {what}", "%", (100 * count / asked,), shown=share_text(count, asked))
        for what, count, asked in (
            ("refused although it is answered", one.falsely, one.answerable),
            ("refused where it is not answered", one.rightly, one.unanswerable),
        )
    ]
