"""Runs in the background: one after another, asked and scored, paused and stopped."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from backends.base import Backend, TextDelta
from backends.errors import BackendError
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.background import RunWork, find_work, forget_work, start_work, works
from evaluation.runs.records import find_run, scores_of
from tests.evaluation.runs.made_runs import SAMPLES, begun, kept
from tests.scripted import PATIENCE_S, Gate, Scripted, finished

LANE = "background-test"


class Answering:
    """Makes the backends of a run; the first question of each stands at its gate."""

    def __init__(self) -> None:
        self.gate = Gate()

    def __call__(self, approach: str, _: Settings) -> Backend:
        steps = [self.gate, TextDelta("It is red."), finished()]
        return Scripted(*steps, approach=approach, lane=LANE)


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.gate.opened.set()


def started(store: Store, settings: Settings, answering: Answering, **more: object) -> RunWork:
    return start_work(store, begun(store, settings, **more), settings, SAMPLES, make=answering)  # type: ignore[arg-type]


def test_a_run_is_asked_and_scored_in_the_background(
    sqlite_store: Store, sqlite_settings: Settings, answering: Answering
) -> None:
    settings = sqlite_settings.model_copy(update={"scripted": True})  # so that no embedder is loaded
    answering.gate.opened.set()
    work = started(sqlite_store, settings, answering)
    assert work.job.wait(PATIENCE_S)
    assert (work.phase, work.job.state.fault) == ("ended", None)
    assert find_run(sqlite_store, work.run.id).state == "done"
    right = [score.value for _, scorer, score in scores_of(sqlite_store, work.run.id) if scorer == "right"]
    assert (len(right), sum(filter(None, right))) == (12, 2)
    assert work in works(sqlite_store)
    assert [(one.wanted, one.asked) for one in work.execution.progress] == [(6, 6), (6, 6)]
    forget_work(work.run.id)
    assert find_work(work.run.id) is None


def test_a_second_run_waits_for_the_first_and_says_so(
    sqlite_store: Store, sqlite_settings: Settings, answering: Answering
) -> None:
    settings = sqlite_settings.model_copy(update={"scripted": True})
    first = started(sqlite_store, settings, answering)
    assert answering.gate.reached.wait(PATIENCE_S)
    second, third = (started(sqlite_store, settings, answering) for _ in range(2))
    with pytest.raises(BackendError, match="still running"):
        start_work(sqlite_store, second.run, settings, SAMPLES, make=answering)
    while not (second.behind and third.behind):
        assert second.phase == third.phase == "waiting"
    assert first.run.id in second.behind
    assert first.phase == "asking"
    third.stop()
    assert third.job.wait(PATIENCE_S)
    assert find_run(sqlite_store, third.run.id).state == "stopped"
    answering.gate.opened.set()
    for work in (first, second):
        assert work.job.wait(PATIENCE_S)
        assert len(kept(sqlite_store, work.run)) == 12
        assert not work.stopping


def test_what_is_stopped_is_scored_and_can_go_on(
    sqlite_store: Store, sqlite_settings: Settings, answering: Answering
) -> None:
    settings = sqlite_settings.model_copy(update={"scripted": True})
    work = started(sqlite_store, settings, answering, approaches=["raw"])
    assert answering.gate.reached.wait(PATIENCE_S)
    work.stop()
    assert work.stopping
    answering.gate.opened.set()
    assert work.job.wait(PATIENCE_S)
    run = find_run(sqlite_store, work.run.id)
    assert run.state == "stopped"
    there = len(kept(sqlite_store, run))
    assert there < 6
    again = start_work(sqlite_store, run, settings, SAMPLES, make=answering)
    assert again.job.wait(PATIENCE_S)
    assert [(one.done, one.wanted, one.asked) for one in again.execution.progress] == [(6, 6 - there, 6 - there)]
    assert len([1 for _, scorer, _ in scores_of(sqlite_store, run.id) if scorer == "right"]) == 6


def test_what_is_left_is_forecast_from_what_was_asked(
    sqlite_store: Store, sqlite_settings: Settings, answering: Answering
) -> None:
    settings = sqlite_settings.model_copy(update={"scripted": True})
    work = started(sqlite_store, settings, answering, approaches=["raw"])
    assert answering.gate.reached.wait(PATIENCE_S)
    began = work._began
    (fresh,) = work.execution.progress
    assert work.left_s(fresh, began + 5) is None
    from dataclasses import replace

    half = replace(fresh, asked=4, usd=Decimal("0.02"))
    assert work.left_s(half, began + 10) == pytest.approx(5)
    assert work.left_usd(half) == Decimal("0.01")
    assert work.left_usd(replace(half, unpriced=1)) is None
    assert work.all_left_s([half, replace(half, asked=3)], began + 10) == pytest.approx(10)
    assert work.all_left_s([half, fresh], began + 10) is None
    work.pause()
    assert work.paused
    assert work.execution.progress[0].paused
    work.go_on()
    work.pause("raw")
    assert not work.paused
    assert work.left_s(replace(half, paused=True), began + 10) is None
    work.stop()
    work.go_on("raw")
