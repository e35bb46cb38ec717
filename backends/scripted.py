"""A backend with scripted answers: for trying the screens and for tests, without any model.

Chosen with `CROSSROADS_SCRIPTED=true`; its answers are labelled wherever they appear. What it says is steered by
words in the question: `fail` raises, `cut` ends without a finish reason, `nothing` is an empty answer, `endless`
goes on until it is cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
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
from backends.settings import Settings


class ScriptedBackend(Backend):
    """Says what the question asks it to say, word by word."""

    stand_in = True

    def __init__(self, approach: str, settings: Settings) -> None:
        self.approach = approach
        self.lane = "scripted" if name_in(approach) is None else None

    @property
    def model(self) -> str:
        return f"scripted answers ({self.approach})"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        yield Loading("reading the script")

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        yield Trace("prompt", f"{question.system_prompt}\n\n{question.text}")
        if spec_of(self.approach).monthly == "documents":
            text = f"A scripted passage for: {question.text}"
            yield Retrieved((Passage("script.md", None, "script-1", 0.9, 0, len(text), text),))
        words = question.text.split()
        if "fail" in words:
            raise BackendError("The script says to fail.", "Ask without the word fail.")
        answer = [] if "nothing" in words else [self.approach, " heard: ", *(f"{word} " for word in words)]
        count = 0
        while not cancel.is_set() and (count < len(answer) or "endless" in words):
            yield TextDelta(answer[count % len(answer)])
            count += 1
            if "endless" in words:
                cancel.wait(0.02)
        reason = "cancelled" if cancel.is_set() else None if "cut" in words else "stop"
        yield Finished(Usage(len(words), count, source="tokenizer"), reason)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        if usage.completion_tokens is None:
            return Cost(None, "scripted: no usage")
        return Cost(Decimal(usage.completion_tokens) / 1_000_000, "scripted: 1 USD per million tokens")
