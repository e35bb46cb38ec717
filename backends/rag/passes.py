"""Passes of an embedder side by side, one core each.

One pass on all cores makes its threads meet after each of hundreds of small operations. Where anything else runs on
the machine they wait for each other: with two busy cores, passes side by side embedded three times as many texts a
second as one pass after another on both (November 2026).

The threads here are not the inference thread, but they work only while that one waits for them, and they end with the
work: as long as they lived, OpenMP counted more threads than cores and let its workers sleep at every meeting, which
slowed the inference thread down from 415 to 250 tokens a second of training (November 2026).
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import torch

from backends.rag import int8

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

_MOST = 16
"""Passes at once: beyond that they would wait for Python."""


class Passes:
    """Embeds documents with a model; with `eights`, in 8-bit layers where the processor is fast at that.

    Make it and use it on the inference thread.
    """

    def __init__(self, model: SentenceTransformer, eights: bool) -> None:
        if eights and int8.is_fast(model):
            model = _twin(model)
            int8.use_in(model[0])
        self.on_processor = model.device.type == "cpu"
        self.at_once = min(torch.get_num_threads(), _MOST) if self.on_processor else 1
        self._models = [model, *(_twin(model) for _ in range(self.at_once - 1))]

    def run(self, batches: Sequence[list[str]]) -> list[NDArray[np.float32]]:
        """The normalised vectors of each batch, which goes through the model in one pass."""
        if self.at_once == 1:
            return list(map(self._embed, batches))
        with _threads(self.at_once) as threads:
            return list(threads.map(self._embed, batches))

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        model = self._models.pop()
        try:
            vectors = model.encode_document(
                texts, batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
            )
        finally:
            self._models.append(model)
        return cast("NDArray[np.float32]", vectors)


def _twin(model: SentenceTransformer) -> SentenceTransformer:
    """A copy with a tokenizer of its own, which two threads cannot share, and with the same tensors."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def _threads(count: int) -> ThreadPoolExecutor:
    """Threads among which the cores are divided. Leave it as a context, so that they end."""
    cores = torch.get_num_threads()
    all_started = threading.Barrier(count)

    def start() -> None:
        torch.set_num_threads(max(1, cores // count))
        all_started.wait()

    threads = ThreadPoolExecutor(count, thread_name_prefix="embedding", initializer=start)
    list(threads.map(lambda _: None, range(count)))
    torch.set_num_threads(cores)  # what is set last holds for threads that are yet to come
    return threads
