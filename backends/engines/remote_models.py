"""The models that a server lists."""

from __future__ import annotations

import ssl
import time

from openai import OpenAI

from backends.engines.remote_connection import NO_KEY, Connection
from backends.engines.remote_stream import Attempt, Broken, Chunk

MOST_MODELS = 2000


class _Listing(Attempt):
    """GET /models, on a connection of its own."""

    def _read(self) -> None:
        with self._http_client() as http:
            client = OpenAI(
                api_key=self._connection.key or NO_KEY,
                base_url=self._connection.base_url,
                max_retries=0,
                timeout=http.timeout,
                http_client=http,
            )
            for model in client.models.list():
                self._items.put(Chunk(getattr(model, "id", None), time.monotonic()))


def listed_models(connection: Connection, limit_s: float, tls: ssl.SSLContext | None = None) -> list[str]:
    """What GET /models names, in order, at most `MOST_MODELS`. Raises what went wrong; `TimeoutError` at `limit_s`."""
    listing = _Listing(connection, {}, limit_s, tls)
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
                names.add(item.value)
    finally:
        listing.close()
    return sorted(names)
