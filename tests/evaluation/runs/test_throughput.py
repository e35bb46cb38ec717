"""A run for throughput: many at once on this machine, without times, and everything else as always."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from backends.base import Question
from backends.errors import BackendError
from backends.models import local
from backends.run.lane import THIS_MACHINE
from backends.scripted import Step
from backends.settings import Settings, load_settings
from backends.spend.ledger import entries
from backends.store.database import Store
from evaluation.runs.answering import IN_A_BATCH
from evaluation.runs.breakdown import headline_of
from evaluation.runs.columns import read_run
from evaluation.runs.execution import Execution
from evaluation.runs.export import export_cells
from evaluation.runs.identity import new_run, run_again
from evaluation.runs.model import Run
from evaluation.runs.records import add_run, find_run
from evaluation.runs.results import results_of
from tests.backends.conftest import tiny_model  # noqa: F401 - a fixture
from tests.evaluation.answering import AnsweringBackend
from tests.evaluation.runs.made_runs import SAMPLES, executed, kept

RIGHT = {one.question: one.reference_answer for one in SAMPLES}
BAD = {SAMPLES[2].question: BackendError("It is too long.", "Shorten it.")}


def begun(store: Store, settings: Settings, approaches: tuple[str, ...] = ("raw", "paid_api")) -> Run:
    run = new_run(settings, SAMPLES, "colours.csv", approaches, throughput=True)
    add_run(store, run, SAMPLES)
    return run


class Local(AnsweringBackend):
    """Answers by heart, and may cancel the run on the way."""

    def __init__(self, answers: dict[str, object] | None = None, cancels: threading.Event | None = None) -> None:
        super().__init__({**RIGHT, **(answers or {})}, lane=THIS_MACHINE)  # type: ignore[arg-type]
        self._cancels = cancels

    def script(self, question: Question, cancel: threading.Event) -> Iterator[Step]:
        if self._cancels and question.text == SAMPLES[4].question:
            self._cancels.set()
        yield from super().script(question, cancel)


def paid() -> AnsweringBackend:
    return AnsweringBackend(RIGHT, approach="paid_api")


def test_cells_of_this_machine_have_no_times_and_their_neighbours_elsewhere_have(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    run = begun(store, settings)
    executed(store, run, settings, {"raw": lambda: Local(BAD), "paid_api": paid()})
    found = kept(store, run)
    assert len(found) == 12
    for (approach, position, _), one in found.items():
        timed = approach == "paid_api"
        assert one.status == ("error" if (approach, position) == ("raw", 2) else "ok")
        assert (one.timings.latency_s, one.untimed) == ((1.0, "") if timed else (None, IN_A_BATCH))
        assert timed == (one.cost.basis == "by heart")
    assert found["raw", 0, 0].cost.basis == "by heart, one of 6 equal shares of a batch"
    assert found["raw", 2, 0].error == "It is too long. Shorten it."
    times = {entry.latency_s for entry in entries(settings) if entry.approach == "raw"}
    assert times == {None}  # nor does it become an expectation

    result = results_of(store, find_run(store, run.id))
    raw, other = result.approaches
    assert (raw.latency_s.p50, raw.ttft_s.p50, raw.untimed) == (None, None, IN_A_BATCH)
    assert (other.latency_s.p50, other.untimed) == (1.0, "")
    headline = headline_of(read_run(store, run), result)
    assert headline.figures["raw"]["latency_p50_s"].value is None
    assert "latency_p50_s" not in headline.best or headline.best["latency_p50_s"] == "paid_api"
    export_cells(store, run, tmp_path / "cells.csv")
    rows = list(csv.DictReader((tmp_path / "cells.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert {(row["approach"], row["latency_s"], row["untimed"]) for row in rows} == {
        ("raw", "", IN_A_BATCH),
        ("paid_api", "1.0", ""),
    }


def test_as_many_are_asked_at_once_as_the_setting_says(sqlite_store: Store, sqlite_settings: Settings) -> None:
    made: list[Local] = []

    def one() -> Local:
        made.append(Local())
        return made[-1]

    settings = load_settings({"data": str(sqlite_settings.data), "throughput.batch": 4})
    run = begun(sqlite_store, settings, ("raw",))
    executed(sqlite_store, run, settings, {"raw": one})
    assert len(made) == 4
    assert sum(len(each.asked) for each in made) == len(kept(sqlite_store, run)) == 6
    shares = [one.cost.basis.rpartition("one of ")[2] for one in kept(sqlite_store, run).values()]
    assert sorted(shares) == ["2 equal shares of a batch"] * 2 + ["4 equal shares of a batch"] * 4


def test_cancelled_in_a_batch_what_was_cut_off_is_missing_and_is_asked_when_it_goes_on(
    sqlite_store: Store, sqlite_settings: Settings
) -> None:
    run, cancel = begun(sqlite_store, sqlite_settings, ("raw",)), threading.Event()
    executed(sqlite_store, run, sqlite_settings, {"raw": lambda: Local(cancels=cancel)}, cancel)
    before = kept(sqlite_store, run)
    assert len(before) < 6
    assert find_run(sqlite_store, run.id).state == "stopped"
    executed(sqlite_store, run, sqlite_settings, {"raw": Local})
    after = kept(sqlite_store, run)
    assert len(after) == 6
    assert {key: after[key] for key in before} == before


def test_a_run_keeps_whether_it_is_timed(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run = begun(sqlite_store, sqlite_settings)
    assert find_run(sqlite_store, run.id).throughput
    assert run_again(run, sqlite_settings, SAMPLES).throughput
    assert "throughput" not in run.settings


@pytest.mark.slow
def test_a_real_model_says_the_same_in_a_batch_as_alone(
    sqlite_store: Store,
    sqlite_settings: Settings,
    tiny_model: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(local, "_dtype", lambda device: torch.float32)  # bfloat16 rounds otherwise beside padding
    given = {"data": str(sqlite_settings.data), "raw.model": str(tiny_model), "raw.device": "cpu", "max_tokens": 12}
    settings = load_settings(given)
    texts = []
    for throughput in (False, True):
        run = new_run(settings, SAMPLES, "colours.csv", ("raw",), throughput=throughput)
        add_run(sqlite_store, run, SAMPLES)
        for _ in Execution(sqlite_store, run, settings, SAMPLES).steps(threading.Event()):
            pass
        found = kept(sqlite_store, run)
        texts.append({key: (one.text, one.usage, one.status) for key, one in found.items()})
        assert all((one.timings.latency_s is None) == throughput for one in found.values())
        assert all((one.cost.usd or Decimal(0)) > 0 for one in found.values())
    assert texts[0] == texts[1]
    assert json.dumps([text for text, _, _ in texts[0].values()]) != "[]"
