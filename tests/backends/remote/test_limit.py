"""How many requests are under way at once: fewer after a refusal, one more after successes, and who waits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from backends.base import Answer, AttemptStarted, Question, Waiting
from backends.paid_api import PaidApiBackend
from backends.remote.limit import Limit, RequestSlot, forget_limits, limit_of
from backends.run.timing import run_timed
from backends.settings import load_settings
from tests.backends.openai_server import (
    KEY,
    PATH,
    SSE_HEAD,
    STOP,
    RawServer,
    Waits,
    engine,
    error,
    event,
    paris,
    text_chunk,
)
from tests.scripted import PATIENCE_S

NEVER = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_limits()
    yield
    forget_limits()


class Asked(threading.Event):
    """Never set; `asked` says that somebody looked, which is done by those who wait in line."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def is_set(self) -> bool:
        self.asked.set()
        return super().is_set()


def taken(limit: Limit, count: int) -> list[RequestSlot]:
    places = [limit.try_enter() for _ in range(count)]
    assert None not in places
    return [place for place in places if place]


def test_no_more_than_the_places() -> None:
    limit = Limit(2)
    first, _ = taken(limit, 2)
    assert limit.try_enter() is None
    limit.leave(first)
    assert limit.try_enter() is not None


def test_refusals_of_requests_that_were_under_way_together_halve_once() -> None:
    limit = Limit(8)
    for place in taken(limit, 8):
        limit.leave(place, refused=True)
    assert limit.current == 4
    limit.leave(taken(limit, 1)[0], refused=True)
    assert limit.current == 2
    for _ in range(5):
        limit.leave(taken(limit, 1)[0], refused=True)
    assert limit.current == 1


def test_a_window_of_successes_adds_one_and_never_more_than_the_most() -> None:
    limit = Limit(4)
    limit.leave(taken(limit, 1)[0], refused=True)
    history = []
    for _ in range(2 + 3 + 9):
        limit.leave(taken(limit, 1)[0], succeeded=True)
        history.append(limit.current)
    assert history == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]


def test_a_fault_that_is_no_refusal_changes_nothing() -> None:
    limit = Limit(4)
    limit.leave(taken(limit, 1)[0])
    assert limit.current == 4


def test_who_waits_gets_the_next_place_in_turn() -> None:
    limit = Limit(1)
    (place,) = taken(limit, 1)
    order: list[int] = []
    entered = [threading.Event() for _ in range(2)]
    stands_in_line = [Asked() for _ in range(2)]

    def wait(number: int) -> None:
        mine = limit.enter(stands_in_line[number])
        assert mine is not None
        order.append(number)
        entered[number].set()
        limit.leave(mine)

    threads = []
    for number in range(2):
        threads.append(threading.Thread(target=wait, args=(number,), daemon=True))
        threads[-1].start()
        assert stands_in_line[number].asked.wait(PATIENCE_S)
    assert limit.try_enter() is None
    limit.leave(place)
    for done in entered:
        assert done.wait(PATIENCE_S)
    assert order == [0, 1]


def test_cancelling_ends_the_wait() -> None:
    limit = Limit(1)
    (place,) = taken(limit, 1)
    cancel = threading.Event()
    cancel.set()
    assert limit.enter(cancel) is None
    limit.leave(place)
    assert limit.try_enter() is not None, "nobody is waiting any more"


def test_one_limit_for_a_server_and_a_key() -> None:
    assert limit_of("http://a/v1", KEY, 8) is limit_of("http://A/v1/", KEY, 8)
    assert limit_of("http://a/v1", KEY, 8) is not limit_of("http://a/v1", "another", 8)
    assert limit_of("http://a/v1", KEY, 3).current == 3
    assert KEY not in repr(vars(limit_of("http://a/v1", KEY, 8)))


def test_a_refusal_halves_what_may_be_under_way(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_response(error(429, "Slow down"))
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    url = httpserver.url_for("/v1")
    list(engine(url, Waits()).stream([{"role": "user", "content": "?"}], Question("?"), NEVER))
    assert limit_of(url, KEY, 8).current == 4


def test_questions_beyond_the_limit_wait_and_the_wait_is_no_latency() -> None:
    at_once, most, gate = 0, 0, threading.Event()
    counting, both, two_at_once = threading.Lock(), threading.Barrier(2), threading.Event()

    def answer(server: RawServer, client: socket.socket) -> None:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
            if most == 2:
                two_at_once.set()
        assert gate.wait(PATIENCE_S)
        with counting:
            at_once -= 1
        client.sendall(SSE_HEAD + event(text_chunk("Paris")) + event(STOP) + event("[DONE]"))

    def first(server: RawServer, client: socket.socket) -> None:
        both.wait(PATIENCE_S)
        answer(server, client)

    ready, answers = threading.Semaphore(0), []
    with RawServer(first, first, answer).run() as server:
        given = {"base_url": server.url, "max_at_once": 2, "model": "m"}
        backend = PaidApiBackend(load_settings({f"paid_api.{field}": value for field, value in given.items()}))

        def ask() -> None:
            for happened in run_timed(backend, Question("?"), NEVER):
                if isinstance(happened, (Waiting, AttemptStarted)):
                    ready.release()
                if isinstance(happened, Answer):
                    answers.append(happened)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(3):
            assert ready.acquire(timeout=PATIENCE_S)
        assert two_at_once.wait(PATIENCE_S)
        gate.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert most == 2
    assert [answer.status for answer in answers] == ["ok"] * 3
    queued = sorted(answer.timings.queued_s or 0.0 for answer in answers)
    assert queued[:2] == [0.0, 0.0]
    assert queued[2] > 0


def test_cancelling_while_waiting_for_a_place_sends_nothing(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("/v1")
    taken(limit_of(url, KEY, 1), 1)
    given = {"base_url": url, "api_key": KEY, "max_at_once": 1, "model": "m"}
    backend = PaidApiBackend(load_settings({f"paid_api.{field}": value for field, value in given.items()}))
    cancel = threading.Event()
    for happened in run_timed(backend, Question("?"), cancel):
        if isinstance(happened, Waiting):
            cancel.set()
    assert isinstance(happened, Answer)
    assert (happened.status, happened.attempts, httpserver.log) == ("cancelled", (), [])
