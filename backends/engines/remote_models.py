"""The models that a server lists."""

from __future__ import annotations

import time

from backends.engines.remote_client import client_of
from backends.engines.remote_connection import Connection
from backends.engines.remote_stream import Attempt, Broken, Chunk

MOST_MODELS = 2000


class _Listing(Attempt):
    """GET /models, on a connection of its own."""

    def _read(self) -> None:
        for model in client_of(self._connection).models.list(timeout=self._timeout()):
            self._items.put(Chunk(getattr(model, "id", None), time.monotonic()))


def listed_models(connection: Connection, limit_s: float) -> list[str]:
    """What GET /models names, in order, at most `MOST_MODELS`. Raises what went wrong; `TimeoutError` at `limit_s`."""
    listing = _Listing(connection, {}, limit_s)
    listing.start()
    deadline = time.monotonic() + limit_s
    names: set[str] = set()
    try:
        while len(names) < MOST_MODELS:
            item = listing.next(deadline - time.monotonic())
            if isinstance(item, Broken):
                raise item.error
            if item is None:
                raise TimeoutError
            if not isinstance(item, Chunk):
                break
            if isinstance(item.value, str) and item.value:
                names.add(connection.redaction.text(item.value))
    finally:
        listing.close()
    return sorted(names)
