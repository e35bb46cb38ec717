"""The one thread of this process that runs torch.

`generate` is not safe from several threads. And each thread that calls torch gets its own pool of OpenMP workers,
which spin on the cores that the other pools need and slow decoding down (docs/measurements.md).
So models, adapters and embedders all run here. Documents are embedded on
threads that have one core each and no pool, while this one waits for them (`backends.rag.search.passes`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_MOST_ROUNDS = 5
_NO_LONGER_FASTER = 0.9
"""A step that takes more than this share of the fastest one before it is measured no further."""


def stable_step_s(device: str, seconds: Callable[[], float]) -> float:
    """Seconds that a step takes once it no longer gets faster. `seconds` does it once and measures it.

    It is done at most six times.

    A GPU loads its kernels on first use, for each shape, which takes longer than the work itself
    (docs/measurements.md). On a processor the work is done once.
    """
    best = seconds()
    for _ in range(0 if device == "cpu" else _MOST_ROUNDS):
        spent = seconds()
        if spent > _NO_LONGER_FASTER * best:
            break
        best = spent
    return best


_P = ParamSpec("_P")
_T = TypeVar("_T")

_thread = ThreadPoolExecutor(1, thread_name_prefix="inference")


def submit(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
    """Run `function` on the inference thread, after what is already waiting there."""
    return _thread.submit(function, *args, **kwargs)


def run(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run `function` on the inference thread and wait for its result; its exception is raised here."""
    if threading.current_thread().name.startswith("inference"):
        return function(*args, **kwargs)
    return submit(function, *args, **kwargs).result()
