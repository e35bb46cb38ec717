"""How Ctrl-C and SIGTERM end the program: each raises once, and the exit status tells which it was.

Imports nothing large, so that it is in force before the rest of the program is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

_TWICE_S = 1.0
"""`timeout`, and a shell whose group is signalled, send the same signal twice in a moment: that counts once."""


class Terminated(KeyboardInterrupt):
    """SIGTERM; it unwinds the program as Ctrl-C does, so that what was started is also ended."""


def raise_on_signals() -> None:
    """From now on SIGINT raises `KeyboardInterrupt` and SIGTERM `Terminated`, in the main thread."""
    raised_at = -_TWICE_S

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal raised_at
        if time.monotonic() - raised_at >= _TWICE_S:
            raised_at = time.monotonic()
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as a shell sets it for what runs in the background
            signal.signal(number, stop)


def exit_status(stop: KeyboardInterrupt) -> int:
    """What a shell reports of a program that this signal ended: 130 or 143."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


def leave(status: int) -> None:
    """End the process now: threads that still load or compute are not waited for, and can write nothing more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
