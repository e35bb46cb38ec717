"""The chunks nearest to a vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.rag.library import Library, Serving
from backends.rag.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def nearest(
    library: Library,
    serving: Serving,
    store: Store,
    vector: NDArray[np.float32],
    n: int,
    documents: Sequence[str] | None,
) -> list[tuple[int, float]]:
    """Row and cosine similarity of the `n` nearest chunks (of these documents), best first.

    The store may hold rows that are being written and not listed yet: they are left out, and more is asked for if
    they take the places of others.
    """
    if documents is not None:
        return store.nearest(vector, n, serving.known, library.numbers(documents))
    stale = library.stale(serving.store)
    asked = n
    while True:
        found = [hit for hit in store.nearest(vector, asked, serving.known, None) if hit[0] not in stale]
        if len(found) >= n or asked >= n + len(stale):
            return found[:n]
        asked = min(asked * 4, n + len(stale))
