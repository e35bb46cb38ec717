"""The figures of a run with their intervals, who is clearly best, who is on the front, and quality by tag."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt
from typing import Any

import pytest

from backends.base import Cost, Recorded, Timings
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.breakdown import Figure, Headline, Measure, by_tag, headline_of, pareto_front
from evaluation.runs.columns import fingerprint, read_run, scorers_of
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, set_scores
from evaluation.runs.results import result_of
from evaluation.samples import Sample
from evaluation.scorers import Score
from evaluation.statistics import Z_95, wilson
from tests.evaluation.runs.made_runs import begun, cell, filled

ALONE = tuple(Sample(f"q{number}", f"Question {number}?", "", ((str(number),),)) for number in range(20))
HALF = [True, False] * 10


def headline(store: Store, run: Run) -> Headline:
    reading = read_run(store, run)
    return headline_of(reading, result_of(reading))


def figure(store: Store, run: Run, measure: Measure, approach: str = "raw") -> Figure:
    return headline(store, run).figures[approach][measure]


def timed(store: Store, run: Run, approach: str, seconds: Sequence[float], usd: str = "0.001", **more: Any) -> None:
    for position, latency_s in enumerate(seconds):
        timings = Timings(latency_s=latency_s, ttft_s=latency_s / 10)
        given = cell(approach, position, timings=timings, cost=Cost(Decimal(usd), "by heart"), **more)
        add_cell(store, run.id, given, {"right": Score(position % 2 == 0)})


def test_quality_counts_questions_that_have_a_score(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw",), ALONE)
    filled(sqlite_store, run, "raw", [*HALF[:16], None, None, "The server is away.", True])
    found = figure(sqlite_store, run, "quality")
    assert (found.value, found.of) == (9 / 18, 18)
    assert (found.low, found.high) == pytest.approx(wilson(9, 18))


def test_percentiles_have_an_interval_between_order_statistics(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw",), ALONE)
    timed(sqlite_store, run, "raw", [float(second) for second in range(1, 21)])
    half = Z_95 * sqrt(0.25 / 20)
    median = figure(sqlite_store, run, "latency_p50_s")
    assert (median.value, median.of) == (10.5, 20)
    assert (median.low, median.high) == pytest.approx((1 + 19 * (0.5 - half), 1 + 19 * (0.5 + half)))
    high = figure(sqlite_store, run, "latency_p95_s")
    assert high.value == pytest.approx(19.05)
    assert high.low == pytest.approx(1 + 19 * (0.95 - Z_95 * sqrt(0.95 * 0.05 / 20)))
    assert high.high is None  # the largest of 20 does not bound what 95 of 100 do not exceed
    assert figure(sqlite_store, run, "ttft_p50_s").value == pytest.approx(1.05)


def test_answers_to_the_same_question_make_no_percentile_surer(sqlite_store: Store, sqlite_settings: Settings) -> None:
    once = begun(sqlite_store, sqlite_settings, ("raw",), ALONE)
    twice = begun(sqlite_store, sqlite_settings, ("raw",), ALONE, repeats=2)
    for run in (once, twice):
        for repeat in range(run.repeats):
            for position in range(20):
                timings = Timings(latency_s=float(position))
                add_cell(sqlite_store, run.id, cell(position=position, repeat=repeat, timings=timings))
    one, other = figure(sqlite_store, once, "latency_p50_s"), figure(sqlite_store, twice, "latency_p50_s")
    assert (one.of, other.of) == (20, 40)
    assert other.low == pytest.approx(one.low, abs=0.5)


def test_a_right_answer_costs_what_all_answers_cost(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw",), ALONE)
    filled(store, run, "raw", HALF)
    per_1000, per_right = figure(store, run, "usd_per_1000"), figure(store, run, "usd_per_right")
    assert (per_1000.value, per_1000.of) == (1.0, 20)
    assert (per_1000.low, per_1000.high) == pytest.approx((1.0, 1.0))
    half = Z_95 * 0.001 * sqrt(1 / 19) / 0.5
    assert per_right.value == pytest.approx(0.002)
    assert (per_right.low, per_right.high) == pytest.approx((0.002 - half, 0.002 + half))


def test_few_right_answers_do_not_say_what_one_costs_at_least(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw",), ALONE)
    filled(sqlite_store, run, "raw", [True] + [False] * 19)
    found = figure(sqlite_store, run, "usd_per_right")
    assert found.value == pytest.approx(0.02)
    assert found.low is None  # and not 0, which nobody charges
    assert found.high is not None
    assert found.high > 0.02


def test_a_cost_that_is_not_known_has_no_figure(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw",), ALONE)
    filled(sqlite_store, run, "raw", HALF[:19])
    add_cell(sqlite_store, run.id, cell(position=19, cost=Cost(None, "no price is known")))
    assert figure(sqlite_store, run, "usd_per_1000") == Figure()
    assert figure(sqlite_store, run, "usd_per_right") == Figure()


def test_best_is_who_is_clearly_ahead_of_all_others(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw", "rag", "fine_tuned"), ALONE)
    filled(sqlite_store, run, "raw", [False] * 20)
    filled(sqlite_store, run, "rag", [True] * 18 + [False] * 2)
    filled(sqlite_store, run, "fine_tuned", [True] * 17 + [False] * 3)
    assert headline(sqlite_store, run).best == {}  # rag is ahead of fine-tuned by one question
    other = begun(sqlite_store, sqlite_settings, ("raw", "rag"), ALONE)
    timed(sqlite_store, other, "raw", [1.0 + second / 100 for second in range(20)], "0.002")
    timed(sqlite_store, other, "rag", [2.0 + second / 100 for second in range(20)], "0.001")
    found = headline(sqlite_store, other).best
    assert (found["latency_p50_s"], found["ttft_p50_s"], found["usd_per_1000"]) == ("raw", "raw", "rag")
    assert "quality" not in found
    assert "latency_p95_s" not in found  # 20 answers do not say where it ends
    set_scores(sqlite_store, other.id, {("rag", position, 0): {"right": Score(True)} for position in range(20)})
    assert headline(sqlite_store, other).best["quality"] == "rag"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"stand_in": True}, "a stand-in answered"),
        ({"recorded": Recorded(None, "a file")}, "20 of 20 answers were recorded earlier"),
    ],
)
def test_what_was_not_measured_now_is_best_in_no_time_or_cost(
    sqlite_store: Store, sqlite_settings: Settings, more: dict[str, Any], why: str
) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw", "paid_api"), ALONE)
    timed(sqlite_store, run, "raw", [1.0] * 20)
    timed(sqlite_store, run, "paid_api", [0.1] * 20, "0.000001", **more)
    found = headline(sqlite_store, run)
    assert found.incomparable == {"paid_api": why}
    assert found.best == {}


def test_nobody_is_best_of_a_run_of_which_nothing_was_asked(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings)
    found = headline(sqlite_store, run)
    assert found.best == {}
    assert {one for by_measure in found.figures.values() for one in by_measure.values()} == {Figure()}


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ({"a": (1, 0.5), "b": (2, 0.6), "c": (3, 0.6), "d": (0.5, 0.1), "e": (4, 0.2)}, ("d", "a", "b")),
        ({"a": (1, 0.5), "b": (1, 0.5)}, ("a", "b")),  # neither beats the other
        ({"a": (1, 0.5), "b": (1, 0.4)}, ("a",)),
        ({"a": (0, 0)}, ("a",)),
        ({}, ()),
    ],
)
def test_on_the_front_is_whom_nobody_beats(points: dict[str, tuple[float, float]], front: tuple[str, ...]) -> None:
    assert pareto_front(points) == front


def test_quality_by_tag_has_its_own_numbers(sqlite_store: Store, sqlite_settings: Settings) -> None:
    tagged = tuple(
        Sample(one.id, one.question, "", one.key_facts, tags=("all", "odd") if place % 2 else ("all",))
        for place, one in enumerate(ALONE)
    )
    run = begun(sqlite_store, sqlite_settings, ("raw", "rag"), tagged)
    filled(sqlite_store, run, "raw", [*HALF[:18], None, None])
    whole, odd = by_tag(read_run(sqlite_store, run), "right")
    assert (whole.tag, whole.questions, list(whole.means)) == ("all", 20, ["raw"])
    assert (odd.tag, odd.questions) == ("odd", 10)
    mean, count = odd.means["raw"]
    assert (mean.value, count) == (0.0, 9)
    assert (mean.low, mean.high) == pytest.approx(wilson(0, 9))


def test_a_reading_that_is_kept_is_known_to_be_of_before(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw",))
    seen = [fingerprint(store, run)]
    add_cell(store, run.id, cell(status="error", text="", error="no"))
    seen.append(fingerprint(store, run))
    add_cell(store, run.id, cell())
    seen.append(fingerprint(store, run))
    for right in (True, False):
        set_scores(store, run.id, {("raw", 0, 0): {"right": Score(right)}})
        seen.append(fingerprint(store, run))
    assert len(set(seen)) == len(seen)
    assert fingerprint(store, run) == seen[-1]
    assert scorers_of(store, run) == {"right"}
