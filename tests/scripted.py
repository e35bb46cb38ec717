"""What tests add to the scripted backend: answers without a label, and steps that wait for the test."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from backends.base import Finished, Usage
from backends.scripted import ScriptedBackend, ScriptedClock

PATIENCE_S = 60.0
"""How long a test waits for something that must happen before it counts as hanging."""


def finished(completion: int | None = 3, reason: str | None = "stop") -> Finished:
    return Finished(Usage(7, completion, source="tokenizer"), reason)


class Clock(ScriptedClock):
    """`read` is set once somebody has looked at it."""

    def __init__(self, now: float = 1000.0) -> None:
        super().__init__(now)
        self.read = threading.Event()

    def __call__(self) -> float:
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


class Scripted(ScriptedBackend):
    """Its answers are taken for those of the approach that it is."""

    stand_in = False
