"""A backend that plays a list of steps, and a clock that moves only when a step says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from backends.base import Backend, BackendEvent, Cost, Finished, Loading, Question, Timings, Usage

PATIENCE_S = 20.0
"""How long a test waits for something that must happen before it counts as hanging."""

Step = float | BackendEvent | Exception | Callable[[threading.Event], None]
"""Seconds that pass, an event to yield, a fault to raise, or anything to do with the cancel event in hand."""


def finished(completion: int | None = 3, reason: str | None = "stop") -> Finished:
    return Finished(Usage(7, completion, source="tokenizer"), reason)


class Clock:
    """Stands in for the module `time` in what is measured. `read` is set once somebody has looked at it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.read = threading.Event()

    def monotonic(self) -> float:
        now = self.now
        self.read.set()
        return now


@dataclass
class Gate:
    """A step at which the backend stands still until the test opens it."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def __call__(self, cancel: threading.Event) -> None:
        self.reached.set()
        assert self.opened.wait(PATIENCE_S), "nobody opened the gate"


class PlayedBackend(Backend):
    """Plays `steps` for each question, `loading` before it, and keeps what it was asked and what it was to price."""

    def __init__(
        self,
        *steps: Step,
        approach: str = "raw",
        lane: str | None = None,
        loading: tuple[Step, ...] = (),
        clock: Clock | None = None,
        price: Cost | None = None,
    ) -> None:
        self.approach = approach
        self.lane = lane
        self._steps = steps
        self._loading = loading
        self._clock = clock or Clock()
        self._price = price or Cost(None, "played for nothing")
        self.asked: list[Question] = []
        self.priced: list[tuple[Usage, Timings]] = []

    @property
    def model(self) -> str:
        return f"played {self.approach}"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        for event in self._play(self._loading, cancel):
            assert isinstance(event, Loading)
            yield event

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        self.asked.append(question)
        yield from self._play(self._steps, cancel)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        self.priced.append((usage, timings))
        return self._price

    def _play(self, steps: tuple[Step, ...], cancel: threading.Event) -> Iterator[BackendEvent]:
        for step in steps:
            if isinstance(step, float):
                self._clock.now += step
            elif isinstance(step, Exception):
                raise step
            elif callable(step):
                step(cancel)
            else:
                yield step
