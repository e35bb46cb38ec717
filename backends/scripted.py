"""A backend with scripted answers: for trying the screens and for tests, without any model.

Chosen with `CROSSROADS_SCRIPTED=true`; its answers are labelled wherever they appear. What it says is then steered by
words in the question: `fail` raises, `cut` ends without a finish reason, `nothing` is an empty answer, `endless`
goes on until it is cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from backends.base import (
    Backend,
    BackendEvent,
    Cost,
    Finished,
    Loading,
    Passage,
    Question,
    Retrieved,
    TextDelta,
    Timings,
    Trace,
    Usage,
)
from backends.errors import BackendError
from backends.registry import spec_of
from backends.remote.connection_settings import name_in

Step = float | BackendEvent | Exception | Callable[[threading.Event], None]
"""Seconds that pass, an event to yield, a fault to raise, or anything to do with the cancel event in hand."""


class ScriptedClock:
    """Monotonic seconds that pass only where a script says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class ScriptedBackend(Backend):
    """Follows `steps` for each question, and `loading` before it; `asked` and `priced` keep what it was given.

    Seconds in a script pass on `clock`, which measures its answers; without one they take that long.
    """

    stand_in = True

    def __init__(
        self,
        *steps: Step,
        approach: str = "raw",
        lane: str | None = None,
        loading: Iterable[Step] = (),
        clock: ScriptedClock | None = None,
        price: Cost | None = None,
    ) -> None:
        self.approach, self.lane = approach, lane
        self._steps, self._loading = steps, tuple(loading)
        self._scripted_clock = clock
        if clock is not None:
            self.clock = clock
        self._price = price or Cost(None, "scripted: no price")
        self.asked: list[Question] = []
        self.priced: list[tuple[Usage, Timings]] = []

    @property
    def model(self) -> str:
        return f"scripted answers ({self.approach})"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        for event in self._followed(self._loading, cancel):
            assert isinstance(event, Loading)
            yield event

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        self.asked.append(question)
        yield from self._followed(self.script(question, cancel), cancel)

    def script(self, question: Question, cancel: threading.Event) -> Iterable[Step]:
        """What happens when `question` is asked."""
        return self._steps

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        self.priced.append((usage, timings))
        return self._price

    def _followed(self, steps: Iterable[Step], cancel: threading.Event) -> Iterator[BackendEvent]:
        for step in steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                self._pass(step, cancel)
            elif callable(step):
                step(cancel)
            else:
                yield step

    def _pass(self, seconds: float, cancel: threading.Event) -> None:
        if self._scripted_clock is None:
            cancel.wait(seconds)
        else:
            self._scripted_clock.now += seconds


class WordsBackend(ScriptedBackend):
    """Says what the words of the question ask it to say, word by word: the one of `CROSSROADS_SCRIPTED=true`."""

    def __init__(self, approach: str) -> None:
        lane = "scripted" if name_in(approach) is None else None
        super().__init__(approach=approach, lane=lane, loading=[Loading("reading the script")])

    def script(self, question: Question, cancel: threading.Event) -> Iterator[Step]:
        yield Trace("prompt", f"{question.system_prompt}\n\n{question.text}")
        if spec_of(self.approach).monthly == "documents":
            text = f"A scripted passage for: {question.text}"
            yield Retrieved((Passage("script.md", None, "script-1", 0.9, 0, len(text), text),))
        words = question.text.split()
        if "fail" in words:
            yield BackendError("The script says to fail.", "Ask without the word fail.")
        answer = [] if "nothing" in words else [self.approach, " heard: ", *(f"{word} " for word in words)]
        count = 0
        while not cancel.is_set() and (count < len(answer) or "endless" in words):
            yield TextDelta(answer[count % len(answer)])
            count += 1
            if "endless" in words:
                yield 0.02
        reason = "cancelled" if cancel.is_set() else None if "cut" in words else "stop"
        yield Finished(Usage(len(words), count, source="tokenizer"), reason)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        if usage.completion_tokens is None:
            return Cost(None, "scripted: no usage")
        return Cost(Decimal(usage.completion_tokens) / 1_000_000, "scripted: 1 USD per million tokens")
