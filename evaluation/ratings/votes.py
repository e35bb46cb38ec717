"""Votes of an audience: which answer to the question on the screen people in the room like best.

A vote is a show of hands, and no rating session: one question, one choice for each phone, no interval for other people.
Nobody sees how it stands until the presenter reveals it, which ends it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings.sessions import ALPHABET, hashed
from evaluation.ratings.tables import audience_ballots, audience_votes
from evaluation.runs.records import stamp, storable

if TYPE_CHECKING:
    from sqlalchemy import Connection

LETTERS = "ABCDEFGHI"
CODE_LENGTH = 6
"""Characters of a code. It is read off a wall and holds for minutes."""

LONGEST_MINUTES = 180
MOST_VOTERS = 1_000

State = Literal["open", "revealed", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer, as the audience reads it."""

    approach: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote as it was opened. `blind`: answers have letters in place of names until it is revealed. `screen` tells
    which question and answers it is about (`screen_of`). Times are UTC."""

    id: str
    created_at: datetime
    expires_at: datetime
    state: State
    blind: bool
    screen: str
    question: str
    choices: tuple[Choice, ...]

    @property
    def revealed(self) -> bool:
        """Whether names and votes are shown."""
        return self.state == "revealed"

    @property
    def hides_names(self) -> bool:
        """Whether nothing may tell who wrote what."""
        return self.blind and not self.revealed

    def label(self, place: int) -> str:
        """What the answer at a place (from 0) is called now."""
        return LETTERS[place] if self.hides_names else f"{LETTERS[place]}: {self.choices[place].name}"

    def takes_votes(self, now: datetime | None = None) -> bool:
        """Whether it is open and has not expired, by the clock of this machine."""
        return self.state == "open" and (now or datetime.now(UTC)) < self.expires_at


def screen_of(question: str, texts: Sequence[tuple[str, str]]) -> str:
    """What tells a question with its answers (approach and text of each) from every other one."""
    return hashlib.sha256(json.dumps([question, sorted(texts)]).encode()).hexdigest()


def open_vote(
    store: Store,
    screen: str,
    question: str,
    choices: Sequence[Choice],
    *,
    blind: bool,
    minutes: float = 10,
    now: datetime | None = None,
) -> tuple[Vote, str]:
    """Open a vote for so many minutes, and the code that lets people in, which is kept nowhere. One that is open on the
    same screen is withdrawn.

    Blind, the answers are put in an order that is drawn. Raises `BackendError` for fewer than two answers, or too many.
    """
    if not 2 <= len(choices) <= len(LETTERS):
        raise BackendError("A vote needs two answers or more.", f"Ask two approaches, and at most {len(LETTERS)}.")
    now = now or datetime.now(UTC)
    ordered = [Choice(one.approach, storable(one.name), storable(one.text)) for one in choices]
    if blind:
        secrets.SystemRandom().shuffle(ordered)
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    minutes = min(max(minutes, 1), LONGEST_MINUTES)
    vote = Vote(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        created_at=now,
        expires_at=now + timedelta(minutes=minutes),
        state="open",
        blind=blind,
        screen=screen,
        question=storable(question),
        choices=tuple(ordered),
    )
    row = asdict(vote) | {"created_at": stamp(now), "expires_at": stamp(vote.expires_at), "code_hash": hashed(code)}
    with store.writing() as connection:
        same = (audience_votes.c.screen == screen) & (audience_votes.c.state == "open")
        connection.execute(audience_votes.update().where(same).values(state="withdrawn"))
        connection.execute(audience_votes.insert().values(**row | {"choices": [asdict(one) for one in ordered]}))
    return vote, code


def vote_on(store: Store, screen: str) -> Vote | None:
    """The vote that is open or was revealed on a screen, the newest one; None without any. Raises `BackendError`."""
    query = audience_votes.select().where(audience_votes.c.screen == screen, audience_votes.c.state != "withdrawn")
    with store.reading() as connection:
        row = connection.execute(query.order_by(audience_votes.c.created_at.desc())).mappings().first()
    return None if row is None else _vote(row)


def vote_of(store: Store, code: str) -> Vote:
    """The vote that a code lets into. Raises `BackendError` if there is none, and for one that was withdrawn."""
    with store.reading() as connection:
        return _found(connection, audience_votes.c.code_hash == hashed(code.strip().lower()))


def cast(store: Store, code: str, voter: str, choice: int, now: datetime | None = None) -> None:
    """Keep what a phone says, in place of what it said before. `voter` is the secret of its cookie, `choice` a place
    from 0. Raises `BackendError`, also once the vote is over."""
    now = now or datetime.now(UTC)
    with store.writing() as connection:
        vote = _found(connection, audience_votes.c.code_hash == hashed(code.strip().lower()))
        if not vote.takes_votes(now):
            raise BackendError("This vote is over.", "Look at the screen.")
        if not 0 <= choice < len(vote.choices):
            raise BackendError("No answer was chosen.", "Choose one.")
        own = (audience_ballots.c.vote_id == vote.id) & (audience_ballots.c.voter_hash == hashed(voter))
        connection.execute(audience_ballots.delete().where(own))
        if sum(_tally(connection, vote)) >= MOST_VOTERS:
            raise BackendError(f"{MOST_VOTERS:,} phones have voted already.", "Raise your hand instead.")
        ballot = {"vote_id": vote.id, "voter_hash": hashed(voter), "choice": choice, "at": stamp(now)}
        connection.execute(audience_ballots.insert().values(**ballot))


def choice_of(store: Store, vote: Vote, voter: str) -> int | None:
    """What a phone said; None if it did not. Raises `BackendError`."""
    own = (audience_ballots.c.vote_id == vote.id) & (audience_ballots.c.voter_hash == hashed(voter))
    with store.reading() as connection:
        row = connection.execute(audience_ballots.select().where(own)).mappings().first()
    return None if row is None else int(row["choice"])


def count_of(store: Store, vote: Vote) -> int:
    """How many phones have voted. Raises `BackendError`."""
    with store.reading() as connection:
        return sum(_tally(connection, vote))


def tally(store: Store, vote: Vote) -> list[int]:
    """How many votes each answer got, in their order. Raises `BackendError`, also before it is revealed."""
    if not vote.revealed:
        raise BackendError("How a vote stands is shown once it is revealed.", "Reveal it first.")
    with store.reading() as connection:
        return _tally(connection, vote)


def reveal(store: Store, vote: Vote) -> None:
    """End a vote and show what it came to. Raises `BackendError`."""
    _set_state(store, vote, "revealed")


def withdraw(store: Store, vote: Vote) -> None:
    """End a vote and show nothing of it. Raises `BackendError`."""
    _set_state(store, vote, "withdrawn")


def _set_state(store: Store, vote: Vote, state: State) -> None:
    with store.writing() as connection:
        connection.execute(audience_votes.update().where(audience_votes.c.id == vote.id).values(state=state))


def _tally(connection: Connection, vote: Vote) -> list[int]:
    from sqlalchemy import select

    said = connection.execute(select(audience_ballots.c.choice).where(audience_ballots.c.vote_id == vote.id)).scalars()
    found = [0] * len(vote.choices)
    for choice in said:
        found[choice] += 1
    return found


def _found(connection: Connection, where: Any) -> Vote:
    row = connection.execute(audience_votes.select().where(where)).mappings().first()
    if row is None or row["state"] == "withdrawn":
        raise BackendError("There is no such vote.", "Read the code off the screen again.")
    return _vote(row)


def _vote(row: Any) -> Vote:
    return Vote(
        **{name: row[name] for name in ("id", "state", "blind", "screen", "question")},
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        choices=tuple(Choice(**one) for one in row["choices"]),
    )
