"""Embedding many texts in full batches, one turn of the machine for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from backends.lane import Cancelled
from backends.rag.embedder import BATCH_SIZE, Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Turn = Callable[[], AbstractContextManager[object]]
"""Gives the right to use the machine for one step of work, so that questions are answered between steps."""

WINDOW = 512
"""Chunks that are embedded together, from as many files as it takes: sorted by length, padded little."""


def embed(
    texts: Sequence[str], embedder: Embedder, cancel: threading.Event, turn: Turn
) -> Generator[int, None, NDArray[np.float32]]:
    """Yields after each batch how many texts are done; returns the vectors, shape (n, dimension).

    Raises `Cancelled`.
    """
    import numpy as np

    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    parts = []
    for start in range(0, len(order), BATCH_SIZE):
        if cancel.is_set():
            raise Cancelled
        with turn():
            parts.append(embedder.embed_documents([texts[place] for place in order[start : start + BATCH_SIZE]]))
        yield min(start + BATCH_SIZE, len(order))
    vectors = np.empty((len(order), parts[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(parts)
    return vectors
