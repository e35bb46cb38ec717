"""The pages of an audience over HTTP: one vote for each phone, blind until the reveal, and nothing else served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from backends.settings import load_settings
from backends.store.database import Store
from evaluation.ratings import votes
from evaluation.ratings.votes import Choice
from ui.room.served import room_routes
from ui.room.voting import COOKIE, Voters

HOSTILE = "<script>alert(1)</script>"
CHOICES = [Choice("raw", "Raw model", f"Forty. {HOSTILE}"), Choice("rag", "RAG", "Forty-two.")]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(load_settings({"data": str(tmp_path / "data")}))) as opened:
        yield opened


def phone(store: Store) -> TestClient:
    return TestClient(Starlette(routes=Voters(lambda: store).routes()))


def test_a_phone_votes_changes_its_vote_and_sees_the_result_once_it_is_revealed(store: Store) -> None:
    vote, code = votes.open_vote(store, "s", f"How much? {HOSTILE}", CHOICES, blind=True)
    mine = phone(store)
    page = mine.get(f"/vote?code={code}")
    assert page.status_code == 200
    assert "Forty-two." in page.text
    for told in ("Raw model", "RAG", "rag", "raw", HOSTILE):
        assert told not in page.text, told
    assert "Your vote: A." in mine.post(f"/vote/{code}", data={"choice": "1"}).text
    page = mine.post(f"/vote/{code}", data={"choice": "2"})
    assert "Your vote: B." in page.text
    assert votes.count_of(store, vote) == 1
    other = phone(store)
    other.get(f"/vote/{code}")
    page = other.post(f"/vote/{code}", data={"choice": "1"})
    assert votes.count_of(store, vote) == 2
    assert " vote</strong>" not in page.text
    votes.reveal(store, vote)
    page = mine.get(f"/vote/{code}")
    assert page.text.count("1 vote</strong>") == 2
    assert "RAG" in page.text
    late = mine.post(f"/vote/{code}", data={"choice": "1"})
    assert late.status_code == 422
    assert "This vote is over." in late.text
    assert votes.tally(store, votes.vote_of(store, code)) == [1, 1]


def test_a_cookie_is_needed_and_goes_nowhere_else(store: Store) -> None:
    vote, code = votes.open_vote(store, "s", "How much?", CHOICES, blind=False)
    page = phone(store).get(f"/vote/{code}")
    cookie = page.headers["set-cookie"]
    for part in (COOKIE, "HttpOnly", "SameSite=strict", "Path=/vote"):
        assert part in cookie
    answer = phone(store).post(f"/vote/{code}", data={"choice": "1"})
    assert answer.status_code == 422
    assert "keeps no cookie" in answer.text
    assert votes.count_of(store, vote) == 0


@pytest.mark.parametrize("said", [{}, {"choice": "0"}, {"choice": "3"}, {"choice": "x" * 50}, {"choice": "-1"}])
def test_what_is_no_answer_counts_for_nothing(store: Store, said: dict[str, str]) -> None:
    vote, code = votes.open_vote(store, "s", "How much?", CHOICES, blind=False)
    mine = phone(store)
    mine.get(f"/vote/{code}")
    answer = mine.post(f"/vote/{code}", data=said)
    assert answer.status_code == 422
    assert "No answer was chosen." in answer.text
    assert votes.count_of(store, vote) == 0


def test_a_wrong_code_is_said_and_a_withdrawn_vote_is_gone(store: Store) -> None:
    mine = phone(store)
    assert mine.get("/vote/nothing").status_code == 404
    vote, code = votes.open_vote(store, "s", "How much?", CHOICES, blind=False)
    mine.get(f"/vote/{code}")
    votes.withdraw(store, vote)
    answer = mine.post(f"/vote/{code}", data={"choice": "1"})
    assert answer.status_code == 404
    assert "There is no such vote." in answer.text


def test_the_room_serves_raters_and_voters_and_nothing_else() -> None:
    assert {route.path.split("/")[1] for route in room_routes()} == {"rate", "vote"}
    room = TestClient(Starlette(routes=room_routes()))
    for path in ("/", "/compare", "/_stcore/health", "/vote/static/page.html", "/vote/static/..%2Froutes.py"):
        assert room.get(path).status_code == 404, path
