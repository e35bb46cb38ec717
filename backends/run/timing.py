"""Runs one backend on one question and measures it. The backend itself never looks at a clock.

What the numbers mean is stated in `backends.base.Timings`. All clocks are monotonic.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from backends.base import (
    Answer,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Backend,
    BelowThreshold,
    Draft,
    Event,
    Finished,
    Note,
    Passage,
    Question,
    Queued,
    Reasoning,
    Reclassified,
    Recorded,
    Retrieved,
    Retry,
    Started,
    Status,
    TextDelta,
    Timings,
    Trace,
    Usage,
    Waiting,
    Withdrawn,
)
from backends.errors import BackendError, CapReached, NotAsked, NotSent, disk_fault, unexpected_fault
from backends.run.charges import answer_cost, attempt_cost
from backends.run.ending import ending
from backends.run.lane import Cancelled, lane

BURST_TOKENS_PER_S, BURST_SHARE = 5_000.0, 0.05
"""Text that comes faster than this, within this share of the wait before it, was held back and not written so."""


@dataclass
class AttemptSoFar:
    """One request so far."""

    began_at: float
    ended_at: float | None = None
    waited_s: float = 0.0
    end: AttemptEnded = field(default_factory=lambda: AttemptEnded("broken off"))


@dataclass
class AnswerTiming:
    """What is known of one answer so far."""

    asked_at: float
    granted_at: float | None = None
    loaded_at: float | None = None
    attempt_at: float | None = None
    lost_s: float = 0.0
    held_at: float | None = None
    held_s: float = 0.0
    attempts: list[AttemptSoFar] = field(default_factory=list)
    retrieved_at: float | None = None
    reasoned_at: float | None = None
    visible_at: float | None = None
    first_token_at: float | None = None
    last_token_at: float | None = None
    ended_at: float | None = None
    loading: bool = False
    not_sent: bool = False
    pieces: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    sources: tuple[Passage, ...] = ()
    beside: tuple[Passage, ...] = ()
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None
    refusal: bool = False
    burst: bool = False
    reasoned_after: bool = False
    withdrawn: tuple[str, str, float] | None = None
    recorded: Recorded | None = None
    below: BelowThreshold | None = None

    def note(self, event: Event, now: float) -> None:
        """Note what `event`, at monotonic time `now`, says."""
        match event:
            case TextDelta(text, at, streamed):
                self._token(text, now if at is None else at, streamed)
            case Reclassified(to_reasoning):
                self._reclassify(to_reasoning)
            case Reasoning(at):
                self.reasoned_after = self.reasoned_after or self.visible_at is not None
                if self.visible_at is None and self.reasoned_at is None:
                    self.reasoned_at = at
            case Retrieved(passages, beside):
                self.sources, self.beside, self.retrieved_at = passages, beside, now - self.lost_s - self.held_s
                self.attempt_at = now  # what fails after this costs a new attempt, not a new search
            case Retry(reason):
                self.notes.append(reason)
                self.lost_s += now - (self.attempt_at or now)
                self.attempt_at, self.reasoned_at = now, None  # what the failed attempt reasoned is not the answer's
                if self.attempts and self.attempts[-1].ended_at is not None:
                    self.attempts[-1].waited_s = now - self.attempts[-1].ended_at
            case Waiting(for_a_slot=True):
                self.held_at = self.held_at or now
            case AttemptStarted():
                self._attempt_begins(now)
            case AttemptEnded():
                if self.attempts:
                    self.attempts[-1].end, self.attempts[-1].ended_at = event, now
                self.usage = event.usage or Usage()
            case Withdrawn(why):
                self.withdrawn = "".join(self.pieces), why, now
                self.pieces.clear()
            case Note(text):
                self.notes.append(text)
            case Recorded():
                self.recorded = event
            case BelowThreshold():
                self.below = event
            case Trace():
                self.traces.append(event)
            case Finished(usage, reason, at, refusal):
                self.usage, self.finish_reason, self.ended_at = usage, reason, now if at is None else at
                self.refusal = refusal

    def _attempt_begins(self, now: float) -> None:
        """The wait for a place before it belongs to neither this attempt nor the one before."""
        if self.held_at is not None:
            held_s, self.held_at = now - self.held_at, None
            self.held_s += held_s
            self.attempt_at = None if self.attempt_at is None else self.attempt_at + held_s
        self.attempts.append(AttemptSoFar(now))

    def _reclassify(self, to_reasoning: bool) -> None:
        """What was taken for the answer was reasoning, from its first character on; or the other way round."""
        if not to_reasoning:
            self.reasoned_at = None
            return
        if self.reasoned_at is None:
            self.reasoned_at = self.visible_at
        self.visible_at = None
        self.pieces.clear()

    def _token(self, text: str, at: float, streamed: bool) -> None:
        if not streamed:  # nobody saw when it began
            self.pieces.append(text)
            return
        self.first_token_at = at if self.first_token_at is None else self.first_token_at
        self.last_token_at = at
        if self.visible_at is None and text.strip():
            self.visible_at = at
        self.pieces.append(text)

    def draft(self) -> Draft | None:
        """What was withdrawn, if anything was."""
        if self.withdrawn is None or self.loaded_at is None:
            return None
        text, why, at = self.withdrawn
        return Draft(text, why, at - self.loaded_at - self.lost_s - self.held_s)

    def timings(self) -> Timings:
        """What the times come to; see `backends.base.Timings`."""
        if self.held_at is not None and self.ended_at is not None:  # stopped while it waited for a place
            self.held_s, self.held_at = self.held_s + self.ended_at - self.held_at, None
        start = None if self.loaded_at is None else self.loaded_at + self.lost_s + self.held_s
        queued_s = _between(self.asked_at, self.granted_at)
        return Timings(
            queued_s=None if queued_s is None else queued_s + self.held_s,
            load_s=_between(self.granted_at, self.loaded_at) if self.loading else None,
            retry_s=self.lost_s or None,
            retrieval_s=_between(self.loaded_at, self.retrieved_at),
            first_reasoning_s=_between(start, self.reasoned_at),
            ttft_s=_between(start, self.visible_at),
            latency_s=_between(start, self.ended_at),
            tokens_per_s=self._tokens_per_s(),
        )

    def _tokens_per_s(self) -> float | None:
        """Of what was seen to come: reasoning that was counted and not shown is in neither tokens nor seconds."""
        tokens, began_at = self.usage.completion_tokens, self.first_token_at
        if self.reasoned_at is not None:
            began_at = self.reasoned_at
        elif tokens and self.usage.reasoning_tokens:
            tokens -= self.usage.reasoning_tokens
        span = _between(began_at, self.last_token_at)
        if self.reasoned_after and self.reasoned_at is None:  # when its tokens came is not known
            return None
        rate = (tokens - 1) / span if tokens and tokens > 1 and span and span > 0 else None
        waited = _between(self.attempt_at, began_at)
        if rate and rate > BURST_TOKENS_PER_S and span and waited and span < BURST_SHARE * waited:
            self.burst = True
            return None
        return rate


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


_BURST = (
    "The text came in one burst, as from a proxy that holds a stream back, so how fast it was written is not known, "
    "and the time to its first text is that to nearly all of it."
)

_log = logging.getLogger(__name__)


def run_timed(
    backend: Backend, question: Question, cancel: threading.Event, place: object = None, has_turn: bool = False
) -> Generator[Event, None, None]:
    """The backend's events with `Queued`, `Started` and, last and always, one `Answer`.

    `place` is the place in the lane's line if the caller took one already; with `has_turn`, it has its turn. Never
    raises for a fault of the
    backend: it becomes the answer's status and sentence.
    """
    run = AnswerTiming(asked_at=backend.clock())
    stopped_by: CapReached | None = None
    try:
        yield from _work(backend, question, cancel, place, run, has_turn)
        status, error = _verdict(run, cancel)
    except Cancelled:
        status, error = "cancelled", "Stopped before it began."
        run.not_sent = not run.attempts
    except BackendError as fault:
        status = "not_asked" if isinstance(fault, NotAsked) else _fault_status(run, cancel)
        error = f"{fault.cause} {fault.next_step}"
        stopped_by = fault if isinstance(fault, CapReached) else None
        run.not_sent = isinstance(fault, NotSent)
    except Exception as fault:
        _log.error("%s failed", backend.approach, exc_info=disk_fault(fault) is None)
        status = "error"
        error = str(unexpected_fault(backend.approach, fault, "ask again"))
    run.ended_at = run.ended_at or backend.clock()
    yield _answer(backend, run, status, error, stopped_by)


def _work(
    backend: Backend,
    question: Question,
    cancel: threading.Event,
    place: object,
    run: AnswerTiming,
    has_turn: bool,
) -> Iterator[Event]:
    if backend.lane is None or has_turn:
        run.granted_at = run.asked_at
        yield from _load_and_stream(backend, question, cancel, run)
        return
    line = lane(backend.lane)
    place = place or line.join(backend.approach)
    with closing(line.wait(place, cancel)) as waiting:
        yield from map(Queued, waiting)
    with ExitStack() as turn:
        turn.enter_context(line.turn(place, cancel))
        run.granted_at = backend.clock()
        for event in _load_and_stream(backend, question, cancel, run):
            if backend.lane_until_retrieved and isinstance(event, Retrieved):
                turn.close()
            yield event


def _load_and_stream(
    backend: Backend, question: Question, cancel: threading.Event, run: AnswerTiming
) -> Iterator[Event]:
    if cancel.is_set():
        raise Cancelled
    for loading in backend.load(cancel):
        run.loading = True
        yield loading
    if cancel.is_set():
        raise Cancelled
    run.loaded_at = run.attempt_at = backend.clock()
    yield Started()
    try:
        for event in backend.stream(question, cancel):
            run.note(event, backend.clock())
            yield event
    finally:
        run.ended_at = run.ended_at or backend.clock()


def _fault_status(run: AnswerTiming, cancel: threading.Event) -> Status:
    """A fault after some text has arrived cuts the answer off; before that there is none."""
    if cancel.is_set():
        return "cancelled"
    return "truncated" if "".join(run.pieces).strip() else "error"


def _verdict(run: AnswerTiming, cancel: threading.Event) -> tuple[Status, str | None]:
    if cancel.is_set() and run.finish_reason in (None, "cancelled"):
        return "cancelled", "Stopped; the text is what had arrived."
    if run.below and run.below.refused:
        return "below_threshold", f"{run.below.sentence} {run.below.next_step}"
    return ending(run.finish_reason, bool("".join(run.pieces).strip()), run.refusal)


def _answer(
    backend: Backend, run: AnswerTiming, status: Status, error: str | None, stopped_by: CapReached | None
) -> Answer:
    timings = run.timings() if run.recorded is None else run.recorded.timings
    if run.burst:
        run.notes.append(_BURST)
    attempts = _attempts(backend, run)
    not_begun = run.not_sent or (run.loaded_at is None and backend.lane is None)  # no key, or an address is refused
    cost = answer_cost(backend, run.usage, timings, attempts, [one.end for one in run.attempts], not_begun)
    return Answer(
        approach=backend.approach,
        model=backend.model,
        text="".join(run.pieces),
        status=status,
        finish_reason=run.finish_reason,
        error=error,
        timings=timings,
        usage=run.usage,
        cost=cost if run.recorded is None else run.recorded.cost,
        sources=run.sources,
        beside=run.beside,
        notes=tuple(run.notes),
        traces=tuple(run.traces),
        attempts=attempts,
        stand_in=backend.stand_in,
        stopped_by=stopped_by,
        draft=run.draft(),
        recorded=run.recorded,
        below_threshold=run.below,
    )


def _attempts(backend: Backend, run: AnswerTiming) -> tuple[Attempt, ...]:
    """Every request: when it began, how long it lasted, how it ended, and what it was charged."""
    made = []
    for number, one in enumerate(run.attempts, 1):
        lasted_s = (one.ended_at or run.ended_at or one.began_at) - one.began_at
        made.append(
            Attempt(
                number,
                began_s=one.began_at - (run.loaded_at or one.began_at),
                lasted_s=lasted_s,
                fault=one.end.fault,
                status=one.end.status,
                waited_s=one.waited_s,
                usage=one.end.usage,
                cost=attempt_cost(backend, one.end, lasted_s),
            )
        )
    return tuple(made)
