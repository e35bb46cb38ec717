"""Sessions in both stores: joining, rating, taking back, leases, and everything exactly once."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.ratings import rating, sessions
from evaluation.ratings.model import LONGEST_COMMENT, Item, Plan
from evaluation.ratings.rating import LEASE_S


def _joined(store: Store, items: list[Item], plan: Plan | None = None, people: int = 1) -> tuple[str, list[str]]:
    made = sessions.begin_session(store, "Lamps", plan or Plan(repeated=0), items)
    return made.session.id, [sessions.join(store, made.code, f"Rater {place}")[2] for place in range(people)]


def _rate_all(store: Store, token: str, place: int = 1) -> list[int]:
    seen = []
    turn = rating.next_turn(store, token)
    while turn.item is not None:
        seen.append(turn.item.number)
        rating.save(store, token, turn.item.number, turn.again, {"best": [place]}, f"about {turn.item.number}")
        turn = rating.next_turn(store, token)
    return seen


def test_a_rater_gets_every_item_once_and_what_was_said_is_kept(store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(store, items)
    seen = _rate_all(store, token)
    assert sorted(seen) == list(range(9))
    kept = sessions.ratings_of(store, session)
    assert Counter(one.item for one in kept) == Counter(range(9))
    for one in kept:
        assert one.ranks[one.order[0]] == 1
        assert [one.ranks[name] for name in one.order[1:]] == [2, 2]
        assert one.comment == f"about {one.item}"
    assert rating.next_turn(store, token).left == 0


def test_the_same_item_sent_twice_counts_once_as_it_was_said_last(store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(store, items)
    turn = rating.next_turn(store, token)
    assert turn.item is not None
    rating.save(store, token, turn.item.number, False, {"best": [1]})
    rating.save(store, token, turn.item.number, False, {"best": [3]})
    (kept,) = sessions.ratings_of(store, session)
    assert kept.ranks[turn.order[2]] == 1


def test_the_last_one_can_be_taken_back_and_comes_again_with_its_comment(store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(store, items)
    first = rating.next_turn(store, token)
    assert first.item is not None
    rating.save(store, token, first.item.number, False, {"skip": True}, "a thought")
    again = rating.undo(store, token)
    assert again.item == first.item
    assert again.draft == "a thought"
    assert sessions.ratings_of(store, session) == []
    with pytest.raises(BackendError, match="nothing to take back"):
        rating.undo(store, token)


def test_items_are_repeated_for_self_consistency_in_another_order(store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(store, items, Plan(repeated=0.34))
    seen = _rate_all(store, token)
    assert len(seen) == 12
    kept = sessions.ratings_of(store, session)
    assert sum(one.again for one in kept) == 3
    assert {one.item for one in kept if one.again} <= {one.item for one in kept if not one.again}


def test_of_many_items_each_gets_as_many_ratings_as_planned(store: Store, items: list[Item]) -> None:
    plan = Plan(per_item=3, core=2, repeated=0)
    session, tokens = _joined(store, items, plan, people=5)
    for token in tokens:
        _rate_all(store, token)
    counts = Counter(one.item for one in sessions.ratings_of(store, session))
    assert counts == {number: 5 if number < 2 else 3 for number in range(9)}


def test_two_raters_do_not_get_the_last_place_of_one_item(sqlite_store: Store, items: list[Item]) -> None:
    store = sqlite_store
    session, tokens = _joined(store, items[:1] * 3, Plan(per_item=3, repeated=0), people=4)
    now = datetime.now(UTC)
    held = [rating.next_turn(store, token, now).item for token in tokens]
    assert len({one.number for one in held if one is not None}) > 1  # those with the fewest come first
    for token in tokens[:3]:
        _rate_all(store, token)
    waiting = sessions.ratings_of(store, session)
    assert Counter(one.item for one in waiting).most_common()[0][1] == 3


def test_who_leaves_gives_the_item_back(sqlite_store: Store, items: list[Item]) -> None:
    store = sqlite_store
    _, tokens = _joined(store, items[:1], Plan(per_item=3, repeated=0), people=4)
    now = datetime.now(UTC)
    assert all(rating.next_turn(store, token, now).item is not None for token in tokens[:3])
    assert rating.next_turn(store, tokens[3], now).item is None
    later = now + timedelta(seconds=LEASE_S + 1)
    rating.still_there(store, tokens[0], "typing", later)
    rating.still_there(store, tokens[1], "", later)
    assert rating.next_turn(store, tokens[3], later).item is not None
    kept = rating.next_turn(store, tokens[0], later)
    assert (kept.item is not None, kept.draft) == (True, "typing")


def test_many_raters_at_once_lose_and_double_nothing(store: Store, items: list[Item]) -> None:
    session, tokens = _joined(store, items, people=6)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda token: _rate_all(store, token), tokens))
    kept = sessions.ratings_of(store, session)
    assert Counter((one.rater, one.item) for one in kept).most_common()[0][1] == 1
    assert len(kept) == 54


@pytest.mark.parametrize("state", ["paused", "closed", "locked"])
def test_what_is_typed_while_a_session_ends_is_refused_in_a_sentence(
    sqlite_store: Store, items: list[Item], state: sessions.State
) -> None:
    session, (token,) = _joined(sqlite_store, items)
    turn = rating.next_turn(sqlite_store, token)
    assert turn.item is not None
    sessions.set_state(sqlite_store, session, state)
    with pytest.raises(BackendError, match="This session is"):
        rating.save(sqlite_store, token, turn.item.number, False, {"best": [1]})
    assert sessions.ratings_of(sqlite_store, session) == []


def test_an_invitation_ends_by_the_clock_of_the_server(sqlite_store: Store, items: list[Item]) -> None:
    made = sessions.begin_session(sqlite_store, "", Plan(), items, days=1)
    sessions.check_open(made.session, made.session.expires_at - timedelta(seconds=1))
    with pytest.raises(BackendError, match="ended on"):
        sessions.check_open(made.session, made.session.expires_at)
    sessions.set_expiry(sqlite_store, made.session.id, -1)
    with pytest.raises(BackendError, match="ended on"):
        sessions.join(sqlite_store, made.code, "Ada")


def test_codes_let_in_and_tokens_are_kept_as_hashes_alone(sqlite_store: Store, items: list[Item]) -> None:
    made = sessions.begin_session(sqlite_store, "", Plan(), items)
    _, rater, token = sessions.join(sqlite_store, f" {made.code.upper()} ", "Ada\x00 Lovelace")
    assert rater.name == "Ada\ufffd Lovelace"
    assert sessions.join(sqlite_store, made.code, "Ada\x00 Lovelace")[1].name.endswith(" 2")
    with sqlite_store.reading() as connection:
        dumped = "".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert made.code not in dumped
    assert token not in dumped
    for wrong in ("", made.code[:-1], "' OR 1=1 --", made.session.id):
        with pytest.raises(BackendError, match="no such rating session"):
            sessions.join(sqlite_store, wrong, "Eve")
    with pytest.raises(BackendError, match="nobody's"):
        rating.next_turn(sqlite_store, made.code)
    newer = sessions.renew_code(sqlite_store, made.session.id)
    with pytest.raises(BackendError):
        sessions.join(sqlite_store, made.code, "Bo")
    sessions.join(sqlite_store, newer, "Bo")
    assert rating.next_turn(sqlite_store, token).item is not None


def test_a_comment_of_a_megabyte_is_cut_and_hostile_letters_stay_letters(store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(store, items)
    for said in ("x" * 1_000_000, "<script>alert(1)</script> \u202eevil\u2066 \ud800 \x00"):
        turn = rating.next_turn(store, token)
        assert turn.item is not None
        rating.save(store, token, turn.item.number, False, {"best": [1]}, said)
    long, hostile = (one.comment for one in sessions.ratings_of(store, session))
    assert len(long) == LONGEST_COMMENT
    assert hostile.startswith("<script>")


def test_a_second_round_keeps_the_first(store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(store, items[:2])
    _rate_all(store, token)
    sessions.set_state(store, session, "locked")
    sessions.begin_second_round(store, session)
    _rate_all(store, token, place=2)
    assert [len(sessions.ratings_of(store, session, round)) for round in (1, 2)] == [2, 2]


def test_a_deleted_session_lets_nobody_in_and_comes_back(sqlite_store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(sqlite_store, items)
    sessions.delete_session(sqlite_store, session)
    assert sessions.all_sessions(sqlite_store) == []
    with pytest.raises(BackendError):
        rating.next_turn(sqlite_store, token)
    sessions.restore_session(sqlite_store, session)
    assert rating.next_turn(sqlite_store, token).item is not None


def test_items_that_cannot_be_rated_are_refused(sqlite_store: Store) -> None:
    alone = [Item(0, "?", {"raw": "a"})]
    many = [Item(0, "?", {f"paid_api:{number}": "a" for number in range(10)})]
    three = [Item(0, "?", {"raw": "a", "rag": "b", "paid_api": "c"})]
    for plan, listed in ((Plan(), []), (Plan(), alone), (Plan(), many), (Plan("pairwise"), three)):
        with pytest.raises(BackendError):
            sessions.begin_session(sqlite_store, "", plan, listed)


def test_of_more_than_forty_items_each_is_rated_by_three(sqlite_store: Store, items: list[Item]) -> None:
    made = sessions.begin_session(sqlite_store, "", Plan(), items * 5)
    assert (made.session.plan.per_item, made.session.plan.core) == (3, 4)
    assert sum(one.core for one in sessions.items_of(sqlite_store, made.session.id)) == 4


def test_a_guess_names_each_approach_once(sqlite_store: Store, items: list[Item]) -> None:
    session, (token,) = _joined(sqlite_store, items)
    with pytest.raises(BackendError):
        rating.guess(sqlite_store, token, {"raw": "rag", "rag": "rag", "paid_api": "raw"})
    rating.guess(sqlite_store, token, {"raw": "rag", "rag": "raw", "paid_api": "paid_api"})
    (rater,) = sessions.raters_of(sqlite_store, session)
    assert rater.guess == {"raw": "rag", "rag": "raw", "paid_api": "paid_api"}
