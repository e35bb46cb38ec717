"""A process that works on a run until it is done, or killed: says each step, and writes down whom it asks what."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

from backends.base import Question
from backends.run.lane import THIS_MACHINE
from backends.scripted import Step
from backends.settings import Settings, load_settings
from backends.store.database import Store
from evaluation.runs.execution import Execution
from evaluation.runs.records import find_run, samples_of
from tests.evaluation.answering import AnsweringBackend

AT_ONCE = 3


class Told(AnsweringBackend):
    """Half of its answers are right. What it is asked stands in a file before it answers."""

    at_once = AT_ONCE

    def __init__(self, approach: str, settings: Settings) -> None:
        super().__init__({}, approach=approach, lane=None if approach == "paid_api" else THIS_MACHINE)
        self._log = settings.data / "asked"

    def script(self, question: Question, cancel: threading.Event) -> Iterator[Step]:
        line = f"{self.approach} {question.text.split()[-1]} {question.seed}\n".encode()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, line)
        os.close(log)
        number = int(question.text.split()[-1])
        self._otherwise = f"It is {number}." if number % 2 else "I do not know."
        yield from super().script(question, cancel)


def main() -> None:
    """`killed_run.py DATA URL RUN`; without a URL the store is SQLite."""
    data, url, wanted = sys.argv[1:]
    settings = load_settings({"data": data} | ({"store.url": url} if url else {}))
    store = Store(settings)
    run = find_run(store, wanted)
    samples = samples_of(store, run)
    assert samples is not None
    execution = Execution(store, run, settings, samples, make=Told)
    for step in execution.steps(threading.Event()):
        print(step.done, flush=True)


if __name__ == "__main__":
    main()
