"""The engine for remote models against real servers: streaming, usage, retries."""

from __future__ import annotations

import json
import threading

import pytest
from pytest_httpserver import HTTPServer

from backends.base import AttemptEnded, AttemptStarted, Finished, Note, Retry, TextDelta, Trace, Usage
from backends.errors import BackendError
from backends.remote.request import REFUSED
from tests.backends.openai_server import (
    KEY,
    MESSAGES,
    PATH,
    QUESTION,
    STOP,
    USAGE,
    Waits,
    ask,
    engine,
    error,
    notes,
    paris,
    sse,
    text,
    text_chunk,
)


@pytest.fixture(autouse=True)
def _no_memory_of_refusals() -> None:
    REFUSED.forget()


def test_an_answer_is_streamed_with_its_usage(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(PATH, method="POST").respond_with_handler(lambda _: paris())
    events = ask(httpserver.url_for("/v1"))
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["Par", "is."]
    assert events[-1] == Finished(Usage(12, 3, source="server"), "stop")
    assert [type(e) for e in events] == [AttemptStarted, Trace, TextDelta, TextDelta, AttemptEnded, Finished]
    request, _ = httpserver.log[0]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.get_json() == {
        "model": "some-model",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 30,
        "temperature": 0.0,
        "seed": 0,
    }


def test_the_trace_is_the_request_without_the_key(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    url = httpserver.url_for("/v1")
    (trace,) = [event for event in ask(url) if isinstance(event, Trace)]
    assert json.loads(trace.value)["POST"] == url + "/chat/completions"
    assert json.loads(trace.value)["body"] == httpserver.log[0][0].get_json()
    with_key = engine(url).stream([{"role": "user", "content": f"Is {KEY} safe?"}], QUESTION, threading.Event())
    assert KEY not in repr(list(with_key))


def test_tokens_carry_the_time_at_which_they_arrived(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    times = [e.at for e in ask(httpserver.url_for("/v1")) if isinstance(e, TextDelta) and e.at is not None]
    assert len(times) == 2
    assert times == sorted(times)


def test_odd_chunks_are_passed_over(httpserver: HTTPServer) -> None:
    odd = [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": "no"},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0, "delta": {"content": ""}}]},
        {"choices": [{"index": 0, "delta": {"content": None}}]},
        {"choices": [{"index": 0, "delta": {"content": 5}}]},
    ]
    chunks = [text_chunk("a"), *odd, text_chunk("\ud800b"), STOP, {"usage": USAGE["usage"]}]
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*chunks))
    events = ask(httpserver.url_for("/v1"))
    assert text(events) == "a\ufffdb"
    assert events[-1] == Finished(Usage(12, 3, source="server"), "stop")


def test_usage_on_a_chunk_with_text_counts_and_the_last_one_wins(httpserver: HTTPServer) -> None:
    first = text_chunk("a") | {"usage": {"prompt_tokens": 12, "completion_tokens": 1}}
    last = STOP | {"usage": {"prompt_tokens": 12, "completion_tokens": 2}}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(first, last))
    assert ask(httpserver.url_for("/v1"))[-1] == Finished(Usage(12, 2, source="server"), "stop")


def test_a_stream_that_ends_without_a_reason_says_so(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(text_chunk("Par")))
    assert ask(httpserver.url_for("/v1"))[-1] == Finished(Usage(), None)


def test_impossible_usage_is_not_reported_and_noted(httpserver: HTTPServer) -> None:
    usage = {"usage": {"prompt_tokens": -1, "completion_tokens": 10**9}}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(text_chunk("a"), STOP, usage))
    events = ask(httpserver.url_for("/v1"))
    assert events[-1] == Finished(Usage(), "stop")
    assert notes(events) == [
        "The server reported -1 as prompt_tokens; that cannot be true and counts as not reported.",
        "The server reported 1,000,000,000 as completion_tokens; that cannot be true and counts as not reported.",
    ]


def test_an_answer_that_was_all_reasoning_says_why_it_is_empty(httpserver: HTTPServer) -> None:
    counts = {"prompt_tokens": 9, "completion_tokens": 30, "completion_tokens_details": {"reasoning_tokens": 30}}
    cut = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}], "usage": counts}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(cut))
    events = ask(httpserver.url_for("/v1"))
    assert notes(events)[0].startswith("The token limit was used up by 30 tokens of reasoning before any text.")


def test_retries_wait_as_the_server_asked_and_are_shown(httpserver: HTTPServer) -> None:
    refusal = error(429, "Slow down")
    refusal.headers["Retry-After"] = "1"
    httpserver.expect_ordered_request(PATH).respond_with_response(refusal)
    httpserver.expect_ordered_request(PATH).respond_with_response(error(503, "Busy"))
    httpserver.expect_ordered_request(PATH).respond_with_handler(lambda _: paris())
    waits = Waits()
    events = ask(httpserver.url_for("/v1"), waits)
    assert waits.waited == [1.0, 1.0]
    assert [e for e in events if isinstance(e, (Note, Retry))] == [
        Note("429 from the server, waiting 1 s as it asked (attempt 2 of 3)."),
        Retry("Attempt 2 of 3 begins."),
        Note("503 from the server, waiting 1 s (attempt 3 of 3)."),
        Retry("Attempt 3 of 3 begins."),
    ]
    assert text(events) == "Paris."
    assert len(httpserver.log) == 3


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_it_gives_up_after_the_retries(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(status, "No"))
    waits = Waits()
    with pytest.raises(BackendError, match=rf"\({status}\): No\. Tried 3 times\."):
        ask(httpserver.url_for("/v1"), waits)
    assert waits.waited == [0.5, 1.0]
    assert len(httpserver.log) == 3


def test_a_wait_beyond_the_deadline_gives_up_at_once(httpserver: HTTPServer) -> None:
    refusal = error(429, "Slow down")
    refusal.headers["Retry-After"] = "3600"
    httpserver.expect_request(PATH).respond_with_response(refusal)
    waits = Waits()
    with pytest.raises(BackendError, match=r"asked to wait 3600 s, which is beyond the deadline of 30 s"):
        ask(httpserver.url_for("/v1"), waits)
    assert waits.waited == []


def test_cancelling_while_waiting_to_retry_ends_the_answer(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(503, "Busy"))
    events = ask(httpserver.url_for("/v1"), Waits(cancel_after=1))
    assert events[-1] == Finished(Usage(), "cancelled")
    assert len(httpserver.log) == 1


def test_a_spent_quota_is_not_tried_again(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_response(error(429, "Pay", code="insufficient_quota"))
    waits = Waits()
    with pytest.raises(BackendError, match="no quota left"):
        ask(httpserver.url_for("/v1"), waits)
    assert waits.waited == []


def choice(index: int, said: str, reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": index, "delta": {"content": said}, "finish_reason": reason}]}


def test_answers_that_take_turns_are_told_apart(httpserver: HTTPServer) -> None:
    chunks = [
        choice(0, ""),
        choice(1, ""),
        choice(0, "A"),
        choice(1, "B"),
        choice(0, "a", "stop"),
        choice(1, "b", "length"),
    ]
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*chunks, USAGE))
    events = ask(httpserver.url_for("/v1"))
    assert text(events) == "Aa"
    assert events[-1] == Finished(Usage(12, 3, source="server"), "stop")
    assert notes(events) == ["The server also sent more than one answer, which is not shown here."]


def test_an_index_that_counts_chunks_is_one_answer(httpserver: HTTPServer) -> None:
    chunks = [choice(1, "A"), choice(2, "b"), choice(3, "c", "stop")]
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*chunks, USAGE))
    events = ask(httpserver.url_for("/v1"))
    assert (text(events), notes(events)) == ("Abc", [])


@pytest.mark.parametrize(
    "documents",
    [
        [{"type": "response.output_text.delta", "delta": "A"}, {"type": "response.completed"}],
        [{"type": "message_start"}, {"type": "message_delta", "usage": {"output_tokens": 8}}],
        [{"candidates": [{"content": {"parts": [{"text": "A"}]}}]}],
    ],
)
def test_a_stream_of_another_interface_is_named(httpserver: HTTPServer, documents: list[object]) -> None:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*documents))
    with pytest.raises(BackendError, match="none of them is a chunk of chat completions"):
        ask(httpserver.url_for("/v1"))


def test_reasoning_without_an_answer_is_said(httpserver: HTTPServer) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "It is Paris."}}]}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(thought, STOP, USAGE))
    events = ask(httpserver.url_for("/v1"))
    assert notes(events) == ["All that the server sent was reasoning, which can be read; no text came."]


def test_a_limit_that_was_used_up_without_any_text_is_said(httpserver: HTTPServer) -> None:
    cut = {"choices": [{"index": 0, "delta": {"content": None}, "finish_reason": "length"}]}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(cut, USAGE))
    (note,) = notes(ask(httpserver.url_for("/v1")))
    assert note.startswith("The token limit was used up by 3 tokens, of which none was text.")


@pytest.mark.parametrize(
    ("counts", "expected", "note"),
    [
        ((12, 0), Usage(12, source="server"), "The server reported 0 completion tokens for an answer that has text"),
        ((0, 3), Usage(None, 3, source="server"), "The server reported 0 prompt tokens for an answer that has text"),
    ],
)
def test_no_answer_takes_no_tokens(httpserver: HTTPServer, counts: tuple[int, int], expected: Usage, note: str) -> None:
    usage = {"choices": [], "usage": dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True))}
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(text_chunk("A"), STOP, usage))
    events = ask(httpserver.url_for("/v1"))
    assert events[-1] == Finished(expected, "stop")
    (said,) = notes(events)
    assert said.startswith(note)


def test_a_character_that_is_cut_in_two_is_joined(httpserver: HTTPServer) -> None:
    pieces = ["a\ud83d", "", "\ude00b", "\ud83d", "c", "\ude00d\ud83d"]
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*map(text_chunk, pieces), STOP, USAGE))
    events = ask(httpserver.url_for("/v1"))
    assert text(events) == "a\U0001f600b\ufffdc\ufffdd\ufffd"
    assert events[-1] == Finished(Usage(12, 3, source="server"), "stop")


def test_words_of_another_answer_are_named(httpserver: HTTPServer) -> None:
    chunks = [choice(0, "A"), choice(1, "B"), choice(0, "a", "stop"), choice(1, "b", "length")]
    httpserver.expect_request(PATH).respond_with_handler(lambda _: sse(*chunks, USAGE))
    events = ask(httpserver.url_for("/v1"))
    assert text(events) == "ABa"
    assert notes(events)[0].endswith("the beginning of the text may hold words of another one.")
