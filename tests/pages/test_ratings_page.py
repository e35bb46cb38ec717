"""The section Ratings of the page Evaluate: a session is made from a run, watched, locked, and says who won."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backends.settings import Settings, load_settings
from backends.store.database import Store
from evaluation.ratings import rating, sessions
from evaluation.runs.model import Run
from tests.evaluation.runs.made_runs import begun, filled
from tests.pages.test_results_and_answers import SAMPLES, click, opened, words
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


@pytest.fixture
def run(store: Store, current: Settings) -> Run:
    run = begun(store, current, samples=SAMPLES[:8])
    filled(store, run, "raw", [True] * 7 + ["The server is away."])
    filled(store, run, "rag", [False] * 8)
    return run


def _code(at: AppTest) -> str:
    found = re.search(r"/rate/([a-z2-9]{12})", "\n".join(one.value for one in at.code))
    assert found, at.code
    return found[1]


def _rated(store: Store, code: str, name: str, approach: str) -> None:
    _, _, token = sessions.join(store, code, name)
    turn = rating.next_turn(store, token)
    while turn.item is not None:
        chosen = turn.order.index(approach) + 1
        rating.save(store, token, turn.item.number, turn.again, {"best": [chosen]}, f"by {name} *a* :red[b]")
        turn = rating.next_turn(store, token)


@pytest.mark.usefixtures("run")
def test_a_session_goes_from_a_run_to_who_is_preferred(store: Store) -> None:
    at = opened("Ratings")
    assert "±" in words(at)
    assert "Left out: 1 answer that failed and 1 question with fewer than two answers." in words(at).replace("\\", "")
    at = click(at, "rating_begin")
    code = _code(at)
    assert "Nothing was rated yet." in words(at)
    for place, name in enumerate(("Ada", "Bo", "Cy")):
        _rated(store, code, name, "rag" if place < 3 else "raw")
    at = at.run()
    assert "shown once the session is closed or locked" in words(at)
    assert "preferred to" not in words(at)
    assert not at.get("download_button")
    at = click(at, "rating_locked")
    said = words(at).replace("\\", "")
    assert "RAG is preferred to Raw model" in said
    assert "+1.00 (95 % interval +1.00 to +1.00)" in said
    assert "Strength by the Bradley-Terry model" in said
    at.toggle(key="rating_style").set_value(True).run()
    assert "preferred with" in words(at) or "equally long" in words(at)
    assert "undefined, because everybody said the same of every item" in said
    assert "Nobody guessed whose answers they were" in said
    assert "*a* :red[b]" not in words(at)  # escaped
    assert [one.label for one in at.get("download_button")] == ["All of it (ZIP)", "CSV", "Parquet", "JSON lines"]
    at = click(at, "rating_again")
    assert "round 2" in words(at)
    at = click(at, "rating_delete")
    assert sessions.all_sessions(store) == []
    at = click(at, "rating_undo")
    assert "round 2" in words(at)


@pytest.mark.usefixtures("run")
def test_the_code_is_shown_to_who_made_it_and_can_be_made_anew(store: Store) -> None:
    at = click(opened("Ratings"), "rating_begin")
    code = _code(at)
    elsewhere = opened("Ratings")
    assert [one.value for one in elsewhere.code] == []
    assert code not in words(elsewhere)
    elsewhere = click(elsewhere, "rating_code")
    assert _code(elsewhere) != code


def test_without_a_run_the_section_says_what_it_is_for() -> None:
    at = opened("Ratings")
    assert "Begin with a run" in words(at)
