"""RAG with a writer that was taught to read: its name, its own adapter, and its refusals."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backends.base import Answer, Finished, Question, TextDelta, Usage
from backends.rag import approach
from backends.rag.approach import RagBackend
from backends.rag.prompt import REFUSAL
from backends.run.timing import run_timed
from backends.settings import DEFAULT_EMBEDDER, Settings, load_settings
from tests.backends.rag.quick import QuickEmbedder
from tests.evaluation.reading_collection import filled
from tests.scripted import Scripted


class Refusing(Scripted):
    """A small writer that says that the documents do not say."""

    def __init__(self, reader: str) -> None:
        super().__init__(TextDelta(REFUSAL), Finished(Usage(1, 1, source="tokenizer"), "stop"))
        self._reader = reader

    @property
    def reader(self) -> str:
        return self._reader

    @property
    def parameters(self) -> int:
        return 1_000


@pytest.fixture
def settings(data: Path, tmp_path: Path, quick: QuickEmbedder, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, data), quick)
    filled(data, tmp_path / "documents", quick)
    return load_settings({"data": data, "rag.min_score": -1})


def answer(settings: Settings, reader: str) -> Answer:
    question: Question = settings.question("When are unused days lost?")
    *_, last = run_timed(RagBackend(settings, Refusing(reader)), question, threading.Event())
    assert isinstance(last, Answer)
    return last


def test_the_column_names_the_adapter_that_reads(settings: Settings) -> None:
    assert RagBackend(settings, Refusing("mine")).model.startswith("reads with adapter mine: ")
    assert not RagBackend(settings, Refusing("")).model.startswith("reads")


def test_a_reader_may_refuse_and_a_small_base_refuses_by_chance(settings: Settings) -> None:
    assert answer(settings, "mine").text == REFUSAL
    assert "Unused days are lost in March." in answer(settings, "").text


def test_rag_may_write_with_another_adapter_than_the_fine_tuned_column(settings: Settings) -> None:
    rag = settings.rag.model_copy(update={"generator": "fine_tuned", "adapter": "mine"})
    chosen = settings.model_copy(update={"rag": rag})
    assert "adapter mine" in approach.make(chosen).model
    assert (
        "adapter brambleworth"
        in approach.make(chosen.model_copy(update={"rag": rag.model_copy(update={"adapter": None})})).model
    )
