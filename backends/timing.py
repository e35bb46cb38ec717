"""Runs one backend on one question and measures it. The backend itself never looks at a clock.

What the numbers mean is stated in `backends.base.Timings`. All clocks are monotonic.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from backends.base import (
    Answer,
    Backend,
    BackendError,
    Cost,
    Event,
    Finished,
    Note,
    Passage,
    Question,
    Retrieved,
    Retry,
    Started,
    Status,
    TextDelta,
    Timings,
    Trace,
    Usage,
)
from backends.lane import Cancelled, lane

_log = logging.getLogger(__name__)


@dataclass
class _Measurement:
    """What is known of one answer so far."""

    asked_at: float
    granted_at: float | None = None
    loaded_at: float | None = None
    attempt_at: float | None = None
    lost_s: float = 0.0
    retrieved_at: float | None = None
    visible_at: float | None = None
    first_token_at: float | None = None
    last_token_at: float | None = None
    ended_at: float | None = None
    loading: bool = False
    pieces: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    sources: tuple[Passage, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None

    def take(self, event: Event, now: float) -> None:
        match event:
            case TextDelta(text, at):
                self._token(text, now if at is None else at)
            case Retrieved(passages):
                self.sources, self.retrieved_at = passages, now - self.lost_s
                self.attempt_at = now  # what fails after this costs a new attempt, not a new search
            case Retry(reason):
                self.notes.append(reason)
                self.lost_s += now - (self.attempt_at or now)
                self.attempt_at = now
            case Note(text):
                self.notes.append(text)
            case Trace():
                self.traces.append(event)
            case Finished(usage, reason):
                self.usage, self.finish_reason = usage, reason

    def _token(self, text: str, at: float) -> None:
        self.first_token_at = at if self.first_token_at is None else self.first_token_at
        self.last_token_at = at
        if self.visible_at is None and text.strip():
            self.visible_at = at
        self.pieces.append(text)

    def timings(self) -> Timings:
        start = None if self.loaded_at is None else self.loaded_at + self.lost_s
        return Timings(
            queued_s=_between(self.asked_at, self.granted_at),
            load_s=_between(self.granted_at, self.loaded_at) if self.loading else None,
            retry_s=self.lost_s or None,
            retrieval_s=_between(self.loaded_at, self.retrieved_at),
            ttft_s=_between(start, self.visible_at),
            latency_s=_between(start, self.ended_at),
            tokens_per_s=self._tokens_per_s(),
        )

    def _tokens_per_s(self) -> float | None:
        tokens, span = self.usage.completion_tokens, _between(self.first_token_at, self.last_token_at)
        return (tokens - 1) / span if tokens and tokens > 1 and span else None


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def measured(backend: Backend, question: Question, cancel: threading.Event, place: object = None) -> Iterator[Event]:
    """The backend's events with `Queued`, `Started` and, last and always, one `Answer`.

    `place` is the place in the lane's line if the caller took one already. Never raises for a fault of the
    backend: it becomes the answer's status and sentence.
    """
    run = _Measurement(asked_at=time.monotonic())
    try:
        yield from _work(backend, question, cancel, place, run)
        status, error = _verdict(run, cancel)
    except Cancelled:
        status, error = "cancelled", "Stopped before it began."
    except BackendError as fault:
        status, error = _fault_status(run, cancel), f"{fault.cause} {fault.next_step}"
    except Exception as fault:
        _log.exception("%s failed", backend.approach)
        status = "error"
        error = f"{backend.approach} failed unexpectedly ({type(fault).__name__}). The log has the details; ask again."
    run.ended_at = run.ended_at or time.monotonic()
    yield _answer(backend, run, status, error)


def _work(
    backend: Backend, question: Question, cancel: threading.Event, place: object, run: _Measurement
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
    backend: Backend, question: Question, cancel: threading.Event, run: _Measurement
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
        run.ended_at = time.monotonic()


def _fault_status(run: _Measurement, cancel: threading.Event) -> Status:
    """A fault after some text has arrived cuts the answer off; before that there is none."""
    if cancel.is_set():
        return "cancelled"
    return "truncated" if "".join(run.pieces).strip() else "error"


def _verdict(run: _Measurement, cancel: threading.Event) -> tuple[Status, str | None]:
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


def _answer(backend: Backend, run: _Measurement, status: Status, error: str | None) -> Answer:
    timings = run.timings()
    return Answer(
        approach=backend.approach,
        model=backend.model,
        text="".join(run.pieces),
        status=status,
        finish_reason=run.finish_reason,
        error=error,
        timings=timings,
        usage=run.usage,
        cost=_cost(backend, run.usage, timings),
        sources=run.sources,
        notes=tuple(run.notes),
        traces=tuple(run.traces),
        stand_in=backend.stand_in,
    )


def _cost(backend: Backend, usage: Usage, timings: Timings) -> Cost:
    """An answer is never lost because its price could not be worked out."""
    try:
        return backend.cost(usage, timings)
    except Exception:
        _log.exception("the cost of %s could not be worked out", backend.approach)
        return Cost(None, "the cost could not be worked out; the log has the details")
