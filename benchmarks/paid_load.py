"""What the paid column adds over the bare openai client when many questions are asked at once: 1, 10 and 50.

Both ask the same scripted server (a process of its own) with the same request, every answer on a connection of its
own. In a round, as many callers as stated, each on a thread of its own, start at the same instant: ours through
`compare()`, as a browser session does it; the bare client, one `OpenAI` object for all of them. Times run on the
caller's clock: to the first text, and to the end of the answer (for ours, until the whole `Answer` is in hand: priced,
and its charge written to the ledger).

No request belongs to one of the other kind, so what was added is stated in two ways: the 95th percentile of all of ours
against that of all of the bare client's; and rank by rank, the k-th fastest of a round of ours against the k-th
fastest of the bare client's round beside it. Of those differences the 95th percentile is stated, and the median over
the rounds at the rank where that is largest. The first of these two also holds what differs from one round to the
next: so the bare client has a second round each time, and is compared with itself.

Eight questions may be under way to one server by default (`paid_api.max_at_once`); the rest would wait their turn,
which is right for a provider and would hide what is measured here, so it is set to the number of callers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from backends.base import Answer, Question, TextDelta
from backends.paid_api import PaidApiBackend
from backends.run.compare import compare
from benchmarks.bench import SHORT_QUESTION, Bench, Outcome
from benchmarks.children import child, line_from
from benchmarks.figures import Figure, Goal
from benchmarks.paid_overhead import bare_client, bare_request

if TYPE_CHECKING:
    from openai import OpenAI

NAME = "paid_load"
TOKENS, PACE_MS = 40, 20
ROUNDS = {1: 40, 10: 40, 50: 8}
"""How many at once, and in how many rounds."""

_BARE = "openai client, fresh connection"
_ADDED = Goal(5, "at most", "ms")


@dataclass(frozen=True, slots=True)
class _TimedAnswer:
    """One answer on its caller's clock, in milliseconds from the common start."""

    ttft_ms: float
    total_ms: float


def run(bench: Bench) -> Outcome:
    """Rounds of ours and of the bare client in turn, at each number of callers."""
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    with child(["-m", "benchmarks.sse_server"]) as server:
        url = f"http://127.0.0.1:{int(line_from(server))}/{TOKENS}/{PACE_MS}/v1"
        for callers in ROUNDS:
            heard = _measure(bench, url, callers)
            figures += _figures(callers, *heard)
            names = ("ours", "bare", "bare again")
            raw[str(callers)] = {n: [asdict(one) for one in answers] for n, answers in zip(names, heard, strict=True)}
    return Outcome(tuple(figures), _NOTES, raw)


_NOTES = (
    f"Answers of {TOKENS} tokens, one every {PACE_MS} ms; the first round of each is left out.",
    "Callers, threads and the server share this machine's cores, so much of either time at 50 at once is waiting for "
    "a core.",
    "paid_api.max_at_once is raised from its default of 8 to the number of callers.",
)


def _measure(bench: Bench, url: str, callers: int) -> tuple[list[_TimedAnswer], list[_TimedAnswer], list[_TimedAnswer]]:
    """Ours, the bare client's, and the bare client's again, round by round."""
    given = bench.settings(paid_api__base_url=url, paid_api__api_key="bench-key", paid_api__max_at_once=callers)
    question = bench.settings(max_tokens=TOKENS).question(SHORT_QUESTION)
    backends = [PaidApiBackend(given) for _ in range(callers)]
    for backend in backends:
        list(backend.load(threading.Event()))
    ours: list[_TimedAnswer] = []
    bare: list[_TimedAnswer] = []
    again: list[_TimedAnswer] = []
    rounds = bench.repeats(ROUNDS[callers])
    with bare_client(url, keep_alive=False) as client, ThreadPoolExecutor(callers) as pool:
        for number in range(rounds + 1):
            bench.report(f"{callers} at once: {number} of {rounds}")
            arms: list[tuple[list[_TimedAnswer], list[Ask]]] = [
                (ours, [_ours(backend, question) for backend in backends]),
                (bare, [_bare(client, given.paid_api.model, question) for _ in backends]),
                (again, [_bare(client, given.paid_api.model, question) for _ in backends]),
            ]
            for kept, asks in arms if number % 2 else reversed(arms):  # nobody is always first
                heard = _round(pool, asks)
                if number:
                    kept += heard
    return ours, bare, again


Ask = Callable[[float], _TimedAnswer]


def _round(pool: ThreadPoolExecutor, asks: list[Ask]) -> list[_TimedAnswer]:
    """Everybody at the same instant; both times sorted, so that the k-th of two rounds can be compared."""
    together = threading.Barrier(len(asks))

    def one(ask: Ask) -> _TimedAnswer:
        together.wait()
        return ask(time.monotonic())

    heard = list(pool.map(one, asks))
    first, whole = sorted(one.ttft_ms for one in heard), sorted(one.total_ms for one in heard)
    return [_TimedAnswer(*times) for times in zip(first, whole, strict=True)]


def _ours(backend: PaidApiBackend, question: Question) -> Ask:
    def ask(began: float) -> _TimedAnswer:
        first, answer, pieces = 0.0, None, 0
        for _, event in compare([backend], question, threading.Event()):
            if isinstance(event, TextDelta):
                first, pieces = first or time.monotonic(), pieces + 1
            elif isinstance(event, Answer):
                answer = event
        return _timed_answer(began, first, pieces, answer is not None and answer.status == "ok")

    return ask


def _bare(client: OpenAI, model: str, question: Question) -> Ask:
    def ask(began: float) -> _TimedAnswer:
        first, pieces, ended = 0.0, 0, False
        for chunk in bare_request(client, model, question):
            if chunk.choices and chunk.choices[0].delta.content:
                first, pieces = first or time.monotonic(), pieces + 1
            ended = ended or bool(chunk.choices and chunk.choices[0].finish_reason)
        return _timed_answer(began, first, pieces, ended)

    return ask


def _timed_answer(began: float, first: float, pieces: int, whole: bool) -> _TimedAnswer:
    """Raises `RuntimeError` for an answer that is not whole: it would be no comparison."""
    now = time.monotonic()
    if not whole or pieces != TOKENS:
        raise RuntimeError(f"{pieces} of {TOKENS} tokens arrived")
    return _TimedAnswer(1000 * (first - began), 1000 * (now - began))


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` of them do not exceed (nearest rank)."""
    return sorted(values)[max(math.ceil(len(values) * part), 1) - 1]


def worst_rank(differences: Sequence[float], callers: int) -> float:
    """The largest of the ranks' medians over the rounds; `differences` are ordered by rank, round after round."""
    return max(median(differences[rank::callers]) for rank in range(callers))


def _figures(
    callers: int, ours: list[_TimedAnswer], bare: list[_TimedAnswer], again: list[_TimedAnswer]
) -> list[Figure]:
    figures = []
    for field, what in (("ttft_ms", "first text"), ("total_ms", "whole answer")):
        mine, theirs, others = (tuple(getattr(one, field) for one in heard) for heard in (ours, bare, again))
        name, goal = f"{callers} at once: {what}", _ADDED if field == "ttft_ms" and callers == 10 else None
        slow, bare_slow = percentile(mine, 0.95), percentile(theirs, 0.95)
        added, noise = ([one - two for one, two in zip(some, theirs, strict=True)] for some in (mine, others))
        figures += [
            Figure(NAME, name, "ms", mine, _BARE, theirs, "difference"),
            Figure(NAME, f"{name}, 95th percentile", "ms", (slow,), _BARE, (bare_slow,), "difference", goal),
            Figure(
                NAME,
                f"{name}, added rank by rank, 95th percentile",
                "ms",
                (percentile(added, 0.95),),
                "openai client against itself",
                (percentile(noise, 0.95),),
            ),
            Figure(
                NAME,
                f"{name}, added at the worst rank, median over the rounds",
                "ms",
                (worst_rank(added, callers),),
                "openai client against itself",
                (worst_rank(noise, callers),),
                goal=goal,
            ),
        ]
    return figures
