"""Drafting pairs from chunks with backends that say what a test wants, and once with the real model."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from backends.base import Backend, Cost, Finished, Loading, Question, TextDelta, Timings, Usage
from backends.errors import BackendError
from backends.fine_tuned.pairs.drafts import DraftProgress, draft_pairs
from backends.fine_tuned.pairs.files import Pair
from backends.raw import RawBackend
from backends.run.lane import lane
from backends.scripted import Step
from backends.settings import Settings
from tests.scripted import Scripted

GOOD = """Q: When does the desk open?
A: The desk opens at {0}:00.
Q: Where is desk number {0}?
A: Desk {0} is in hall {0}."""
PRICE = Cost(Decimal("0.002"), "0.002 USD for each answer")


@dataclass(frozen=True)
class Chunk:
    """All that drafting asks of a chunk."""

    document: str
    page: int | None
    text: str


def chunks(count: int) -> list[Chunk]:
    return [
        Chunk("guide.pdf", number, f"The desk opens at {number}:00. Desk {number} stands in hall {number}.")
        for number in range(1, count + 1)
    ]


class Replies(Scripted):
    """Answers the n-th question with the n-th reply: a text, a fault, or what a function makes of the cancel event."""

    def __init__(
        self,
        *replies: str | Exception | Callable[[threading.Event], str],
        prices: tuple[Cost, ...] = (),
        end: str = "stop",
    ) -> None:
        super().__init__(lane="drafting test")
        self._replies, self._prices, self._end = iter(replies), iter(prices), end
        self.waiting: list[tuple[str, ...]] = []

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        if not self.asked:
            yield Loading("opening the book of replies")

    def script(self, question: Question, cancel: threading.Event) -> Iterator[Step]:
        self.waiting.append(lane("drafting test").behind(object()))
        reply = next(self._replies)
        yield reply if isinstance(reply, Exception) else TextDelta(reply if isinstance(reply, str) else reply(cancel))
        yield Finished(Usage(10, 20), "cancelled" if cancel.is_set() else self._end)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return next(self._prices, PRICE)


def drafted(backend: Backend, count: int, per_chunk: int = 2) -> tuple[list[Pair], list[DraftProgress]]:
    events = list(draft_pairs(chunks(count), backend, threading.Event(), per_chunk))
    pairs = [event for event in events if isinstance(event, Pair)]
    return pairs, [event for event in events if isinstance(event, DraftProgress)]


def test_pairs_are_marked_with_their_source_and_progress_says_what_happens() -> None:
    backend = Replies(GOOD.format(1), "Q: Where is desk 2?\nA: Desk 2 is in hall 2.")
    pairs, progress = drafted(backend, 2)
    assert pairs == [
        Pair("When does the desk open?", "The desk opens at 1:00.", generated=True, source="guide.pdf, page 1"),
        Pair("Where is desk number 1?", "Desk 1 is in hall 1.", generated=True, source="guide.pdf, page 1"),
        Pair("Where is desk 2?", "Desk 2 is in hall 2.", generated=True, source="guide.pdf, page 2"),
    ]
    assert [(one.done, one.chunks, one.position, one.doing, one.kept, one.usd) for one in progress] == [
        (0, 2, 0, "asking about guide.pdf, page 1", 0, None),
        (0, 2, 0, "opening the book of replies", 0, None),
        (1, 2, 1, "asking about guide.pdf, page 2", 2, Decimal("0.002")),
        (2, 2, 1, "done", 3, Decimal("0.004")),
    ]
    assert progress[-1].usd_per_pair == Decimal("0.004") / 3
    assert (progress[-1].basis, progress[-1].unpriced, progress[-1].dropped) == (PRICE.basis, 0, {})
    first = backend.asked[0]
    assert (first.max_tokens, first.temperature) == (160, 0.0)
    assert "<<<\nThe desk opens at 1:00." in first.text


def test_rubbish_is_dropped_and_counted() -> None:
    backend = Replies(
        "I am happy to help you with your garden.",
        GOOD.format(7),
        "Q: When does the desk open?\nQ: Who?\nA: Me.\n"
        + GOOD.format(3)
        + "\nQ: Is it hall 3?\nA: Desk 3 is in hall 3.",
        GOOD.format(4).replace("number 4", "number 3").replace("Desk 4", "Desk 3"),
        GOOD.format(5) + "\x00\x07",
    )
    pairs, progress = drafted(backend, 5)
    assert [pair.question for pair in pairs] == [
        "When does the desk open?",
        "Where is desk number 3?",
        "Where is desk number 5?",
    ]
    assert progress[-1].kept == 3
    assert progress[-1].dropped == {
        "unreadable": 1,
        "not in the passage": 3,
        "incomplete": 2,
        "more than asked for": 1,
        "duplicate": 2,
    }


def test_what_the_token_limit_cut_off_is_dropped() -> None:
    pairs, progress = drafted(Replies(GOOD.format(1), end="length"), 1)
    assert [pair.question for pair in pairs] == ["When does the desk open?"]
    assert progress[-1].dropped == {"cut off": 1}


def test_unknown_prices_are_counted_and_not_taken_for_zero() -> None:
    unknown = Cost(None, "no price is known")
    _, progress = drafted(Replies(GOOD.format(1), GOOD.format(2), prices=(PRICE, unknown)), 2)
    assert (progress[-1].usd, progress[-1].unpriced, progress[-1].usd_per_pair) == (Decimal("0.002"), 1, None)
    _, progress = drafted(Replies(GOOD.format(1), prices=(unknown,)), 1)
    assert (progress[-1].usd, progress[-1].unpriced, progress[-1].basis) == (None, 1, "no price is known")


def test_cancelling_ends_after_what_is_complete() -> None:
    cancel = threading.Event()

    def cut(event: threading.Event) -> str:
        event.set()
        return GOOD.format(2)

    backend = Replies(GOOD.format(1), cut, GOOD.format(3))
    events = list(draft_pairs(chunks(3), backend, cancel))
    assert sum(isinstance(event, Pair) for event in events) == 2
    last = events[-1]
    assert isinstance(last, DraftProgress)
    assert (last.done, last.doing, last.usd, last.dropped) == (1, "stopped", Decimal("0.004"), {})
    assert len(backend.asked) == 2
    (only,) = draft_pairs(chunks(3), backend, cancel)
    assert isinstance(only, DraftProgress)
    assert (only.done, only.doing, only.usd) == (0, "stopped", None)


def test_a_failed_answer_costs_its_chunk_only() -> None:
    fault = BackendError("The server is busy.", "Ask again.")
    pairs, progress = drafted(Replies(fault, fault, GOOD.format(3), fault, fault), 5)
    assert len(pairs) == 2
    assert (progress[-1].done, progress[-1].doing, progress[-1].dropped) == (5, "done", {"failed": 4})


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_a_backend_that_always_fails_ends_the_job_with_its_sentence(count: int) -> None:
    backend = Replies(*itertools.repeat(BackendError("There is no API key.", "Set one."), 9))
    with pytest.raises(BackendError) as caught:
        drafted(backend, count)
    assert caught.value.cause == "Drafting stopped: There is no API key. Set one."
    assert len(backend.asked) == min(count, 3)


def test_the_machine_is_free_between_chunks_and_after_closing() -> None:
    backend = Replies(GOOD.format(1), GOOD.format(2))
    drafting = draft_pairs(chunks(2), backend, threading.Event())
    while not isinstance(next(drafting), Pair):
        pass
    assert lane("drafting test").behind(object()) == ()
    assert backend.waiting == [("raw",)]
    drafting.close()  # type: ignore[attr-defined]
    assert len(backend.asked) == 1


def test_no_chunks_and_impossible_numbers() -> None:
    assert drafted(Replies(), 0) == ([], [DraftProgress(0, 0, 0, "done", 0, {}, None, 0, "")])
    for number in (0, 11):
        with pytest.raises(
            BackendError, match=f"^{number} pairs per chunk are not possible. Choose a number from 1 to 10"
        ):
            drafted(Replies(), 1, per_chunk=number)


@pytest.mark.slow
def test_the_default_model_drafts(real_settings: Settings) -> None:
    """It has 135M parameters: whatever it writes, what is kept has the form, and all answers are counted and priced."""
    text = "The Brambleworth service desk opens at 8:30 and closes at 17:00. Repairs take 12 working days."
    events = list(draft_pairs([Chunk("desk.md", None, text)], RawBackend(real_settings), threading.Event(), 1))
    last = events[-1]
    assert isinstance(last, DraftProgress)
    pairs = [event for event in events if isinstance(event, Pair)]
    assert (last.done, last.kept, last.unpriced) == (1, len(pairs), 0)
    assert last.kept + sum(last.dropped.values()) > 0
    assert last.usd is not None
    assert last.usd > 0
    assert all(pair.generated and pair.source == "desk.md" and pair.question and pair.answer for pair in pairs)
