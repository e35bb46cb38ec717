"""Every way in which a server can fail, as the sentence that the user reads."""

from __future__ import annotations

import socket
import threading
import traceback

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from backends.base import BackendEvent
from backends.errors import BackendError
from backends.remote.request import REFUSED
from backends.remote.retry_after import retry_after_s, wait_asked_for_s
from tests.backends.openai_server import (
    KEY,
    MESSAGES,
    PATH,
    QUESTION,
    Waits,
    ask,
    engine,
    error,
    event,
    sse,
    text,
    text_chunk,
)


@pytest.fixture(autouse=True)
def _no_memory_of_refusals() -> None:
    REFUSED.forget()


def fault(base_url: str, key: str | None = KEY) -> BackendError:
    with pytest.raises(BackendError) as raised:
        ask(base_url, Waits(), key)
    return raised.value


@pytest.mark.parametrize(
    ("status", "cause", "next_step"),
    [
        (400, "{where} refused the request (400): Said so.", "Check the model name and the settings."),
        (401, "{where} did not accept the key (401).", "Check OPENAI_API_KEY."),
        (
            403,
            "{where} does not let this key use some-model (403): Said so.",
            "Use another model, or a key that is allowed to.",
        ),
        (
            404,
            "{where} does not know the model some-model, or the base URL is wrong (404): Said so.",
            "Check paid_api.model, and that the base URL ends as the server wants it, usually with /v1.",
        ),
        (408, "{where} waited too long for the request (408): Said so. Tried 3 times.", "Ask again."),
        (409, "{where} is busy with a conflicting request (409): Said so.", "Ask again in a moment."),
        (413, "The question is too long for {where} (413): Said so.", "Shorten it, or retrieve fewer passages."),
        (422, "{where} did not understand the request (422): Said so.", "Check the model name and the settings."),
        (
            429,
            "{where} gets too many requests from this key (429): Said so. Tried 3 times.",
            "Wait a little and ask again.",
        ),
        (500, "{where} failed while answering (500): Said so. Tried 3 times.", "Ask again in a moment."),
        (502, "{where} cannot reach its model server (502): Said so. Tried 3 times.", "Ask again in a moment."),
        (503, "{where} is not available now (503): Said so. Tried 3 times.", "Ask again in a moment."),
        (
            504,
            "{where} got no answer from its model server in time (504): Said so. Tried 3 times.",
            "Ask again in a moment.",
        ),
        (529, "{where} is overloaded (529): Said so. Tried 3 times.", "Ask again in a few minutes."),
        (418, "{where} answered with status 418: Said so.", "Check the base URL and the model."),
    ],
)
def test_a_status_becomes_a_sentence(httpserver: HTTPServer, status: int, cause: str, next_step: str) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(status, "Said so."))
    raised = fault(httpserver.url_for("/v1"))
    assert raised.cause == cause.format(where=f"{httpserver.host}:{httpserver.port}")
    assert raised.next_step == next_step


def test_a_missing_key_is_told_from_a_wrong_one(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(401, "No"))
    raised = fault(httpserver.url_for("/v1"), key=None)
    assert "wants an API key and none is configured for it" in raised.cause
    assert raised.next_step == "Set OPENAI_API_KEY."


def test_the_wait_that_the_server_asked_for_is_told(httpserver: HTTPServer) -> None:
    refusal = error(429, "Slow down")
    refusal.headers["Retry-After"] = "7"
    httpserver.expect_request(PATH).respond_with_response(refusal)
    assert "It asked to wait 7 s." in fault(httpserver.url_for("/v1")).cause


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(httpserver: HTTPServer, status: int) -> None:
    with HTTPServer() as elsewhere:
        target = Response(status=status, headers={"Location": elsewhere.url_for(PATH)})
        httpserver.expect_request(PATH).respond_with_response(target)
        raised = fault(httpserver.url_for("/v1"))
        assert f"redirects to another address ({status}), and redirects are not followed" in raised.cause
        assert elsewhere.log == []
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "cause"),
    [
        ("<html>Welcome</html>", "text/html; charset=utf-8", "answered with a web page where a stream of text"),
        ("{}", "application/json", "answered with something else than text (application/json)"),
        ('{"error": {"message": "Bad model"}}', "application/json", "reported an error with status 200: Bad model."),
        ('{"error": "Bad model"}', "application/json", "reported an error with status 200: Bad model."),
        ("<html>Welcome</html>", "text/plain", "answered with an empty stream"),
        ("", "text/event-stream", "answered with an empty stream"),
        ("data: [DONE]\n\n", "text/event-stream", "answered with an empty stream"),
    ],
)
def test_status_200_that_is_not_an_answer(httpserver: HTTPServer, body: str, content_type: str, cause: str) -> None:
    httpserver.expect_request(PATH).respond_with_response(Response(body, content_type=content_type))
    raised = fault(httpserver.url_for("/v1"))
    assert cause in raised.cause
    assert len(httpserver.log) == 1
    if "error" not in body:
        assert raised.next_step == "Is the base URL right? It usually ends with /v1."


@pytest.mark.parametrize("broken", ['{"choices": [', "oops", "[" * 100_000])
def test_a_malformed_stream(httpserver: HTTPServer, broken: str) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(text_chunk("Par"), broken))
    assert "sent a malformed stream" in fault(httpserver.url_for("/v1")).cause


@pytest.mark.parametrize(
    ("chunks", "place"), [([], "before the answer began"), ([text_chunk("Par")], "in the middle of the answer")]
)
def test_an_error_object_in_the_stream(httpserver: HTTPServer, chunks: list[object], place: str) -> None:
    refusal = {"error": {"message": "The model crashed.", "type": "server_error"}}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*chunks, refusal))
    raised = fault(httpserver.url_for("/v1"))
    assert raised.cause.endswith(f"reported an error {place}: The model crashed.")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 503, 200, 0])
def test_a_server_that_echoes_the_key_does_not_make_it_leak(httpserver: HTTPServer, status: int) -> None:
    said = f"Incorrect API key provided: {KEY}, sk-abcd********wxyz."
    response = error(status or 200, said)
    if not status:
        response = sse({"error": {"message": said}})
    response.headers["Retry-After"] = "1"
    httpserver.expect_request(PATH).respond_with_response(response)
    events: list[BackendEvent] = []
    stream = engine(httpserver.url_for("/v1"), Waits()).stream(MESSAGES, QUESTION, threading.Event())
    with pytest.raises(BackendError) as raised:
        events.extend(stream)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + repr(events)
    assert KEY not in shown
    assert "sk-abcd" not in shown


def test_a_long_message_is_cut_and_markup_is_left_out(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_response(error(409, "x" * 5000))
    httpserver.expect_ordered_request(PATH).respond_with_response(Response("<html>Oh</html>", 409))
    assert len(fault(httpserver.url_for("/v1")).cause) < 400
    assert fault(httpserver.url_for("/v1")).cause.endswith("conflicting request (409).")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    raised = fault(f"http://127.0.0.1:{port}/v1")
    assert raised.cause == f"127.0.0.1:{port} does not accept connections. Tried 3 times."


def test_a_host_name_that_does_not_exist() -> None:
    raised = fault("http://no-such-host.invalid/v1")
    assert raised.cause.startswith("The host name in no-such-host.invalid could not be found.")


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("", None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after(header: str | None, wait: float | None) -> None:
    assert retry_after_s(header, now=1000.0) == wait


def test_a_dated_retry_after_is_waited_for(httpserver: HTTPServer) -> None:
    refusal = error(503, "Busy")
    refusal.headers["Retry-After"] = "Thu, 01 Jan 1970 00:00:04 GMT"
    httpserver.expect_request(PATH).respond_with_response(refusal)
    waits = Waits()
    with pytest.raises(BackendError):
        ask(httpserver.url_for("/v1"), waits)
    assert waits.waited == [4.0, 4.0]


def test_chunks_in_one_event_are_all_read(httpserver: HTTPServer) -> None:
    body = event(text_chunk("a")) + b": a comment\n\n" + event(text_chunk("b"))
    httpserver.expect_request(PATH).respond_with_response(Response(body, content_type="text/event-stream"))
    assert text(ask(httpserver.url_for("/v1"))) == "ab"


GOOGLE = [{"error": {"code": 429, "details": [{"@type": "x"}, {"@type": "RetryInfo", "retryDelay": "39s"}]}}]


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"retry-after-ms": "1500"}, {}, 1.5),
        ({"retry-after-ms": "1200", "retry-after": "2"}, {}, 1.2),
        ({"retry-after-ms": "", "retry-after": "2"}, {}, 2.0),
        ({"retry-after-ms": "nan", "retry-after": "2"}, {}, 2.0),
        ({"retry-after": "20s"}, {}, 20.0),
        ({"retry-after": "2 seconds"}, {}, 2.0),
        ({"retry-after": "1m3.5s"}, {}, 63.5),
        ({"retry-after": "soon"}, GOOGLE, 39.0),
        ({}, {"error": {"message": "Rate limit reached. Please try again in 6ms. Visit x."}}, 0.006),
        ({}, {"error": {"message": "Please try again in 1h2m3s."}}, 3723.0),
        ({}, {"error": {"message": "Please retry after 7 seconds."}}, 7.0),
        ({}, {"error": {"message": "Try again in 1.5s"}}, 1.5),
        ({}, {"error": {"message": "Try again in 5"}}, None),
        ({}, {"error": {"details": {"retryDelay": 3}}}, None),
        ({}, "Slow down", None),
        ({}, None, None),
    ],
)
def test_where_servers_say_how_long_to_wait(headers: dict[str, str], body: object, wait: float | None) -> None:
    assert wait_asked_for_s(headers, body, now=0.0) == wait


@pytest.mark.parametrize(
    ("status", "fields", "cause", "next_step"),
    [
        (429, {"type": "insufficient_quota", "code": None}, "has no quota left (429): No", "Add credit"),
        (402, {}, "has no quota left (402): No", "Add credit"),
        (400, {"code": "context_length_exceeded"}, "Question and answer are too long for some-model", "Shorten"),
        (400, {"type": "exceed_context_size_error", "code": 400}, "Question and answer are too long", "Shorten"),
        (400, {"code": "content_filter"}, "The content filter of", "Rephrase the question."),
        (520, {}, "answered with status 520: No", "Ask again in a moment."),
        (451, {}, "answered with status 451: No", "Check the base URL and the model."),
    ],
)
def test_a_reason_that_is_named_decides_what_to_do(
    httpserver: HTTPServer, status: int, fields: dict[str, object], cause: str, next_step: str
) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(status, "No", **fields))
    raised = fault(httpserver.url_for("/v1"))
    assert cause in raised.cause
    assert raised.next_step.startswith(next_step)
    assert len(httpserver.log) == 1
