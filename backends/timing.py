"""Runs one backend on one question and measures it. The backend itself never looks at a clock.

What the numbers mean is stated in `backends.base.Timings`. All clocks are monotonic.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal

from backends.base import (
    Answer,
    Attempt,
    Backend,
    BackendError,
    CapReached,
    Cost,
    Event,
    Question,
    Retrieved,
    Started,
    Status,
    Timings,
    Usage,
)
from backends.lane import Cancelled, lane
from backends.measurement import Measurement

_log = logging.getLogger(__name__)


def measured(
    backend: Backend, question: Question, cancel: threading.Event, place: object = None
) -> Generator[Event, None, None]:
    """The backend's events with `Queued`, `Started` and, last and always, one `Answer`.

    `place` is the place in the lane's line if the caller took one already. Never raises for a fault of the
    backend: it becomes the answer's status and sentence.
    """
    run = Measurement(asked_at=time.monotonic())
    stopped_by: CapReached | None = None
    try:
        yield from _work(backend, question, cancel, place, run)
        status, error = _verdict(run, cancel)
    except Cancelled:
        status, error = "cancelled", "Stopped before it began."
    except BackendError as fault:
        status, error = _fault_status(run, cancel), f"{fault.cause} {fault.next_step}"
        stopped_by = fault if isinstance(fault, CapReached) else None
    except Exception as fault:
        _log.exception("%s failed", backend.approach)
        status = "error"
        error = f"{backend.approach} failed unexpectedly ({type(fault).__name__}). The log has the details; ask again."
    run.ended_at = run.ended_at or time.monotonic()
    answer = _answer(backend, run, status, error)
    yield replace(answer, stopped_by=stopped_by) if stopped_by else answer


def _work(
    backend: Backend, question: Question, cancel: threading.Event, place: object, run: Measurement
) -> Iterator[Event]:
    if backend.lane is None:
        run.granted_at = run.asked_at
        yield from _load_and_stream(backend, question, cancel, run)
        return
    line = lane(backend.lane)
    place = place or line.join(backend.approach)
    with ExitStack() as turn:
        turn.enter_context(line.turn(place, cancel))
        run.granted_at = time.monotonic()
        for event in _load_and_stream(backend, question, cancel, run):
            if backend.lane_until_retrieved and isinstance(event, Retrieved):
                turn.close()
            yield event


def _load_and_stream(
    backend: Backend, question: Question, cancel: threading.Event, run: Measurement
) -> Iterator[Event]:
    if cancel.is_set():
        raise Cancelled
    for loading in backend.load(cancel):
        run.loading = True
        yield loading
    if cancel.is_set():
        raise Cancelled
    run.loaded_at = run.attempt_at = time.monotonic()
    yield Started()
    try:
        for event in backend.stream(question, cancel):
            run.take(event, time.monotonic())
            yield event
    finally:
        run.ended_at = run.ended_at or time.monotonic()


def _fault_status(run: Measurement, cancel: threading.Event) -> Status:
    """A fault after some text has arrived cuts the answer off; before that there is none."""
    if cancel.is_set():
        return "cancelled"
    return "truncated" if "".join(run.pieces).strip() else "error"


def _verdict(run: Measurement, cancel: threading.Event) -> tuple[Status, str | None]:
    if cancel.is_set() and run.finish_reason in (None, "cancelled"):
        return "cancelled", "Stopped; the text is what had arrived."
    if run.finish_reason == "length":
        return "truncated", "The token limit was reached. Raise max_tokens for a longer answer."
    if run.finish_reason is None:
        return "truncated", "The stream ended without saying why; the answer may be incomplete. Ask again."
    if not "".join(run.pieces).strip():
        return "empty", "The model answered with nothing. Ask again or rephrase the question."
    if run.finish_reason == "content_filter":
        return "truncated", "The provider's content filter stopped the answer. Rephrase the question."
    return "ok", None


def _answer(backend: Backend, run: Measurement, status: Status, error: str | None) -> Answer:
    timings = run.timings()
    attempts = _attempts(backend, run)
    return Answer(
        approach=backend.approach,
        model=backend.model,
        text="".join(run.pieces),
        status=status,
        finish_reason=run.finish_reason,
        error=error,
        timings=timings,
        usage=run.usage,
        cost=_with_failed(_cost(backend, run.usage, timings), attempts[:-1]),
        sources=run.sources,
        notes=tuple(run.notes),
        traces=tuple(run.traces),
        attempts=attempts,
        stand_in=backend.stand_in,
    )


def _attempts(backend: Backend, run: Measurement) -> tuple[Attempt, ...]:
    """Every request, with what it came to where the server reported its tokens."""
    made = []
    for number, one in enumerate(run.attempts, 1):
        lasted_s = (one.ended_at or run.ended_at or one.began_at) - one.began_at
        usage = one.end.usage
        cost = _cost(backend, usage, Timings(latency_s=lasted_s)) if usage else None
        began_s = one.began_at - (run.loaded_at or one.began_at)
        made.append(Attempt(number, began_s, lasted_s, one.end.fault, one.end.status, one.waited_s, usage, cost))
    return tuple(made)


def _with_failed(cost: Cost, failed: tuple[Attempt, ...]) -> Cost:
    """The cost of the last attempt with that of the ones before it whose tokens were reported."""
    more = [one.cost for one in failed if one.cost is not None]
    if not more:
        return cost
    known = [one.usd for one in more if one.usd is not None]
    if cost.usd is None or len(known) < len(more):
        return Cost(None, f"{cost.basis}; failed attempts were charged too, and not all of it is known")
    usd = sum(known, Decimal(0))
    return Cost(cost.usd + usd, f"{cost.basis}; with {usd} USD for {len(more)} failed attempts")


def _cost(backend: Backend, usage: Usage, timings: Timings) -> Cost:
    """An answer is never lost because its price could not be worked out."""
    try:
        return backend.cost(usage, timings)
    except Exception:
        _log.exception("the cost of %s could not be worked out", backend.approach)
        return Cost(None, "the cost could not be worked out; the log has the details")
