"""A vote of the audience as the presenter meets it on the Compare page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from backends.settings import load_settings
from backends.store.database import Store
from evaluation.ratings import votes
from tests.pages.opening import everything
from tests.pages.test_pages import NAMES, ask, opened, run
from ui.evaluate import page as evaluate_page

pytestmark = pytest.mark.usefixtures("scripted")


@pytest.fixture
def store() -> Iterator[Store]:
    opened_store = Store(load_settings({}))
    yield opened_store
    opened_store.close()
    evaluate_page.opened_stores.clear()


def _said(at: AppTest) -> str:
    texts = (one.value for kind in (at.markdown, at.caption, at.header) for one in kind)
    return "\n".join(texts).replace("\\", "")


def _code(at: AppTest) -> str:
    return next(one.value for one in at.code).rsplit("/", 1)[1]


def test_blind_the_page_tells_nothing_of_who_wrote_what_until_the_reveal(store: Store) -> None:
    at = ask(opened("compare"), "How many days of holiday do I have?")
    assert "Ask the audience" in everything(at)
    at = run(at.button(key="audience_open").click())
    shown = everything(at)
    for name in NAMES:
        assert name not in _said(at), name
    assert "## A" in _said(at)
    assert "## D" in _said(at)
    assert "s to first" not in shown
    code = _code(at)
    for number, choice in enumerate((1, 1, 0)):
        votes.cast(store, code, f"phone {number}", choice)
    at = run(at)
    assert "3 votes." in _said(at)
    assert not at.table
    at = run(at.button(key="audience_reveal").click())
    chosen = votes.vote_of(store, code).choices[1].name
    table = at.table[0].value if len(at.table) == 1 else at.table[-1].value
    assert list(table["Votes"]) == ["2", "1", "0", "0"]
    assert table["Answer"].iloc[0].replace("\\", "") == f"B: {chosen} (most votes)"
    for name in NAMES:
        assert name in _said(at), name
    at = run(at.button(key="audience_discard").click())
    assert "What the audience said" not in _said(at)


def test_with_names_the_columns_stay_and_another_question_has_no_vote(store: Store) -> None:
    at = ask(opened("compare"), "How many days of holiday do I have?")
    at.toggle(key="audience_blind").set_value(False)
    at = run(at.button(key="audience_open").click())
    assert "Vote with your phone" in _said(at)
    for name in NAMES:
        assert name in _said(at), name
    assert [one.name for one in votes.vote_of(store, _code(at)).choices] == NAMES
    at = ask(at, "And how many hours a week?")
    assert "Vote with your phone" not in _said(at)
