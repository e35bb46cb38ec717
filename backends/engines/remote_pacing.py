"""Clocks, waiting and backoff of a remote engine, in one place so that tests can do without real time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.5, 8.0
"""The openai SDK's own limits (its INITIAL_RETRY_DELAY and MAX_RETRY_DELAY)."""


@dataclass(frozen=True)
class Pacing:
    """`wait(cancel, seconds)` returns early and True if `cancel` is set; `jitter` gives 0 to 1.

    `clock` is monotonic, `wall_clock` is Unix time (for a Retry-After that is a date); both in seconds.
    """

    wait: Callable[[threading.Event, float], bool] = lambda cancel, duration_s: cancel.wait(duration_s)
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time

    def backoff_s(self, retry: int) -> float:
        """Seconds to wait before the `retry`-th retry (1, 2, ...): by chance up to a limit that doubles.

        "Full jitter" of M. Brooker, "Exponential backoff and jitter", AWS Architecture Blog (2015).
        """
        return min(FIRST_BACKOFF_S * 2.0 ** (retry - 1), LONGEST_BACKOFF_S) * (1 - self.jitter())
