"""Question/answer pairs drafted from indexed chunks by any backend, for a person to review before they are used."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from backends.base import Answer, Backend, BackendError, Cost, Loading, Question
from backends.fine_tuned.draft_filter import Refusal, refusal
from backends.fine_tuned.draft_prompt import SYSTEM_PROMPT, SourceChunk, draft_prompt, place, read_reply
from backends.fine_tuned.near_identical import normalised
from backends.fine_tuned.pairs import Pair
from backends.questions import visible
from backends.timing import measured

MOST_PER_CHUNK = 10
_TOKENS_PER_PAIR = 80
_FAILURES = 3
"""After so many failed answers in a row the fault lies with the backend, not with a chunk."""


@dataclass(frozen=True, slots=True)
class DraftProgress:
    """How far drafting is: before the first chunk, while one takes time, after each, and at the end.

    `done` of `chunks` have been asked about; `position`, from 0, is the chunk that `doing` and the pairs that come
    next belong to. `kept` pairs were yielded; `dropped` counts the others by reason. `usd` sums what the backend said
    its answers cost, None if it priced none; `unpriced` answers are not in it. `basis` is the last price in words.
    """

    done: int
    chunks: int
    position: int
    doing: str
    kept: int
    dropped: Mapping[Refusal, int]
    usd: Decimal | None
    unpriced: int
    basis: str

    @property
    def usd_per_pair(self) -> Decimal | None:
        """US dollars for each kept pair, those for dropped ones included; None where a part of them is unknown."""
        return None if self.usd is None or self.unpriced or not self.kept else self.usd / self.kept


def draft_pairs(
    chunks: Sequence[SourceChunk], backend: Backend, cancel: threading.Event, per_chunk: int = 2
) -> Iterator[DraftProgress | Pair]:
    """Ask `backend` for `per_chunk` pairs about each chunk; yields progress and the pairs that pass `draft_filter`.

    Pairs are marked `generated`, with the chunk's document and page as `source`. The backend takes its turn in its
    lane chunk by chunk, so questions asked meanwhile go in between. After `cancel` no further chunk is begun, and what
    was cut off is dropped. Raises `BackendError` for an impossible `per_chunk`, and if three answers in a row fail.
    """
    if not 1 <= per_chunk <= MOST_PER_CHUNK:
        raise BackendError(
            f"{per_chunk} pairs per chunk are not possible.", f"Choose a number from 1 to {MOST_PER_CHUNK}."
        )
    drafts = _Drafts(len(chunks), per_chunk)
    failures = 0
    for position, chunk in enumerate(chunks):
        if cancel.is_set():
            break
        yield drafts.progress(position, f"asking about {place(chunk)}")
        answer = yield from _asked(chunk, backend, cancel, drafts, position)
        if answer.status == "cancelled":
            drafts.price(answer.cost)
            break
        failures = failures + 1 if answer.status == "error" else 0
        yield from drafts.take(answer, chunk)
        if failures == min(_FAILURES, len(chunks)):
            raise BackendError(f"Drafting stopped: {answer.error}", "The pairs drafted so far can be used.")
    yield drafts.progress(max(drafts.done - 1, 0), "stopped" if drafts.done < len(chunks) else "done")


def draft_question(chunk: SourceChunk, per_chunk: int) -> Question:
    """What a backend is asked about a chunk."""
    return Question(draft_prompt(chunk, per_chunk), SYSTEM_PROMPT, _TOKENS_PER_PAIR * per_chunk)


def _asked(
    chunk: SourceChunk, backend: Backend, cancel: threading.Event, drafts: _Drafts, position: int
) -> Generator[DraftProgress, None, Answer]:
    """The answer about one chunk; yields what it is waiting for."""
    for event in measured(backend, draft_question(chunk, drafts.per_chunk), cancel):
        if isinstance(event, Loading):
            yield drafts.progress(position, event.what)
        elif isinstance(event, Answer):
            return event
    raise AssertionError("measured ends with an answer")


@dataclass
class _Drafts:
    """What came of the chunks so far."""

    chunks: int
    per_chunk: int
    done: int = 0
    kept: int = 0
    dropped: Counter[Refusal] = field(default_factory=Counter)
    usd: Decimal | None = None
    unpriced: int = 0
    basis: str = ""
    _asked: set[str] = field(default_factory=set)

    def progress(self, position: int, doing: str) -> DraftProgress:
        return DraftProgress(
            self.done,
            self.chunks,
            position,
            doing,
            self.kept,
            dict(self.dropped),
            self.usd,
            self.unpriced,
            self.basis,
        )

    def price(self, cost: Cost) -> None:
        self.basis = cost.basis
        if cost.usd is None:
            self.unpriced += 1
        else:
            self.usd = cost.usd + (self.usd or 0)

    def take(self, answer: Answer, chunk: SourceChunk) -> Iterator[Pair]:
        """The pairs of one answer that are of use; the others are counted."""
        self.done += 1
        self.price(answer.cost)
        if answer.status == "error":
            self.dropped["failed"] += 1
            return
        drafts = read_reply(visible(answer.text))
        if answer.status == "truncated" and drafts:
            drafts.pop()
            self.dropped["cut off"] += 1
        elif not drafts:
            self.dropped["unreadable"] += 1
        kept = 0
        for question, text in drafts:
            reason = refusal(question, text, chunk) or self._surplus(question, kept)
            if reason:
                self.dropped[reason] += 1
                continue
            self._asked.add(normalised(question))
            self.kept, kept = self.kept + 1, kept + 1
            yield Pair(question, text, generated=True, source=place(chunk))

    def _surplus(self, question: str, kept: int) -> Refusal | None:
        if normalised(question) in self._asked:
            return "duplicate"
        return "more than asked for" if kept == self.per_chunk else None
