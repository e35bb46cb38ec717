"""Rating sessions in the store: made, listed, opened and closed; who joined, and every rating."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings.model import FULL_PANEL, LEAST_RATERS, Item, Plan, Rater, Rating, RatingSession, State
from evaluation.ratings.tables import raters, rating_items, rating_sessions, ratings
from evaluation.runs.records import stamp, storable

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # without letters and digits that are taken for each other
CODE_LENGTH = 12
"""Characters of an invitation code: 31 to the power of 12, which nobody guesses."""

MOST_ITEMS = 1_000
MOST_APPROACHES = 9
"""A rater chooses with the keys 1 to 9."""

MOST_RATERS = 200
LONGEST_NAME = 80

_REMEMBERED = 8  # sessions
_items: dict[str, list[Item]] = {}
_items_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new session and the code that lets people in, which is kept nowhere."""

    session: RatingSession
    code: str


def hashed(secret: str) -> str:
    """What is kept of a code or a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_code() -> str:
    """A code that can be read out loud."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def begin_session(
    store: Store,
    name: str,
    plan: Plan,
    items: Sequence[Item],
    *,
    days: float = 14,
    run: str = "",
    seed: int | None = None,
) -> Invitation:
    """Make a session that is open from now on, for so many days. Items are numbered anew, in their order.

    Raises `BackendError` for a plan that cannot be asked, and for items that cannot be rated.
    """
    plan = _in_force(plan.checked(), len(items))
    _check(plan, items)
    now = datetime.now(UTC)
    code = new_code()
    approaches = tuple(dict.fromkeys(name for item in items for name in item.answers))
    session = RatingSession(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        name=storable(name.strip()[:LONGEST_NAME]) or f"Ratings of {now:%Y-%m-%d %H:%M}",
        created_at=now,
        expires_at=now + timedelta(days=days),
        state="open",
        plan=plan,
        approaches=approaches,
        seed=secrets.randbits(48) if seed is None else seed,
        code_hash=hashed(code),
        run=run,
    )
    numbered = [replace(item, number=number, core=item.core or number < plan.core) for number, item in enumerate(items)]
    with store.writing() as connection:
        connection.execute(rating_sessions.insert().values(**_session_row(session)))
        connection.execute(rating_items.insert(), [_item_row(session.id, item) for item in numbered])
    return Invitation(session, code)


def _in_force(plan: Plan, items: int) -> Plan:
    """Up to 40 items everybody rates all; of more each is rated by three or more, with a core that all have."""
    if plan.per_item is None and items > FULL_PANEL:
        return replace(plan, per_item=LEAST_RATERS, core=plan.core or min(10, items // 10))
    return plan


def _check(plan: Plan, items: Sequence[Item]) -> None:
    if not items:
        raise BackendError("There is no question whose answers could be rated.", "Choose a run with answers.")
    if len(items) > MOST_ITEMS:
        raise BackendError(f"{len(items):,} items are more than people rate.", f"Choose at most {MOST_ITEMS:,}.")
    for item in items:
        if len(item.answers) < 2:
            raise BackendError(
                f"The question {item.question[:60]!r} has one answer alone, which compares with nothing.",
                "Choose two approaches or more.",
            )
        if len(item.answers) > MOST_APPROACHES:
            raise BackendError(
                f"{len(item.answers)} answers to a question are more than a rater can keep apart.",
                f"Choose at most {MOST_APPROACHES} approaches.",
            )
        if plan.kind == "pairwise" and len(item.answers) != 2:
            raise BackendError("Pairs have two answers each.", "Make an item of every two answers.")


def all_sessions(store: Store) -> list[RatingSession]:
    """Every session that was not deleted, the newest first. Raises `BackendError`."""
    query = rating_sessions.select().where(rating_sessions.c.deleted_at.is_(None))
    with store.reading() as connection:
        rows = connection.execute(query.order_by(rating_sessions.c.created_at.desc())).mappings()
        return [_session(row) for row in rows]


def find_session(store: Store, id: str) -> RatingSession:
    """The session of that id. Raises `BackendError` if there is none."""
    with store.reading() as connection:
        return session_by(connection, rating_sessions.c.id == id)


def session_by(connection: Connection, where: Any) -> RatingSession:
    """The one session for which `where` holds. Raises `BackendError` if there is none."""
    query = rating_sessions.select().where(where, rating_sessions.c.deleted_at.is_(None))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise BackendError("There is no such rating session.", "Ask whoever invited you for the link.")
    return _session(row)


def set_state(store: Store, id: str, state: State) -> None:
    """Open, pause, close or lock a session. Raises `BackendError`."""
    assert state in get_args(State)
    _change(store, id, state=state)


def set_expiry(store: Store, id: str, days: float) -> None:
    """Let a session end so many days from now. Raises `BackendError`."""
    _change(store, id, expires_at=stamp(datetime.now(UTC) + timedelta(days=days)))


def renew_code(store: Store, id: str) -> str:
    """A new code in place of the old one, which lets nobody in any more; raters go on with their own links. Raises
    `BackendError`."""
    code = new_code()
    _change(store, id, code_hash=hashed(code))
    return code


def begin_second_round(store: Store, id: str) -> None:
    """Let everything be rated again, after it was revealed and discussed; the first round stays. Raises
    `BackendError`."""
    _change(store, id, round=2, state="open")


def delete_session(store: Store, id: str) -> None:
    """Take a session out of every list. `restore_session` brings it back. Raises `BackendError`."""
    _change(store, id, deleted_at=stamp(datetime.now(UTC)))


def restore_session(store: Store, id: str) -> None:
    """Bring a deleted session back. Raises `BackendError`."""
    _change(store, id, deleted_at=None)


def _change(store: Store, id: str, **values: Any) -> None:
    with store.writing() as connection:
        changed = connection.execute(rating_sessions.update().where(rating_sessions.c.id == id).values(**values))
        if not changed.rowcount:
            raise BackendError(f"There is no rating session {id[:40]!r}.", "Look at the list of sessions.")


def items_of(store: Store, id: str) -> list[Item]:
    """The items of a session in their order. Raises `BackendError`."""
    with store.reading() as connection:
        return read_items(connection, id)


def read_items(connection: Connection, id: str) -> list[Item]:
    """Likewise, within a transaction. They never change, so those of the sessions that were used last are remembered.
    An id is drawn, so it is of one session in one store."""
    with _items_lock:
        if (known := _items.get(id)) is not None:
            return known
    query = rating_items.select().where(rating_items.c.session_id == id).order_by(rating_items.c.number)
    found = [_item(row) for row in connection.execute(query).mappings()]
    with _items_lock:
        while len(_items) >= _REMEMBERED:
            del _items[next(iter(_items))]
        _items[id] = found
    return found


# --- who rates ------------------------------------------------------------------------------------


def join(
    store: Store, code: str, name: str, kind: Literal["person", "judge"] = "person"
) -> tuple[RatingSession, Rater, str]:
    """Let a person into the session of a code: the session, the new rater, and the token of the rater's own link.

    Raises `BackendError` for a code of no session, and for a session that takes nobody any more.
    """
    token = secrets.token_urlsafe(24)
    with store.writing() as connection:
        session = session_by(connection, rating_sessions.c.code_hash == hashed(code.strip().lower()))
        check_open(session)
        known = _raters(connection, session.id)
        if len(known) >= MOST_RATERS:
            raise BackendError(f"This session has {MOST_RATERS} raters already.", "Ask whoever invited you.")
        rater = Rater(secrets.token_hex(8), _free_name(name, [one.name for one in known]), kind)
        row = {"id": rater.id, "name": rater.name, "kind": kind, "token_hash": hashed(token)}
        now = stamp(datetime.now(UTC))
        connection.execute(raters.insert().values(session_id=session.id, joined_at=now, guess=None, **row))
    return session, rater, token


def check_open(session: RatingSession, now: datetime | None = None) -> None:
    """Raise `BackendError` if nothing can be rated: by the clock of this machine, whatever a rater's says."""
    if session.state == "paused":
        raise BackendError("This session is paused.", "What you said is kept. Come back with your link later.")
    if session.state in ("closed", "locked"):
        raise BackendError("This session is closed.", "What you said is kept. Thank you.")
    if (now or datetime.now(UTC)) >= session.expires_at:
        raise BackendError(f"This session ended on {session.expires_at:%Y-%m-%d}.", "Ask whoever invited you.")


def _free_name(name: str, taken: Sequence[str]) -> str:
    """The name, with a number behind it if somebody has it already."""
    wanted = storable(" ".join(name.split())[:LONGEST_NAME]) or f"Rater {len(taken) + 1}"
    number, found = 2, wanted
    while found in taken:
        found, number = f"{wanted} {number}", number + 1
    return found


def rater_of(connection: Connection, token: str) -> tuple[RatingSession, Rater]:
    """Whose link holds this token. Raises `BackendError` if nobody's does."""
    row = connection.execute(raters.select().where(raters.c.token_hash == hashed(token))).mappings().first()
    if row is None:
        raise BackendError("This link is nobody's.", "Join with the code that you were given.")
    return session_by(connection, rating_sessions.c.id == row["session_id"]), _rater(row)


def raters_of(store: Store, id: str) -> list[Rater]:
    """Everybody who joined a session, in that order. Raises `BackendError`."""
    with store.reading() as connection:
        return _raters(connection, id)


def _raters(connection: Connection, id: str) -> list[Rater]:
    query = raters.select().where(raters.c.session_id == id).order_by(raters.c.joined_at, raters.c.id)
    return [_rater(row) for row in connection.execute(query).mappings()]


def ratings_of(store: Store, id: str, round: int | None = None) -> list[Rating]:
    """Every rating of a session, skipped ones too; of all rounds, or of one. Raises `BackendError`."""
    query = ratings.select().where(ratings.c.session_id == id)
    if round is not None:
        query = query.where(ratings.c.round == round)
    with store.reading() as connection:
        rows = connection.execute(query.order_by(ratings.c.at, ratings.c.rater_id, ratings.c.item)).mappings()
        return [read_rating(row) for row in rows]


# --- rows -----------------------------------------------------------------------------------------


def _session_row(session: RatingSession) -> dict[str, Any]:
    row = {name: getattr(session, name) for name in ("id", "name", "state", "seed", "code_hash", "run", "round")}
    times = {"created_at": stamp(session.created_at), "expires_at": stamp(session.expires_at), "deleted_at": None}
    return row | times | {"plan": asdict(session.plan), "approaches": list(session.approaches)}


def _session(row: RowMapping) -> RatingSession:
    named = ("id", "name", "state", "seed", "code_hash", "run", "round")
    plan = dict(row["plan"]) | {"criteria": tuple(row["plan"]["criteria"])}
    return RatingSession(
        **{name: row[name] for name in named},
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        plan=Plan(**plan),
        approaches=tuple(row["approaches"]),
    )


def _item_row(session: str, item: Item) -> dict[str, Any]:
    return {
        "session_id": session,
        "number": item.number,
        "question": storable(item.question),
        "answers": {name: storable(text) for name, text in item.answers.items()},
        "reference": storable(item.reference),
        "gold": item.gold,
        "core": item.core,
        "tags": [storable(tag) for tag in item.tags],
        "cluster": storable(item.cluster),
        "facts": {name: dict(facts) for name, facts in item.facts.items()},
    }


def _item(row: RowMapping) -> Item:
    named = ("number", "question", "answers", "reference", "gold", "core", "cluster", "facts")
    return Item(**{name: row[name] for name in named}, tags=tuple(row["tags"]))


def _rater(row: RowMapping) -> Rater:
    return Rater(row["id"], row["name"], row["kind"], row["guess"])


def rating_row(session: str, rating: Rating) -> dict[str, Any]:
    """A rating as the store keeps it."""
    said: dict[str, Any] = {"ranks": dict(rating.ranks), "all_bad": rating.all_bad}
    if rating.scores:
        said["scores"] = {criterion: dict(scores) for criterion, scores in rating.scores.items()}
    return {
        "session_id": session,
        "rater_id": rating.rater,
        "item": rating.item,
        "again": rating.again,
        "round": rating.round,
        "at": stamp(rating.at or datetime.now(UTC)),
        "shown": list(rating.order),
        "said": said,
        "comment": rating.comment,
    }


def read_rating(row: Mapping[Any, Any]) -> Rating:
    """A rating that the store kept."""
    said = row["said"]
    return Rating(
        rater=row["rater_id"],
        item=row["item"],
        order=tuple(row["shown"]),
        ranks=said["ranks"],
        all_bad=said["all_bad"],
        again=row["again"],
        scores=said.get("scores", {}),
        comment=row["comment"],
        round=row["round"],
        at=datetime.fromisoformat(row["at"]),
    )
