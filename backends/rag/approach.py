"""Approach 4: passages are found in the index and put into the prompt of another approach."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backends import registry
from backends.base import (
    Backend,
    BackendEvent,
    BelowThreshold,
    Cost,
    Finished,
    Loading,
    Note,
    Passage,
    PromptTokens,
    Question,
    Retrieved,
    TextDelta,
    Timings,
    Trace,
    Usage,
)
from backends.errors import BackendError
from backends.models.weights import resolve
from backends.rag.checked import Check, Unsupported, checked
from backends.rag.prompt import REFUSAL, Fitted, build_prompt, build_sentence_prompt, fit
from backends.rag.quote import NEARLY, NEARLY_UNJUDGED, QuoteWriter, quote, quoted_of_each, source_of
from backends.rag.search.embedder import INT8_WITHOUT_LOSS, Embedder
from backends.rag.search.filters import Filters
from backends.rag.search.sentences import cut, in_turn, in_words
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.rag.store.library import Library, StoredChunk
from backends.remote.connection_settings import name_in
from backends.remote.connections import is_recorded
from backends.run.lane import THIS_MACHINE
from backends.settings import QUOTE, RagSettings, Settings
from backends.spend.estimate import estimate_prompt_tokens

if TYPE_CHECKING:
    from backends.rag.search.retriever import Searcher, SearchResult, Stage


def example_passages(data: Path, collection: str, count: int) -> tuple[Passage, ...]:
    """`count` times the chunk whose length is nearest to the mean. Raises `BackendError` if nothing is indexed."""
    one = _example(data, collection)
    return (Passage(one.document, one.page, one.chunk_id, 0.0, one.start, one.end, one.text, one.heading),) * count


def example_sentences(data: Path, collection: str, count: int) -> tuple[Passage, ...]:
    """`count` times the sentence of middle length of that chunk. Raises `BackendError` if nothing is indexed."""
    sentences = sorted(cut(_example(data, collection)), key=lambda one: len(in_words(one)))
    return (sentences[len(sentences) // 2],) * count if sentences else example_passages(data, collection, count)


def _example(data: Path, collection: str) -> StoredChunk:
    serving = Library(open_database(data), collection).serving()
    found = _example_chunk(Path(data).resolve(), collection, serving.version) if serving else None
    if found is None:
        raise BackendError(
            f"nothing is indexed in the collection {collection} yet", "Add documents to it, or ask a first question."
        )
    return found


@lru_cache(maxsize=32)
def _example_chunk(data: Path, collection: str, version: str) -> StoredChunk | None:
    """Read once for each version of a collection."""
    return Library(open_database(data), collection).example_chunk()


SAMPLE_COLLECTION = RagSettings().collection
SAMPLE_DOCUMENTS = Path(__file__).resolve().parents[2] / "sample_docs" / "handbook"

PROMPT_CHARACTERS = 12_000
"""What a prompt may hold where the generator's context window is not known: about 3,000 tokens of English, which
leaves room for an answer in the 4,096 tokens that small models have."""

SMALL = 1_000_000_000
"""A writer of fewer parameters reads sentences better than passages, and is checked (docs/measurements.md)."""

WORTH_READING = 0.4
"""A judged sentence is read by the writer if its chance is at least this share of the best one's: 3 sentences in the
mean instead of 5, and the fact among them for 76 instead of 79 % of the single facts of `choose`, for all of the
handbook (docs/decisions.md)."""

embedders: dict[tuple[str, Path], Embedder] = {}
"""In memory, by the setting `rag.embedder` and the data folder; one that is put there is taken as it is."""

_embedders_lock = threading.Lock()
_prepared: set[tuple[RagSettings, str]] = set()
"""Collections, by settings and version, whose first search has nothing more to read."""


def embedder(settings: Settings) -> Embedder:
    """The embedder in force, one per process. Raises `BackendError` if its weights cannot be had."""
    key = (settings.rag.embedder, settings.data)
    with _embedders_lock:
        if key not in embedders:
            weights = resolve(settings.rag.embedder, settings.data)
            identity = f"{weights.model_id}@{weights.revision}"
            int8 = weights.model_id in INT8_WITHOUT_LOSS
            embedders[key] = Embedder(weights.folder, settings.raw.device, identity, int8)
        return embedders[key]


def open_index(settings: Settings) -> Index:
    """The collection in force."""
    return Index(settings.data, settings.rag.collection, embedder(settings), settings.rag)


def open_searcher(settings: Settings) -> Searcher:
    """The searcher of the collection in force."""
    from backends.rag.search.retriever import judged_searcher

    return judged_searcher(open_index(settings), embedder(settings), settings.rag)


class RagBackend(Backend):
    """Searches the collection, then lets `generator` answer from what was found.

    If nothing is similar enough, it says so itself and asks no model, unless an answer is wanted all the same.
    """

    approach = "rag"

    def __init__(self, settings: Settings, generator: Backend) -> None:
        self.settings = settings
        self.lane = THIS_MACHINE
        self.lane_until_retrieved = generator.lane is None
        self.stand_in = generator.stand_in
        self.may_be_charged = generator.may_be_charged
        self.at_once = generator.at_once
        self._generator = generator
        self._searcher: Searcher | None = None

    @property
    def model(self) -> str:
        name = name_in(self._generator.approach)
        writer = f"{self._generator.model} via {name}" if name else self._generator.model
        if reader := self._generator.reader:
            writer = f"reads with adapter {reader}: {writer}"
        return f"{writer} + {self.settings.rag.collection} searched with {self.settings.rag.embedder}"

    @property
    def identity(self) -> Mapping[str, str]:
        rag, serving = (
            self.settings.rag,
            Library(open_database(self.settings.data), self.settings.rag.collection).serving(),
        )
        version = {"version": serving.version, "embedder": serving.embedder} if serving else {}
        return {**self._generator.identity, "collection": rag.collection, **version}

    def check_answerable(self) -> None:
        self._check_writer()
        self._generator.check_answerable()

    def _check_writer(self) -> None:
        if is_recorded(self.settings, writer := self.settings.rag.generator):
            raise BackendError(f"{writer} shows recorded answers and writes no new ones.", "Choose another writer.")

    def load(self, cancel: threading.Event) -> Iterator[Loading]:
        """Generator, embedder and index. The sample collection is filled by itself the first time.

        Raises `BackendError` with the next step if the collection is empty, damaged or does not fit the embedder, and
        for a writer whose answers are recorded ones.
        """
        self._check_writer()
        yield from self._generator.load(cancel)
        model = embedder(self.settings)
        if not model.loaded:
            yield Loading(f"loading {self.settings.rag.embedder}")
            model.load()
        index = open_index(self.settings)
        if self.settings.rag.collection == SAMPLE_COLLECTION and index.health().state == "empty":
            yield Loading("indexing the sample documents")
            for step in index.add([SAMPLE_DOCUMENTS], cancel):
                if step.file:
                    yield Loading(f"indexing the sample documents, {step.files_done} of {step.files_total}")
                elif step.state == "sentences":
                    yield Loading(f"reading their sentences, {step.chunks_done} of {step.chunks_known} passages")
        if cancel.is_set():
            return
        _check(index)
        searcher = open_searcher(self.settings)
        if (key := (self.settings.rag, index.version)) not in _prepared:
            yield Loading(f"reading the collection {self.settings.rag.collection}")
            searcher.prepare()
            _prepared.add(key)
        self._searcher = searcher

    def prompt_tokens(self, question: Question) -> PromptTokens | None:
        """With passages or sentences of typical length, since none is searched yet.

        Raises `BackendError` if nothing is indexed.
        """
        if isinstance(self._generator, QuoteWriter):
            return self._generator.prompt_tokens(question)
        asked, read = self._typical(question)
        found = self._generator.prompt_tokens(asked) or estimate_prompt_tokens(asked)
        return PromptTokens(found.tokens, False, f"{found.how}, with {read} of typical length")

    def reserved_usd(self, question: Question) -> Decimal | None:
        """With passages or sentences of typical length; longer ones cost more."""
        return self._generator.reserved_usd(self._typical(question)[0])

    def _typical(self, question: Question) -> tuple[Question, str]:
        """What the writer is asked with passages or sentences of typical length, and how many in words."""
        rag = self.settings.rag
        examples, count, what = example_passages, rag.k, "passage"
        if self._reads_sentences:
            examples, count, what = example_sentences, rag.sentences, "sentence"
        asked = self._with_passages(question, examples(self.settings.data, rag.collection, count))
        return asked, f"a {what}" if count == 1 else f"{count} {what}s"

    def fits(self, question: Question) -> bool | None:
        """Always: passages are left out until the prompt fits, or the answer says that none does."""
        return True

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        if self._searcher is None:
            raise BackendError("The index is not open.", "Ask again.")
        rag = self.settings.rag
        filters = Filters.from_settings(rag)
        found = self._searcher.search(question.text, rag.k, filters=filters, min_score=rag.min_score)
        if not found.hits:
            below = _below_threshold(found, rag)
            found = found if below.refused else replace(found, hits=found.below)
            yield below
        fitted = self._fitted(question, self._context(found))
        yield Retrieved(fitted.passages, tuple(one for one in found.figures if not source_of(one, fitted.passages)))
        yield Trace("search", _trace(found))
        if filters.count:
            yield Note(f"Searched nothing but {filters.describe}.")
        for note in filter(None, (*_search_notes(found, rag.min_score), fitted.note)):
            yield Note(note)
        if not fitted.passages:
            yield TextDelta(REFUSAL)
            yield Finished(Usage(0, 0, source="tokenizer"), "stop")
            return
        those = quoted_of_each(found.asked, fitted.passages, self._nearly)
        quotation = quote(those, fitted.passages)
        if isinstance(self._generator, QuoteWriter):
            yield from self._generator.stream(replace(question, text=quotation), cancel)
            return
        asked = self._with_passages(question, fitted.passages)
        watched = self._generator.lane is not None
        yield from checked(
            lambda stop: self._generator.stream(asked, stop),
            Check(question.text, fitted.passages, quotation, self._unsupported, watched, self._refusals_count),
            cancel,
        )

    @property
    def _nearly(self) -> float:
        return NEARLY if self.settings.rag.judge else NEARLY_UNJUDGED

    @property
    def _small(self) -> bool:
        parameters = self._generator.parameters
        return parameters is not None and parameters < SMALL

    @property
    def _refusals_count(self) -> bool:
        """A small writer refuses by chance, unless it was taught when to."""
        return not self._small or bool(self._generator.reader)

    @property
    def _reads_sentences(self) -> bool:
        wanted = self.settings.rag.context
        return isinstance(self._generator, QuoteWriter) or wanted == "sentences" or (wanted == "auto" and self._small)

    @property
    def _unsupported(self) -> Unsupported:
        wanted = self.settings.rag.unsupported
        return ("quote" if self._small else "show") if wanted == "auto" else wanted

    def _context(self, found: SearchResult) -> tuple[Passage, ...]:
        """What the writer gets to read, best first."""
        if not found.hits:
            return ()
        if self._reads_sentences:
            least = WORTH_READING if self.settings.rag.judge else -1.0
            worth = in_turn([each.worth(least) for each in found.asked])
            return tuple(one.passage for one in worth[: self.settings.rag.sentences])
        return tuple(hit.passage for hit in found.hits)

    def _with_passages(self, question: Question, passages: Sequence[Passage]) -> Question:
        """The question with what was found, as the generator gets it."""
        build = build_sentence_prompt if self._reads_sentences else build_prompt
        return replace(question, text=build(question.text, passages))

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        """What the generator charges; where it charges tokens, the time of the search on this machine is not in it."""
        return self._generator.cost(usage, timings)

    def _fitted(self, question: Question, passages: Sequence[Passage]) -> Fitted:
        """The passages for which the generator's context has room besides the answer.

        Raises `BackendError` if it has none for a single one.
        """
        if not passages:
            return Fitted(())
        if (known := self._generator.fits(self._with_passages(question, passages))) is None:
            return self._fitted_by_length(question, passages)
        if known:
            return Fitted(tuple(passages))
        fitted = fit(passages, lambda some: bool(self._generator.fits(self._with_passages(question, some))))
        if not fitted.passages:
            raise BackendError(
                f"A question of {len(question.text):,} characters and an answer of up to {question.max_tokens:,} "
                f"tokens leave no room for a passage in the context of {self._generator.model}.",
                'Shorten the question or lower "Answer length" (max_tokens).',
            )
        return fitted

    def _fitted_by_length(self, question: Question, passages: Sequence[Passage]) -> Fitted:
        """The passages for a generator that does not say how large its context is."""
        limit = f"{PROMPT_CHARACTERS:,} characters, since the context of {self._generator.model} is not known"
        short = f"to keep the prompt within {limit}"
        fitted = fit(passages, lambda some: len(self._with_passages(question, some).text) <= PROMPT_CHARACTERS, short)
        if not fitted.passages:
            raise BackendError(
                f"A question of {len(question.text):,} characters leaves no room for a passage: a prompt is kept "
                f"within {limit}.",
                "Shorten the question.",
            )
        return fitted


NEAREST = 3
"""Sentences that are shown where none is good enough."""


def _below_threshold(found: SearchResult, rag: RagSettings) -> BelowThreshold:
    """How near a search came that found nothing good enough, and whether it is answered from all the same."""
    nearest = tuple((one.passage, one.score) for one in found.sentences[:NEAREST])
    best = nearest[0][1] if nearest else None
    refused = not (rag.answer_anyway and found.below)
    return BelowThreshold(best, rag.min_score, nearest, refused, found.wordless)


def _check(index: Index) -> None:
    health = index.health()
    if not health.ok:
        step = f"Rebuild it on the RAG page. Or: {health.next_step}" if health.can_rebuild else health.next_step
        raise BackendError(health.sentence, step)


def _search_notes(found: SearchResult, min_score: float) -> Iterator[str]:
    """What has to be said of how the question was searched for."""
    if found.pieces > 1:
        note = f"The question is longer than the embedder reads, so it was searched in {found.pieces} pieces."
        yield f"{note} {found.unread:,} characters of it were not searched for." if found.unread else note
    if found.codes:
        yield (
            f"No sentence fits the question well enough (rag.min_score {min_score:g}); those shown hold "
            f"{' or '.join(found.codes)} word for word."
        )


_TRACED = 10
"""Sentences that a trace shows."""


def _trace(found: SearchResult) -> str:
    """What each stage of the search made of the hits: rank from 1 and score, None where it did not find one."""
    hits = [
        {
            "document": hit.passage.document,
            "page": hit.passage.page,
            "chunk_id": hit.passage.chunk_id,
            "similarity": round(hit.passage.score, 4),
            **{name: _stage(getattr(hit, name)) for name in ("dense", "keyword", "fused", "sentences", "reranked")},
            "merged": len(hit.near_duplicates),
        }
        for hit in found.hits
    ]
    sentences = [
        {"document": one.passage.document, "score": round(one.score, 4), "text": in_words(one.passage)}
        for one in found.sentences[:_TRACED]
    ]
    stages = {name: round(seconds, 4) for name, seconds in found.stage_s.items()}
    return json.dumps(
        {"mode": found.mode, "seconds": stages, "hits": hits, "sentences": sentences}, indent=1, ensure_ascii=False
    )


def _stage(stage: Stage | None) -> dict[str, float] | None:
    return None if stage is None else {"rank": stage.rank, "score": round(stage.score, 4)}


def make(settings: Settings) -> RagBackend:
    """Retrieval in front of whoever the settings let write."""
    writer = settings.rag.generator
    if writer == QUOTE:
        return RagBackend(settings, QuoteWriter(settings))
    return RagBackend(settings, registry.make(writer, _with_own_adapter(settings)))


def _with_own_adapter(settings: Settings) -> Settings:
    """The settings of the writer, which may have another adapter here than in the fine-tuned column."""
    if not settings.rag.adapter:
        return settings
    chosen = settings.fine_tuned.model_copy(update={"adapter": settings.rag.adapter, "base_url": None})
    return settings.model_copy(update={"fine_tuned": chosen})
