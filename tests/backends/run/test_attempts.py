"""Every attempt at an answer, as it was measured, priced, recorded and told."""

from __future__ import annotations

import json
import socket
import threading
from decimal import Decimal

import pytest
from pytest_httpserver import HTTPServer

from backends.base import (
    Answer,
    AttemptEnded,
    AttemptStarted,
    Cost,
    Question,
    Retrieved,
    Retry,
    Started,
    TextDelta,
    Usage,
    Waiting,
)
from backends.errors import BackendError
from backends.paid_api import PaidApiBackend
from backends.run.live import Column
from backends.run.timing import run_timed
from backends.settings import load_settings
from backends.spend.ledger import append, entries
from terminal.records import answer_record
from tests.backends.openai_server import KEY, PATH, SSE_HEAD, STOP, RawServer, error, event, paris, text_chunk
from tests.backends.openai_server import USAGE as REPORTED
from tests.scripted import Clock, Scripted, finished

USAGE = Usage(7, 3, source="server")
PER_MILLION = {"input_usd": "1", "output_usd": "1", "date": "2026-11-01"}


def answer_of(backend: Scripted | PaidApiBackend) -> Answer:
    last = list(run_timed(backend, Question("Hello"), threading.Event()))[-1]
    assert isinstance(last, Answer)
    return last


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_attempts_have_their_times_and_only_the_last_one_is_latency(clock: Clock) -> None:
    steps = (
        *(
            1.0,
            AttemptStarted(),
            2.0,
            AttemptEnded("429 from the server", 429),
            Waiting("x", 1007.0),
            4.0,
            Retry("again"),
        ),
        *(AttemptStarted(), 0.5, TextDelta("a"), 0.25, AttemptEnded(usage=USAGE), finished()),
    )
    answer = answer_of(Scripted(*steps, clock=clock))
    assert [
        (one.number, one.began_s, one.lasted_s, one.fault, one.status, one.waited_s) for one in answer.attempts
    ] == [
        (1, 1.0, 2.0, "429 from the server", 429, 4.0),
        (2, 7.0, 0.75, "", None, 0.0),
    ]
    assert (answer.timings.retry_s, answer.timings.ttft_s, answer.timings.latency_s) == (7.0, 0.5, 0.75)


def test_a_wait_for_a_place_is_queueing_and_never_latency(clock: Clock) -> None:
    steps = (
        *(
            0.5,
            Waiting("others", for_a_slot=True),
            3.0,
            AttemptStarted(),
            1.0,
            AttemptEnded("503 from the server", 503),
        ),
        *(2.0, Retry("again"), Waiting("others", for_a_slot=True), 5.0, AttemptStarted(), 0.25, TextDelta("a")),
        *(AttemptEnded(), finished()),
    )
    answer = answer_of(Scripted(*steps, clock=clock))
    assert (answer.timings.queued_s, answer.timings.retry_s) == (8.0, 3.5)
    assert (answer.timings.ttft_s, answer.timings.latency_s) == (0.25, 0.25)
    assert [(one.began_s, one.lasted_s) for one in answer.attempts] == [(3.5, 1.0), (11.5, 0.25)]


def test_a_request_before_the_search_leaves_its_wait_and_its_retry_out_of_the_retrieval(clock: Clock) -> None:
    """As where a model on a server writes what is searched for."""
    steps = (
        *(Waiting("others", for_a_slot=True), 3.0, AttemptStarted(), 2.0, AttemptEnded("503 from the server", 503)),
        *(Retry("again"), AttemptStarted(), 0.5, AttemptEnded(), Retrieved(()), 1.0, TextDelta("a"), finished()),
    )
    timings = answer_of(Scripted(*steps, clock=clock)).timings
    assert (timings.queued_s, timings.retry_s, timings.retrieval_s) == (3.0, 2.0, 0.5)
    assert (timings.ttft_s, timings.latency_s) == (1.5, 1.5)


def test_a_failed_attempt_with_usage_is_charged_once_and_apart(clock: Clock) -> None:
    steps = (AttemptStarted(), AttemptEnded("broken", usage=USAGE), Retry("again"), AttemptStarted(), TextDelta("a"))
    backend = Scripted(*steps, AttemptEnded(usage=USAGE), finished(), clock=clock, price=Cost(Decimal("0.3"), "b"))
    answer = answer_of(backend)
    assert [one.cost and one.cost.usd for one in answer.attempts] == [Decimal("0.3"), Decimal("0.3")]
    assert answer.cost == Cost(Decimal("0.6"), "b; with 0.3 USD for 1 failed attempts")


def test_an_answer_that_broke_off_after_its_usage_is_charged(clock: Clock) -> None:
    steps = (AttemptStarted(), TextDelta("a"), AttemptEnded("broken", usage=USAGE), BackendError("Oh.", "Again."))
    answer = answer_of(Scripted(*steps, clock=clock, price=Cost(Decimal("0.3"), "b")))
    assert (answer.status, answer.text, answer.usage) == ("truncated", "a", USAGE)
    assert answer.cost.usd == Decimal("0.3")


def test_attempts_over_http_are_told_in_json_and_in_the_ledger(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_response(error(503, "Busy", **{"code": KEY}))
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    given = {"base_url": httpserver.url_for("/v1"), "api_key": KEY, "model": "m"}
    settings = load_settings({f"paid_api.{field}": value for field, value in given.items()})
    answer = answer_of(PaidApiBackend(settings))
    assert [(one.fault, one.status, one.usage) for one in answer.attempts] == [
        ("503 from the server", 503, None),
        ("", None, Usage(12, 3, source="server")),
    ]
    assert answer.attempts[0].cost == Cost(Decimal(0), "refused by the server, and what is refused is not charged")
    first, second = answer_record(answer, "Hello")["attempts"]
    assert (first["number"], first["status"], first["fault"]) == (1, 503, "503 from the server")
    assert (second["fault"], second["completion_tokens"], second["cost_usd"]) == (None, 3, None)
    assert second["began_s"] == pytest.approx(first["lasted_s"] + first["waited_s"], abs=0.2)
    append(settings.data, answer, "real")
    assert [entry.retries for entry in entries(settings.data)] == [1]
    assert KEY not in json.dumps(answer_record(answer, "Hello"))


def test_what_computes_here_has_no_attempts(clock: Clock) -> None:
    answer = answer_of(Scripted(TextDelta("a"), finished(), clock=clock))
    assert answer.attempts == ()
    data = load_settings().data
    append(data, answer, "real")
    assert [entry.retries for entry in entries(data)] == [None]


def test_a_cancelled_attempt_says_so() -> None:
    def stall(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Par")))
        server.wait_until_client_is_gone(client)

    cancel = threading.Event()
    with RawServer(stall).run() as server:
        backend = PaidApiBackend(load_settings({"paid_api.base_url": server.url}))
        for happened in run_timed(backend, Question("Hello"), cancel):
            if isinstance(happened, TextDelta):
                cancel.set()
    assert isinstance(happened, Answer)
    assert (happened.status, happened.text) == ("cancelled", "Par")
    assert [one.fault for one in happened.attempts] == ["stopped"]


def test_the_column_knows_until_when_it_waits() -> None:
    column = Column("paid_api", "m").updated(Started()).updated(Waiting("429 from the server, attempt 2 of 3", 1234.5))
    assert (column.detail, column.until) == ("429 from the server, attempt 2 of 3", 1234.5)
    going_on = column.updated(AttemptStarted())
    assert (going_on.detail, going_on.until) == ("", None)


def test_a_connection_that_broke_before_may_have_been_charged_and_the_cost_says_so() -> None:
    def breaks(server: RawServer, client: socket.socket) -> None:
        return None

    def answers(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Paris")) + event(STOP) + event(REPORTED) + event("[DONE]"))

    price = {f"paid_api.price.{name}": value for name, value in PER_MILLION.items()}
    with RawServer(breaks, answers).run() as server:
        backend = PaidApiBackend(load_settings({"paid_api.base_url": server.url, "paid_api.model": "m"} | price))
        *_, answer = run_timed(backend, Question("?"), threading.Event())
    assert isinstance(answer, Answer)
    assert (answer.status, answer.cost.usd) == ("ok", Decimal("0.000015"))
    assert answer.cost.basis.endswith("; 1 that broke off before may have been charged as well")
