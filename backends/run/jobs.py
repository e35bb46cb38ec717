"""Long work in the background: it outlives the page that started it, shows how far it is, and can be cancelled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from backends.errors import BackendError, disk_fault, unexpected_fault

_log = logging.getLogger(__name__)


_T = TypeVar("_T", covariant=True)


@dataclass(frozen=True, slots=True)
class Progress(Generic[_T]):
    """How far long work is after one of its steps: `done` of `total`, in a unit of its own, and in words in `detail`.

    `result` is what this step finished: a file, a pair, and often with the last step the whole. None if nothing.
    """

    done: int
    total: int
    detail: str = ""
    result: _T | None = None


@dataclass(frozen=True, slots=True)
class JobState:
    """A job at one moment. `started` and `finished` are monotonic seconds; `finished` is None while it runs.

    `cancelled` means that cancelling was asked for; `fault` is why the job ended early, if it did.
    """

    what: str
    started: float
    done: int = 0
    total: int = 0
    detail: str = ""
    finished: float | None = None
    cancelled: bool = False
    fault: BackendError | None = None
    results: tuple[object, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self.finished is None

    def remaining_s(self, now: float) -> float | None:
        """Seconds that the rest takes at the speed until `now` (monotonic); None before a step and at the end."""
        if not self.done or not self.running or self.done > self.total:
            return None
        return (now - self.started) / self.done * (self.total - self.done)


class Job:
    """One generator of progress, drained by a thread of its own. Anyone may look at `state`."""

    def __init__(self, title: str, make: Callable[[threading.Event], Iterator[Progress[object]]]) -> None:
        self._state = JobState(title, time.monotonic())
        self._results: list[object] = []
        self._make = make
        self._cancel = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"job-{title}", daemon=True)
        self._thread.start()

    @property
    def state(self) -> JobState:
        """How far it is. `results` holds what the steps so far gave, in order."""
        with self._lock:
            return replace(self._state, results=tuple(self._results), cancelled=self._cancel.is_set())

    def cancel(self) -> None:
        """Ask it to stop after the present step; what is finished is kept."""
        if not self._done.is_set():
            self._cancel.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended, at most `timeout_s` seconds; returns whether it has."""
        return self._done.wait(timeout_s)

    def _run(self) -> None:
        fault = None
        try:
            for step in self._make(self._cancel):
                self._note(step)
        except BackendError as error:
            fault = error
        except Exception as error:
            _log.error("%s failed", self._state.what, exc_info=disk_fault(error) is None)
            fault = unexpected_fault(self._state.what, error)
        with self._lock:
            self._state = replace(self._state, finished=time.monotonic(), fault=fault)
        self._done.set()

    def _note(self, step: Progress[object]) -> None:
        with self._lock:
            self._state = replace(self._state, done=step.done, total=step.total, detail=step.detail)
            if step.result is not None:
                self._results.append(step.result)


by_key: dict[str, Job] = {}
"""The last job of each key; what is taken out of here is forgotten."""

_jobs_lock = threading.Lock()


def start(key: str, title: str, make: Callable[[threading.Event], Iterator[Progress[object]]]) -> Job:
    """Run a generator in the background; it is given the event that says when to stop.

    Raises `BackendError` while a job with this key runs.
    """
    with _jobs_lock:
        running = by_key.get(key)
        if running and running.state.running:
            raise BackendError(f"{running.state.what} is still running.", "Wait until it has finished, or stop it.")
        job = by_key[key] = Job(title, make)
        return job


def find(key: str) -> Job | None:
    """The last job with this key, running or not; None if there was none."""
    with _jobs_lock:
        return by_key.get(key)
