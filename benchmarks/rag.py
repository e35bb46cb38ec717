"""RAG on documents: is the fact among what is found, and is the answer right?

On the sample handbook, on both halves of the corpus `field` (benchmarks/corpora), or on a folder with a question set.
First every question is searched for: how many of the best passages and sentences hold its facts. Then it is put to the
RAG approach, greedy, with at most 60 tokens unless `--set max_tokens` says otherwise. `--search-only` leaves the
second part out; with `--data FOLDER` the collection is kept, and the next run takes seconds.
"""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

from backends.errors import BackendError
from backends.rag.approach import embedder
from backends.rag.search.retriever import judged_searcher
from backends.rag.store.index import Index
from backends.settings import Settings
from backends.storage import strict_json
from benchmarks import rag_answers, rag_found
from benchmarks.bench import Bench, Outcome
from benchmarks.corpora import CORPORA, FIELD, HANDBOOK, Corpus, superseded_values
from benchmarks.figures import Figure
from benchmarks.vector_cache import RememberingEmbedder, as_embedder
from evaluation.asking import MAX_TOKENS
from evaluation.samples import evenly

NAME = "rag"
_QUICK = 6


def run(bench: Bench) -> Outcome:
    """Every corpus that was asked for, one after another."""
    figures: list[Figure] = []
    notes: list[str] = []
    raw: dict[str, Any] = {}
    earlier = _earlier(bench.against)
    for corpus in bench.corpora or tuple(CORPORA.values()):
        settings = bench.settings(max_tokens=MAX_TOKENS, temperature=0, rag__collection=_collection(corpus))
        samples = corpus.samples()
        samples = evenly(samples, _QUICK if bench.quick else bench.limit or len(samples))
        old = superseded_values(corpus.name)
        index = _index(corpus, settings)
        bench.report(f"{corpus.label}: {len(samples)} questions, {index.count()} chunks")
        vectors = RememberingEmbedder(embedder(settings), settings.data)
        found, left_out = rag_found.find(judged_searcher(index, as_embedder(vectors), settings.rag), index, samples)
        vectors.save()
        figures += rag_found.figures(NAME, corpus.label, found)
        figures += rag_found.compared(NAME, corpus.label, found, earlier.get(corpus.label, ()))
        notes += rag_found.threshold_notes(corpus.label, found)
        notes += [f"{corpus.label}: {id} is not searched for: {why}." for id, why in left_out.items()]
        raw[corpus.label] = {"found": rag_found.record(found)}
        if not bench.search_only:
            judged = rag_answers.ask(settings, samples, old, bench.report)
            figures += rag_answers.figures(NAME, corpus.label, judged, old, rag_answers.GOALS.get(corpus.name, {}))
            raw[corpus.label]["answers"] = rag_answers.record(judged)
    return Outcome(tuple(figures), (*_NOTES, *notes), raw)


_NOTES = (
    "A fact counts as found if a passage or sentence of its document holds it, with its column names or headings. An "
    "answer is right if it holds every key fact, or refuses where the documents do not say (the scorer right).",
    "Superseded value given as current: of the questions that ask for a value in force where an older document has "
    "another, how many answers hold the old one and not the right one.",
    "An answer repeats itself if eight words in a row or a sentence occur twice in it, or if one of its sentences is "
    "the question.",
)


def _earlier(file: Path | None) -> dict[str, list[dict[str, Any]]]:
    """What an earlier results file has found, by corpus. Raises `BackendError` if it is none of this benchmark."""
    if file is None:
        return {}
    try:
        return {label: one["found"] for label, one in strict_json.an_object(file.read_bytes())["raw"][NAME].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise BackendError(
            f"{file} holds no results of rag ({type(fault).__name__}: {fault}).", "Give a file that --out has written."
        ) from None


def _collection(corpus: Corpus) -> str:
    """The name of the collection; documents from anywhere have one of their own for each folder."""
    if corpus.name in (HANDBOOK.name, FIELD.name):
        return corpus.name
    return f"bench-{hashlib.sha256(str(corpus.documents.resolve()).encode()).hexdigest()[:12]}"


def _index(corpus: Corpus, settings: Settings) -> Index:
    """The collection with the documents as they are now. Raises `BackendError` if one of them cannot be read."""
    index = Index(settings.data, settings.rag.collection, embedder(settings), settings.rag)
    for step in index.add([corpus.documents], threading.Event()):
        if step.state == "rejected":
            raise BackendError(f"{step.file} cannot be read: {step.cause}", step.next_step)
    return index
