"""Measuring retrieval: what is judged, what is left out, and with which intervals."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backends.base import Passage
from backends.errors import BackendError
from backends.rag.documents.files import Page
from backends.rag.search.retriever import Filters, Hit, Mode, SearchResult
from backends.rag.store.index import DocumentInfo, Index
from backends.run.jobs import Progress
from backends.settings import RagSettings
from evaluation.retrieval import METRICS, WITHOUT_ANSWER, RetrievalReport, difference, evaluate, usable_samples
from evaluation.retrieval_runs import evaluate_chunk_settings
from evaluation.samples import Sample
from evaluation.thresholds import BestScore
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

NEVER = threading.Event()
NO_FILTERS = Filters()
TEXTS = {"a.md": "Unopened goods may be returned within 30 days.", "b.md": "The warranty is two years."}
DAYS = Sample("days", "How long?", key_facts=(("30 days",),), sources=("a.md",))
YEARS = Sample("years", "What warranty?", key_facts=(("two years", "2 years"),), sources=("b.md",))


class Shelf:
    """Two documents."""

    def documents(self) -> list[DocumentInfo]:
        return [DocumentInfo(n, n, "md", "en", None, len(t), 1, len(t), (), "") for n, t in TEXTS.items()]

    def pages(self, document: str) -> tuple[Page, ...]:
        return (Page(None, 0, TEXTS[document]),)


class Scripted:
    """Puts documents in an order that is given for each mode, whatever is asked."""

    def __init__(self, orders: Mapping[Mode, Sequence[str]]) -> None:
        self.orders = orders
        self.asked: list[str] = []

    def prepare(self) -> None:
        self.asked.append("prepare")

    def compare(self, query: str, k: int, filters: Filters = NO_FILTERS) -> dict[Mode, SearchResult]:
        self.asked.append(query)
        return {
            mode: SearchResult(query, mode, tuple(self._hit(name) for name in names), {"embed": 0.5, mode: 0.25})
            for mode, names in self.orders.items()
        }

    def holds_code(self, query: str) -> bool:
        return "E4" in query

    def _hit(self, name: str) -> Hit:
        return Hit(Passage(name, None, name, 0.5, 0, 1, TEXTS[name]), None, None, None, None)


BOTH = Scripted({"dense": ("a.md", "b.md"), "keyword": ("a.md",)})


def report(searcher: Scripted, samples: Sequence[Sample]) -> RetrievalReport:
    *_, last = evaluate(searcher, Shelf(), samples, NEVER, label="here")
    assert last.result
    return last.result


def test_every_mode_is_judged_by_document_and_by_fact() -> None:
    found = report(BOTH, [DAYS, YEARS])
    assert (found.label, tuple(found.modes), dict(found.left_out)) == ("here", ("dense", "keyword"), {})
    dense, keyword = found.modes["dense"], found.modes["keyword"]
    assert dense.by_fact
    assert keyword.by_fact
    for scores in (dense.by_document, dense.by_fact):
        assert {name: scores.metrics[name].value for name in ("hit@1", "hit@3", "MRR")} == {
            "hit@1": 0.5,
            "hit@3": 1.0,
            "MRR": 0.75,
        }
    assert keyword.by_fact.metrics["hit@10"].value == 0.5
    assert keyword.by_fact.questions["years"]["MRR"] == 0.0
    assert tuple(dense.by_document.metrics) == METRICS
    assert dense.latency["total"].p50_s == 0.75
    assert set(keyword.latency) == {"embed", "keyword", "total"}


def test_the_difference_is_paired() -> None:
    found = report(BOTH, [DAYS, YEARS]).modes
    ahead = difference(found["dense"].by_document, found["keyword"].by_document)
    assert ahead["MRR"].value == 0.25
    assert (ahead["MRR"].low, ahead["MRR"].high) == (0.0, 0.5)
    assert difference(found["dense"].by_document, found["dense"].by_document)["MRR"].high == 0.0


def test_questions_that_cannot_be_judged_are_named() -> None:
    nowhere = Sample("nowhere", "?", sources=("c.md",))
    open_one = Sample("open", "?", tags=("not_answered",))
    unknown = Sample("unknown", "?", key_facts=(("90 days",),), sources=("a.md",))
    no_facts = Sample("plain", "?", sources=("a.md",))
    asked, by_fact, left_out = usable_samples(Shelf(), [DAYS, nowhere, open_one, unknown, no_facts])
    assert [sample.id for sample in asked] == ["days", "unknown", "plain"]
    assert by_fact == {"days"}
    assert left_out == {
        "nowhere": "c.md is not in the collection",
        "open": "it names no source",
        "unknown": "judged by document only: its sources do not hold the key fact '90 days'",
    }
    found = report(BOTH, [DAYS, nowhere, unknown])
    assert found.modes["dense"].by_fact
    assert set(found.modes["dense"].by_fact.questions) == {"days"}
    assert set(found.modes["dense"].by_document.questions) == {"days", "unknown"}


def test_questions_without_an_answer_tell_what_a_threshold_refuses() -> None:
    open_one = Sample("open", "What is E4?", tags=("not_answered",))
    found = report(BOTH, [open_one, DAYS, YEARS])
    assert found.scores == (
        BestScore("How long?", None, answerable=True),
        BestScore("What warranty?", None, answerable=True),
        BestScore("What is E4?", None, answerable=False, by_code=True),
    )
    assert set(found.modes["dense"].by_document.questions) == {"days", "years"}
    assert found.left_out == {"open": WITHOUT_ANSWER}


def test_without_key_facts_documents_alone_are_judged() -> None:
    assert report(BOTH, [Sample("plain", "?", sources=("a.md",))]).modes["dense"].by_fact is None


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(BackendError, match=r"^No question can be judged: it names no source\."):
        list(evaluate(BOTH, Shelf(), [Sample("open", "?")], NEVER))


def test_progress_and_cancelling() -> None:
    cancel = threading.Event()
    searcher = Scripted(BOTH.orders)
    steps = evaluate(searcher, Shelf(), [DAYS, YEARS], cancel)
    assert next(steps) == Progress(1, 2, "question 1 of 2")
    cancel.set()
    assert list(steps) == []
    assert searcher.asked == ["prepare", "How long?", "How long?"]


def test_other_chunk_settings_leave_the_collection_alone(tmp_path: Path) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(f"# Rules\n\n{text}\n\n" + "More about something else. " * 20)
    quick = QuickEmbedder()
    index = Index(tmp_path / "data", "rules", quick, RagSettings(**SETTINGS))
    for _ in index.add([tmp_path / name for name in TEXTS], NEVER):
        pass
    before = (index.version, index.chunks())
    days = Sample("days", "returned within 30 days", key_facts=(("30 days",),), sources=("a.md",))
    steps = list(evaluate_chunk_settings(index, quick, RagSettings(), [days], [(32, 0), (96, 8)], NEVER))
    results = [step.result for step in steps if step.result]
    assert [(one.label, one.chunk_tokens, one.overlap_tokens) for one in results] == [("32/0", 32, 0), ("96/8", 96, 8)]
    for one in results:
        assert tuple(one.modes) == ("dense", "keyword", "fused", "sentences")
        scores = one.modes["keyword"].by_fact
        assert scores
        assert scores.metrics["hit@1"].value == 1.0
    assert (index.version, index.chunks()) == before
    assert any("embedded" in step.detail for step in steps)
    cancel = threading.Event()
    cancel.set()
    assert list(evaluate_chunk_settings(index, quick, RagSettings(), [days], [(32, 0)], cancel)) == []
    with pytest.raises(BackendError, match=r"too long for the embedder\. Take 206 or fewer\."):
        list(evaluate_chunk_settings(index, quick, RagSettings(), [days], [(300, 0)], NEVER))


def test_a_source_is_found_in_a_collection_that_was_indexed_from_a_folder_above() -> None:
    class Texts:
        names = ("handbook/returns.md", "a/terms.md", "b/terms.md")

        def documents(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(name=name) for name in self.names]

        def pages(self, name: str) -> list[SimpleNamespace]:
            return [SimpleNamespace(text="Within 45 days.")]

    one = Sample("1", "How long?", "", (("45 days",),), ("returns.md",), ())
    two = Sample("2", "How long?", "", (("45 days",),), ("terms.md",), ())
    asked, by_fact, left_out = usable_samples(cast(Any, Texts()), [one, two])
    assert [sample.sources for sample in asked] == [("handbook/returns.md",)]
    assert by_fact == {"1"}
    assert left_out == {"2": "terms.md is not in the collection"}
