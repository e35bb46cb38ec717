"""A run whose process is killed, again and again: nothing confirmed is lost or asked twice, and figures are equal."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER, Settings
from backends.store.database import Store, store_file
from evaluation.runs.model import Run
from evaluation.runs.records import find_run
from evaluation.runs.results import results_of
from evaluation.runs.scoring import score_run
from evaluation.samples import Sample
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.runs.killed_run import AT_ONCE, Told
from tests.evaluation.runs.made_runs import begun, executed, kept

HOME = Path(__file__).resolve().parents[3]
KILLS = int(os.environ.get("CROSSROADS_KILLS", "3"))
APPROACHES = ("raw", "rag", "paid_api")
SAMPLES = tuple(
    Sample(f"q{number}", f"Which number is {number}", f"{number}", ((f"{number}",),), cluster=str(number // 3))
    for number in range(max(20, 4 * KILLS))
)


def working(settings: Settings, run: Run) -> subprocess.Popen[str]:
    url = settings.store.url.get_secret_value() if settings.store.url else ""
    command = [sys.executable, "-m", "tests.evaluation.runs.killed_run", str(settings.data), url, run.id]
    return subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, text=True)


def told(settings: Settings) -> Counter[tuple[str, int, int]]:
    """How often each cell was asked."""
    file = settings.data / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    return Counter((one, int(number), int(seed)) for one, number, seed in map(str.split, lines))


def killed_until_done(store: Store, settings: Settings, run: Run, lost: int) -> None:
    """Work on a run and kill it, again and again; then let it end. A kill may lose `lost` answers that were on the way.

    What was confirmed stays as it was, and nobody is asked for it again.
    """
    chance = random.Random(18)
    for kill in range(KILLS):
        before, asked_before = kept(store, run), told(settings)
        left = run.cells - len(before)
        with working(settings, run) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, max(2, 2 * left // (KILLS - kill + 1)))):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        after = kept(store, run)
        assert {key: after[key] for key in before} == before
        assert all(told(settings)[key] == asked_before[key] for key in before)
        assert sum(told(settings).values()) - sum(asked_before.values()) <= len(after) - len(before) + lost
        assert find_run(store, run.id).state == "running"
        with store.claimed(run.id):  # by nobody else any more
            pass
    with working(settings, run) as process:
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(kept(store, run)) == run.cells
    assert sum(told(settings).values()) <= run.cells + KILLS * lost


def assert_sound(settings: Settings) -> None:
    if settings.store.url is None:
        with closing(sqlite3.connect(store_file(settings.data))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
def test_a_run_survives_kills_at_any_point(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, settings.data), FixedEmbedder())
    settings.data.mkdir(parents=True)
    whole = begun(store, settings, APPROACHES, SAMPLES, repeats=2)
    backends = {one: partial(Told, one, settings) for one in APPROACHES}
    executed(store, whole, settings, backends, samples=SAMPLES)
    (settings.data / "asked").unlink()

    run = begun(store, settings, APPROACHES, SAMPLES, repeats=2)
    killed_until_done(store, settings, run, 1 + AT_ONCE)
    for one in (whole, run):
        list(score_run(store, one, SAMPLES, settings, threading.Event()))
    uninterrupted, interrupted = (results_of(store, find_run(store, one.id)) for one in (whole, run))
    assert interrupted.approaches == uninterrupted.approaches
    assert interrupted.differences == uninterrupted.differences
    assert uninterrupted.approaches[0].scores["right"].mean.value == 0.5
    assert_sound(settings)


@pytest.mark.slow
def test_a_run_for_throughput_survives_kills_inside_its_batches(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, settings.data), FixedEmbedder())
    settings.data.mkdir(parents=True)
    run = begun(store, settings, APPROACHES, SAMPLES, throughput=True)
    killed_until_done(store, settings, run, 2 * settings.throughput.batch + AT_ONCE)
    assert {one.untimed != "" for (name, _, _), one in kept(store, run).items() if name != "paid_api"} == {True}
    list(score_run(store, run, SAMPLES, settings, threading.Event()))
    assert results_of(store, find_run(store, run.id)).approaches[0].scores["right"].mean.value == 0.5
    assert_sound(settings)
