"""A model that takes no system prompt is asked again with it in front of the question."""

from __future__ import annotations

import json
import threading

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from backends.base import BackendEvent, Note, Question, Retry
from backends.errors import BackendError
from backends.remote.request import REFUSED
from tests.backends.openai_server import PATH, Waits, engine, error, paris, text

SYSTEM = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
MERGED = [{"role": "user", "content": "Be brief.\n\nCapital of France?"}]
QUESTION = Question("Capital of France?", "Be brief.", max_tokens=30)


@pytest.fixture(autouse=True)
def _no_memory_of_refusals() -> None:
    REFUSED.forget()


def ask(server: HTTPServer) -> list[BackendEvent]:
    return list(engine(server.url_for("/v1"), Waits()).stream(SYSTEM, QUESTION, threading.Event()))


def body(status: int, value: object) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")


DETAIL = [
    {"type": "literal_error", "loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user' or 'assistant'"}
]
REFUSALS = [
    error(400, "System role not supported"),
    error(
        400,
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        param="messages[0].role",
    ),
    error(400, "Unsupported value: 'messages[0].role' does not support 'developer' with this model."),
    body(400, [{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma-3-4b-it"}}]),
    body(400, {"object": "error", "message": "Conversation roles must alternate user/assistant/user/assistant/..."}),
    body(422, {"detail": DETAIL}),
    body(
        422, {"error": "Template error: invalid operation: System role not supported", "error_type": "template_error"}
    ),
    body(400, {"error": 'Error rendering prompt with jinja template: "Only user and assistant roles are supported!"'}),
    body(400, {"message": "This model doesn't support system messages. Try again without them."}),
    body(400, {"error": {"message": "invalid params, invalid message role: system (2013)"}}),
    error(500, "Jinja Exception: System role not supported"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=range(len(REFUSALS)))
def test_it_is_asked_once_more_and_remembered(httpserver: HTTPServer, refusal: Response) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_response(refusal)
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    events = ask(httpserver)
    assert text(events) == "Paris."
    assert [event.reason for event in events if isinstance(event, Retry)] == [
        "The server refused the system role, asked again: the system prompt stands in front of the question."
    ]
    again = ask(httpserver)
    assert [event.text for event in again if isinstance(event, Note)] == [
        "some-model takes no system role: the system prompt stands in front of the question."
    ]
    sent = [request.get_json()["messages"] for request, _ in httpserver.log]
    assert sent == [SYSTEM, MERGED, MERGED]


def test_a_second_refusal_ends_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(400, "System role not supported"))
    with pytest.raises(BackendError, match="System role not supported"):
        ask(httpserver)
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    "words", ["The model is not supported", "Our system is not available", "Invalid seed", "x" * 9]
)
def test_other_refusals_are_not_about_the_role(httpserver: HTTPServer, words: str) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(409, words))
    with pytest.raises(BackendError):
        ask(httpserver)
    assert len(httpserver.log) == 1
