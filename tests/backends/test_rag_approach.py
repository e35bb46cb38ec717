"""The retrieval column over the sample documents, with the real embedder and the real default weights."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backends.base import Answer, Loading, Question, Retrieved, Usage
from backends.compare import compare
from backends.rag.approach import SAMPLE_DOCUMENTS, RagBackend, open_index
from backends.rag.prompt import REFUSAL
from backends.raw import RawBackend
from backends.settings import Settings, load_settings
from backends.timing import measured

KETTLE = "Within how many days of delivery can an unopened kettle be sent back?"


@pytest.fixture(scope="module")
def data(model_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the default weights and an index of its own."""
    folder = tmp_path_factory.mktemp("rag_data")
    (folder / "models").symlink_to(model_data / "models")
    return folder


@pytest.fixture(scope="module")
def indexed(data: Path) -> list[str]:
    """What the first load says; afterwards the sample documents are indexed."""
    settings = load_settings({"data": data})
    backend = RagBackend(settings, RawBackend(settings))
    return [event.what for event in backend.load(threading.Event())]


def settings_of(data: Path, **rag: object) -> Settings:
    """Short answers, and the retrieval settings given."""
    return load_settings({"data": data, "max_tokens": 6} | {f"rag.{name}": value for name, value in rag.items()})


def ask(settings: Settings, text: str) -> Answer:
    """The answer, through the comparison."""
    backend = RagBackend(settings, RawBackend(settings))
    *_, (_, last) = compare([backend], settings.question(text), threading.Event())
    assert isinstance(last, Answer)
    return last


def test_the_sample_documents_are_indexed_by_the_first_load(data: Path, indexed: list[str]) -> None:
    files = sorted(file.name for file in SAMPLE_DOCUMENTS.iterdir())
    assert [what for what in indexed if what.startswith("indexing")] == [
        f"indexing the sample documents, {number} of {len(files)}" for number in range(1, len(files) + 1)
    ]
    assert sorted(document.name for document in open_index(settings_of(data)).documents()) == files


def test_the_second_load_indexes_nothing(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data)
    before = open_index(settings).documents(), open_index(settings).count()
    backend = RagBackend(settings, RawBackend(settings))
    assert list(backend.load(threading.Event())) == []
    assert (open_index(settings).documents(), open_index(settings).count()) == before
    assert before[1] > len(before[0]) > 0


def test_an_answer_shows_where_it_comes_from(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data, k=3)
    answer = ask(settings, KETTLE)
    assert answer.status in ("ok", "truncated")
    assert answer.model == (
        "HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1 weights) + handbook searched with "
        "sentence-transformers/all-MiniLM-L6-v2"
    )
    assert answer.sources == open_index(settings).search(KETTLE, 3, settings.rag.min_score)
    assert len(answer.sources) == 3
    source = next(source for source in answer.sources if source.document == "returns-policy.pdf")
    assert source.page in (1, 2, 3)
    assert 0.25 <= source.score <= 1
    assert source.end - source.start == len(source.text) > 0
    scores = [source.score for source in answer.sources]
    assert scores == sorted(scores, reverse=True)


def test_the_passages_are_in_the_prompt_and_in_the_latency(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data, k=2), KETTLE)
    (prompt,) = [trace.value for trace in answer.traces if trace.name == "prompt"]
    for number, source in enumerate(answer.sources, start=1):
        page = f", page {source.page}" if source.page else ""
        assert f"[{number}] {source.document}{page}\n<<<\n" in prompt
    assert f"Question: {KETTLE}" in prompt
    times = answer.timings
    assert times.retrieval_s is not None
    assert times.ttft_s is not None
    assert times.latency_s is not None
    assert 0 < times.retrieval_s <= times.ttft_s <= times.latency_s
    assert (answer.usage.prompt_tokens or 0) > 100


def test_a_question_that_the_documents_do_not_answer(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data, min_score=0.9), "What is the capital of Mongolia?")
    assert (answer.status, answer.text, answer.finish_reason) == ("ok", REFUSAL, "stop")
    assert REFUSAL == "The documents do not say."
    assert answer.sources == ()
    assert answer.usage == Usage(0, 0, source="tokenizer")
    assert [trace for trace in answer.traces if trace.name == "prompt"] == []  # no model was asked


def test_a_collection_that_is_not_there(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data, collection="annual reports"), KETTLE)
    assert (answer.status, answer.text, answer.sources) == ("error", "", ())
    assert answer.error == (
        "The collection annual reports is empty. "
        "Index documents with `crossroads index PATH --collection 'annual reports'`."
    )


def test_the_passages_are_shown_before_the_text(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data)
    backend = RagBackend(settings, RawBackend(settings))
    names = [type(event).__name__ for event in measured(backend, settings.question(KETTLE), threading.Event())]
    names = [name for name in names if name != Loading.__name__]
    assert names[:3] == ["Started", Retrieved.__name__, "Trace"]
    assert names[-2:] == ["Finished", "Answer"]


def test_an_answer_that_is_cancelled_keeps_its_sources(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data)
    cancel = threading.Event()
    question = Question(KETTLE, max_tokens=400)
    last: object = None
    for _, last in compare([RagBackend(settings, RawBackend(settings))], question, cancel):
        if isinstance(last, Retrieved):
            cancel.set()
    assert isinstance(last, Answer)
    assert last.status == "cancelled"
    assert len(last.sources) == settings.rag.k
