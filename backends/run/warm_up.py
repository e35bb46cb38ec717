"""Gets the local approaches ready in the background, so that the first question does not wait for it.

The garbage collector is spared what is loaded by then, which stays until the end: a full collection over half a million
objects of the loaded libraries holds the interpreter, beside a model that learns or answers while somebody watches it
(docs/measurements.md). The one that Streamlit does after each run of a page is off in `.streamlit/config.toml`.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from backends.base import Backend
from backends.errors import BackendError, disk_fault
from backends.run.lane import Cancelled, lane

TURN = "loading the models"
"""The warm-up's name in the line, as those who wait behind it see it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WarmUpState:
    """`what` is under way since `since` (monotonic seconds); `faults` maps an approach to its sentence."""

    what: str = "starting"
    since: float = 0.0
    expected_s: float | None = None
    done: int = 0
    total: int = 0
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def finished(self) -> bool:
        """True when nothing is left to load."""
        return self.done >= self.total


class WarmUp:
    """Loads backends one after another on their lanes. Start it once per process."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self.state = WarmUpState(since=time.monotonic(), total=len(backends))
        self._backends = backends
        self._loaded = False

    def start(self) -> WarmUp:
        """Begin on a thread of its own."""
        threading.Thread(target=self._run, name="warm-up", daemon=True).start()
        return self

    def _run(self) -> None:
        self._load_all()
        if self._loaded:
            gc.unfreeze()  # what loading left behind is among what was frozen meanwhile
        gc.collect()
        gc.freeze()

    def _load_all(self) -> None:
        faults: list[tuple[str, str]] = []
        for done, backend in enumerate(self._backends, 1):
            try:
                self._load(backend, done - 1, tuple(faults))
            except Cancelled:
                pass  # the stand-in was stopped before it ran
            except BackendError as fault:
                faults.append((backend.approach, f"{fault.cause} {fault.next_step}"))
            except Exception as fault:
                known = disk_fault(fault)
                _log.error("loading %s in advance failed", backend.approach, exc_info=known is None)
                faults.append((backend.approach, str(known or f"It could not be loaded ({type(fault).__name__}).")))
            total = len(self._backends)
            what = "ready" if done == total else "waiting for its turn"
            self.state = WarmUpState(what, time.monotonic(), None, done, total, tuple(faults))

    def _load(self, backend: Backend, done: int, faults: tuple[tuple[str, str], ...]) -> None:
        line = lane(backend.lane or "network")
        place = line.join(TURN)
        with line.turn(place, threading.Event()):
            for loading in backend.load(threading.Event()):
                gc.freeze()  # see the top of this module
                self._loaded = True
                self.state = WarmUpState(
                    loading.what, time.monotonic(), loading.expected_s, done, len(self._backends), faults
                )
