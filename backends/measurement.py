"""What is known of one answer while it comes: every event leaves its time here."""

from __future__ import annotations

from dataclasses import dataclass, field

from backends.base import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Finished,
    Note,
    Passage,
    Reasoning,
    Retrieved,
    Retry,
    TextDelta,
    Timings,
    Trace,
    Usage,
    Waiting,
)


@dataclass
class AttemptSoFar:
    """One request so far."""

    began_at: float
    ended_at: float | None = None
    waited_s: float = 0.0
    end: AttemptEnded = field(default_factory=lambda: AttemptEnded("broken off"))


@dataclass
class Measurement:
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
    usage: Usage = field(default_factory=Usage)
    finish_reason: str | None = None

    def take(self, event: Event, now: float) -> None:
        """Note what `event`, at monotonic time `now`, says."""
        match event:
            case TextDelta(text, at):
                self._token(text, now if at is None else at)
            case Reasoning(at):
                self.reasoned_at = at if self.reasoned_at is None else self.reasoned_at
            case Retrieved(passages):
                self.sources, self.retrieved_at = passages, now - self.lost_s - self.held_s
                self.attempt_at = now  # what fails after this costs a new attempt, not a new search
            case Retry(reason):
                self.notes.append(reason)
                self.lost_s += now - (self.attempt_at or now)
                self.attempt_at, self.reasoned_at = now, None  # what the failed attempt reasoned is not the answer's
                if self.attempts and self.attempts[-1].ended_at is not None:
                    self.attempts[-1].waited_s = now - self.attempts[-1].ended_at
            case Waiting(for_a_place=True):
                self.held_at = self.held_at or now
            case AttemptStarted():
                self._attempt_begins(now)
            case AttemptEnded():
                if self.attempts:
                    self.attempts[-1].end, self.attempts[-1].ended_at = event, now
                self.usage = event.usage or Usage()
            case Note(text):
                self.notes.append(text)
            case Trace():
                self.traces.append(event)
            case Finished(usage, reason, at):
                self.usage, self.finish_reason, self.ended_at = usage, reason, now if at is None else at

    def _attempt_begins(self, now: float) -> None:
        """The wait for a place before it belongs to neither this attempt nor the one before."""
        if self.held_at is not None:
            held_s, self.held_at = now - self.held_at, None
            self.held_s += held_s
            self.attempt_at = None if self.attempt_at is None else self.attempt_at + held_s
        self.attempts.append(AttemptSoFar(now))

    def _token(self, text: str, at: float) -> None:
        self.first_token_at = at if self.first_token_at is None else self.first_token_at
        self.last_token_at = at
        if self.visible_at is None and text.strip():
            self.visible_at = at
        self.pieces.append(text)

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
        return (tokens - 1) / span if tokens and tokens > 1 and span else None


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start
