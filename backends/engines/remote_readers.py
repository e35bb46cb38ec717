"""Threads that read from servers, kept for a while for the next one: starting a thread holds up every other one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_KEPT_S = 10.0

Work = Callable[[], None]

_idle: list[queue.SimpleQueue[Work]] = []
_lock = threading.Lock()


def read(work: Work) -> None:
    """Do `work` on a reading thread; returns at once. It must not raise.

    The threads are daemons: one that is stuck (name resolution cannot be interrupted) does not hold up the exit.
    """
    with _lock:
        inbox = _idle.pop() if _idle else None
    if inbox is None:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="remote-answer", daemon=True).start()
    inbox.put(work)


def _serve(inbox: queue.SimpleQueue[Work]) -> None:
    while True:
        try:
            work = inbox.get(timeout=_KEPT_S)
        except queue.Empty:
            with _lock:
                if inbox in _idle:  # else somebody has just taken it, and work is on its way
                    _idle.remove(inbox)
                    return
            continue
        work()
        with _lock:
            _idle.append(inbox)
