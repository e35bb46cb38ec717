"""What is sent to a server, and what is left out once it has been refused."""

from __future__ import annotations

import json

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from backends.base import Question, Retry, Trace
from backends.errors import BackendError
from backends.remote.engine import Connection
from backends.remote.request import REFUSED, request_body
from tests.backends.openai_server import (
    MESSAGES,
    PATH,
    USAGE,
    Waits,
    ask,
    error,
    notes,
    paris,
    text,
)


@pytest.fixture(autouse=True)
def _no_memory_of_refusals() -> None:
    REFUSED.forget()


class Picky:
    """A server that refuses some parameters, in OpenAI's words."""

    def __init__(self, *refused: str, status: int = 400, named: bool = True) -> None:
        self.refused, self.status, self.named = refused, status, named
        self.bodies: list[dict[str, object]] = []

    def __call__(self, request: Request) -> Response:
        body = request.get_json()
        self.bodies.append(body)
        for name in self.refused:
            if name in body:
                fields = {"param": name, "code": "unsupported_parameter"} if self.named else {}
                return error(self.status, f"Unsupported parameter: '{name}' is not supported.", **fields)
        return paris()


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("status", [400, 422])
def test_refused_parameters_are_given_up_once_and_remembered(httpserver: HTTPServer, status: int, named: bool) -> None:
    server = Picky("max_tokens", "temperature", "stream_options", "seed", status=status, named=named)
    httpserver.expect_request(PATH).respond_with_handler(server)
    events = ask(httpserver.url_for("/v1"), Waits())
    assert [e.reason for e in events if isinstance(e, Retry)] == [
        "The server refused max_tokens, asked again with max_completion_tokens instead.",
        "The server refused temperature, asked again without it.",
        "The server refused stream_options, asked again without it.",
        "The server refused seed, asked again without it.",
    ]
    accepted = {"model": "some-model", "messages": MESSAGES, "stream": True, "max_completion_tokens": 30}
    assert server.bodies[-1] == accepted
    traces = [json.loads(e.value)["body"] for e in events if isinstance(e, Trace)]
    assert traces == server.bodies
    again = ask(httpserver.url_for("/v1"), Waits())
    assert server.bodies[5:] == [accepted]
    assert text(again) == "Paris."
    assert notes(again) == ["some-model does not take temperature or seed; its own defaults apply."]


def test_a_refusal_in_the_words_of_a_validator_is_understood(httpserver: HTTPServer) -> None:
    detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 0}]
    refusal = Response(json.dumps({"detail": detail}), 422, content_type="application/json")
    httpserver.expect_ordered_request(PATH).respond_with_response(refusal)
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    assert text(ask(httpserver.url_for("/v1"), Waits())) == "Paris."
    assert "seed" not in httpserver.log[1][0].get_json()


def test_a_refusal_of_both_names_of_the_token_limit_is_final(httpserver: HTTPServer) -> None:
    server = Picky("max_tokens", "max_completion_tokens")
    httpserver.expect_request(PATH).respond_with_handler(server)
    with pytest.raises(BackendError, match=r"\(400\): Unsupported parameter: 'max_completion_tokens'"):
        ask(httpserver.url_for("/v1"), Waits())
    assert len(server.bodies) == 2


def test_a_server_without_a_key_gets_a_dummy(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-someone-else")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-of-someone")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gateway-secret\nAuthorization: Bearer header-secret")
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    ask(httpserver.url_for("/v1"), key=None)
    headers = httpserver.log[0][0].headers
    assert headers["Authorization"] == "Bearer no-key"
    assert not [value for value in headers.values() if "secret" in value or "someone" in value]


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-5-mini", "minimal"),
        ("gpt-5-nano-2025-08-07", "minimal"),
        ("gpt-5", "minimal"),
        ("gpt-5-chat-latest", None),
        ("gpt-5.1", None),
        ("gpt-4.1-mini", None),
    ],
)
def test_openai_is_asked_as_it_wants(model: str, effort: str | None) -> None:
    body = request_body(Connection("https://api.openai.com/v1", None, model, 5, 0), [], Question("?", max_tokens=7), {})
    assert body["max_completion_tokens"] == 7
    assert "max_tokens" not in body
    assert body.get("reasoning_effort") == effort
    elsewhere = request_body(Connection("https://host/v1", None, model, 5, 0), [], Question("?", max_tokens=7), {})
    assert elsewhere["max_tokens"] == 7
    assert "reasoning_effort" not in elsewhere


@pytest.mark.parametrize(
    "refusal",
    [
        {"message": "Your organization must be verified to stream this model.", "param": "stream"},
        {"message": "Streaming is not supported for this model."},
        {"message": "Unsupported value: 'stream' does not support true with this model."},
    ],
)
def test_a_model_that_does_not_stream_is_asked_for_the_whole_answer(
    httpserver: HTTPServer, refusal: dict[str, str]
) -> None:
    def answer(request: Request) -> Response:
        body = request.get_json()
        if body.get("stream"):
            return error(400, **refusal)
        assert "stream_options" not in body
        whole = {"choices": [{"message": {"content": "Paris."}, "finish_reason": "stop"}], "usage": USAGE["usage"]}
        return Response(json.dumps(whole), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(answer)
    events = ask(httpserver.url_for("/v1"))
    assert text(events) == "Paris."
    assert [event.reason for event in events if isinstance(event, Retry)] == [
        "The server refused stream, asked again without it."
    ]


def test_a_token_limit_of_a_wrong_value_is_not_renamed(httpserver: HTTPServer) -> None:
    said = "max_tokens is too large: 30. This model supports at most 8 completion tokens."
    httpserver.expect_request(PATH).respond_with_response(error(400, said, param="max_tokens"))
    with pytest.raises(BackendError, match="too large: 30"):
        ask(httpserver.url_for("/v1"))
    assert len(httpserver.log) == 1
