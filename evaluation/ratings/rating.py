"""What a rater does: gets an item, says what is to be said of it, takes it back, and guesses at the end.

A rater who has an item holds it for `LEASE_S` seconds, and longer as long as the page says that somebody is there; so
two raters do not get the last place of one item, and one who leaves gives it back. What is said counts once for each
rater, item and round, however often it is sent.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings.model import LONGEST_COMMENT, Item, Plan, Rater, Rating, RatingSession, order_of, outcome
from evaluation.ratings.sessions import (
    check_open,
    rater_of,
    rating_row,
    read_items,
    read_rating,
)
from evaluation.ratings.tables import raters, rating_leases, ratings
from evaluation.runs.records import stamp, storable

if TYPE_CHECKING:
    from sqlalchemy import Connection

LEASE_S = 120.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What a rater is to rate now: `order` is that of the answers as they are shown. `item` is None when all is done.

    `done` and `left` count items, the repeated ones with them. `last` is what the rater said last, to be taken back.
    """

    session: RatingSession
    rater: Rater
    item: Item | None
    again: bool
    order: tuple[str, ...]
    done: int
    left: int
    draft: str = ""
    last: Rating | None = None

    @property
    def texts(self) -> list[str]:
        """The answers in the order in which they are shown."""
        return [self.item.answers[name] for name in self.order] if self.item else []


def next_turn(store: Store, token: str, now: datetime | None = None) -> Turn:
    """What the rater with this token has to rate, held for the rater from now on. Raises `BackendError`."""
    now = now or datetime.now(UTC)
    with store.writing() as connection:
        session, rater = rater_of(connection, token)
        check_open(session, now)
        return _turn(connection, session, rater, now)


def save(
    store: Store,
    token: str,
    number: int,
    again: bool,
    said: Mapping[str, Any] | Callable[[Plan, int], Mapping[str, Any]],
    comment: str = "",
    now: datetime | None = None,
) -> None:
    """Keep what a rater says of an item, in place of what was said of it before.

    `said` is as `model.outcome` takes it, or gives that for the session's plan and so many answers. In which order the
    answers stood is drawn anew here, and not taken from the browser. Raises `BackendError` for an item that the session
    does not have, for what its plan does not take, and where nothing can be rated any more.
    """
    now = now or datetime.now(UTC)
    with store.writing() as connection:
        session, rater = rater_of(connection, token)
        check_open(session, now)
        items = read_items(connection, session.id)
        if not 0 <= number < len(items):
            raise BackendError("This session has no such item.", "Go on with the one that is shown.")
        order = order_of(session.seed, rater.id, items[number], again)
        found = outcome(session.plan, order, said(session.plan, len(order)) if callable(said) else said)
        kept = storable(comment.strip())[:LONGEST_COMMENT]
        rating = replace(found, rater=rater.id, item=number, again=again, comment=kept, round=session.round, at=now)
        connection.execute(ratings.delete().where(_is_rating(session, rater, number, again)))
        connection.execute(ratings.insert().values(**rating_row(session.id, rating)))
        connection.execute(rating_leases.delete().where(_is_lease(session, rater)))


def undo(store: Store, token: str, now: datetime | None = None) -> Turn:
    """Take back what the rater said last; that item is the next one. Raises `BackendError`, also if there is nothing to
    take back."""
    now = now or datetime.now(UTC)
    with store.writing() as connection:
        session, rater = rater_of(connection, token)
        check_open(session, now)
        last = _last(connection, session, rater)
        if last is None:
            raise BackendError("There is nothing to take back.", "Go on with the item that is shown.")
        connection.execute(ratings.delete().where(_is_rating(session, rater, last.item, last.again)))
        _hold(connection, session, rater, last.item, last.again, now, last.comment)
        return _turn(connection, session, rater, now)


def still_there(store: Store, token: str, draft: str = "", now: datetime | None = None) -> None:
    """The rater's page is open: hold the item longer, and keep the comment as far as it is typed. Raises
    `BackendError`."""
    now = now or datetime.now(UTC)
    with store.writing() as connection:
        session, rater = rater_of(connection, token)
        check_open(session, now)
        until = {"until": stamp(now + timedelta(seconds=LEASE_S)), "draft": storable(draft)[:LONGEST_COMMENT]}
        connection.execute(rating_leases.update().where(_is_lease(session, rater)).values(**until))


def guess(store: Store, token: str, guessed: Mapping[str, str]) -> None:
    """Keep which approach the rater takes for which: `guessed` has an approach for each one whose answer was shown.

    Raises `BackendError` unless each is named once.
    """
    with store.writing() as connection:
        session, rater = rater_of(connection, token)
        check_open(session)
        if sorted(guessed) != sorted(guessed.values()) or not set(guessed) <= set(session.approaches):
            raise BackendError("An approach is named twice, or not at all.", "Name each once.")
        where = (raters.c.session_id == session.id) & (raters.c.id == rater.id)
        connection.execute(raters.update().where(where).values(guess=dict(guessed)))


@dataclass(frozen=True, slots=True)
class _Said:
    """Of which item a rating is."""

    item: int
    again: bool
    skipped: bool


# --- which item is next ---------------------------------------------------------------------------


def _turn(connection: Connection, session: RatingSession, rater: Rater, now: datetime) -> Turn:
    items, own = read_items(connection, session.id), _own(connection, session, rater)
    done = {(one.item, one.again) for one in own}
    open_items = _open_items(connection, session, rater, items, {number for number, _ in done}, now)
    again = _repeats(session, rater, own, done, len(open_items))
    held = connection.execute(rating_leases.select().where(_is_lease(session, rater))).mappings().first()
    left = len(open_items) + len(again)
    chosen: tuple[int, bool] | None
    if held is not None and (held["item"], held["again"]) not in done:
        chosen, draft = (held["item"], held["again"]), held["draft"]
        left = max(left, 1)
    else:
        chosen, draft = next(iter([(number, False) for number in open_items] or again), None), ""
    if chosen is None:
        connection.execute(rating_leases.delete().where(_is_lease(session, rater)))
        return Turn(session, rater, None, False, (), len(done), 0, last=_last(connection, session, rater))
    number, twice = chosen
    _hold(connection, session, rater, number, twice, now, draft)
    order = order_of(session.seed, rater.id, items[number], twice)
    return Turn(session, rater, items[number], twice, order, len(done), left, draft, _last(connection, session, rater))


def _open_items(
    connection: Connection,
    session: RatingSession,
    rater: Rater,
    items: Sequence[Item],
    rated: Collection[int],
    now: datetime,
) -> list[int]:
    """The numbers of the items that this rater may still rate, the next one first: those that all have, then those
    with the fewest ratings, in an order that is drawn for the rater."""
    drawn = [item.number for item in items]
    random.Random(f"{session.seed}:{rater.id}").shuffle(drawn)  # noqa: S311
    mine = [number for number in drawn if number not in rated]
    if session.plan.per_item is None:
        return mine
    core = [number for number in mine if items[number].core]
    taken = _taken(connection, session, rater, now)
    rest = [number for number in mine if not items[number].core and taken[number] < session.plan.per_item]
    return core + sorted(rest, key=lambda number: taken[number])


def _taken(connection: Connection, session: RatingSession, rater: Rater, now: datetime) -> Counter[int]:
    """How many other people have rated each item, or hold it now."""
    from sqlalchemy import select

    others = (
        (ratings.c.session_id == session.id) & (ratings.c.rater_id != rater.id) & (ratings.c.round == session.round)
    )
    said = connection.execute(select(ratings.c.item).where(others, ratings.c.again.is_(False))).scalars()
    leased = select(rating_leases.c.item).where(
        rating_leases.c.session_id == session.id,
        rating_leases.c.rater_id != rater.id,
        rating_leases.c.again.is_(False),
        rating_leases.c.until > stamp(now),
    )
    return Counter([*said, *connection.execute(leased).scalars()])


def _repeats(
    session: RatingSession, rater: Rater, own: Sequence[_Said], done: Collection[tuple[int, bool]], open_items: int
) -> list[tuple[int, bool]]:
    """The items that the rater gets once more, at the end: of those rated long ago, so that none is remembered."""
    first = [one.item for one in own if not one.again and not one.skipped]
    count = round(session.plan.repeated * (len(first) + open_items))
    early = first[: max(count, len(first) // 2)]
    drawn = random.Random(f"{session.seed}:{rater.id}:again")  # noqa: S311
    chosen = sorted(drawn.sample(sorted(early), min(count, len(early)))) if not open_items else early[:count]
    return [(number, True) for number in chosen if (number, True) not in done]


def _own(connection: Connection, session: RatingSession, rater: Rater) -> list[_Said]:
    """What the rater said in this round, in that order. Read at each step, so nothing else of it is."""
    from sqlalchemy import select

    columns = (ratings.c.item, ratings.c.again, ratings.c.said)
    query = select(*columns).where(_of_rater(session, rater)).order_by(ratings.c.at)
    return [_Said(item, again, not said["ranks"]) for item, again, said in connection.execute(query)]


def _last(connection: Connection, session: RatingSession, rater: Rater) -> Rating | None:
    """What the rater said last in this round, whole."""
    query = ratings.select().where(_of_rater(session, rater)).order_by(ratings.c.at.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else read_rating(row)


def _of_rater(session: RatingSession, rater: Rater) -> Any:
    return (ratings.c.session_id == session.id) & (ratings.c.rater_id == rater.id) & (ratings.c.round == session.round)


def _hold(
    connection: Connection, session: RatingSession, rater: Rater, number: int, again: bool, now: datetime, draft: str
) -> None:
    connection.execute(rating_leases.delete().where(_is_lease(session, rater)))
    until = stamp(now + timedelta(seconds=LEASE_S))
    row = {"session_id": session.id, "rater_id": rater.id, "item": number, "again": again}
    connection.execute(rating_leases.insert().values(**row, until=until, draft=draft))


def _is_lease(session: RatingSession, rater: Rater) -> Any:
    return (rating_leases.c.session_id == session.id) & (rating_leases.c.rater_id == rater.id)


def _is_rating(session: RatingSession, rater: Rater, number: int, again: bool) -> Any:
    return _of_rater(session, rater) & (ratings.c.item == number) & (ratings.c.again.is_(again))
