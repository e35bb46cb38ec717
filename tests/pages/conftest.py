"""How a page of its own process begins: nothing in memory, nothing on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_tests import packages_scanned_once as packages_scanned_once
from ui.resources import stand_in_start, warm_up


@pytest.fixture
def fresh_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty data folder, and nothing that another test began."""
    monkeypatch.chdir(tmp_path)
    warm_up.clear()
    stand_in_start.clear()
    yield
    warm_up.clear()
    stand_in_start.clear()


@pytest.fixture
def scripted(fresh_start: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come from the script."""
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")


@pytest.fixture
def no_local_models(fresh_start: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded in advance."""
    monkeypatch.setattr("ui.resources.WarmUp.start", lambda self: self)
