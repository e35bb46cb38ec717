"""What one server's stream says, chunk by chunk: text, reasoning, notes, and at the end the usage and what was wrong.

Nothing here sends a request or waits: `backends.remote.engine` does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace

from backends.base import BackendEvent, Finished, Note, Trace, Usage
from backends.inline_reasoning import ReasoningReader
from backends.remote.chunk import ChunkContent, has_choices, parse_chunk
from backends.remote.connection import Connection
from backends.remote.faults import Fault, no_answer_in, reported, sent_nothing
from backends.remote.request import REFUSED
from backends.remote.stream import Chunk, StrayText
from backends.remote.usage import (
    merged_usage,
    reported_tier,
    reported_usage,
    says_nothing,
    unknown_counts,
    without_zeros,
    written_to_cache,
)

_NOTHING = ChunkContent()
_SEVERAL = "The server also sent more than one answer, which is not shown here."
_MIXED = "The server sent more than one answer in turns; the beginning of the text may hold words of another one."
_NOT_STREAMED = "The server did not stream: the whole answer came at once, so when its first text was there is unknown."


class AnswerReader:
    """Reads the streams of one question's attempts into events. Once text has arrived there is no other attempt.

    `refused`: the parameters that this question goes without; they are remembered once a server streams.
    `redacted` takes secrets out of a text.
    """

    def __init__(
        self, connection: Connection, refused: Mapping[str, str | None], redacted: Callable[[str], str]
    ) -> None:
        self._connection, self._refused, self._redacted = connection, refused, redacted
        self.began = False
        self.finish_reason: str | None = None
        self.ended_at: float | None = None
        self._refusal = self._framed = self._answered = False
        self._several = self._mixed = self._deltas = False
        self._index: int | None = None
        self._last_index: int | None = None
        self._first: object = None
        self._stray = ""
        self._named: set[str] = set()
        self.begin_attempt()

    def begin_attempt(self) -> None:
        """Forget what an attempt before said of its usage and its text."""
        self._usage: object = None
        self._timings: object = None
        self._tier: object = None
        self._chunks = 0
        self._reader = ReasoningReader()
        self._said: list[str] = []
        self._said_characters = 0
        self._half = ""

    def stop(self) -> Iterator[BackendEvent]:
        """The stream is left before its end: what was held back is passed on."""
        yield from self._reader.flush()

    def end(self, at: float) -> Iterator[BackendEvent]:
        """The stream has ended at this monotonic time."""
        self.ended_at = at
        if self._half:
            yield from self._reader.say("\ufffd", at)
        yield from self._reader.end(self.finish_reason)

    def read(self, chunk: Chunk) -> Iterator[BackendEvent]:
        """Note what one chunk says and pass its text on."""
        if isinstance(chunk.value, StrayText):
            self._stray = chunk.value.text
            return
        if not self._chunks:
            REFUSED.remember(self._connection, self._refused)
            self._first = chunk.value
        self._chunks += 1
        found = parse_chunk(chunk.value, self._half)
        self._half = found.half
        self._framed = self._framed or chunk.framed
        self._answered = self._answered or (found != _NOTHING if not chunk.framed else has_choices(chunk.value))
        of_another = self._of_another_answer(found)
        if self._several and self._mixed:
            yield from self._once(_MIXED)
        if of_another:
            yield from self._once(_SEVERAL)
            found = replace(_NOTHING, usage=found.usage, service_tier=found.service_tier, timings=found.timings)
        self._usage = merged_usage(self._usage, found.usage)
        self._timings = self._timings if found.timings is None else found.timings
        self._tier = self._tier if found.service_tier is None else found.service_tier
        self.finish_reason = found.finish_reason or self.finish_reason
        for name in found.left_out:
            yield from self._once(f"The server also sent {name}, which is not shown here.")
        yield from self._content(found, chunk)

    def _of_another_answer(self, found: ChunkContent) -> bool:
        """Whether a chunk belongs to another answer than the first one; one is asked for.

        Some servers count chunks in `index` (microsoft/foundry-local issue 263, TGI before 1.4.4): only where it goes
        back does it tell answers apart.
        """
        if found.index is None:
            return False
        self._several = self._several or found.index < (self._last_index or 0)
        self._index = found.index if self._index is None else self._index
        self._mixed = self._mixed or bool(found.text and found.index != self._index and not self._several)
        self._last_index = found.index
        return self._several and found.index != self._index

    def _content(self, found: ChunkContent, chunk: Chunk) -> Iterator[BackendEvent]:
        """Reasoning, text and refusal of one chunk."""
        text, at = found.text, chunk.at
        streamed = not found.whole or (chunk.framed and found.finish_reason is None)
        if found.whole and self.began:
            text = yield from self._more_of_a_message(text)
        elif text and not streamed:
            yield from self._once(_NOT_STREAMED)
        self._deltas = self._deltas or bool(text and not found.whole)
        if found.reasoning and not (found.whole and self.began):
            yield from self._reader.think(found.reasoning, at)
        refusal = "" if found.whole and self._refusal else found.refusal
        self._refusal = self._refusal or bool(refusal)
        for said in (text, refusal):
            if said:
                self.began = True
                self._said.append(said)
                self._said_characters += len(said)
                yield from self._reader.say(said, at, streamed or self._reader.text != "")

    def _more_of_a_message(self, text: str) -> Generator[BackendEvent, None, str]:
        """What is new in a message that comes after text: some servers send all of it again, some the next piece."""
        before = self._said_characters
        if len(text) >= before and text.startswith("".join(self._said)):
            return text[before:]
        if not self._deltas:
            return text
        if text.strip() not in ("", self._reader.text.strip()):
            yield from self._once("The server also sent another version of the answer, left out here.")
        return ""

    def _once(self, note: str) -> Iterator[Note]:
        """A note that the user reads once per answer."""
        if note not in self._named:
            self._named.add(note)
            yield Note(note)

    def fault_at_end(self) -> Fault | None:
        """What is wrong with a stream that ended, if it holds no answer or something else after it."""
        if not self._chunks:
            return sent_nothing(self._connection, self._stray)
        if not self._answered and not self.began:
            return no_answer_in(self._first, self._connection, self._framed)
        if self._stray and self.finish_reason is None:
            return reported(self._stray, self._connection, self.began)
        return None

    def reported(self) -> tuple[Usage, tuple[str, ...]]:
        """What the server said the last request used, in which service tier, and what cannot be true of it."""
        raw = self._timings if self._usage is None else self._usage
        if self.began and says_nothing(raw):
            return Usage(), ("The server reported 0 tokens for an answer that has text; they count as not reported.",)
        usage, notes = reported_usage(raw)
        if self.began:
            usage, more = without_zeros(usage)
            notes = (*notes, *more)
        return replace(usage, service_tier=reported_tier(self._tier, self._redacted)), notes

    def finish(self) -> Iterator[BackendEvent]:
        """The answer is over: reasoning, what the user should know of the usage, and `Finished`."""
        usage, notes = self.reported()
        if reasoning := self._reader.reasoning:
            yield Trace("reasoning", reasoning)
        raw = self._timings if self._usage is None else self._usage
        for note in (*notes, unknown_counts(raw), written_to_cache(raw), self._connection.withheld):
            if note:
                yield Note(note)
        silent = not self._reader.text.strip()
        if self.finish_reason == "length" and silent and usage.reasoning_tokens:
            yield Note(
                f"The token limit was used up by {usage.reasoning_tokens} tokens of reasoning before any text. "
                'Raise "Answer length" (max_tokens) or choose a model that does not reason.'
            )
        elif self.finish_reason == "length" and silent and usage.completion_tokens and not self._reader.reasoning:
            yield Note(
                f"The token limit was used up by {usage.completion_tokens} tokens, of which none was text. Models do "
                'that which reason and do not show it. Raise "Answer length" (max_tokens) or choose a model that does '
                "not reason."
            )
        elif silent and self._reader.closed and self.finish_reason not in (None, "cancelled"):
            yield from self._once("All that the server sent was reasoning, which can be read; no text came.")
        used = usage if self.finish_reason != "cancelled" else Usage()
        yield Finished(used, self.finish_reason, self.ended_at, self._refusal)
