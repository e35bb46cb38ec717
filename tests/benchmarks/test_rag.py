"""How passages and answers are judged by the benchmark of RAG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends.base import Answer, Passage, Timings
from backends.rag.search.retriever import Hit, SearchResult
from benchmarks.__main__ import _corpora
from benchmarks.corpora import CORPORA
from benchmarks.rag_answers import GOALS, judge
from benchmarks.rag_answers import figures as answer_figures
from benchmarks.rag_found import Found, compared, figures, find, parted, record, threshold_notes
from benchmarks.repeats import repeats
from benchmarks.vector_cache import RememberingEmbedder
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample

FARE = Sample("a", "What does it cost?", "It costs 20 kr.", (("20 kr",), ("daily",)), ("fares.md",), ("single_fact",))
NOTHING = Sample("n", "What does a horse cost?", tags=(NOT_ANSWERED,))


def passage(document: str, text: str, score: float = 0.5, heading: str = "") -> Passage:
    return Passage(document, None, f"{document} {text}", score, 0, len(text), text, heading)


def result(*passages: Passage) -> SearchResult:
    return SearchResult("?", "fused", tuple(Hit(one, None, None, None, None) for one in passages), {})


class ScriptedSearcher:
    def __init__(self, found: Any) -> None:
        self.found = found

    def prepare(self) -> None:
        pass

    def search(self, query: str, k: int) -> Any:
        return self.found


class Texts:
    """An index of one document."""

    def documents(self) -> list[Any]:
        return [SimpleNamespace(name="fares.md")]

    def pages(self, document: str) -> tuple[Any, ...]:
        return (SimpleNamespace(text="A dog costs 20 kr. It runs daily."),)


def found(result: Any, *samples: Sample) -> list[Found]:
    return find(ScriptedSearcher(result), Texts(), samples)[0]  # type: ignore[arg-type]


def test_all_facts_must_be_in_passages_of_the_source() -> None:
    other, price, days = passage("other.md", "20 kr, daily"), passage("fares.md", "20 kr"), passage("fares.md", "daily")
    (one,) = found(result(other, price, other, days), FARE)
    assert (one.passages, one.sentences, one.passage_score, one.sentence_score) == (4, None, 0.5, None)
    (one,) = found(result(other, price), FARE)
    assert one.passages is None


def test_sentences_count_with_their_headings_where_a_stage_ranks_them() -> None:
    ranked = [SimpleNamespace(passage=passage("fares.md", "20 kr", heading="Fares > daily"), score=0.7)]
    searched = SimpleNamespace(hits=(), sentences=ranked)
    (one,) = found(searched, FARE)
    assert (one.passages, one.sentences, one.sentence_score, one.texts) == (None, 1, 0.7, ("20 kr",))
    assert [figure.name for figure in figures("rag", "x", [one])][-1] == "x: single_fact within sentences, best 5"


def test_two_runs_are_compared_question_by_question() -> None:
    def run(*ranks: int | None) -> list[Found]:
        return [Found(replace(FARE, id=str(n)), rank, None, 0.5, None) for n, rank in enumerate(ranks)]

    before = record(run(1, 4, None, 1))
    first, third, _fifth = compared("rag", "x", run(2, 1, 3), before)
    assert first.name == "x: single_fact within passages, best 1, against the earlier run"
    assert first.measured_text.startswith("+0.0 points (95 %: -")
    assert first.measured_text.endswith("; 1 gained, 1 lost of 3)")
    assert third.measured_text.endswith("; 2 gained, 0 lost of 3)")


def test_a_question_without_its_document_is_told_and_one_without_answer_is_searched_for() -> None:
    lost = Sample("l", "Where?", "There.", (("there",),), ("gone.md",), ("single_fact",))
    judged, left_out = find(ScriptedSearcher(result(passage("fares.md", "x", 0.3))), Texts(), [lost, NOTHING])  # type: ignore[arg-type]
    assert [(one.sample.id, one.passages, one.passage_score) for one in judged] == [("n", None, 0.3)]
    assert left_out == {"l": "gone.md is not in the collection"}


def test_scores_that_part_are_told_with_what_a_threshold_refuses() -> None:
    assert parted([0.9, 0.5], [0.5, 0.1]) == 0.875
    answered = [Found(FARE, 1, None, score / 10, None) for score in range(1, 10)]
    unanswered = [Found(NOTHING, None, None, 0.15, None)]
    (note,) = threshold_notes("x", [*answered, *unanswered])
    assert "89 % of all pairs" in note
    assert "0 % of those without at 0.100, where it refuses 0 % of the others" in note
    assert "100 % of those without at 0.200, where it refuses 20 % of the others" in note


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("It costs 20 kr, and it runs daily.", ""),
        ("What does it cost? It costs 20 kr.", "question"),
        ("**What does it cost**", "question"),
        ("It costs 20 kr. It runs. It costs 20 kr [1].", "sentence"),
        ("It costs 20 kr. [1] (superseded)\nIt runs. [2] (superseded)", ""),
        ("So one two three four five six seven eight, then one two three four five six seven eight", "words"),
        ("So one two three four five six seven, then one two three four five six seven", ""),
        ("", ""),
    ],
)
def test_repetition_of_itself_and_of_the_question(answer: str, what: str) -> None:
    assert repeats(answer, FARE.question) == what


def test_an_old_value_counts_only_without_the_right_one() -> None:
    def judged(text: str, sample: Sample = FARE) -> Any:
        return judge(
            sample, Answer("rag", "m", text, "ok", timings=Timings(latency_s=1.0, ttft_s=0.5)), {"a": ("15 kr",)}
        )

    old, both, refused = judged("15 kr."), judged("Daily 20 kr, formerly 15 kr."), judged("The documents do not say.")
    assert [(one.right, one.stale, one.refused) for one in (old, both, refused)] == [
        (False, True, False),
        (True, False, False),
        (False, False, True),
    ]
    answers = [old, both, refused, judged("The documents do not say.", NOTHING)]
    shown = {
        figure.name: figure.measured_text
        for figure in answer_figures("rag", "x", answers, {"a": ("15 kr",)}, GOALS["handbook"])
    }
    assert shown["x: right, all"].startswith("50 % (2 of 4;")
    assert shown["x: right, single_fact"].startswith("33 % (1 of 3;")
    assert shown["x: right, not_answered"].startswith("100 % (1 of 1;")
    assert shown["x: refused although it is answered"].startswith("33 % (1 of 3;")
    assert shown["x: superseded value given as current"].startswith("33 % (1 of 3;")
    assert shown["x: latency"] == "median 1 s; 95 % below 1 s"
    assert "x: retrieval" not in shown


class CountingEmbedder:
    identity = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_query(self, text: str) -> Any:
        self.asked.append(text)
        return np.array([len(text), 1], dtype=np.float32)

    def embed_documents(self, texts: list[str]) -> Any:
        self.asked += texts
        return np.array([[len(text), 2] for text in texts], dtype=np.float32)


def test_vectors_are_kept_between_runs(tmp_path: Path) -> None:
    model: Any = CountingEmbedder()
    remembered = RememberingEmbedder(model, tmp_path)
    remembered.embed_query("a")
    remembered.embed_sentences(["a", "bb"])
    remembered.save()
    again = RememberingEmbedder(model, tmp_path)
    assert again.embed_query("a").tolist() == [1, 1]
    assert again.embed_sentences(["bb", "ccc", "a"]).tolist() == [[2, 2], [3, 2], [1, 2]]
    assert model.asked == ["a", "a", "bb", "ccc"]
    assert again.identity == "counting"


def test_what_is_measured_on_is_chosen_by_name_or_given_as_a_folder(tmp_path: Path) -> None:
    assert [one.label for one in _corpora(["choose", "handbook"], None, None)] == ["field, choose", "handbook"]
    assert [one.label for one in _corpora(None, tmp_path, tmp_path / "q.csv")] == [tmp_path.name]
    assert _corpora(None, None, None) == ()
    assert list(CORPORA) == ["handbook", "choose", "report"]
