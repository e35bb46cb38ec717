"""Connections to real servers: cut, stalled, dripping, cancelled, through proxies."""

from __future__ import annotations

import logging
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from backends.base import BackendEvent, Finished, TextDelta, Trace, Usage
from backends.errors import BackendError
from backends.remote.request import REFUSED
from tests.backends.openai_server import (
    CHUNKED_HEAD,
    KEY,
    MESSAGES,
    PATH,
    QUESTION,
    SSE_HEAD,
    STOP,
    RawServer,
    Waits,
    ask,
    engine,
    event,
    notes,
    paris,
    text,
    text_chunk,
)


@pytest.fixture(autouse=True)
def _no_memory_of_refusals() -> None:
    REFUSED.forget()


def test_a_connection_cut_before_the_text_is_tried_again() -> None:
    def cut(server: RawServer, client: socket.socket) -> None:
        client.sendall(CHUNKED_HEAD)

    def answer(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Paris")) + event(STOP) + event("[DONE]"))

    waits = Waits()
    with RawServer(cut, answer).run() as server:
        events = ask(server.url, waits)
    assert text(events) == "Paris"
    assert notes(events) == ["A broken connection, waiting 0.5 s (attempt 2 of 3)."]


def test_nothing_is_tried_again_after_text_has_arrived() -> None:
    def cut(server: RawServer, client: socket.socket) -> None:
        chunk = event(text_chunk("Par"))
        client.sendall(CHUNKED_HEAD + f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")

    with RawServer(cut).run() as server:
        stream = engine(server.url, Waits()).stream(MESSAGES, QUESTION, threading.Event())
        seen = [next(stream), next(stream), next(stream)]
        with pytest.raises(BackendError, match="broke off in the middle of the answer"):
            list(stream)
    assert isinstance(seen[2], TextDelta)
    assert len(server.requests) == 1


def test_a_drip_does_not_escape_the_deadline() -> None:
    def drip(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Par")))
        client.settimeout(0.01)
        while True:  # one byte at a time, never a line's end, until the client closes
            client.sendall(b"x")
            try:
                if not client.recv(1):
                    raise ConnectionResetError
            except TimeoutError:
                pass

    with RawServer(drip).run() as server:
        stream = engine(server.url, deadline_s=0.3).stream(MESSAGES, QUESTION, threading.Event())
        with pytest.raises(BackendError, match=r"did not finish its answer within the deadline of 0\.3 s"):
            list(stream)
        assert server.client_gone.wait(10)


def test_a_server_that_never_answers_meets_the_deadline() -> None:
    with RawServer(RawServer.wait_until_client_is_gone).run() as server:
        with pytest.raises(BackendError, match=r"did not begin to answer within the deadline of 0\.3 s"):
            ask(server.url, deadline_s=0.3)
        assert server.client_gone.wait(10)


@pytest.mark.parametrize("before", [b"", SSE_HEAD, SSE_HEAD + event(text_chunk("Par")) + b"data: {"])
def test_cancelling_closes_the_connection_while_it_is_read(before: bytes) -> None:
    def stall(server: RawServer, client: socket.socket) -> None:
        client.sendall(before)
        server.wait_until_client_is_gone(client)

    cancel = threading.Event()
    events: list[BackendEvent] = []
    with RawServer(stall).run() as server:
        asked = engine(server.url, deadline_s=60)
        reader = threading.Thread(target=lambda: events.extend(asked.stream(MESSAGES, QUESTION, cancel)))
        reader.start()
        assert server.reached.wait(10)
        cancel.set()
        reader.join(10)
        assert not reader.is_alive()
        assert server.client_gone.wait(10)
    assert events[-1] == Finished(Usage(), "cancelled")


def test_closing_the_iterator_closes_the_connection() -> None:
    def stall(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Par")))
        server.wait_until_client_is_gone(client)

    with RawServer(stall).run() as server:
        stream = engine(server.url).stream(MESSAGES, QUESTION, threading.Event())
        next(stream), next(stream), next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert server.client_gone.wait(10)


def test_no_proxy_comes_between_this_machine_and_itself(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    assert text(ask(httpserver.url_for("/v1"), Waits())) == "Paris."


def test_a_proxy_is_used_for_other_machines(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", httpserver.url_for(""))
    monkeypatch.setenv("http_proxy", httpserver.url_for(""))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    assert text(ask("http://models.example/v1", Waits())) == "Paris."
    assert httpserver.log[0][0].headers["Host"] == "models.example"


def test_the_key_is_in_no_log(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    asked = engine(httpserver.url_for("/v1"))
    list(asked.stream(MESSAGES, QUESTION, threading.Event()))
    assert KEY not in caplog.text
    assert KEY not in repr(asked.connection)


WHOLE = (
    event({"choices": [], "prompt_filter_results": []})
    + event({"choices": [{"index": 0, "delta": {"content": "<think>Hm, é😀.</think>\n\n36 "}}]})
    + b": a comment\r\n\r\n"
    + event({"choices": [{"index": 0, "delta": {"content": "Monate, g\u00fcltig \u2028😀."}}]}).replace(b"\n", b"\r\n")
    + event(STOP)
    + event({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38}})
    + event("[DONE]")
)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cut_into_packets_gives_the_same_answer(cuts: list[int]) -> None:
    places = sorted(cuts)
    packets = [WHOLE[a:b] for a, b in zip([0, *places], [*places, len(WHOLE)], strict=True)]

    def send(server: RawServer, client: socket.socket) -> None:
        client.sendall(CHUNKED_HEAD)
        for packet in (*filter(None, packets), b""):
            client.sendall(f"{len(packet):x}\r\n".encode() + packet + b"\r\n")

    with RawServer(send).run() as server:
        events = ask(server.url)
    assert text(events) == "36 Monate, gültig \u2028😀."
    assert [one.value for one in events if isinstance(one, Trace) and one.name == "reasoning"] == ["Hm, é😀."]
    assert events[-1] == Finished(Usage(30, 8, source="server"), "stop")


@given(st.binary(max_size=120))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_end_in_an_answer_or_a_sentence(body: bytes) -> None:
    def send(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + body)

    with RawServer(send).run() as server:
        try:
            said = str(type(ask(server.url, retries=0)[-1]).__name__)
        except BackendError as fault:
            said = fault.cause
    assert said == "Finished" or said.startswith("127.0.0.1:")
