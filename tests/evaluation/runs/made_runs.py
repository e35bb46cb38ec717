"""Runs and cells as tests need them: a small question set, backends by heart, and what a store holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from backends.base import Answer, Backend, Cost, Passage, Timings, Usage
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.execution import Execution
from evaluation.runs.identity import new_run
from evaluation.runs.model import Cell, Run
from evaluation.runs.records import add_cell, add_run, cell_of, cells_of
from evaluation.samples import Sample
from evaluation.scorers import Score

COLOURS = ("red", "green", "blue", "black", "white", "grey")
SAMPLES = tuple(
    Sample(f"q{number}", f"What colour is thing {number}?", f"It is {colour}.", ((colour,),), (f"{number % 2}.md",))
    for number, colour in enumerate(COLOURS)
)


def begun(
    store: Store,
    settings: Settings,
    approaches: Sequence[str] = ("raw", "rag"),
    samples: Sequence[Sample] = SAMPLES,
    repeats: int = 1,
    throughput: bool = False,
) -> Run:
    """A run that is in the store, and of which nothing was asked yet."""
    run = new_run(settings, samples, "colours.csv", approaches, repeats, throughput)
    add_run(store, run, samples)
    return run


def answer(approach: str = "raw", text: str = "It is red.", **more: Any) -> Answer:
    given: dict[str, Any] = {
        "status": "ok",
        "timings": Timings(latency_s=1.0, ttft_s=0.25),
        "usage": Usage(10, 4, source="tokenizer"),
        "cost": Cost(Decimal("0.001"), "by heart"),
    }
    return Answer(approach, f"model of {approach}", text, **(given | more))


def cell(approach: str = "raw", position: int = 0, repeat: int = 0, keep_texts: bool = True, **more: Any) -> Cell:
    return cell_of(answer(approach, **more), position, repeat, keep_texts)


def passage(text: str = "Thing 0 is red.") -> Passage:
    return Passage("0.md", 1, "chunk-1", 0.5, 0, len(text), text)


def filled(
    store: Store, run: Run, approach: str, values: Sequence[bool | float | str | None], repeat: int = 0, **more: Any
) -> None:
    """A cell for each value with that as its score `right`; None: not applicable, a word: it failed for that reason."""
    for position, value in enumerate(values):
        given = cell(approach, position, repeat, **more)
        score = Score.not_applicable("no") if value is None else Score(value if not isinstance(value, str) else False)
        if isinstance(value, str):
            given = cell(approach, position, repeat, text="", status="error", error=value)
        add_cell(store, run.id, given, {"right": score})


def kept(store: Store, run: Run) -> dict[tuple[str, int, int], Cell]:
    """What the store holds, by approach, position and repeat."""
    return {(one.approach, one.position, one.repeat): one for one in cells_of(store, run.id)}


def executed(
    store: Store,
    run: Run,
    settings: Settings,
    backends: Mapping[str, Backend | Callable[[], Backend]],
    cancel: threading.Event | None = None,
    samples: Sequence[Sample] = SAMPLES,
    **more: Any,
) -> Execution:
    """Ask to the end, with these backends; one that is called is made anew for each thread."""

    def make(approach: str, _: Settings) -> Backend:
        found = backends[approach]
        return found if isinstance(found, Backend) else found()

    execution = Execution(store, run, settings, samples, make=make, **more)
    for _ in execution.steps(cancel or threading.Event()):
        pass
    return execution
