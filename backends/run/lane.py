"""Turns on this machine: work that would slow its neighbours down goes one after another.

Every approach that computes on this machine takes a turn on its lane for the whole of its work,
retrieval included, so that no measured second was shared with another column.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager

THIS_MACHINE = "this machine"
"""The lane of everything that computes here. One, not one per device: it all shares one inference thread."""

_lanes: dict[str, Lane] = {}
_lanes_lock = threading.Lock()


class Cancelled(Exception):
    """The wait for a turn was given up because the question was cancelled."""


class Lane:
    """A fair lock (first come, first served) that knows the names of those who wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._line: list[tuple[object, str]] = []

    def join(self, name: str) -> object:
        """Take a place in the line. Follow with `turn` or `wait`, whatever happens, or the line never moves on."""
        place = object()
        with self._condition:
            self._line.append((place, name))
        return place

    def behind(self, place: object) -> tuple[str, ...]:
        """The names of the work that goes before `place`."""
        with self._condition:
            return self._behind(place)

    def _behind(self, place: object) -> tuple[str, ...]:
        names = []
        for other, name in self._line:
            if other is place:
                break
            names.append(name)
        return tuple(names)

    def wait(self, place: object, cancel: threading.Event) -> Generator[tuple[str, ...]]:
        """Wait until `place` is first, for `turn` to hold it; whenever others stand before it, says who does now.

        Whoever gives up, by closing this iterator or with `Cancelled`, which is raised if `cancel` is set meanwhile,
        leaves the line.
        """
        told: tuple[str, ...] = ()
        first = False
        try:
            while behind := self.behind(place):
                if cancel.is_set():
                    raise Cancelled
                if behind != told:
                    told = behind
                    yield behind
                with self._condition:
                    if self._behind(place) == told:
                        self._condition.wait(0.05)
            first = True
        finally:
            if not first:
                self._leave(place)

    @contextmanager
    def turn(self, place: object, cancel: threading.Event) -> Iterator[None]:
        """Wait until `place` is first, then hold it. Raises `Cancelled` if `cancel` is set meanwhile."""
        for _ in self.wait(place, cancel):
            pass
        try:
            yield
        finally:
            self._leave(place)

    def _leave(self, place: object) -> None:
        with self._condition:
            self._line = [entry for entry in self._line if entry[0] is not place]
            self._condition.notify_all()


def lane(name: str) -> Lane:
    """The one lane of that name in this process."""
    with _lanes_lock:
        return _lanes.setdefault(name, Lane())


def turns(work: str, cancel: threading.Event, name: str = THIS_MACHINE) -> Callable[[], AbstractContextManager[None]]:
    """What gives long `work` one turn for each of its steps, so that questions are answered in between.

    Use as `with turn():`. Raises `Cancelled` there if `cancel` is set while it waits.
    """
    line = lane(name)
    return lambda: line.turn(line.join(work), cancel)
