"""Text from any server that speaks OpenAI's chat completions, streamed, through the openai SDK."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backends.base import (
    AttemptEnded,
    AttemptStarted,
    BackendEvent,
    Finished,
    Note,
    Question,
    Retry,
    Trace,
    Usage,
    Waiting,
)
from backends.errors import BackendError
from backends.inline_reasoning import ReasoningReader
from backends.remote.chunk import ChunkContent, has_choices, parse_chunk
from backends.remote.client import client_of
from backends.remote.connection import Connection, check
from backends.remote.faults import Fault, fault_of, no_answer_in, reported, seconds, sent_nothing
from backends.remote.limit import Limit, RequestSlot, limit_of
from backends.remote.request import REFUSED, SYSTEM_ROLE, refused_parameter, refuses_system_role, request_body
from backends.remote.stream import Chunk, StrayText, StreamAttempt, StreamEnd, StreamError
from backends.remote.usage import (
    merged_usage,
    reported_tier,
    reported_usage,
    says_nothing,
    unknown_counts,
    without_zeros,
    written_to_cache,
)

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

_NOTHING = ChunkContent()
_IN_QUESTION = "the system prompt stands in front of the question"
_SEVERAL = "The server also sent more than one answer, which is not shown here."
_MIXED = "The server sent more than one answer in turns; the beginning of the text may hold words of another one."
_NOT_STREAMED = "The server did not stream: the whole answer came at once, so when its first text was there is unknown."


class _Failed(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.short)
        self.fault = fault


@dataclass
class _Progress:
    """One question's way through its attempts."""

    deadline: float
    refused: dict[str, str | None]
    number: int = 1
    traced: Mapping[str, Any] | None = None
    chunks: int = 0
    began: bool = False
    refusal: bool = False
    framed: bool = False
    answered: bool = False
    index: int | None = None
    last_index: int | None = None
    several: bool = False
    mixed: bool = False
    deltas: bool = False
    said: list[str] = field(default_factory=list)
    said_characters: int = 0
    first: object = None
    stray: str = ""
    half: str = ""
    reader: ReasoningReader = field(default_factory=ReasoningReader)
    named: set[str] = field(default_factory=set)
    usage: object = None
    timings: object = None
    tier: object = None
    finish_reason: str | None = None
    ended_at: float | None = None
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
        progress = _Progress(self._pacing.clock() + self.connection.deadline_s, REFUSED.for_connection(self.connection))
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
            progress.finish_reason = "cancelled"
        yield from self._end(progress)

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
        progress.usage, progress.timings, progress.tier, progress.chunks, whole = None, None, None, 0, False
        progress.reader = ReasoningReader()
        progress.said.clear()
        progress.half = ""
        progress.said_characters = 0
        try:
            yield AttemptStarted()
            yield from self._attempt(body, progress, cancel)
            whole = True
        except _Failed as failed:
            fault = failed.fault
        finally:
            limit.leave(place, refused=fault is not None and fault.status == 429, succeeded=whole)
        if progress.finish_reason == "cancelled":
            yield AttemptEnded("stopped")
            return None
        usage, _ = self._reported(progress)
        known = usage if usage.source else None
        yield AttemptEnded(fault.short, fault.status, known, fault.sent) if fault else AttemptEnded(usage=known)
        return fault

    def _attempt(self, body: Mapping[str, Any], progress: _Progress, cancel: threading.Event) -> Iterator[BackendEvent]:
        """One request; raises `_Failed`, also at the deadline."""
        clock = self._pacing.clock
        attempt = StreamAttempt(self.connection, body, progress.deadline - clock())
        attempt.start()
        try:
            while True:
                if cancel.is_set():
                    yield from progress.reader.flush()
                    progress.finish_reason = "cancelled"
                    return
                remaining_s = progress.deadline - clock()
                if remaining_s <= 0:
                    yield from progress.reader.flush()
                    raise _Failed(self._too_late(progress))
                item = attempt.next(min(remaining_s, _LOOK_UP_S))
                if body != progress.traced:  # not before: the thread that sends needs the processor
                    progress.traced = body
                    yield Trace("request", self._shown(body))
                if isinstance(item, Chunk):
                    yield from self._read_chunk(item, progress)
                elif isinstance(item, StreamError):
                    yield from progress.reader.flush()
                    now = self._pacing.wall_clock()
                    raise _Failed(fault_of(item.error, self.connection, progress.began, now)) from None
                elif isinstance(item, StreamEnd):
                    progress.ended_at = item.at
                    if progress.half:
                        yield from progress.reader.say("\ufffd", item.at)
                    yield from progress.reader.end(progress.finish_reason)
                    if fault := self._fault_at_end(progress):
                        raise _Failed(fault)
                    return
        finally:
            attempt.close()

    def _read_chunk(self, chunk: Chunk, progress: _Progress) -> Iterator[BackendEvent]:
        """Note what one chunk says and pass its text on."""
        if isinstance(chunk.value, StrayText):
            progress.stray = chunk.value.text
            return
        if not progress.chunks:
            REFUSED.remember(self.connection, progress.refused)
            progress.first = chunk.value
        progress.chunks += 1
        found = parse_chunk(chunk.value, progress.half)
        progress.half = found.half
        progress.framed = progress.framed or chunk.framed
        progress.answered = progress.answered or (found != _NOTHING if not chunk.framed else has_choices(chunk.value))
        of_another = self._of_another_answer(found, progress)
        if progress.several and progress.mixed:
            yield from self._once(_MIXED, progress)
        if of_another:
            yield from self._once(_SEVERAL, progress)
            found = replace(_NOTHING, usage=found.usage, service_tier=found.service_tier, timings=found.timings)
        progress.usage = merged_usage(progress.usage, found.usage)
        progress.timings = progress.timings if found.timings is None else found.timings
        progress.tier = progress.tier if found.service_tier is None else found.service_tier
        progress.finish_reason = found.finish_reason or progress.finish_reason
        for name in found.left_out:
            yield from self._once(f"The server also sent {name}, which is not shown here.", progress)
        yield from self._content(found, chunk, progress)

    def _of_another_answer(self, found: ChunkContent, progress: _Progress) -> bool:
        """Whether a chunk belongs to another answer than the first one; one is asked for.

        Some servers count chunks in `index` (microsoft/foundry-local issue 263, TGI before 1.4.4): only where it goes
        back does it tell answers apart.
        """
        if found.index is None:
            return False
        progress.several = progress.several or found.index < (progress.last_index or 0)
        progress.index = found.index if progress.index is None else progress.index
        progress.mixed = progress.mixed or bool(found.text and found.index != progress.index and not progress.several)
        progress.last_index = found.index
        return progress.several and found.index != progress.index

    def _content(self, found: ChunkContent, chunk: Chunk, progress: _Progress) -> Iterator[BackendEvent]:
        """Reasoning, text and refusal of one chunk."""
        text, at = found.text, chunk.at
        streamed = not found.whole or (chunk.framed and found.finish_reason is None)
        if found.whole and progress.began:
            text = yield from self._more_of_a_message(text, progress)
        elif text and not streamed:
            yield from self._once(_NOT_STREAMED, progress)
        progress.deltas = progress.deltas or bool(text and not found.whole)
        if found.reasoning and not (found.whole and progress.began):
            yield from progress.reader.think(found.reasoning, at)
        refusal = "" if found.whole and progress.refusal else found.refusal
        progress.refusal = progress.refusal or bool(refusal)
        for said in (text, refusal):
            if said:
                progress.began = True
                progress.said.append(said)
                progress.said_characters += len(said)
                yield from progress.reader.say(said, at, streamed or progress.reader.text != "")

    def _more_of_a_message(self, text: str, progress: _Progress) -> Generator[BackendEvent, None, str]:
        """What is new in a message that comes after text: some servers send all of it again, some the next piece."""
        before = progress.said_characters
        if len(text) >= before and text.startswith("".join(progress.said)):
            return text[before:]
        if not progress.deltas:
            return text
        if text.strip() not in ("", progress.reader.text.strip()):
            yield from self._once("The server also sent another version of the answer, left out here.", progress)
        return ""

    def _once(self, note: str, progress: _Progress) -> Iterator[Note]:
        """A note that the user reads once per answer."""
        if note not in progress.named:
            progress.named.add(note)
            yield Note(note)

    def _fault_at_end(self, progress: _Progress) -> Fault | None:
        """What is wrong with a stream that ended, if it holds no answer or something else after it."""
        if not progress.chunks:
            return sent_nothing(self.connection, progress.stray)
        if not progress.answered and not progress.began:
            return no_answer_in(progress.first, self.connection, progress.framed)
        if progress.stray and progress.finish_reason is None:
            return reported(progress.stray, self.connection, progress.began)
        return None

    def _before_next(
        self, fault: Fault, body: Mapping[str, Any], progress: _Progress, cancel: threading.Event
    ) -> Iterator[BackendEvent]:
        """Prepare another attempt, or raise `BackendError` if there is none. Raises `_Cancelled`."""
        if progress.began:
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

    def _reported(self, progress: _Progress) -> tuple[Usage, tuple[str, ...]]:
        """What the server said the last request used, in which service tier, and what cannot be true of it."""
        raw = progress.timings if progress.usage is None else progress.usage
        if progress.began and says_nothing(raw):
            return Usage(), ("The server reported 0 tokens for an answer that has text; they count as not reported.",)
        usage, notes = reported_usage(raw)
        if progress.began:
            usage, more = without_zeros(usage)
            notes = (*notes, *more)
        return replace(usage, service_tier=reported_tier(progress.tier, self._redaction.text)), notes

    def _end(self, progress: _Progress) -> Iterator[BackendEvent]:
        usage, notes = self._reported(progress)
        if reasoning := progress.reader.reasoning:
            yield Trace("reasoning", reasoning)
        raw = progress.timings if progress.usage is None else progress.usage
        for note in (*notes, unknown_counts(raw), written_to_cache(raw), self.connection.withheld):
            if note:
                yield Note(note)
        silent = not progress.reader.text.strip()
        if progress.finish_reason == "length" and silent and usage.reasoning_tokens:
            yield Note(
                f"The token limit was used up by {usage.reasoning_tokens} tokens of reasoning before any text. "
                "Raise max_tokens or choose a model that does not reason."
            )
        elif (
            progress.finish_reason == "length" and silent and usage.completion_tokens and not progress.reader.reasoning
        ):
            yield Note(
                f"The token limit was used up by {usage.completion_tokens} tokens, of which none was text. Models do "
                "that which reason and do not show it. Raise max_tokens or choose a model that does not reason."
            )
        elif silent and progress.reader.closed and progress.finish_reason not in (None, "cancelled"):
            yield from self._once("All that the server sent was reasoning, which can be read; no text came.", progress)
        used = usage if progress.finish_reason != "cancelled" else Usage()
        yield Finished(used, progress.finish_reason, progress.ended_at, progress.refusal)

    def _too_late(self, progress: _Progress) -> Fault:
        limit = seconds(self.connection.deadline_s)
        what = "did not finish its answer" if progress.began else "did not begin to answer"
        return Fault(
            "the deadline passed",
            f"{self.connection.where} {what} within the deadline of {limit}.",
            f"Raise {self.connection.section}.deadline_s, or ask for a shorter answer with max_tokens.",
        )

    def _shown(self, body: Mapping[str, Any]) -> str:
        url = self.connection.base_url.rstrip("/") + "/chat/completions"
        return json.dumps({"POST": url, "body": body}, indent=2, ensure_ascii=False)


class _Cancelled(Exception):
    pass
