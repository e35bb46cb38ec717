"""A run on a real Ray of two workers, with its store on a real PostgreSQL; workers are killed, and nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backends.settings import Settings, load_settings
from backends.store.database import Store
from evaluation.runs.on_ray import ON_WORKERS
from evaluation.runs.records import find_run
from terminal.commands import app
from tests.evaluation.runs.conftest import PostgresServer
from tests.evaluation.runs.made_runs import begun, kept
from tests.evaluation.runs.test_killed import HOME, SAMPLES

KILLS = int(os.environ.get("CROSSROADS_RAY_KILLS", "2"))
APPROACHES = ("raw", "paid_api")


@pytest.fixture
def settings(postgres: PostgresServer, tmp_path: Path) -> Settings:
    pytest.importorskip("ray", reason="ray is not installed here (pip install 'crossroads[ray]')")
    (tmp_path / "data").mkdir()
    return load_settings({"data": str(tmp_path / "data"), "store.url": postgres.url(postgres.emptied())})


def cells(lines: list[str]) -> Counter[tuple[str, int, int]]:
    """How often each cell was asked, by approach, position and repeat."""
    return Counter((one, int(number), int(seed)) for one, number, seed in map(str.split, lines))


@pytest.mark.slow
def test_workers_that_are_killed_lose_nothing_and_nothing_is_asked_twice(settings: Settings) -> None:
    assert settings.store.url is not None
    with closing(Store(settings)) as store:
        run = begun(store, settings, APPROACHES, SAMPLES, repeats=2)
        given = [str(settings.data), settings.store.url.get_secret_value(), run.id, str(KILLS)]
        command = [sys.executable, "-m", "tests.evaluation.runs.ray_run", *given]
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        found, asked = kept(store, run), cells((settings.data / "asked").read_text().splitlines())
        assert len(found) == run.cells
        assert {one.status for one in found.values()} == {"ok"}
        assert {(one.approach, one.untimed) for one in found.values()} == {("raw", ON_WORKERS), ("paid_api", "")}
        assert find_run(store, run.id).state == "done"
        kills = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(kills) == KILLS
        for one in kills:
            before = cells(one["asked"])
            there = [(approach, position, repeat) for approach, position, repeat in one["kept"]]
            assert {key: asked[key] for key in there} == {key: before[key] for key in there}
        under_way = 5  # one of each worker's own, and three at once of the other approach
        assert sum(asked.values()) <= run.cells + KILLS * under_way


def test_without_a_postgresql_it_says_so_before_anybody_is_asked(tmp_path: Path) -> None:
    questions = tmp_path / "questions.csv"
    questions.write_text("question\nWho?\n")
    given = ["evaluate", str(questions), "--approach", "raw", "--on", "ray", "--set", f"data={tmp_path / 'data'}"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 1
    assert " ".join(result.stderr.split()) == (
        "A run on Ray needs its store on a PostgreSQL, which all workers can reach. "
        "Set store.url to postgresql://USER:PASSWORD@HOST/DATABASE."
    )
