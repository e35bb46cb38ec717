"""How a page of its own process begins: nothing in memory, nothing on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.settings import load_settings
from backends.store.database import Store
from evaluation.runs.background import forget_work, works
from tests.app_tests import packages_scanned_once as packages_scanned_once
from tests.app_tests import what_was_frozen_stays_so as what_was_frozen_stays_so
from tests.scripted import PATIENCE_S
from ui.evaluate.page import opened_store, opened_stores
from ui.resources import warm_up


@pytest.fixture
def fresh_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty data folder, and nothing that another test began."""
    monkeypatch.chdir(tmp_path)
    warm_up.clear()
    yield
    warm_up.clear()


@pytest.fixture
def scripted(fresh_start: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come from the script."""
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")


@pytest.fixture
def no_local_models(fresh_start: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded in advance."""
    monkeypatch.setattr("ui.resources.WarmUp.start", lambda self: self)


def the_store() -> Store:
    """The store of answers that pages have."""
    return opened_store(load_settings())


@pytest.fixture
def no_works(fresh_start: None) -> Iterator[None]:
    """No evaluation run is remembered from other tests, and none goes on afterwards."""
    _end_works()
    yield
    _end_works()
    opened_stores.clear()


def _end_works() -> None:
    for work in works():
        work.stop()
        assert work.job.wait(PATIENCE_S)
        forget_work(work.run.id)
