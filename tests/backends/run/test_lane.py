"""Turns: first come first served, one at a time, and whoever gives up is gone from the line."""

from __future__ import annotations

import threading

import pytest

from backends.run.lane import Cancelled, Lane, lane, turns
from tests.scripted import PATIENCE_S


def never() -> threading.Event:
    return threading.Event()


def test_a_place_knows_who_goes_before_it() -> None:
    line = Lane()
    first, second, third = line.join("raw"), line.join("fine_tuned"), line.join("rag")
    assert [line.behind(place) for place in (first, second, third)] == [(), ("raw",), ("raw", "fine_tuned")]


def test_turns_come_in_the_order_of_the_line_whoever_asks_first() -> None:
    line = Lane()
    names = ("raw", "fine_tuned", "rag", "other")
    places = {name: line.join(name) for name in names}
    order: list[str] = []

    def take(name: str) -> None:
        with line.turn(places[name], never()):
            order.append(name)

    threads = [threading.Thread(target=take, args=(name,), daemon=True) for name in reversed(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == list(names)


def test_one_at_a_time() -> None:
    line = Lane()
    inside: list[int] = []
    most: list[int] = []

    def take(number: int) -> None:
        with line.turn(line.join(str(number)), never()):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    threads = [threading.Thread(target=take, args=(number,), daemon=True) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert most == [1] * 20


def test_whoever_gives_up_leaves_the_line() -> None:
    line = Lane()
    first, second, third = line.join("raw"), line.join("fine_tuned"), line.join("rag")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled), line.turn(second, cancel):
        pytest.fail("it was not its turn")
    assert line.behind(third) == ("raw",)
    with line.turn(first, never()):
        assert line.behind(third) == ("raw",)
    with line.turn(third, never()):
        assert line.behind(third) == ()


def test_a_waiting_turn_notices_a_later_cancel() -> None:
    line = Lane()
    first, second = line.join("raw"), line.join("rag")
    cancel = threading.Event()
    ends: list[str] = []

    def wait() -> None:
        try:
            with line.turn(second, cancel):
                ends.append("had its turn")
        except Cancelled:
            ends.append("gave up")

    waiter = threading.Thread(target=wait, daemon=True)
    with line.turn(first, never()):
        waiter.start()
        cancel.set()
        waiter.join(PATIENCE_S)
    assert ends == ["gave up"]
    assert line.behind(line.join("next")) == ()


def test_whoever_stops_listening_to_who_is_before_him_leaves_the_line() -> None:
    line = Lane()
    first, second, third = line.join("raw"), line.join("rag"), line.join("next")
    waiting = line.wait(second, never())
    assert next(waiting) == ("raw",)
    waiting.close()
    assert line.behind(third) == ("raw",)
    with line.turn(first, never()):
        pass


def test_a_fault_during_a_turn_hands_it_on() -> None:
    line = Lane()
    first, second = line.join("raw"), line.join("rag")
    with pytest.raises(ZeroDivisionError), line.turn(first, never()):
        raise ZeroDivisionError
    with line.turn(second, never()):
        assert line.behind(second) == ()


def test_there_is_one_lane_of_a_name() -> None:
    assert lane("lane-test") is lane("lane-test")
    assert lane("lane-test") is not lane("lane-test-2")


def test_long_work_lets_a_question_pass_between_its_steps() -> None:
    line = lane("lane-test-turns")
    turn = turns("indexing", never(), "lane-test-turns")
    order = []
    with turn():
        question = line.join("raw")
        assert line.behind(question) == ("indexing",)
        order.append("first step")

    def ask() -> None:
        with line.turn(question, never()):
            order.append("question")

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    with turn():
        order.append("second step")
    asking.join(PATIENCE_S)
    assert order == ["first step", "question", "second step"]


def test_long_work_that_waits_can_be_cancelled() -> None:
    line = lane("lane-test-turns")
    cancel = threading.Event()
    cancel.set()
    turn = turns("indexing", cancel, "lane-test-turns")
    with line.turn(line.join("raw"), never()), pytest.raises(Cancelled), turn():
        pass
    with turn():
        assert line.behind(line.join("raw")) == ("indexing",)
