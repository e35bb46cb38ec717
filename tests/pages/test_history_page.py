"""The History page: what was asked is found again, opened as it was, marked, deleted and brought back."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from backends.settings import load_settings
from backends.spend.ledger import entries
from backends.store.database import store_of
from evaluation.history import Wanted, found
from tests.pages.opening import HOME, everything, markdown_in
from tests.scripted import PATIENCE_S

pytestmark = pytest.mark.usefixtures("scripted")

MINE, YOURS = "m" * 43, "y" * 43
HOSTILE = "<b>x</b> ![x](http://evil.example/x.png) $z$ :red[c]"


def loaded(page: str = "history", browser: str = MINE, **address: str) -> AppTest:
    at = AppTest.from_file(str(HOME / "pages" / f"{page}.py"), default_timeout=PATIENCE_S)
    at.session_state["browser"] = browser
    for key, value in address.items():
        at.query_params[key] = value
    return run(at)


def run(acted: AppTest | Widget) -> AppTest:
    at = acted.run()
    assert not at.exception, at.exception
    return at


def ask(question: str, page: str = "compare", browser: str = MINE) -> str:
    """Ask, and return the id in the history."""
    at = loaded(page, browser)
    if any(button.key == f"edit:{page}" for button in at.button):
        run(at.button(key=f"edit:{page}").click())
    at.text_area(key=f"question:{page}").input(question)
    at = run(at.button(key=f"ask:{page}").click())
    return str(at.session_state["live_comparisons"][page].question.run)


def open_buttons(at: AppTest) -> list[str]:
    return [str(one.key).removeprefix("history_open:") for one in at.button if str(one.key).startswith("history_open:")]


@pytest.fixture
def data() -> Path:
    return load_settings().data


def test_without_a_question_it_says_where_to_ask() -> None:
    at = loaded()
    assert any("Nothing was asked here yet" in one.value for one in at.info)
    run(at.text_input(key="history:words").input("anything"))
    assert any("No question fits" in one.value for one in at.info)


def test_what_was_asked_is_found_and_opened_without_asking_anybody(data: Path) -> None:
    first, second = ask("Where is the first?"), ask("And the second?", "raw")
    asked = len(entries(data))
    at = loaded()
    assert open_buttons(at) == [second, first]
    run(at.text_input(key="history:words").input("first where"))
    assert open_buttons(at) == [first]
    at = run(at.button(key=f"history_open:{first}").click())
    assert at.query_params["asked"] == first
    assert at.header[0].value == "Where is the first?"
    assert len(markdown_in(at, "answer-")) == 4
    assert markdown_in(at, "numbers-") == markdown_in(loaded("compare"), "numbers-")
    assert "Asked with an answer length of" in everything(at)
    at = run(at.button(key="history_back").click())
    assert open_buttons(at) == [first]  # the filter is still there
    assert len(entries(data)) == asked


def test_other_browsers_questions_are_shown_when_wanted() -> None:
    mine, yours = ask("Is this mine?"), ask("Is this yours?", browser=YOURS)
    at = loaded()
    assert open_buttons(at) == [mine]
    assert open_buttons(run(at.toggle(key="history:everybody").set_value(True))) == [yours, mine]


def test_stars_notes_and_deletion_are_kept_and_undone(data: Path) -> None:
    id = ask("Worth a star?")
    at = loaded()
    run(at.button(key=f"history_star:list:{id}").click())
    run(at.button(key=f"history_open:{id}").click())
    run(at.text_input(key=f"history_note:{id}").input("for Monday"))
    store = store_of(load_settings())
    assert [(one.star, one.note) for one in found(store, Wanted(starred=True)).entries] == [(True, "for Monday")]
    at = loaded()
    assert "for Monday" in everything(at)
    at = run(at.button(key=f"history_delete:{id}").click())
    assert open_buttons(at) == []
    at = run(at.button(key="history_undo").click())
    assert open_buttons(at) == [id]
    at = run(run(at.button(key=f"history_open:{id}").click()).button(key=f"history_delete:{id}").click())
    assert "asked" not in at.query_params
    assert open_buttons(at) == []
    gone = loaded(asked=id)
    assert any("was deleted" in one.value for one in gone.error)
    assert open_buttons(run(gone.button(key="history_back").click())) == []


def test_it_is_asked_again_on_compare() -> None:
    id = ask("Once more?")
    app = AppTest.from_file(str(HOME / "streamlit_app.py"), default_timeout=PATIENCE_S)
    app.session_state["browser"] = MINE
    at = run(run(app).switch_page("pages/history.py"))
    at = run(at.button(key=f"history_open:{id}").click())
    at = run(at.button(key="history_again").click())
    assert at.title[0].value == "Crossroads"
    again = at.session_state["live_comparisons"]["compare"].question
    assert again.text == "Once more?"
    assert again.run != id


def test_without_texts_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_STORE__KEEP_TEXTS", "false")
    ask("A secret?")
    at = loaded()
    assert open_buttons(at) == []
    assert any("New questions are not kept" in one.value for one in at.info)


def test_foreign_text_is_shown_letter_by_letter() -> None:
    id = ask(HOSTILE)
    for at in (loaded(), loaded(asked=id)):
        shown = "".join(one.value for one in (*at.markdown, *at.header, *at.caption))
        assert "![x](" not in shown
        assert "<b>x" not in shown
        assert "evil" in shown


def test_a_store_that_cannot_be_read_is_a_sentence(data: Path) -> None:
    ask("Was it kept?")
    from backends.store.database import forget_stores, store_file

    forget_stores()
    store_file(data).write_bytes(b"no database " * 200)
    at = loaded()
    assert any("damaged" in one.value for one in at.error)
