"""Approach 4: passages are found in the index and put into the prompt of another approach."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from backends.base import (
    Backend,
    BackendError,
    BackendEvent,
    Cost,
    Finished,
    Loading,
    Question,
    Retrieved,
    TextDelta,
    Timings,
    Usage,
)
from backends.lane import THIS_MACHINE
from backends.rag.embedder import Embedder
from backends.rag.index import Index
from backends.rag.prompt import REFUSAL, build_prompt, fit
from backends.settings import RagSettings, Settings
from backends.weights import resolve

SAMPLE_COLLECTION = RagSettings().collection
SAMPLE_DOCUMENTS = Path(__file__).resolve().parents[2] / "sample_docs" / "handbook"

PROMPT_CHARACTERS = 12_000
"""Passages in a prompt are at most this long together, about 3,000 tokens of English."""

_embedders: dict[tuple[str, Path], Embedder] = {}
_embedders_lock = threading.Lock()


def embedder(settings: Settings) -> Embedder:
    """The embedder in force, one per process. Raises `BackendError` if its weights cannot be had."""
    key = (settings.rag.embedder, settings.data)
    with _embedders_lock:
        if key not in _embedders:
            weights = resolve(settings.rag.embedder, settings.data)
            identity = f"{weights.model_id}@{weights.revision}"
            _embedders[key] = Embedder(weights.folder, settings.raw.device, identity)
        return _embedders[key]


def open_index(settings: Settings) -> Index:
    """The collection in force."""
    return Index(settings.data, settings.rag.collection, embedder(settings), settings.rag)


class RagBackend(Backend):
    """Searches the collection, then lets `generator` answer from what was found.

    If nothing is similar enough, it says so itself and asks no model.
    """

    approach = "rag"

    def __init__(self, settings: Settings, generator: Backend) -> None:
        self.settings = settings
        self.lane = THIS_MACHINE
        self.stand_in = generator.stand_in
        self._generator = generator
        self._index: Index | None = None

    @property
    def model(self) -> str:
        return f"{self._generator.model} + {self.settings.rag.collection} searched with {self.settings.rag.embedder}"

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Generator, embedder and index. The sample collection is filled by itself the first time."""
        yield from self._generator.load(cancel)
        model = embedder(self.settings)
        if not model.loaded:
            yield Loading(f"loading {self.settings.rag.embedder}")
            model.load()
        self._index = open_index(self.settings)
        if self.settings.rag.collection == SAMPLE_COLLECTION and self._index.count() == 0:
            for step in self._index.add([SAMPLE_DOCUMENTS], cancel):
                yield Loading(f"indexing the sample documents, {step.files_done} of {step.files_total}")
        self._index.check()

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        if self._index is None:
            raise BackendError("The index is not open.", "Ask again.")
        found = self._index.search(question.text, self.settings.rag.k, self.settings.rag.min_score)
        passages = fit(found, PROMPT_CHARACTERS)
        yield Retrieved(passages)
        if not passages:
            yield TextDelta(REFUSAL)
            yield Finished(Usage(0, 0, source="tokenizer"), "stop")
            return
        prompt = build_prompt(question.text, passages)
        yield from self._generator.stream(replace(question, text=prompt), cancel)

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """What the generator charges; where it charges tokens, the time of the search on this machine is not in it."""
        return self._generator.cost(usage, timings)
