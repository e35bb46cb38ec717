"""The provider's faults, one row each: a real local server, the real SDK, the whole way to an answer.

Every row says how the column ends, what the user reads, which text stays, what was charged, and how often was asked.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import formatdate

import pytest

from backends.base import Answer, Question, Status
from backends.paid_api import PaidApiBackend
from backends.remote.limit import forget_limits
from backends.remote.request import REFUSED
from backends.run.compare import compare
from backends.settings import load_settings
from backends.spend.budget import spent_today
from terminal.records import answer_record
from tests.backends.openai_server import (
    CHUNKED_HEAD,
    KEY,
    SSE_HEAD,
    STOP,
    USAGE,
    RawServer,
    Script,
    event,
    text_chunk,
)

TEXT = event(text_chunk("Par"))
DONE = event(STOP) + event(USAGE) + event("[DONE]")
REPORTED = Decimal("0.000015")  # 12 + 3 tokens at a millionth of a dollar
UNREPORTED = "at most"
CHARGED_ONCE, NOTHING = str(REPORTED), "0"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    REFUSED.forget()
    forget_limits()


def sends(*pieces: bytes) -> Script:
    """Send these bytes and close."""
    return lambda server, client: client.sendall(b"".join(pieces))


def status(code: int, message: str = f"Oh, {KEY}", headers: str = "", kind: str = "application/json") -> Script:
    body = f'{{"error": {{"message": "{message}"}}}}'.encode()
    kept = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    head = f"HTTP/1.1 {code} X\r\n{kept}{headers}\r\n"
    return sends(head.encode(), body)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def usage(prompt: object, completion: object) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


def drip(server: RawServer, client: socket.socket) -> None:
    """A byte a second of a line that never ends, until the client is gone."""
    client.sendall(SSE_HEAD + TEXT)
    client.settimeout(1.0)
    while True:
        client.sendall(b"x")
        try:
            if not client.recv(1):
                raise ConnectionResetError
        except TimeoutError:
            pass


def stall(before: bytes) -> Script:
    def play(server: RawServer, client: socket.socket) -> None:
        client.sendall(before)
        server.wait_until_client_is_gone(client)

    return play


def flood(server: RawServer, client: socket.socket) -> None:
    client.sendall(SSE_HEAD + TEXT)
    for _ in range(200):  # 20 MB; the client leaves after 10
        client.sendall(event(text_chunk("x" * 100_000)))


def reason(name: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": name}]})


def as_json(body: object, kind: str = "application/json", indent: int | None = None) -> Script:
    """Answer with status 200 and a document."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
    return sends(head.encode(), json.dumps(body, indent=indent).encode())


def delta(**fields: object) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields}]})


def message(text: str) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


WHOLE = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": USAGE["usage"],
}
THINKS = delta(content="<thi") + delta(content="nk>Hm.</think>\n\n") + TEXT
CALL = [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]


@dataclass(frozen=True)
class Row:
    """What the server does, and what must come of it."""

    name: str
    script: Script
    ends: Status
    says: str
    text: str = ""
    charged: str = NOTHING
    asked: int = 1
    more: dict[str, object] = field(default_factory=dict)


SOON: dict[str, object] = {"paid_api.deadline_s": 1.5}
ROWS = [
    Row("401", status(401), "error", "did not accept the key (401). Check CROSSROADS_PAID_API__API_KEY."),
    Row("403", status(403), "error", "does not let this key use some-model (403): Oh, [key]. Use another model"),
    Row("404, a wrong model name", status(404), "error", "does not know the model some-model"),
    Row("408", status(408), "error", "waited too long for the request (408)", asked=2),
    Row("409", status(409), "error", "is busy with a conflicting request (409)"),
    Row("413", status(413), "error", "The question is too long for"),
    Row("422", status(422), "error", "did not understand the request (422)"),
    Row("429, again in 1 s", status(429, headers="Retry-After: 1\r\n"), "error", "It asked to wait 1 s", asked=2),
    Row(
        "429, again in 300 s",
        status(429, headers="Retry-After: 300\r\n"),
        "error",
        "asked to wait 300 s, which is beyond the deadline of 20 s",
    ),
    Row(
        "429, again at a date",
        status(429, headers=f"Retry-After: {formatdate(time.time() + 7200, usegmt=True)}\r\n"),
        "error",
        "which is beyond the deadline of 20 s",
    ),
    Row("500", status(500), "error", "failed while answering (500)", asked=2),
    Row("502", status(502), "error", "cannot reach its model server (502)", asked=2),
    Row("503", status(503), "error", "is not available now (503)", asked=2),
    Row("529", status(529), "error", "is overloaded (529)", asked=2),
    Row("a status nobody knows", status(418), "error", "answered with status 418"),
    Row("a timeout before the headers", stall(b""), "error", "did not begin to answer", "", UNREPORTED, 1, SOON),
    Row("a timeout after the headers", stall(SSE_HEAD), "error", "did not begin to answer", "", UNREPORTED, 1, SOON),
    Row("a timeout in mid-stream", stall(SSE_HEAD + TEXT), "truncated", "did not finish", "Par", UNREPORTED, 1, SOON),
    Row("one byte a second", drip, "truncated", "did not finish its answer", "Par", UNREPORTED, 1, SOON),
    Row(
        "cut in mid-stream",
        sends(CHUNKED_HEAD, chunk(TEXT)),
        "truncated",
        "broke off in the middle of the answer",
        "Par",
        UNREPORTED,
    ),
    Row(
        "the end without reason and usage", sends(SSE_HEAD, TEXT), "truncated", "without saying why", "Par", UNREPORTED
    ),
    Row(
        "malformed events",
        sends(SSE_HEAD, TEXT, b'data: {"choices": [\n\n'),
        "truncated",
        "malformed stream",
        "Par",
        UNREPORTED,
    ),
    Row(
        "an error object in mid-stream",
        sends(SSE_HEAD, TEXT, event({"error": {"message": f"Crashed with {KEY}"}})),
        "truncated",
        "reported an error in the middle of the answer: Crashed with [key]",
        "Par",
        UNREPORTED,
    ),
    Row(
        "an error after usage",
        sends(SSE_HEAD, TEXT, event(USAGE), event({"error": {"message": "Oh"}})),
        "truncated",
        "reported an error",
        "Par",
        CHARGED_ONCE,
    ),
    Row("choices null", sends(SSE_HEAD, event({"choices": None}), TEXT, DONE), "ok", "", "Par", CHARGED_ONCE),
    Row("choices absent", sends(SSE_HEAD, event({"id": "x"}), TEXT, DONE), "ok", "", "Par", CHARGED_ONCE),
    Row("choices null and nothing else", sends(SSE_HEAD, event({"choices": None})), "truncated", "", "", UNREPORTED),
    Row(
        "a web page with 200",
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>Hello</html>"),
        "error",
        "answered with a web page",
        "",
        UNREPORTED,
    ),
    Row("10 MB", flood, "truncated", "sent more than 10 MB", "Par", UNREPORTED),
    Row(
        "compressed",
        sends(SSE_HEAD.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection"), b"x"),
        "error",
        "or compressed what it was asked to send plain",
        "",
        UNREPORTED,
    ),
    Row("an empty answer", sends(SSE_HEAD, DONE), "empty", "answered with nothing", "", CHARGED_ONCE),
    Row(
        "a content filter",
        sends(SSE_HEAD, TEXT, reason("content_filter"), event(USAGE), event("[DONE]")),
        "truncated",
        "content filter stopped the answer",
        "Par",
        CHARGED_ONCE,
    ),
    Row("malformed from the start", sends(SSE_HEAD, b"data: }{\n\n"), "error", "malformed stream", "", UNREPORTED),
    Row("not JSON but text", sends(SSE_HEAD, TEXT, b"data: <oops>\n\n"), "truncated", "malformed", "Par", UNREPORTED),
    Row("events of another shape", sends(SSE_HEAD, event([1]), event("7"), TEXT, DONE), "ok", "", "Par", CHARGED_ONCE),
    Row("nothing at all", sends(SSE_HEAD), "error", "answered with an empty stream", "", UNREPORTED),
    Row("negative usage", sends(SSE_HEAD, TEXT, event(STOP), usage(-1, 3)), "ok", "", "Par", UNREPORTED),
    Row("absurd usage", sends(SSE_HEAD, TEXT, event(STOP), usage(12, 10**12)), "ok", "", "Par", UNREPORTED),
    Row("a whole answer as JSON", as_json(WHOLE), "ok", "", "Paris", CHARGED_ONCE),
    Row("a whole answer as indented JSON", as_json(WHOLE, indent=2), "ok", "", "Paris", CHARGED_ONCE),
    Row("a whole answer as plain text", as_json(WHOLE, "text/plain"), "ok", "", "Paris", CHARGED_ONCE),
    Row("a whole answer as an event", sends(SSE_HEAD, event(WHOLE)), "ok", "", "Paris", CHARGED_ONCE),
    Row(
        "the answer once more at the end",
        sends(SSE_HEAD, delta(content="Paris"), event(WHOLE)),
        "ok",
        "",
        "Paris",
        CHARGED_ONCE,
    ),
    Row(
        "messages in place of deltas",
        sends(SSE_HEAD, event(message("Pa")), event(message("ris")), event(STOP), event(USAGE)),
        "ok",
        "",
        "Paris",
        CHARGED_ONCE,
    ),
    Row(
        "messages that grow",
        sends(SSE_HEAD, event(message("Pa")), event(message("Paris")), event(WHOLE)),
        "ok",
        "",
        "Paris",
        CHARGED_ONCE,
    ),
    Row(
        "a stream that calls itself JSON",
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n", TEXT, DONE),
        "ok",
        "",
        "Par",
        CHARGED_ONCE,
    ),
    Row(
        "one document a line",
        sends(SSE_HEAD.replace(b"text/event-stream", b"application/x-ndjson"), (TEXT + DONE).replace(b"data: ", b"")),
        "ok",
        "",
        "Par",
        CHARGED_ONCE,
    ),
    Row(
        "a document without an answer", as_json({"hello": KEY}), "error", "in which there is no answer", "", UNREPORTED
    ),
    Row("an old error of vLLM", as_json({"object": "error", "message": "Oh"}), "error", ": Oh.", "", UNREPORTED),
    Row("an error in a list", as_json([{"error": {"message": "Oh"}}]), "error", ": Oh.", "", UNREPORTED),
    Row("a detail", as_json({"detail": [{"loc": ["a"], "msg": "Oh"}]}), "error", ": a: Oh.", "", UNREPORTED),
    Row("words with 200", sends(SSE_HEAD, b"Upstream is gone\n"), "error", "none: Upstream is gone.", "", UNREPORTED),
    Row(
        "an error line", sends(SSE_HEAD, TEXT, b'error: {"message": "Oh"}\n\n'), "truncated", ": Oh.", "Par", UNREPORTED
    ),
    Row("event: error", sends(SSE_HEAD, TEXT, b"event: error\ndata: Oh\n\n"), "truncated", ": Oh.", "Par", UNREPORTED),
    Row(
        "an error in a choice, with text",
        sends(SSE_HEAD, event({"choices": [{"delta": {"content": "Par"}, "error": {"message": "Oh"}}]})),
        "truncated",
        "in the middle of the answer: Oh.",
        "Par",
        UNREPORTED,
    ),
    Row(
        "a page in mid-stream",
        sends(SSE_HEAD, TEXT, b"<title>502 Oh</title>\n"),
        "truncated",
        "502 Oh",
        "Par",
        UNREPORTED,
    ),
    Row(
        "finish reason error",
        sends(SSE_HEAD, TEXT, reason("error"), event(USAGE)),
        "truncated",
        "failed in the middle",
        "Par",
        CHARGED_ONCE,
    ),
    Row(
        "finish reason error, no text",
        sends(SSE_HEAD, reason("error"), event(USAGE)),
        "error",
        "before any text",
        "",
        CHARGED_ONCE,
    ),
    Row(
        "an unknown finish reason",
        sends(SSE_HEAD, TEXT, reason("moon"), event(USAGE)),
        "truncated",
        "finish reason moon",
        "Par",
        CHARGED_ONCE,
    ),
    Row(
        "a filter before any text",
        sends(SSE_HEAD, reason("content_filter"), event(USAGE)),
        "refused",
        "let no answer through",
        "",
        CHARGED_ONCE,
    ),
    Row(
        "a refusal",
        sends(SSE_HEAD, delta(content=None, refusal="No"), delta(refusal=", sorry."), DONE),
        "refused",
        "The model refused to answer",
        "No, sorry.",
        CHARGED_ONCE,
    ),
    Row(
        "a refusal as JSON",
        as_json(WHOLE | {"choices": [{"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}]}),
        "refused",
        "The model refused to answer",
        "No.",
        CHARGED_ONCE,
    ),
    Row(
        "a call of a tool",
        sends(SSE_HEAD, delta(tool_calls=CALL), reason("tool_calls"), event(USAGE)),
        "empty",
        "asked for a tool",
        "",
        CHARGED_ONCE,
    ),
    Row("reasoning in the text", sends(SSE_HEAD, THINKS, DONE), "ok", "", "Par", CHARGED_ONCE),
    Row(
        "reasoning without its first mark",
        sends(SSE_HEAD, delta(content="Hm.\n</th"), delta(content="ink>\n\n"), TEXT, DONE),
        "ok",
        "",
        "Par",
        CHARGED_ONCE,
    ),
    Row(
        "reasoning that never ends",
        sends(SSE_HEAD, delta(content="<think>Hm"), reason("length"), event(USAGE)),
        "truncated",
        "token limit",
        "",
        CHARGED_ONCE,
    ),
    Row(
        "cut within a mark",
        sends(CHUNKED_HEAD, chunk(TEXT + delta(content=" a <thin"))),
        "truncated",
        "broke off",
        "Par a <thin",
        UNREPORTED,
    ),
    Row("zero usage for text", sends(SSE_HEAD, TEXT, event(STOP), usage(0, 0)), "ok", "", "Par", UNREPORTED),
    Row("usage as a string", sends(SSE_HEAD, TEXT, event(STOP), usage("12", KEY)), "ok", "", "Par", UNREPORTED),
]


def ask(url: str, **more: object) -> tuple[Answer, Decimal, Decimal]:
    """The answer, what the day's account says, and what one attempt can cost at most."""
    given: dict[str, object] = {
        "base_url": url,
        "api_key": KEY,
        "model": "some-model",
        "deadline_s": 20,
        "max_retries": 1,
    }
    price = {"input_usd": "1", "output_usd": "1", "date": "2026-11-01"}
    given |= {f"price.{name}": value for name, value in price.items()}
    overrides = {f"paid_api.{name}": value for name, value in given.items()} | more
    settings = load_settings(overrides)
    backend = PaidApiBackend(settings)
    (answer,) = [
        happened
        for _, happened in compare([backend], Question("Capital of France?", max_tokens=30), threading.Event())
        if isinstance(happened, Answer)
    ]
    at_most = backend.max_attempt_usd([{"role": "user", "content": "Capital of France?"}], Question("", max_tokens=30))
    assert at_most is not None
    return answer, spent_today(settings.data).usd, at_most


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_fault(row: Row, caplog: pytest.LogCaptureFixture) -> None:
    with RawServer(row.script).run() as server:
        answer, charged, at_most = ask(server.url, **row.more)
        assert len(server.requests) == row.asked
    assert answer.status == row.ends
    assert row.says in (answer.error or "")
    assert (answer.error is None) is (row.ends == "ok")
    assert answer.text.startswith(row.text) if row.text == "Par" else answer.text == row.text
    assert charged == (at_most if row.charged == UNREPORTED else Decimal(row.charged))
    assert answer.cost.usd == (None if row.charged == UNREPORTED else Decimal(row.charged))
    assert len(answer.attempts) == row.asked
    if row.name == "429, again in 1 s":
        assert 1 <= answer.attempts[0].waited_s < 20
        assert (answer.timings.latency_s or 0) < (answer.timings.retry_s or 0)
    shown = repr(answer) + str(answer_record(answer, "Capital of France?")) + caplog.text
    assert KEY not in shown


def test_a_whole_answer_has_no_time_of_its_first_text() -> None:
    with RawServer(as_json(WHOLE)).run() as server:
        answer, _, _ = ask(server.url)
    timings = answer.timings
    assert (timings.ttft_s, timings.tokens_per_s) == (None, None)
    assert timings.latency_s
    assert answer.notes == (
        "The server did not stream: the whole answer came at once, so when its first text was there is unknown.",
    )


@pytest.mark.parametrize("first", [THINKS, delta(content="Hm.\n</think>\n\n") + TEXT])
def test_reasoning_in_the_text_is_timed_as_reasoning(first: bytes) -> None:
    with RawServer(sends(SSE_HEAD, first, DONE)).run() as server:
        answer, _, _ = ask(server.url)
    timings = answer.timings
    assert timings.first_reasoning_s is not None
    assert timings.ttft_s is not None
    assert timings.first_reasoning_s <= timings.ttft_s
    assert [trace.value.strip() for trace in answer.traces if trace.name == "reasoning"] == ["Hm."]


def test_what_is_left_out_is_named() -> None:
    parts = [{"type": "text", "text": "Par"}, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "odd\x1b"}]
    sent = delta(tool_calls=CALL, surprise={"x": 1}, audio={"data": "x"}) + delta(content=parts, role="assistant")
    with RawServer(sends(SSE_HEAD, sent, DONE)).run() as server:
        answer, _, _ = ask(server.url)
    assert answer.text == "Par"
    named = ["a call of a tool", "the field surprise", "sound", "a picture", "a part of the kind odd"]
    assert list(answer.notes) == [f"The server also sent {name}, which is not shown here." for name in named]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(code: int) -> None:
    with RawServer(sends(SSE_HEAD, TEXT, DONE)).run() as other:
        with RawServer(status(code, headers=f"Location: {other.url}/chat/completions\r\n")).run() as server:
            answer, charged, _ = ask(server.url)
        assert other.requests == []
    assert (answer.status, answer.text, charged) == ("error", "", 0)
    assert f"redirects to another address ({code}), and redirects are not followed" in (answer.error or "")
    assert KEY not in repr(answer)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (lambda port: "http://no-such-host.invalid/v1", "could not be found"),
        (lambda port: f"http://127.0.0.1:{port}/v1", "does not accept connections. Tried 2 times."),
        (lambda port: "http://169.254.169.254/v1", "link-local or metadata address"),
        (lambda port: "http://10.0.0.1/v1", "private network"),
    ],
    ids=["dns", "refused", "metadata", "private"],
)
def test_what_never_reached_a_server_is_free(
    url: Callable[[int], str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    answer, charged, _ = ask(url(port))
    assert (answer.status, answer.text, charged) == ("error", "", 0)
    assert says in (answer.error or "")
    assert KEY not in repr(answer)


def test_tls_that_fails_is_free_and_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1024)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        answer, charged, _ = ask(f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
        thread.join(10)
    assert (answer.status, answer.text, charged) == ("error", "", 0)
    assert "No secure connection to" in (answer.error or "")
    assert KEY not in repr(answer)
