"""Votes of an audience: one for each phone, for as long as they are open, and counted in secret until revealed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings import votes
from evaluation.ratings.votes import Choice

CHOICES = [Choice(name, name.upper(), f"It is {name}.") for name in ("raw", "rag", "paid_api")]
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def test_a_phone_votes_once_and_may_change_its_mind(store: Store) -> None:
    vote, code = votes.open_vote(store, "s", "Why?", CHOICES, blind=False)
    for voter, choice in (("ada", 0), ("bo", 2), ("ada", 2), ("ada", 1)):
        votes.cast(store, f" {code.upper()} ", voter, choice)
    assert votes.count_of(store, vote) == 2
    assert votes.choice_of(store, vote, "ada") == 1
    assert votes.choice_of(store, vote, "cy") is None
    with pytest.raises(BackendError, match="once it is revealed"):
        votes.tally(store, vote)
    votes.reveal(store, vote)
    revealed = votes.vote_of(store, code)
    assert votes.tally(store, revealed) == [0, 1, 1]
    with pytest.raises(BackendError, match="This vote is over"):
        votes.cast(store, code, "cy", 0)


def test_after_its_time_nobody_votes(store: Store) -> None:
    vote, code = votes.open_vote(store, "s", "Why?", CHOICES, blind=True, minutes=5, now=NOW)
    last = NOW + timedelta(minutes=5)
    votes.cast(store, code, "ada", 0, now=last - timedelta(microseconds=1))
    with pytest.raises(BackendError, match="This vote is over"):
        votes.cast(store, code, "bo", 0, now=last)
    assert votes.count_of(store, vote) == 1


@pytest.mark.parametrize("choice", [-1, 3, 99])
def test_what_is_no_answer_is_refused(store: Store, choice: int) -> None:
    vote, code = votes.open_vote(store, "s", "Why?", CHOICES, blind=False)
    with pytest.raises(BackendError, match="No answer was chosen"):
        votes.cast(store, code, "ada", choice)
    assert votes.count_of(store, vote) == 0


def test_blind_labels_are_letters_until_it_is_revealed(store: Store) -> None:
    vote, code = votes.open_vote(store, "s", "Why?", CHOICES, blind=True)
    assert [vote.label(place) for place in range(3)] == ["A", "B", "C"]
    votes.reveal(store, vote)
    revealed = votes.vote_of(store, code)
    assert {revealed.label(place)[3:] for place in range(3)} == {"RAW", "RAG", "PAID_API"}
    orders = {votes.open_vote(store, "t", "Why?", CHOICES, blind=True)[0].choices for _ in range(30)}
    assert len(orders) > 1  # drawn


def test_a_screen_has_one_vote_and_another_answer_has_none(store: Store) -> None:
    texts = [(one.approach, one.text) for one in CHOICES]
    screen = votes.screen_of("Why?", texts)
    first, code = votes.open_vote(store, screen, "Why?", CHOICES, blind=False)
    assert votes.vote_on(store, screen) == first
    assert votes.vote_on(store, votes.screen_of("Why?", [("raw", "other"), *texts[1:]])) is None
    second, _ = votes.open_vote(store, screen, "Why?", CHOICES, blind=False)
    assert votes.vote_on(store, screen) == second
    with pytest.raises(BackendError, match="There is no such vote"):
        votes.cast(store, code, "ada", 0)
    votes.withdraw(store, second)
    assert votes.vote_on(store, screen) is None


def test_one_answer_alone_is_no_vote(store: Store) -> None:
    with pytest.raises(BackendError, match="two answers"):
        votes.open_vote(store, "s", "Why?", CHOICES[:1], blind=True)


def test_more_phones_than_a_room_holds_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "MOST_VOTERS", 2)
    vote, code = votes.open_vote(store, "s", "Why?", CHOICES, blind=False)
    votes.cast(store, code, "ada", 0)
    votes.cast(store, code, "bo", 0)
    with pytest.raises(BackendError, match="Raise your hand"):
        votes.cast(store, code, "cy", 0)
    votes.cast(store, code, "bo", 1)
    assert votes.count_of(store, vote) == 2
