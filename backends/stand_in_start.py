"""Starts the stand-in in the background and tells how far it is, so that no page has to wait for it.

The start takes a turn on this machine: it keeps a core busy for some seconds, which would be measured with an answer.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from backends import stand_in
from backends.base import BackendError
from backends.lane import turns
from backends.settings import DEFAULT_MODEL
from backends.unforeseen import unforeseen
from backends.weights import resolve

_log = logging.getLogger(__name__)

TURN = "starting the stand-in"
"""The start's name in the line, as those who wait behind it see it."""


class StandInStart:
    """At most one start at a time in this process; any page may begin it and look at it."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self.fault: str | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def under_way(self) -> bool:
        """True while the server is coming up."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, data: Path) -> None:
        """Start it unless a start is under way; `fault` says afterwards what went wrong, if anything."""
        with self._lock:
            if self.under_way:
                return
            self.waited_s, self.fault = 0.0, None
            self._thread = threading.Thread(target=self._run, args=(data,), name="stand-in-start", daemon=True)
            self._thread.start()

    def _run(self, data: Path) -> None:
        try:
            with turns(TURN, threading.Event())():
                stand_in.start(resolve(DEFAULT_MODEL, data).folder, data, progress=self._progress)
        except BackendError as fault:
            self.fault = f"{fault.cause} {fault.next_step}"
        except Exception as fault:
            _log.exception("the stand-in could not be started")
            self.fault = str(unforeseen("Starting the stand-in", fault))

    def _progress(self, waited_s: float) -> None:
        self.waited_s = waited_s
