"""A child that parses documents and is kept from one test to the next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backends.rag.documents.parser import ExtractProcess


class WarmParser:
    """Stands for `ExtractProcess`, and hands out one child again and again: each would take a second to start.

    While that one is in use, others are started.
    """

    def __init__(self, child: ExtractProcess) -> None:
        self._child = child
        self._free = threading.Lock()

    @contextmanager
    def __call__(self, limit_s: float) -> Iterator[ExtractProcess]:
        if not self._free.acquire(blocking=False):
            with ExtractProcess(limit_s) as child:
                yield child
            return
        try:
            yield self._child
        finally:
            self._free.release()
