"""What the paid column costs on top of the bare openai client: time to the first text, tokens per second.

Both ask the same scripted server (a process of its own) with the same request. Ours is asked through `compare()`.
Times run on the caller's clock, from the call until the event is in the caller's hands, threads and queues included;
that is stricter than the answer's own `ttft_s`, which is shown too. Speed is (tokens - 1) / (last - first token): for
ours the answer's own `tokens_per_s`, because a first token that is handed over late would flatter the caller's clock.

The bare client is one `OpenAI` object, made once, in two variants: *fresh connection* opens one for every answer, as
the paid column does on purpose; *keep-alive* uses one connection again and again. Importing the SDK (`load`) comes
before the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from backends.base import Answer, Question, TextDelta, Timings
from backends.paid_api import PaidApiBackend
from backends.run.compare import compare
from benchmarks.bench import SHORT_QUESTION, Bench, Outcome
from benchmarks.children import child, line_from
from benchmarks.figures import Compared, Figure, Goal

if TYPE_CHECKING:
    from openai import OpenAI, Stream
    from openai.types.chat import ChatCompletionChunk

NAME = "paid_overhead"
_KEY = "bench-key"
_PACES = (("200 tokens, one every 5 ms", 200, 5), ("2,000 tokens at full speed", 2000, 0))
_ADDED_TTFT = Goal(5, "at most", "ms")
_LOST_SPEED = Goal(2, "at most", "%")


@dataclass(frozen=True, slots=True)
class _TimedAnswer:
    """One answer as its caller saw it: when the first and the last token were in hand, and the speed between.

    `stated_ttft_ms` is the answer's own number; for the bare client, which states none, the caller's.
    """

    ttft_ms: float
    last_ms: float
    tokens_per_s: float
    stated_ttft_ms: float


class _PieceTimer:
    """Stamps the pieces of one answer as they come."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.first = self.last = 0.0
        self.pieces = 0

    def add_piece(self) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.pieces += 1

    def result(self, expected: int, timings: Timings | None = None) -> _TimedAnswer:
        """What was heard, with an answer's own numbers if it has any. Raises `RuntimeError` if a token is missing."""
        if self.pieces != expected:
            raise RuntimeError(f"{self.pieces} of {expected} tokens arrived")
        ttft_s, tokens_per_s = self.first - self.began, (self.pieces - 1) / (self.last - self.first)
        stated_s = ttft_s
        if timings is not None:
            assert timings.ttft_s is not None
            assert timings.tokens_per_s is not None
            stated_s, tokens_per_s = timings.ttft_s, timings.tokens_per_s
        return _TimedAnswer(1000 * ttft_s, 1000 * (self.last - self.began), tokens_per_s, 1000 * stated_s)


def run(bench: Bench) -> Outcome:
    """Measure ours, fresh connection and keep-alive in turn, at each pace."""
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    with child(["-m", "benchmarks.sse_server"]) as server:
        port = int(line_from(server))
        for label, tokens, pace_ms in _PACES:
            url = f"http://127.0.0.1:{port}/{tokens}/{pace_ms}/v1"
            heard = _measure(bench, label, url, tokens)
            figures += _figures(label, heard, paced=bool(pace_ms))
            raw[label] = {arm: [asdict(one) for one in answers] for arm, answers in heard.items()}
    return Outcome(tuple(figures), _NOTES, raw)


_NOTES = (
    "Keep-alive is shown because it is the fastest way to ask; the paid column opens a connection per answer so that "
    "its latency does not depend on how long ago the last question was.",
    "At full speed the server sends as fast as the client reads, thousands of tokens a second, which no model does; it "
    "shows what a token costs inside and has no goal for speed.",
    "The first answer of each kind is a warm-up and left out.",
)


def _measure(bench: Bench, label: str, url: str, tokens: int) -> dict[str, list[_TimedAnswer]]:
    backend = PaidApiBackend(bench.settings(paid_api__base_url=url, paid_api__api_key=_KEY))
    question = bench.settings(max_tokens=tokens).question(SHORT_QUESTION)
    list(backend.load(threading.Event()))
    fresh, kept = bare_client(url, keep_alive=False), bare_client(url, keep_alive=True)
    arms: dict[str, Callable[[], _TimedAnswer]] = {
        "ours": lambda: _ask_ours(backend, question, tokens),
        "fresh connection": lambda: _ask_bare(fresh, backend.connection.model, question, tokens),
        "keep-alive": lambda: _ask_bare(kept, backend.connection.model, question, tokens),
    }
    heard: dict[str, list[_TimedAnswer]] = {name: [] for name in arms}
    repeats = bench.repeats(21)
    with fresh, kept:
        for repeat in range(repeats + 1):
            if repeat % 5 == 1 or repeats == 1:
                bench.report(f"{label}: {repeat} of {repeats}")
            for name, ask in arms.items():
                answer = ask()
                if repeat:
                    heard[name].append(answer)
    return heard


def bare_client(url: str, keep_alive: bool) -> OpenAI:
    """The reference: one `OpenAI` object with its own retries off, on connections kept alive or one per answer."""
    import httpx2
    from openai import DefaultHttpxClient, OpenAI

    limits = httpx2.Limits(max_keepalive_connections=None if keep_alive else 0)
    http = DefaultHttpxClient(limits=limits, trust_env=False)
    return OpenAI(api_key=_KEY, base_url=url, max_retries=0, http_client=http)


def _ask_ours(backend: PaidApiBackend, question: Question, tokens: int) -> _TimedAnswer:
    ear = _PieceTimer()
    answer: Answer | None = None
    for _, event in compare([backend], question, threading.Event()):
        if isinstance(event, TextDelta):
            ear.add_piece()
        elif isinstance(event, Answer):
            answer = event
    if answer is None or answer.status != "ok":
        raise RuntimeError(f"the paid column did not answer: {answer and answer.error}")
    return ear.result(tokens, answer.timings)


def bare_request(client: OpenAI, model: str, question: Question) -> Stream[ChatCompletionChunk]:
    """The same request as the paid column's, through the bare client."""
    return client.chat.completions.create(
        model=model,
        messages=[
            {"role": "system", "content": question.system_prompt},
            {"role": "user", "content": question.text},
        ],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=question.max_tokens,
        temperature=question.temperature,
        seed=question.seed,
    )


def _ask_bare(client: OpenAI, model: str, question: Question, tokens: int) -> _TimedAnswer:
    ear = _PieceTimer()
    for chunk in bare_request(client, model, question):
        if chunk.choices and chunk.choices[0].delta.content:
            ear.add_piece()
    return ear.result(tokens)


def _figures(label: str, heard: dict[str, list[_TimedAnswer]], paced: bool) -> list[Figure]:
    rows: tuple[tuple[str, str, str, Compared, Goal | None], ...] = (
        ("ttft_ms", "time to first text", "ms", "difference", _ADDED_TTFT),
        ("stated_ttft_ms", "time to first text as the answer states it", "ms", "difference", None),
        ("last_ms", "time to the last token", "ms", "difference", None),
        ("tokens_per_s", "speed", "tokens/s", "lost", _LOST_SPEED if paced else None),
    )
    return [
        Figure(
            NAME,
            f"{label}: {name}",
            unit,
            tuple(getattr(one, field) for one in heard["ours"]),
            f"openai client, {variant}",
            tuple(getattr(one, field) for one in heard[variant]),
            compared,
            goal,
        )
        for variant in ("fresh connection", "keep-alive")
        for field, name, unit, compared, goal in rows
    ]
