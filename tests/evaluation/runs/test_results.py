"""What a run comes to: scores and their counts, percentiles, costs, differences, and the sentences about them."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from backends.base import Cost, Timings
from backends.errors import BackendError
from backends.rag import approach as rag_approach
from backends.settings import DEFAULT_EMBEDDER, Settings
from backends.store.database import Store
from evaluation.runs.records import add_cell, scores_of, set_scores
from evaluation.runs.results import below, compared, difference_words, results_of
from evaluation.runs.scoring import score_run
from evaluation.samples import Sample
from evaluation.scorers import Score
from evaluation.statistics import wilson
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.runs.made_runs import SAMPLES, begun, cell

ALONE = tuple(Sample(f"q{number}", f"Question {number}?", "", ((str(number),),)) for number in range(20))


def scored(store: Store, run: Any, approach: str, values: list[bool | float | None], scorer: str = "right") -> None:
    """A cell for each value with that score; None: not applicable."""
    for position, value in enumerate(values):
        if scorer == "right":
            add_cell(store, run.id, cell(approach, position))
        score = Score.not_applicable("no") if value is None else Score(value)
        set_scores(store, run.id, {(approach, position, 0): {scorer: score}})


@pytest.fixture
def _near(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rag_approach.embedders, (DEFAULT_EMBEDDER, sqlite_settings.data), FixedEmbedder())


@pytest.mark.usefixtures("_near")
def test_scores_come_from_the_registry_and_nobody_is_asked(sqlite_store: Store, sqlite_settings: Settings) -> None:
    samples = (*SAMPLES[:2], Sample("q9", "What is it?"))
    run = begun(sqlite_store, sqlite_settings, ("raw",), samples)
    add_cell(sqlite_store, run.id, cell(text="It is red, yes."))
    add_cell(sqlite_store, run.id, cell(position=1, text="", status="error", error="no"))
    add_cell(sqlite_store, run.id, cell(position=2, text="Whatever."))
    (step,) = score_run(sqlite_store, run, samples, sqlite_settings, threading.Event())
    assert (step.done, step.total) == (3, 3)
    found = {(key[1], scorer): score for key, scorer, score in scores_of(sqlite_store, run.id)}
    assert [found[position, "right"].value for position in range(3)] == [True, False, None]
    assert [found[position, "semantic"].value for position in range(3)] == [0.0, 0.0, None]
    assert found[2, "right"].status == "not_applicable"
    summary = results_of(sqlite_store, run).approaches[0].scores["right"]
    assert (summary.scored, summary.not_applicable, summary.failed, summary.questions) == (2, 1, 0, 2)
    assert list(score_run(sqlite_store, run, samples, sqlite_settings, threading.Event())) == []
    assert [
        one.done for one in score_run(sqlite_store, run, samples, sqlite_settings, threading.Event(), again=True)
    ] == [3]


def test_an_embedder_that_cannot_be_had_fails_only_what_compares(
    sqlite_store: Store, sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lost:
        def embed_documents(self, texts: object) -> None:
            raise BackendError("The embedder is not there.", "Choose another one.")

    monkeypatch.setitem(rag_approach.embedders, (DEFAULT_EMBEDDER, sqlite_settings.data), Lost())  # type: ignore[arg-type]
    run = begun(sqlite_store, sqlite_settings, ("raw",), SAMPLES[:1])
    add_cell(sqlite_store, run.id, cell())
    list(score_run(sqlite_store, run, SAMPLES, sqlite_settings, threading.Event()))
    found = {scorer: score for _, scorer, score in scores_of(sqlite_store, run.id)}
    assert found["right"].value is True
    assert (found["semantic"].status, found["semantic"].reason) == (
        "failed",
        "The embedder is not there. Choose another one.",
    )


def test_questions_alone_have_the_interval_of_wilson(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw",), ALONE)
    scored(store, run, "raw", [True] * 15 + [False] * 5)
    summary = results_of(store, run).approaches[0].scores["right"]
    assert summary.mean is not None
    assert (summary.mean.value, summary.questions, summary.clusters, summary.yes_no) == (0.75, 20, 20, True)
    assert (summary.mean.low, summary.mean.high) == pytest.approx(wilson(15, 20))


def test_questions_on_the_same_document_widen_it(sqlite_store: Store, sqlite_settings: Settings) -> None:
    together = tuple(
        Sample(one.id, one.question, "", one.key_facts, (f"{place // 5}.md",)) for place, one in enumerate(ALONE)
    )
    run = begun(sqlite_store, sqlite_settings, ("raw",), together)
    scored(sqlite_store, run, "raw", [True] * 15 + [False] * 5)
    summary = results_of(sqlite_store, run).approaches[0].scores["right"]
    assert summary.mean is not None
    low, high = wilson(15, 20)
    assert summary.clusters == 4
    assert summary.mean.low < low
    assert summary.mean.high > high


def test_repeats_are_one_value_for_a_question(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw",), ALONE, repeats=2)
    for position in range(20):
        for repeat in range(2):
            add_cell(sqlite_store, run.id, cell(position=position, repeat=repeat), {"right": Score(position < 10)})
    summary = results_of(sqlite_store, run).approaches[0].scores["right"]
    assert summary.mean is not None
    assert (summary.questions, summary.scored) == (20, 40)
    assert (summary.mean.low, summary.mean.high) == pytest.approx(wilson(10, 20))


def test_times_and_costs(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw",))
    for position, seconds in enumerate((1.0, 2.0, 3.0)):
        timings = Timings(latency_s=seconds, ttft_s=seconds / 10)
        add_cell(store, run.id, cell(position=position, timings=timings), {"right": Score(position == 0)})
    timings = Timings(latency_s=99.0)
    add_cell(store, run.id, cell(position=3, status="error", text="", error="no", timings=timings))
    (found,) = results_of(store, run).approaches
    assert (found.cells, found.missing, found.failed, found.unpriced) == (4, 2, 1, 0)
    assert (found.latency_s.p50, found.latency_s.p95) == pytest.approx((2.0, 2.9))
    assert found.ttft_s.p50 == pytest.approx(0.2)
    assert (found.cost_usd, found.cost_per_1000_usd, found.usd_per_right) == (
        Decimal("0.004"),
        Decimal(1),
        Decimal("0.003"),  # of the questions that have a verdict
    )
    add_cell(store, run.id, cell(position=4, cost=Cost(None, "no price is known")))
    (found,) = results_of(store, run).approaches
    assert (found.unpriced, found.cost_usd, found.cost_per_1000_usd, found.usd_per_right) == (1, None, None, None)


def test_nothing_asked_is_unknown_and_not_nothing(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings)
    result = results_of(sqlite_store, run)
    for one in result.approaches:
        assert (one.cells, one.cost_usd, one.latency_s.p50, dict(one.scores)) == (0, None, None, {})
    assert not result.complete
    assert result.differences == ()


def test_differences_are_paired_adjusted_and_said(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw", "rag", "fine_tuned"), ALONE)
    scored(store, run, "raw", [False] * 18 + [True] * 2)
    scored(store, run, "rag", [True] * 16 + [None] * 2 + [True] * 2)
    scored(store, run, "fine_tuned", [True] * 1 + [False] * 17 + [True] * 2)
    result = results_of(store, run)
    rag, tuned = result.differences
    assert (rag.approach, rag.baseline, rag.questions, rag.changed, rag.mean) == ("rag", "raw", 18, 16, 16 / 18)
    assert rag.low < 16 / 18 < rag.high <= 1
    assert rag.clear
    assert rag.adjusted_p == pytest.approx(2 * rag.p)
    assert (tuned.changed, tuned.clear) == (1, False)
    assert tuned.adjusted_p == pytest.approx(tuned.p)
    low, high = (round(18 * end, 1) for end in (rag.low, rag.high))
    assert difference_words(rag) == (
        f"RAG is right on 16 more of 18 questions than Raw model (95 % interval {low:g} to {high:g})."
    )
    assert difference_words(tuned).startswith("Fine-tuned is right on 1 more of 20 questions than Raw model")
    assert difference_words(tuned).endswith("; chance may be the reason: they differ on 1 alone.")
    other = results_of(store, run, "rag").differences[0]
    assert (other.approach, other.mean) == ("raw", -16 / 18)
    assert "is right on 16 fewer of 18 questions than RAG (95 % interval" in difference_words(other)
    with pytest.raises(BackendError, match="The run has no approach 'paid_api' to compare with"):
        results_of(store, run, "paid_api")


def test_a_score_that_is_a_number_is_compared_as_one(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw", "rag"), ALONE)
    for approach, value in (("raw", 0.25), ("rag", 0.75)):
        scored(sqlite_store, run, approach, [True] * 20)
        scored(sqlite_store, run, approach, [value] * 20, "semantic")
    same, nearer = results_of(sqlite_store, run).differences
    assert difference_words(same).startswith("RAG is right on as many of 20 questions as Raw model (95 % interval")
    assert difference_words(nearer).startswith(
        "RAG scores 0.5 higher than Raw model for Meaning (cosine) on 20 questions"
    )


def test_two_runs_are_compared_on_what_both_have(sqlite_store: Store, sqlite_settings: Settings) -> None:
    earlier = begun(sqlite_store, sqlite_settings, ("raw", "rag"), ALONE)
    scored(sqlite_store, earlier, "raw", [True] * 20)
    later = begun(sqlite_store, sqlite_settings, ("raw",), ALONE[10:])
    scored(sqlite_store, later, "raw", [False] * 10)
    comparison = compared(sqlite_store, later, earlier)
    (found,) = comparison.differences
    ((now, then),) = comparison.approaches
    assert (now.cells, then.cells) == (10, 20)
    assert (found.approach, found.questions, found.mean, found.clear) == ("raw", 10, -1.0, True)
    assert f"than in the run {earlier.id}" in difference_words(found)
    strangers = begun(sqlite_store, sqlite_settings, ("raw",), SAMPLES)
    with pytest.raises(BackendError, match="have no question in common"):
        compared(sqlite_store, strangers, earlier)


@pytest.mark.parametrize(
    ("value", "strict", "reason"),
    [
        (0.75, False, ""),
        (0.76, False, "raw is below 0.76 for right: the mean is 0.750."),
        (0.5, True, ""),
        (0.6, True, "raw is below 0.6 for right: the lower end of the 95 % interval is 0.531."),
    ],
)
def test_what_has_to_be_reached(
    sqlite_store: Store, sqlite_settings: Settings, value: float, strict: bool, reason: str
) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw",), ALONE)
    scored(sqlite_store, run, "raw", [True] * 15 + [False] * 5)
    result = results_of(sqlite_store, run)
    assert below(result, "raw", "right", value, strict) == reason
    assert below(result, "raw", "semantic", 0.0, strict) == "raw has no score semantic, so it is not known to reach 0."
    with pytest.raises(BackendError, match="The run has no approach 'rag'"):
        below(result, "rag", "right", value, strict)


def test_what_is_recorded_is_in_no_latency(sqlite_store: Store, sqlite_settings: Settings) -> None:
    from backends.base import Recorded

    run = begun(sqlite_store, sqlite_settings, ("raw",))
    add_cell(sqlite_store, run.id, cell(recorded=Recorded(None, "a file")))
    (found,) = results_of(sqlite_store, run).approaches
    assert (found.cells, found.latency_s.p50) == (1, None)
