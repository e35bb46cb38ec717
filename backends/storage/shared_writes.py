"""Writes of several threads that share one transaction: a disk makes one of them durable as fast as all."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from backends.errors import BackendError

C = TypeVar("C")
T = TypeVar("T")


@dataclass
class _Write:
    """One piece of work and what came of it."""

    work: Callable[[Any], Any]
    done: bool = False
    result: Any = None
    fault: BaseException | None = None


_waiting: defaultdict[Hashable, list[_Write]] = defaultdict(list)
_lock = threading.Lock()


def write_together(
    place: Hashable,
    work: Callable[[C], T],
    transaction: Callable[[], AbstractContextManager[C]],
    turn: AbstractContextManager[object],
) -> T:
    """Do `work` within a `transaction`, durable on return, perhaps after and before that of other threads.

    A `BackendError` of `work` is raised and concerns nobody else; what it wrote before that stays. `place` says who
    write together, and `turn` is their lock: waiting there is fair and quick, for a file's lock it is neither.
    """
    mine = _Write(work)
    with _lock:
        _waiting[place].append(mine)
    with turn:
        if not mine.done:  # nobody has done it in the meantime, so it is done here with all that waits
            with _lock:
                together = _waiting.pop(place)
            _write(transaction, together)
    if mine.fault is not None:
        raise mine.fault
    found: T = mine.result
    return found


def _write(transaction: Callable[[], AbstractContextManager[Any]], together: list[_Write]) -> None:
    """All in one transaction; if that fails, each in its own, so that none suffers from another one's fault."""
    try:
        with transaction() as connection:
            for one in together:
                try:
                    one.result = one.work(connection)
                except BackendError as refusal:
                    one.fault = refusal
    except BaseException as fault:
        if len(together) > 1 and isinstance(fault, Exception):
            for one in together:
                one.fault = None
                _write(transaction, [one])
            return
        together[0].fault = fault
    finally:
        for one in together:
            one.done = True
