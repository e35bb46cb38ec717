"""The section Decide of the page Evaluate: needs are chosen, and the advice follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backends.settings import Settings, load_settings
from backends.store.database import Store
from tests.evaluation.runs.made_runs import begun, filled
from tests.pages.test_results_and_answers import SAMPLES, acted, address, click, opened, words
from ui.evaluate import page as evaluate_page

pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture
def current(tmp_path: Path) -> Settings:
    return load_settings({"data": str(tmp_path / "data")})


@pytest.fixture
def store(current: Settings) -> Iterator[Store]:
    with closing(Store(current)) as opened_store:
        yield opened_store
    evaluate_page.opened_stores.clear()


def test_needs_lead_to_advice_and_advice_to_its_answers(store: Store, current: Settings) -> None:
    run = begun(store, current, samples=SAMPLES)
    filled(store, run, "raw", [True] * 2 + [False] * 22)
    filled(store, run, "rag", [False] * 2 + [True] * 20 + [False] * 2)
    at = opened("Decide")
    assert "Take RAG" in words(at)
    assert "USD per 1,000, all in" in str(at.table[0].value)
    at = acted(at.toggle(key="need_right").set_value(True))
    at = acted(at.number_input(key="need_right:value").set_value(99.0))
    said = words(at).replace("\\", "")
    assert "No approach can be recommended: every approach fails a need." in said
    at = acted(at.number_input(key="need_right:value").set_value(20.0))
    assert "Raw model is out: at least 20 % right" in words(at).replace("\\", "") or "Take RAG" in words(at)
    at = acted(at.toggle(key="need_right").set_value(False))
    at = click(at, "swing:raw")
    assert address(at, run.id)["show"] == "disagree"


def test_without_a_run_the_section_says_what_it_needs() -> None:
    assert "once a run has measured them" in words(opened("Decide"))
