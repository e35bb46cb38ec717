"""The one thread of this process that runs torch.

`generate` is not safe from several threads. And each thread that calls torch gets its own pool of OpenMP workers,
which spin on the cores that the other pools need: with two such threads, decoding on two cores dropped from
27 to 16 tokens a second (November 2026). So models, adapters and embedders all run here. Documents are embedded on
threads that have one core each and no pool, while this one waits for them (`backends.rag.passes`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

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
