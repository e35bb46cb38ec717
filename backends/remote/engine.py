"""Text from any server that speaks OpenAI's chat completions, streamed, through the openai SDK."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backends.base import (
    AttemptEnded,
    AttemptStarted,
    BackendEvent,
    Note,
    Question,
    Retry,
    Trace,
    Waiting,
)
from backends.errors import BackendError
from backends.remote.answer_reader import AnswerReader
from backends.remote.client import client_of
from backends.remote.connection import Connection, check
from backends.remote.faults import Fault, fault_of, seconds
from backends.remote.limit import Limit, RequestSlot, limit_of
from backends.remote.request import REFUSED, SYSTEM_ROLE, refused_parameter, refuses_system_role, request_body
from backends.remote.stream import Chunk, StreamAttempt, StreamEnd, StreamError

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 8.0
"""The openai SDK's own limits (its INITIAL_RETRY_DELAY and MAX_RETRY_DELAY)."""


@dataclass(frozen=True)
class Pacing:
    """`wait(cancel, seconds)` returns early and True if `cancel` is set; `jitter` gives 0 to 1.

    `clock` is monotonic, `wall_clock` is Unix time (for a Retry-After that is a date); both in seconds.
    """

    wait: Callable[[threading.Event, float], bool] = lambda cancel, duration_s: cancel.wait(duration_s)
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time

    def backoff_s(self, retry: int) -> float:
        """Seconds to wait before the `retry`-th retry (1, 2, ...): by chance up to a limit that doubles.

        "Full jitter" of M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog (2015).
        """
        return min(FIRST_BACKOFF_S * 2.0 ** (retry - 1), LONGEST_BACKOFF_S) * (1 - self.jitter())


_LOOK_UP_S = 0.05
"""How often a waiting stream looks whether it was cancelled; what arrives is passed on at once all the same."""

_ABOUT_THE_REQUEST = (400, 404, 422, 500, 501)
"""Statuses with which servers refuse a role: some fill the chat template only while they answer."""

_IN_QUESTION = "the system prompt stands in front of the question"


class _Failed(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.short)
        self.fault = fault


@dataclass
class _Progress:
    """One question's way through its attempts. `deadline` is monotonic, in seconds; `number` counts attempts from 1.

    `refused`: parameters that are left out, or what takes their place; `swapped`: those that were tried both ways.
    """

    deadline: float
    refused: dict[str, str | None]
    answer: AnswerReader
    number: int = 1
    traced: Mapping[str, Any] | None = None
    swapped: set[str] = field(default_factory=set)


class OpenAICompatibleEngine:
    """Streams answers of one model on one server. Safe to use from several threads.

    Retries are its own: counted, shown, and never after text has arrived.
    """

    def __init__(self, connection: Connection, pacing: Pacing | None = None) -> None:
        self.connection = connection
        self._pacing = pacing or Pacing()
        self._redaction = connection.redaction
        self._loaded = False
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether `load` has been done."""
        return self._loaded

    def load(self) -> None:
        """Import the SDK and read the certificates; cheap when done. Raises `BackendError` for a refused address."""
        if self._loaded:
            return
        check(self.connection)
        with self._lock:
            if self._loaded:
                return
            client_of(self.connection)
            self._loaded = True

    def request(self, messages: Sequence[Mapping[str, str]], question: Question) -> Mapping[str, Any]:
        """The body of one request that asks for the whole answer at once, as a batch of requests holds it."""
        return request_body(
            self.connection, messages, question, {**REFUSED.for_connection(self.connection), "stream": None}
        )

    def stream(
        self, messages: Sequence[Mapping[str, str]], question: Question, cancel: threading.Event
    ) -> Iterator[BackendEvent]:
        """Answer `messages` with `question`'s generation settings; ends with one `Finished`. No event shows a secret.

        `Finished.finish_reason` is `cancelled` if `cancel` was set. Raises `BackendError` for every other fault, also
        after text has been yielded: what arrived stays valid.
        """
        yield from self._redaction.events(self._stream(messages, question, cancel))

    def _stream(
        self, messages: Sequence[Mapping[str, str]], question: Question, cancel: threading.Event
    ) -> Generator[BackendEvent]:
        self.load()
        refused = REFUSED.for_connection(self.connection)
        answer = AnswerReader(self.connection, refused, self._redaction.text)
        progress = _Progress(self._pacing.clock() + self.connection.deadline_s, refused, answer)
        if ignored := [name for name in ("temperature", "seed") if name in progress.refused]:
            yield Note(f"{self.connection.model} does not take {' or '.join(ignored)}; its own defaults apply.")
        if SYSTEM_ROLE in progress.refused and any(one["role"] == "system" for one in messages):
            yield Note(f"{self.connection.model} takes no {SYSTEM_ROLE[4:]}: {_IN_QUESTION}.")
        limit = limit_of(self.connection.base_url, self.connection.key, self.connection.max_at_once)
        try:
            while True:
                body = request_body(self.connection, messages, question, progress.refused)
                place = yield from self._wait_for_slot(limit, progress, cancel)
                fault = yield from self._counted(limit, place, body, progress, cancel)
                if fault is None:
                    break
                yield from self._before_next(fault, body, progress, cancel)
        except _Cancelled:
            answer.finish_reason = "cancelled"
        yield from answer.finish()

    def _wait_for_slot(
        self, limit: Limit, progress: _Progress, cancel: threading.Event
    ) -> Generator[BackendEvent, None, RequestSlot]:
        """Wait until one more request may be under way; the deadline waits too. Raises `_Cancelled`."""
        place = limit.try_enter()
        if place is None:
            yield Waiting(f"other questions to {self.connection.where} go first", for_a_slot=True)
            began = self._pacing.clock()
            place = limit.enter(cancel)
            progress.deadline += self._pacing.clock() - began
        if place is None:
            raise _Cancelled
        return place

    def _counted(
        self, limit: Limit, place: RequestSlot, body: Mapping[str, Any], progress: _Progress, cancel: threading.Event
    ) -> Generator[BackendEvent, None, Fault | None]:
        """One request with its beginning and end; returns what went wrong, None if nothing did."""
        fault: Fault | None = None
        progress.answer.begin_attempt()
        whole = False
        try:
            yield AttemptStarted()
            yield from self._attempt(body, progress, cancel)
            whole = True
        except _Failed as failed:
            fault = failed.fault
        finally:
            limit.leave(place, refused=fault is not None and fault.status == 429, succeeded=whole)
        if progress.answer.finish_reason == "cancelled":
            yield AttemptEnded("stopped")
            return None
        usage, _ = progress.answer.reported()
        known = usage if usage.source else None
        yield AttemptEnded(fault.short, fault.status, known, fault.sent) if fault else AttemptEnded(usage=known)
        return fault

    def _attempt(self, body: Mapping[str, Any], progress: _Progress, cancel: threading.Event) -> Iterator[BackendEvent]:
        """One request; raises `_Failed`, also at the deadline."""
        clock, answer = self._pacing.clock, progress.answer
        attempt = StreamAttempt(self.connection, body, progress.deadline - clock())
        attempt.start()
        try:
            while True:
                if cancel.is_set():
                    yield from answer.stop()
                    answer.finish_reason = "cancelled"
                    return
                remaining_s = progress.deadline - clock()
                if remaining_s <= 0:
                    yield from answer.stop()
                    raise _Failed(self._too_late(answer.began))
                item = attempt.next(min(remaining_s, _LOOK_UP_S))
                if body != progress.traced:  # not before: the thread that sends needs the processor
                    progress.traced = body
                    yield Trace("request", self._shown(body))
                if isinstance(item, Chunk):
                    yield from answer.read(item)
                elif isinstance(item, StreamError):
                    yield from answer.stop()
                    now = self._pacing.wall_clock()
                    raise _Failed(fault_of(item.error, self.connection, answer.began, now)) from None
                elif isinstance(item, StreamEnd):
                    yield from answer.end(item.at)
                    if fault := answer.fault_at_end():
                        raise _Failed(fault)
                    return
        finally:
            attempt.close()

    def _before_next(
        self, fault: Fault, body: Mapping[str, Any], progress: _Progress, cancel: threading.Event
    ) -> Iterator[BackendEvent]:
        """Prepare another attempt, or raise `BackendError` if there is none. Raises `_Cancelled`."""
        if progress.answer.began:
            raise fault.error()
        if fault.status in _ABOUT_THE_REQUEST and self._can_do_without_system_role(fault, body, progress):
            yield Retry(f"The server refused {SYSTEM_ROLE}, asked again: {_IN_QUESTION}.")
            return
        if fault.status in (400, 422) and self._can_do_without(fault, body, progress):
            name, replacement = list(progress.refused.items())[-1]
            instead = f"with {replacement} instead" if replacement else "without it"
            yield Retry(f"The server refused {name}, asked again {instead}.")
            return
        if not fault.retryable:
            raise fault.error()
        attempts = self.connection.max_retries + 1
        if progress.number >= attempts:
            raise fault.error(f" Tried {attempts} times." if attempts > 1 else "")
        progress.number += 1
        attempt = f"attempt {progress.number} of {attempts}"
        wait_s, why = self._wait_s(fault, progress)
        yield Note(f"{fault.short.capitalize()}, waiting {seconds(wait_s)}{why} ({attempt}).")
        yield Waiting(f"{fault.short}, {attempt}", self._pacing.clock() + wait_s)
        if self._pacing.wait(cancel, wait_s) or cancel.is_set():
            raise _Cancelled
        yield Retry(f"{attempt.capitalize()} begins.")

    def _can_do_without_system_role(self, fault: Fault, body: Mapping[str, Any], progress: _Progress) -> bool:
        """Note in `progress` that the system prompt goes into the question, if that is what was refused."""
        if SYSTEM_ROLE in progress.refused or not refuses_system_role(body, fault.param, fault.message):
            return False
        progress.refused[SYSTEM_ROLE] = None
        return True

    def _can_do_without(self, fault: Fault, body: Mapping[str, Any], progress: _Progress) -> bool:
        """Note in `progress` which parameter to leave out or swap; each is given up once."""
        found = refused_parameter(body, fault.param, fault.message)
        if found is None or found[0] in progress.swapped or found[1] in progress.swapped:
            return False
        name, replacement = found
        progress.swapped.add(name)
        progress.refused.pop(name, None)
        progress.refused[name] = replacement
        return True

    def _wait_s(self, fault: Fault, progress: _Progress) -> tuple[float, str]:
        """How long to wait and, in words, at whose wish. Raises `BackendError` if the deadline comes first."""
        wait_s, why = fault.retry_after_s, " as it asked"
        if wait_s is None:
            wait_s, why = self._pacing.backoff_s(progress.number - 1), ""
        remaining_s = progress.deadline - self._pacing.clock()
        if wait_s >= remaining_s:
            limit = seconds(self.connection.deadline_s)
            asked = f"asked to wait {seconds(wait_s)}" if why else f"would be asked again in {seconds(wait_s)}"
            raise BackendError(
                f"{fault.cause} {self.connection.where} {asked}, which is beyond the deadline of {limit}.",
                f"Ask again later, or raise {self.connection.section}.deadline_s.",
            )
        return wait_s, why

    def _too_late(self, began: bool) -> Fault:
        limit = seconds(self.connection.deadline_s)
        what = "did not finish its answer" if began else "did not begin to answer"
        return Fault(
            "the deadline passed",
            f"{self.connection.where} {what} within the deadline of {limit}.",
            f'Raise {self.connection.section}.deadline_s, or lower "Answer length" (max_tokens).',
        )

    def _shown(self, body: Mapping[str, Any]) -> str:
        url = self.connection.base_url.rstrip("/") + "/chat/completions"
        return json.dumps({"POST": url, "body": body}, indent=2, ensure_ascii=False)


class _Cancelled(Exception):
    pass
