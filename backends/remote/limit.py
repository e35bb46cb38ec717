"""How many requests may be under way to one server with one key: fewer after a refusal, one more after successes.

Additive increase, multiplicative decrease: Chiu and Jain, "Analysis of the increase and decrease algorithms for
congestion avoidance in computer networks", Computer Networks and ISDN Systems 17 (1989).
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from dataclasses import dataclass

_LOOK_UP_S = 0.05


@dataclass(frozen=True, slots=True)
class RequestSlot:
    """A permission to send one request; `era` counts the decreases before it was given."""

    era: int


class Limit:
    """Places at one server. First come, first served; safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._condition = threading.Condition()
        self._line: deque[object] = deque()
        self._most = self._now = most
        self._taken = 0
        self._successes = 0
        self._era = 0

    @property
    def current(self) -> int:
        """How many requests may be under way at this moment."""
        with self._condition:
            return self._now

    def set_maximum(self, most: int) -> None:
        """Set the largest number of places; a smaller one holds from the next request on."""
        with self._condition:
            self._now = most if self._now == self._most else min(self._now, most)
            self._most = most
            self._condition.notify_all()

    def try_enter(self) -> RequestSlot | None:
        """A place, if one is free and nobody waits; else None at once."""
        with self._condition:
            return self._grant() if not self._line and self._taken < self._now else None

    def enter(self, cancel: threading.Event) -> RequestSlot | None:
        """Wait for a place; None if `cancel` is set."""
        me = object()
        with self._condition:
            self._line.append(me)
            try:
                while self._line[0] is not me or self._taken >= self._now:
                    if cancel.is_set():
                        return None
                    self._condition.wait(_LOOK_UP_S)
                return self._grant()
            finally:
                self._line.remove(me)
                self._condition.notify_all()

    def _grant(self) -> RequestSlot:
        self._taken += 1
        return RequestSlot(self._era)

    def leave(self, place: RequestSlot, *, refused: bool = False, succeeded: bool = False) -> None:
        """Give the place back.

        Too many requests (`refused`) halve the places, once for all requests that were under way together. As many
        successes in a row as there are places add one.
        """
        with self._condition:
            self._taken -= 1
            if refused and place.era == self._era:
                self._now, self._successes = max(1, self._now // 2), 0
                self._era += 1
            elif succeeded:
                self._successes += 1
                if self._successes >= self._now and self._now < self._most:
                    self._now, self._successes = self._now + 1, 0
            self._condition.notify_all()


_limits: dict[tuple[str, str], Limit] = {}
_limits_lock = threading.Lock()


def limit_of(base_url: str, key: str, most: int) -> Limit:
    """The one limit of this process for a server and a key. The key itself is not kept."""
    known_as = base_url.rstrip("/").lower(), hashlib.sha256(key.encode()).hexdigest()
    with _limits_lock:
        found = _limits.setdefault(known_as, Limit(most))
    found.set_maximum(most)
    return found


def forget_limits() -> None:
    """Start afresh, as a new process would."""
    with _limits_lock:
        _limits.clear()
