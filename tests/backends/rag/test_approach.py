"""The retrieval column over the sample documents, with the real embedder and the real default weights."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import backends
from backends.base import (
    Answer,
    Backend,
    BackendEvent,
    BelowThreshold,
    Cost,
    Event,
    Loading,
    Note,
    Question,
    Retrieved,
    TextDelta,
    Timings,
    Usage,
)
from backends.errors import BackendError
from backends.models.generate import build_prompt as built_for_model
from backends.models.local import in_memory
from backends.paid_api import PaidApiBackend
from backends.rag.approach import (
    NEAREST,
    PROMPT_CHARACTERS,
    SAMPLE_DOCUMENTS,
    RagBackend,
    example_passages,
    open_index,
    open_searcher,
)
from backends.rag.evidence.answer import check
from backends.rag.prompt import REFUSAL, build_prompt
from backends.raw import RawBackend
from backends.registry import writers
from backends.run.compare import compare
from backends.run.lane import THIS_MACHINE, lane
from backends.run.timing import run_timed
from backends.settings import DEFAULT_MODEL, Settings, load_settings
from backends.spend.estimate import expect_cost
from tests.scripted import Gate, Scripted, finished

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


def ask(settings: Settings, text: str, generator: Backend | None = None) -> Answer:
    """The answer, through the comparison."""
    backend = RagBackend(settings, generator or RawBackend(settings))
    *_, (_, last) = compare([backend], settings.question(text), threading.Event())
    assert isinstance(last, Answer)
    return last


class Windowed(Scripted):
    """Has room for so many characters, and says so only if `known`."""

    def __init__(self, characters: int, known: bool = True) -> None:
        super().__init__(TextDelta("Yes."), finished())
        self.characters = characters
        self.known = known

    def fits(self, question: Question) -> bool | None:
        return len(question.text) <= self.characters if self.known else None


# --- loading ------------------------------------------------------------------------------------


def test_the_sample_documents_are_indexed_by_the_first_load(data: Path, indexed: list[str]) -> None:
    files = sorted(file.name for file in SAMPLE_DOCUMENTS.iterdir())
    assert [what for what in indexed if what.startswith("indexing")] == [
        "indexing the sample documents",
        *(f"indexing the sample documents, {number} of {len(files)}" for number in range(1, len(files) + 1)),
    ]
    assert sorted(document.name for document in open_index(settings_of(data)).documents()) == files


def test_the_second_load_indexes_nothing(data: Path, indexed: list[str]) -> None:
    settings = load_settings({"data": data})
    before = open_index(settings).documents(), open_index(settings).count()
    backend = RagBackend(settings, RawBackend(settings))
    assert list(backend.load(threading.Event())) == []
    assert (open_index(settings).documents(), open_index(settings).count()) == before
    assert before[1] > len(before[0]) > 0
    identity = {"collection": "handbook", "version": open_index(settings).version}
    assert backend.identity.items() >= {**identity, "revision": "b179c9523d0e"}.items()


def test_a_collection_that_is_not_there(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data, collection="annual reports"), KETTLE, Windowed(10_000))
    assert (answer.status, answer.text, answer.sources) == ("error", "", ())
    assert answer.error == (
        "The collection annual reports is empty. "
        "Index documents with `crossroads index PATH --collection 'annual reports'`."
    )


def test_a_damaged_index_says_where_it_is_rebuilt(model_data: Path, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(model_data / "models")
    settings = settings_of(tmp_path, collection="small")
    (tmp_path / "kettles.md").write_text("Kettles may be returned within 45 days.")
    assert "kettles.md" in [
        step.file for step in open_index(settings).add([tmp_path / "kettles.md"], threading.Event())
    ]
    for folder in (tmp_path / "index").glob("v-*"):
        shutil.rmtree(folder)
    answer = ask(settings, KETTLE, Windowed(10_000))
    assert answer.status == "error"
    assert answer.error is not None
    assert answer.error.startswith("The vectors of the collection small are ")
    assert "Rebuild it on the RAG page. Or: " in answer.error
    list(open_index(settings).rebuild(threading.Event()))
    assert ask(settings, KETTLE, Windowed(10_000)).status == "ok"


# --- answering ----------------------------------------------------------------------------------


def test_an_answer_shows_where_it_comes_from(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data, k=3, context="passages", unsupported="show")
    answer = ask(settings, KETTLE)
    assert answer.status in ("ok", "truncated")
    assert answer.model == (
        "HuggingFaceTB/SmolLM2-135M-Instruct (Q4_1 weights) + handbook searched with "
        "sentence-transformers/all-MiniLM-L6-v2"
    )
    found = open_searcher(settings).search(KETTLE, 3, min_score=settings.rag.min_score)
    assert answer.sources == tuple(hit.passage for hit in found.hits)
    assert len(answer.sources) == 3
    source = next(source for source in answer.sources if source.document == "returns-policy.pdf")
    assert source.page in (1, 2, 3)
    assert 0.25 <= source.score <= 1
    assert source.end - source.start == len(source.text) > 0
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


def test_a_small_writer_reads_sentences_and_is_checked(data: Path, indexed: list[str]) -> None:
    settings = load_settings({"data": data, "max_tokens": 60})
    answer = ask(settings, KETTLE)
    found = open_searcher(settings).search(KETTLE, 3, min_score=settings.rag.min_score)
    best = found.sentences[: settings.rag.sentences]
    assert answer.sources == tuple(one.passage for one in best if one.score >= 0.4 * best[0].score)
    assert "returns-policy-2022-superseded.md" in {one.document for one in answer.beside if one.superseded}
    assert not set(answer.beside) & set(answer.sources)
    (prompt,) = [trace.value for trace in answer.traces if trace.name == "prompt"]
    assert "may be returned within 45 days" in prompt
    sentences = check(answer, KETTLE).sentences
    assert all(one.verdict != "unsupported" for one in sentences)
    if answer.draft:
        assert answer.draft.latency_s < (answer.timings.latency_s or 0)


def test_the_quote_needs_no_model(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data, generator="quote", context="passages")  # which is for writers that read
    backend = backends.make("rag", settings)
    *_, (_, answer) = compare([backend], settings.question(KETTLE), threading.Event())
    assert isinstance(answer, Answer)
    assert answer.model.startswith("no model: quoted word for word + handbook searched with ")
    assert "kettles and grinders whose inner seal is unbroken may be returned within 45 days" in answer.text
    assert "[1]" in answer.text
    assert (answer.usage, answer.finish_reason) == (Usage(0, 0, source="tokenizer"), "stop")
    assert answer.cost.usd is not None


def test_the_search_can_be_looked_into(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data, k=2, mode="fused"), KETTLE, Windowed(10_000))
    (trace,) = [json.loads(trace.value) for trace in answer.traces if trace.name == "search"]
    assert trace["mode"] == "fused"
    assert set(trace["seconds"]) >= {"embed", "dense", "keyword", "fuse"}
    assert [hit["chunk_id"] for hit in trace["hits"]] == [source.chunk_id for source in answer.sources]
    assert [hit["fused"]["rank"] for hit in trace["hits"]] == [1, 2]
    assert all(hit["reranked"] is None for hit in trace["hits"])


def test_a_question_that_the_documents_do_not_answer(data: Path, indexed: list[str]) -> None:
    generator = Windowed(10_000)
    answer = ask(settings_of(data, min_score=0.9), "What is the capital of Mongolia?", generator)
    assert (answer.status, answer.text, answer.finish_reason) == ("below_threshold", REFUSAL, "stop")
    assert REFUSAL == "The documents do not say."
    assert answer.sources == ()
    assert answer.usage == Usage(0, 0, source="tokenizer")
    assert generator.asked == []
    below = answer.below_threshold
    assert below is not None
    assert below.refused
    assert (len(below.nearest), below.threshold) == (NEAREST, 0.9)
    assert below.best == below.nearest[0][1] < 0.9
    assert answer.error == (
        f"Nothing answers well enough ({below.best:.2f}, the threshold is 0.9). "
        'Choose "Answer anyway" (rag.answer_anyway), or lower "Threshold" (rag.min_score).'
    )


def test_it_is_answered_anyway_where_that_is_wanted(data: Path, indexed: list[str]) -> None:
    generator, question = Windowed(10_000), "What is the capital of Mongolia?"
    answer = ask(settings_of(data, min_score=0.9, answer_anyway=True), question, generator)
    assert (answer.status, answer.error) == ("ok", None)
    assert len(generator.asked) == 1
    assert len(answer.sources) == 3
    below = answer.below_threshold
    assert below is not None
    assert (below.refused, below.threshold) == (False, 0.9)
    assert ask(settings_of(data, answer_anyway=True), KETTLE, generator).below_threshold is None


def test_a_question_without_a_word_to_look_for_is_refused_whatever_is_near(data: Path, indexed: list[str]) -> None:
    generator = Windowed(10_000)
    answer = ask(settings_of(data, min_score=-1.0), "the of and", generator)
    assert (answer.status, answer.sources, generator.asked) == ("below_threshold", (), [])
    assert answer.error == (
        "The question holds no word to look for. "
        'Ask with words of what you want to know, or choose "Answer anyway" (rag.answer_anyway).'
    )
    anyway = ask(settings_of(data, min_score=-1.0, answer_anyway=True), "the of and", generator)
    assert (anyway.status, len(generator.asked)) == ("ok", 1)


@pytest.mark.parametrize(
    ("best", "threshold", "sentence"),
    [
        (0.0312, 0.05, "Nothing answers well enough (0.03, the threshold is 0.05)."),
        (0.0479, 0.05, "Nothing answers well enough (0.048, the threshold is 0.05)."),
        (0.04999999, 0.05, "Nothing answers well enough (just less, the threshold is 0.05)."),
        (None, 0.05, "Nothing was found that could answer."),
    ],
)
def test_both_figures_are_told_apart(best: float | None, threshold: float, sentence: str) -> None:
    assert BelowThreshold(best, threshold).sentence == sentence


def test_recorded_answers_write_no_new_ones(data: Path, indexed: list[str]) -> None:
    recorded = {"connections.old.recorded": "answers.json", "rag.generator": "paid_api:old", "data": data}
    settings = load_settings(recorded)
    assert writers(settings) == ("raw", "fine_tuned", "paid_api")
    answer = ask(settings, KETTLE, Windowed(10_000))
    assert (answer.status, answer.error) == (
        "error",
        "paid_api:old shows recorded answers and writes no new ones. Choose another writer.",
    )


def test_the_passages_are_shown_before_the_text(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data)
    backend = RagBackend(settings, Windowed(10_000))
    names = [type(event).__name__ for event in run_timed(backend, settings.question(KETTLE), threading.Event())]
    names = [name for name in names if name != Loading.__name__]
    assert names == ["Started", "Retrieved", "Trace", "TextDelta", "Finished", "Answer"]


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
    assert len(last.sources) == settings.rag.sentences


# --- as much as fits ----------------------------------------------------------------------------


def test_the_local_context_is_filled_exactly_and_not_beyond(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data, k=10, merge_above=1, context="passages")
    raw = RawBackend(settings)
    list(raw.load(threading.Event()))
    for max_tokens, kept in ((6, 10), (7000, None)):
        question = Question(KETTLE, settings.system_prompt, max_tokens=max_tokens)
        backend = RagBackend(settings, raw)
        list(backend.load(threading.Event()))
        stream = backend.stream(question, threading.Event())
        events: list[BackendEvent] = []
        while not events or getattr(events[-1], "name", "") != "prompt":
            events.append(next(stream))
        stream.close()  # type: ignore[attr-defined]
        (sources,) = [event.passages for event in events if isinstance(event, Retrieved)]
        notes = [event.text for event in events if isinstance(event, Note)]
        if kept:
            assert (len(sources), notes) == (kept, [])
            continue
        assert 1 <= len(sources) < 10
        left = 10 - len(sources)
        assert notes == [
            f"{left} of 10 passages {'was' if left == 1 else 'were'} left out, to leave room for the answer."
        ]
        (prompt,) = [event.value for event in events if getattr(event, "name", "") == "prompt"]
        tokens = len(raw.base.tokenizer(prompt, add_special_tokens=False).input_ids)
        assert tokens + max_tokens <= 8192
        assert tokens == built_for_model(raw.base, replace(question, text=build_prompt(KETTLE, sources))).tokens


def test_passages_are_left_out_until_the_prompt_fits(data: Path, indexed: list[str]) -> None:
    generator = Windowed(1600)
    answer = ask(settings_of(data, k=5), KETTLE, generator)
    assert 1 <= len(answer.sources) < 5
    assert len(generator.asked[0].text) <= 1600
    left = 5 - len(answer.sources)
    assert answer.notes == (
        f"{left} of 5 passages {'was' if left == 1 else 'were'} left out, to leave room for the answer.",
    )
    assert f"[{len(answer.sources)}] " in generator.asked[0].text
    assert f"[{len(answer.sources) + 1}] " not in generator.asked[0].text


def test_without_room_for_a_passage_there_is_a_sentence_with_numbers(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data), KETTLE, Windowed(300))
    assert (answer.status, answer.text, answer.sources) == ("error", "", ())
    assert answer.error == (
        f"A question of {len(KETTLE)} characters and an answer of up to 6 tokens leave no room for a passage in the "
        'context of scripted answers (raw). Shorten the question or lower "Answer length" (max_tokens).'
    )


def test_an_unknown_window_has_a_budget_of_characters(data: Path, indexed: list[str]) -> None:
    generator = Windowed(0, known=False)
    answer = ask(settings_of(data, k=50, min_score=-1, merge_above=1), KETTLE, generator)
    asked = generator.asked[0].text
    assert len(asked) <= PROMPT_CHARACTERS
    assert len(asked) + 800 > PROMPT_CHARACTERS
    why = "12,000 characters, since the context of scripted answers (raw) is not known."
    assert answer.notes[0].endswith(f"passages were left out, to keep the prompt within {why}")
    answer = ask(settings_of(data), KETTLE + " Please." * 1_500, Windowed(0, known=False))
    assert answer.error == (
        f"A question of 12,069 characters leaves no room for a passage: a prompt is kept within {why} "
        "Shorten the question."
    )


class Unsent(PaidApiBackend):
    """A paid model that is not really asked."""

    text = ""

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        yield from ()

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        self.text = question.text
        yield TextDelta("Yes.")
        yield finished()


@pytest.mark.parametrize(("model", "window"), [("gpt-4.1-mini", 1_000_000), ("gpt-4", 8192)])
def test_a_paid_model_of_known_window_reads_as_many_passages_as_fit(
    data: Path, indexed: list[str], model: str, window: int
) -> None:
    given = {"data": data, "max_tokens": 4000, "rag.k": 50, "rag.min_score": -1, "rag.merge_above": 1}
    settings = load_settings(given | {"paid_api.model": model})
    writer = Unsent(settings)
    answer = ask(settings, KETTLE, writer)
    count = writer.prompt_tokens(settings.question(writer.text))
    assert count is not None
    assert len(writer.text) > PROMPT_CHARACTERS
    assert count.tokens + 4000 <= window
    if left := 50 - len(answer.sources):
        assert count.tokens + 4000 > window - 400, "one more would not have fitted"
        assert answer.notes == (f"{left} of 50 passages were left out, to leave room for the answer.",)
    assert bool(left) is (model == "gpt-4")


# --- who writes ---------------------------------------------------------------------------------


class Elsewhere(Scripted):
    """Computes elsewhere, stands in for something, and charges by token."""

    stand_in = True

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return Cost(None, f"for {usage.completion_tokens} tokens")


def test_what_the_generator_is_and_charges_is_what_counts(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data)
    generator = Elsewhere(TextDelta("Yes."), finished(9), approach="paid_api")
    answer = ask(settings, KETTLE, generator)
    assert (answer.approach, answer.stand_in, answer.text) == ("rag", True, "Yes.")
    assert (answer.usage.completion_tokens, answer.cost.basis) == (9, "for 9 tokens")
    assert answer.model.startswith("scripted answers (paid_api) + handbook searched with ")
    assert generator.asked[0].text.endswith(f"Question: {KETTLE}")


def test_a_local_generator_keeps_its_turn_and_a_remote_one_gives_it_back(data: Path) -> None:
    settings = settings_of(data)
    assert not RagBackend(settings, RawBackend(settings)).lane_until_retrieved
    remote = RagBackend(settings, PaidApiBackend(settings))
    assert (remote.lane, remote.lane_until_retrieved) == (THIS_MACHINE, True)
    here = load_settings({"data": data, "paid_api.on_this_machine": True})
    assert not RagBackend(here, PaidApiBackend(here)).lane_until_retrieved


def test_the_next_one_computes_while_a_remote_generator_is_waited_for(data: Path, indexed: list[str]) -> None:
    settings = settings_of(data)
    gate = Gate()
    generator = Scripted(gate, TextDelta("Yes."), finished(), approach="paid_api")
    second = Scripted(TextDelta("Me too."), finished(), approach="raw", lane=THIS_MACHINE)
    events = compare([RagBackend(settings, generator), second], settings.question(KETTLE), threading.Event())
    done = dict(_until(events, "raw"))
    assert done["raw"].text == "Me too."
    assert not gate.opened.is_set()
    gate.opened.set()
    done = dict(_until(events, "rag"))
    assert done["rag"].text == "Yes."
    assert done["rag"].timings.retrieval_s is not None
    place = lane(THIS_MACHINE).join("test")
    with lane(THIS_MACHINE).turn(place, threading.Event()):
        assert lane(THIS_MACHINE).behind(place) == ()


def _until(events: Iterator[tuple[str, Event]], approach: str) -> Iterator[tuple[str, Answer]]:
    for name, event in events:
        if isinstance(event, Answer):
            yield name, event
            if name == approach:
                return


def test_filters_narrow_the_answer_down_and_are_said(data: Path, indexed: list[str]) -> None:
    answer = ask(settings_of(data, formats=["text"], min_score=-1), KETTLE, Windowed(10_000))
    assert {passage.document.rpartition(".")[2] for passage in answer.sources} == {"txt"}
    assert answer.notes == ("Searched nothing but format text.",)
    nobody = Windowed(10_000)
    answer = ask(settings_of(data, formats=["text"], languages=["xx"]), KETTLE, nobody)
    assert (answer.status, nobody.asked) == ("error", [])
    assert answer.error == (
        "No document of the collection passes the filters (format text, language xx). Change or remove the filters."
    )


# --- before it is asked ---------------------------------------------------------------------------


def named(data: Path) -> Settings:
    """RAG written by the model of a connection, which is the one in memory here."""
    connection = {"base_url": "http://127.0.0.1:9/v1", "model": DEFAULT_MODEL}
    price = {"price.input_usd": "1", "price.output_usd": "0", "price.date": "2026-11-01"}
    given = {f"connections.own.{name}": value for name, value in (connection | price).items()}
    return load_settings({"data": data, "rag.generator": "paid_api:own"} | given)


def test_a_named_connection_writes_and_is_named(data: Path) -> None:
    made = backends.make("rag", named(data))
    assert made.model.startswith(f"{DEFAULT_MODEL} via own + handbook searched with ")
    assert backends.make("rag", settings_of(data)).model.startswith(DEFAULT_MODEL)


def test_the_prompt_is_reckoned_with_sentences_where_the_writer_reads_them(data: Path, indexed: list[str]) -> None:
    whole, sentences = (
        backends.make("rag", load_settings({"data": data, "rag.context": context})).prompt_tokens(Question(KETTLE))
        for context in ("passages", "sentences")
    )
    assert whole is not None
    assert sentences is not None
    assert whole.how.endswith("with 3 passages of typical length")
    assert sentences.how.endswith("with 5 sentences of typical length")
    assert 0 < sentences.tokens < whole.tokens


def test_the_prompt_is_reckoned_with_passages_of_typical_length(data: Path, indexed: list[str]) -> None:
    settings = named(data)
    lengths = [len(chunk.text) for chunk in open_index(settings).chunks()]
    (passage, *more) = example_passages(data, "handbook", 3)
    assert more == [passage, passage]
    mean = sum(lengths) / len(lengths)
    assert abs(len(passage.text) - mean) == min(abs(length - mean) for length in lengths)
    before = expect_cost(backends.make("rag", settings), settings.question(KETTLE), settings)
    weights = in_memory(DEFAULT_MODEL)
    assert weights is not None
    asked = replace(settings.question(KETTLE), text=build_prompt(KETTLE, (passage, passage, passage)))
    assert before.prompt_tokens == built_for_model(weights, asked).tokens
    assert before.cost.usd == Decimal(before.prompt_tokens or 0) / 1_000_000
    assert before.method == "guessed, longest answer"
    assert "with 3 passages of typical length" in before.cost.basis
    with pytest.raises(BackendError):
        example_passages(data, "annual reports", 3)
