"""Runs that this process works on in the background: one after another, each asked and then scored.

A run that was started in one browser is found in every other one, and goes on when all of them are closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Literal

from backends.registry import make
from backends.run import jobs
from backends.run.jobs import Progress
from backends.run.lane import Cancelled, Lane
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.execution import ApproachProgress, Execution, Make
from evaluation.runs.model import Run
from evaluation.runs.records import set_state
from evaluation.runs.scoring import score_run
from evaluation.samples import Sample

What = Literal["ask", "retry", "score"]
"""What is to be done: what is missing is asked, or what failed, and both are scored; or all is scored anew."""

Phase = Literal["waiting", "asking", "scoring", "ended"]

_SETTLED = 2
"""Answers from which on a forecast is made: fewer would jump."""

_line = Lane()
"""One run at a time: two that were started together would slow each other down, and would both be late."""


class RunWork:
    """One go at a run, by a thread of its own. Anyone may look at it, pause it and stop it."""

    def __init__(
        self, store: Store, run: Run, settings: Settings, samples: Sequence[Sample], what: What, make: Make
    ) -> None:
        self.store, self.run, self.what = store, run, what
        self.execution = Execution(store, run, settings, samples, retry=what == "retry", make=make)
        self._settings, self._samples = settings, samples
        self._phase: Phase = "waiting"
        self._place: object = None
        self._stop_asking = threading.Event()
        self._began = self._paused_since = 0.0
        self._paused_s = 0.0
        self._lock = threading.Lock()
        self.job = jobs.start(_key(run.id), f"The run of {run.set_name}", self._steps)

    @property
    def phase(self) -> Phase:
        """What it does now."""
        return self._phase if self.job.state.running else "ended"

    @property
    def behind(self) -> tuple[str, ...]:
        """The ids of the runs that go first, while it waits."""
        place = self._place
        return _line.behind(place) if place is not None and self.phase == "waiting" else ()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._stop_asking.is_set() or self.job.state.cancelled

    @property
    def paused(self) -> bool:
        """Whether all of it is paused."""
        return self._paused_since > 0

    def pause(self, approach: str | None = None) -> None:
        """See `Execution.pause`."""
        with self._lock:
            if approach is None and not self._paused_since:
                self._paused_since = time.monotonic()
        self.execution.pause(approach)

    def go_on(self, approach: str | None = None) -> None:
        """The opposite of `pause`."""
        with self._lock:
            if approach is None and self._paused_since:
                self._paused_s += time.monotonic() - max(self._paused_since, self._began)
                self._paused_since = 0.0
        self.execution.go_on(approach)

    def stop(self) -> None:
        """Ask nobody else; what was answered is kept and scored. While it is scored, that stops."""
        if self.phase != "asking":
            self.job.cancel()
        self._stop_asking.set()

    def left_s(self, one: ApproachProgress, now: float) -> float | None:
        """Seconds until this approach is done, at its pace so far, which holds the turns of the others.

        `now` is monotonic. None before it has answered a few times, and while it does not go on.
        """
        left = one.wanted - one.asked
        if one.paused or one.stopped or one.asked < _SETTLED or left <= 0 or self._phase != "asking":
            return None
        return (now - self._began - self._paused_s) / one.asked * left

    def all_left_s(self, found: Sequence[ApproachProgress], now: float) -> float | None:
        """Seconds until all approaches are done: those that go on, each at its own pace; None if one is not known."""
        going = [one for one in found if not one.stopped and one.asked < one.wanted]
        each = [self.left_s(one, now) for one in going]
        return max((one for one in each if one is not None), default=None) if None not in each else None

    def left_usd(self, one: ApproachProgress) -> Decimal | None:
        """What the rest of an approach is expected to cost, as much as its answers so far; None if that is not
        known."""
        left = one.wanted - one.asked
        if one.unpriced or one.asked < _SETTLED or left <= 0:
            return None
        return one.usd / one.asked * left

    def _steps(self, stop: threading.Event) -> Iterator[Progress[None]]:
        try:
            self._place = _line.join(self.run.id)
            with _line.turn(self._place, stop):
                yield from self._asked_and_scored(stop)
        except Cancelled:
            if self.run.state == "running":  # new, and nobody was asked yet
                set_state(self.store, self.run.id, "stopped")

    def _asked_and_scored(self, stop: threading.Event) -> Iterator[Progress[None]]:
        if self.what != "score":
            self._began = time.monotonic()
            self._phase = "asking"
            yield from self.execution.steps(self._stop_asking)
        self._phase = "scoring"
        yield from score_run(self.store, self.run, self._samples, self._settings, stop, again=self.what == "score")


_works: dict[str, RunWork] = {}
_works_lock = threading.Lock()
_MOST_ENDED = 20
"""Ended ones that are remembered, to say how they ended."""


def start_work(
    store: Store, run: Run, settings: Settings, samples: Sequence[Sample], what: What = "ask", *, make: Make = make
) -> RunWork:
    """Work on a run that is in the store. Raises `BackendError` while this process works on it already."""
    with _works_lock:
        work = RunWork(store, run, settings, samples, what, make)
        _works.pop(run.id, None)
        _works[run.id] = work
        ended = [id for id, one in _works.items() if one.phase == "ended"]
        for id in ended[: max(len(ended) - _MOST_ENDED, 0)]:
            forget_work(id)
        return work


def find_work(run: str) -> RunWork | None:
    """The last go at a run in this process; None if there was none, or if it was forgotten."""
    return _works.get(run)


def works(store: Store | None = None) -> list[RunWork]:
    """Every go at a run that this process makes or made, in the order in which they began; those of one store."""
    return [one for one in list(_works.values()) if store is None or one.store is store]


def forget_work(run: str) -> None:
    """Remember no more how the last go at a run ended."""
    with suppress(KeyError):
        del _works[run]
    jobs.by_key.pop(_key(run), None)


def _key(run: str) -> str:
    return f"run:{run}"
