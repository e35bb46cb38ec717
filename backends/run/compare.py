"""One question to many approaches at once -> one stream of (approach, event).

Approaches that compute on this machine take turns in their lane, in the order given; approaches
that compute elsewhere run at the same time as them and as each other. A slow or broken approach never holds
up another one's events.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import TypeVar

from backends.base import Answer, Backend, Event, Question
from backends.errors import BackendError
from backends.run.lane import lane
from backends.run.timing import run_timed
from backends.text import clean_question

_LOOK_UP_S = 0.2

T = TypeVar("T")


def compare(backends: Sequence[Backend], question: Question, cancel: threading.Event) -> Iterator[tuple[str, Event]]:
    """Ask every backend; yields events as they happen, and exactly one `Answer` per backend.

    Closing the iterator early cancels what is still running. An unusable question (empty, far too long)
    gives every column an `error` answer that says so.
    """
    try:
        question = clean_question(question)
    except BackendError as fault:
        for backend in backends:
            error = str(fault)
            yield (
                backend.approach,
                Answer(backend.approach, backend.model, "", "error", error=error, stand_in=backend.stand_in),
            )
        return
    if len(backends) == 1 and backends[0].lane is None:
        yield from _alone(backends[0], question, cancel)
        return
    events: queue.SimpleQueue[tuple[str, Event]] = queue.SimpleQueue()
    for backend in backends:
        _start(backend, question, cancel, events)
    open_columns = len(backends)
    try:
        while open_columns:
            approach, event = next_of(events)
            open_columns -= isinstance(event, Answer)
            yield approach, event
    finally:
        if open_columns:
            cancel.set()


def next_of(events: queue.SimpleQueue[T]) -> T:
    """The next one, waited for again and again: Python does not notice a Ctrl-C that comes just before an endless
    wait."""
    while True:
        with suppress(queue.Empty):
            return events.get(timeout=_LOOK_UP_S)


def _alone(backend: Backend, question: Question, cancel: threading.Event) -> Iterator[tuple[str, Event]]:
    """One approach that computes elsewhere, on the caller's thread: there is nobody whom it could hold up."""
    try:
        with closing(run_timed(backend, question, cancel)) as events:
            for event in events:
                yield backend.approach, event
    except GeneratorExit:
        cancel.set()
        raise


def _start(
    backend: Backend, question: Question, cancel: threading.Event, events: queue.SimpleQueue[tuple[str, Event]]
) -> None:
    """Take a place in the lane here, so that the order of turns is the order of the backends."""
    place = None
    if backend.lane is not None:
        place = lane(backend.lane).join(backend.approach)

    def work() -> None:
        for event in run_timed(backend, question, cancel, place):
            events.put((backend.approach, event))

    threading.Thread(target=work, name=f"answer-{backend.approach}", daemon=True).start()
