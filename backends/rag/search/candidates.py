"""What each stage of a search puts forward for one query, in what order and with what score."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backends.base import Passage
from backends.facts import contains_prepared_fact
from backends.matching import matchable
from backends.rag.evidence.figures import may_have_figures
from backends.rag.search.codes import codes, is_short, spellings
from backends.rag.search.embedder import Embedder
from backends.rag.search.judge import Judge
from backends.rag.search.keyword import Matches
from backends.rag.search.keyword_cache import Chunks, KeywordCache
from backends.rag.search.reranker import Reranker
from backends.rag.search.sentences import (
    Place,
    RankedSentence,
    Scored,
    distinct,
    place_of,
    ranked,
    scored,
    with_context,
)
from backends.rag.search.superseded import asks_for_the_past
from backends.rag.store.library import DocumentInfo, StoredChunk
from backends.settings import RagSettings, RetrievalMode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RERANKED = 20
"""The reranker reads this many of the best fused candidates; the others keep their order behind them."""

_FEW = 3
"""In so many passages, or in one of fifty, a short code still says what is meant."""

SUPERSEDED = 0.5
"""By so much a passage that is not in force any more counts for less among the sentences (docs/decisions.md)."""

LOOKED_INTO = 20
"""The sentences of so many of the best candidates are looked at."""

FIGURES = 40
"""So many sentences with figures are kept, to see whether they disagree with what an answer says."""

JUDGED = 10
"""So many of the best sentences are judged, or more where more are wanted."""

_STEPS: dict[RetrievalMode, tuple[str, ...]] = {
    "dense": ("embed", "dense", "fuse", "sentences", "judge"),
    "keyword": ("embed", "keyword", "fuse", "sentences", "judge"),
    "fused": ("embed", "dense", "keyword", "fuse", "sentences", "judge"),
    "sentences": ("embed", "dense", "keyword", "fuse", "sentences", "judge"),
    "reranked": ("embed", "dense", "keyword", "fuse", "sentences", "judge", "rerank"),
}
_BEHIND_FUSED: tuple[RetrievalMode, ...] = ("sentences", "reranked")
"""Modes that put the best fused candidates in order; the others follow."""


class Searchable(Chunks, Protocol):
    """What is searched: an `Index`, or something that holds chunks and vectors otherwise."""

    @property
    def data(self) -> Path: ...

    def documents(self) -> list[DocumentInfo]: ...

    def beginnings(self, characters: int) -> dict[str, str]: ...

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]: ...

    def sentence_vectors(self, rows: Sequence[int]) -> dict[int, NDArray[np.float32]]: ...

    def nearest(
        self, vector: NDArray[np.float32], n: int, documents: Sequence[str] | None = None
    ) -> list[tuple[int, float]]: ...

    def check(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one way of searching put a passage. `rank` counts from 1; the scale of `score` is that way's own:
    cosine similarity (dense), BM25 (keyword), cosine + weight * BM25 / best BM25 (fused), that + the cosine of its best
    sentence (sentences), the model's (reranked).
    """

    rank: int
    score: float


@dataclass(slots=True)
class Candidates:
    """The candidates of one query by row. `stages` has those that ran; `seconds` how long each step took."""

    chunks: dict[int, StoredChunk] = field(default_factory=dict)
    vectors: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    cosines: dict[int, float] = field(default_factory=dict)
    stages: dict[RetrievalMode, dict[int, Stage]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    sentences: dict[int, list[Scored]] = field(default_factory=dict)
    """Those of the best candidates."""
    superseded: Mapping[str, str] = field(default_factory=dict)
    """Documents that are not in force any more, with the reason."""
    current: bool = True
    """Whether the question asks for what is in force."""
    odds: dict[Place, float] | None = None
    """Of the best sentences, the log-odds that they answer; None where nobody judged."""

    def order(self, mode: RetrievalMode) -> list[int]:
        """The rows of a mode, best first. What was not reranked follows what was."""
        first = list(self.stages.get(mode, ()))
        return first + [row for row in self.stages["fused"] if row not in first] if mode in _BEHIND_FUSED else first

    def stage(self, name: RetrievalMode, row: int) -> Stage | None:
        """Where a stage put a row; None if it did not run or did not put it forward."""
        return self.stages.get(name, {}).get(row)

    def passage(self, row: int) -> Passage:
        """A candidate as a passage, with its cosine similarity."""
        one = self.chunks[row]
        score, place = self.cosines[row], (one.start, one.end)
        why = self.superseded.get(one.document, "")
        return Passage(one.document, one.page, one.chunk_id, score, *place, one.text, one.heading, why)

    def ranked_sentences(self) -> tuple[RankedSentence, ...]:
        """The sentences of the best candidates, best first. A passage counts by its fused score, or by its cosine,
        and for less if its document is superseded and the question does not ask for the past."""
        fused = self.stages.get("fused", {})
        passages = []
        for row, those in self.sentences.items():
            score = fused[row].score if row in fused else self.cosines[row]
            if why := self.superseded.get(self.chunks[row].document):
                score -= SUPERSEDED * self.current
                those = [replace(one, passage=replace(one.passage, superseded=why)) for one in those]
            passages.append((score, those))
        return ranked(passages, self.odds)

    def with_figures(self) -> tuple[Passage, ...]:
        """The nearest sentences and rows with a figure, whether or not they are among the best: they may disagree."""
        found = (one for those in self.sentences.values() for one in those if may_have_figures(one.passage.text))
        best = sorted(found, key=attrgetter("cosine"), reverse=True)[:FIGURES]
        kept = distinct([one.passage for one in best])
        return tuple(replace(one, superseded=self.superseded.get(one.document, "")) for one in kept)

    def judge(self, judge: Judge, query: str, most: int) -> None:
        """Let the best sentences be judged, and put the passages in order anew by what came of it."""
        with self.timed("judge"):
            best = [one.passage for one in self.ranked_sentences()[:most]]
            odds = judge.odds(query, [_as_judged(passage) for passage in best])
            self.odds = {place_of(passage): one for passage, one in zip(best, odds, strict=True)}
            if "sentences" in self.stages:
                self._rank_by_judged()

    def _rank_by_judged(self) -> None:
        """Put the passages of mode sentences in order: those with a judged sentence by its chance and their score."""
        chances = {place_of(one.passage): one.score for one in self.ranked_sentences()}
        best = {
            row: max((chances.get(place_of(one.passage), 0.0) for one in those), default=0.0)
            for row, those in self.sentences.items()
        }
        self.rank(
            "sentences", {row: stage.score + best.get(row, 0.0) for row, stage in self.stages["sentences"].items()}
        )

    def stage_s(self, mode: RetrievalMode) -> dict[str, float]:
        """The seconds of the steps that a mode needs."""
        return {step: self.seconds[step] for step in _STEPS[mode] if step in self.seconds}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add what happens inside to a step's seconds."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    def rank(self, mode: RetrievalMode, scores: dict[int, float]) -> None:
        """Set a stage: highest score first, equal ones by document and place."""
        order = sorted(scores, key=lambda row: (-scores[row], self.chunks[row].document, self.chunks[row].start))
        self.stages[mode] = {row: Stage(rank, scores[row]) for rank, row in enumerate(order, 1)}


def _as_judged(passage: Passage) -> str:
    """A sentence as the judge was trained to read it."""
    return f"{'(superseded) ' if passage.superseded else ''}{with_context(passage)}"


def merged(found: Sequence[Candidates]) -> Candidates:
    """The candidates of several queries as those of one: the best of each in turn, every one where it stood best."""
    whole = Candidates(superseded=found[0].superseded, current=found[0].current)
    for one in found:
        whole.chunks |= one.chunks
        whole.vectors |= one.vectors
        for row, those in one.sentences.items():
            known = whole.sentences.get(row, those)
            whole.sentences[row] = [max(pair, key=attrgetter("cosine")) for pair in zip(known, those, strict=True)]
        for row, cosine in one.cosines.items():
            whole.cosines[row] = max(cosine, whole.cosines.get(row, -1.0))
        for step, seconds in one.seconds.items():
            whole.seconds[step] = whole.seconds.get(step, 0.0) + seconds
    for mode in dict.fromkeys(mode for one in found for mode in one.stages):
        turns = zip_longest(*(one.stages.get(mode, {}).items() for one in found))
        scores: dict[int, float] = {}
        for row, stage in (entry for turn in turns for entry in turn if entry):
            scores.setdefault(row, stage.score)
        whole.stages[mode] = {row: Stage(rank, score) for rank, (row, score) in enumerate(scores.items(), 1)}
    return whole


@dataclass(frozen=True, slots=True)
class Finder:
    """Runs the stages over one collection."""

    index: Searchable
    embedder: Embedder
    keywords: KeywordCache
    settings: RagSettings
    reranker: Reranker | None = None
    superseded: Mapping[str, str] = field(default_factory=dict)

    def find(self, query: str, k: int, modes: Sequence[RetrievalMode], documents: list[str] | None) -> Candidates:
        """The candidates that these modes need, among these documents (None: among all)."""
        found = Candidates(superseded=self.superseded, current=not asks_for_the_past(query))
        wanted = set(modes)
        n = max(self.settings.candidates, 2 * k)
        nearest: list[tuple[int, float]] = []
        matches: Matches | None = None
        with found.timed("embed"):
            vector = self.embedder.embed_query(query)
        if wanted != {"keyword"}:
            with found.timed("dense"):
                nearest = self.index.nearest(vector, n, documents)
        if wanted != {"dense"}:
            with found.timed("keyword"):
                matches = self._matches(query, n, documents)
        with found.timed("fuse"):
            self._look_up(found, vector, dict(nearest), matches.best if matches else {})
            if wanted != {"keyword"}:
                found.rank("dense", {row: cosine for row, cosine in nearest if row in found.chunks})
            if matches:
                found.rank("keyword", {row: score for row, score in matches.best.items() if row in found.chunks})
            if matches and wanted != {"keyword"}:
                found.rank("fused", self._fused(found, matches))
        with found.timed("sentences"):
            self._look_into(found, query, vector)
            if "sentences" in wanted:
                best = {row: max((one.cosine for one in those), default=-1.0) for row, those in found.sentences.items()}
                found.rank("sentences", {row: found.stages["fused"][row].score + best[row] for row in best})
        if self.reranker and "reranked" in wanted:
            with found.timed("rerank"):
                rows = found.order("fused")[:RERANKED]
                scores = self.reranker.scores(query, [found.chunks[row].searched_text for row in rows])
                found.rank("reranked", dict(zip(rows, scores, strict=True)))
        return found

    def holding(
        self, wanted: Sequence[str], acronyms: Sequence[str], query: str, k: int, documents: list[str] | None
    ) -> Candidates:
        """The passages that hold one of these codes or acronyms word for word, as candidates by keyword.

        A short code or an acronym in many passages says little about what is meant, and counts for nothing.
        """
        found = Candidates(superseded=self.superseded, current=not asks_for_the_past(query))
        best = dict[int, float]()
        n = max(self.settings.candidates, 2 * k)
        for code in (*wanted, *acronyms):
            best |= self._matches(" ".join(spellings(code)), n, documents).best
        vector = self.embedder.embed_query(query)
        self._look_up(found, vector, {}, best)
        texts = {row: matchable(f"{chunk.context} {chunk.text}") for row, chunk in found.chunks.items()}
        most = max(_FEW, len(self.keywords.current().rows) // 50)
        scores: dict[int, float] = {}
        for code in dict.fromkeys((*wanted, *acronyms)):
            rows = [row for row, text in texts.items() if contains_prepared_fact(text, (code,))]
            needs_few = is_short(code) or code not in wanted
            if not (needs_few and len(rows) > most):
                scores |= {row: scores.get(row, 0.0) + 1.0 for row in rows}
        words = dict(zip(scores, self._matches(query, n, documents).scores_of(list(scores)), strict=True))
        top = max(words.values(), default=0.0) + 1.0
        found.rank("keyword", {row: score + words[row] / top for row, score in scores.items()})
        self._look_into(found, query, vector)
        return found

    def _look_into(self, found: Candidates, query: str, vector: NDArray[np.float32]) -> None:
        """Score the sentences of the best candidates, by both ways of searching if both ran."""
        mode = "fused" if "fused" in found.stages else next(iter(found.stages))
        rows = list(found.stages[mode])[:LOOKED_INTO]
        chunks = [found.chunks[row] for row in rows]
        stored = self.index.sentence_vectors(rows)
        those = scored(query, vector, chunks, self.embedder, self.keywords.current(), stored)
        found.sentences = dict(zip(rows, those, strict=True))

    def _matches(self, query: str, n: int, documents: list[str] | None) -> Matches:
        keywords = self.keywords.current()
        if not len(keywords.rows):
            self.index.check()
        asked = [query, *(" ".join(spellings(code)) for code in codes(query) if not is_short(code))]
        return keywords.matches(" ".join(asked), n, None if documents is None else self.index.numbers(documents))

    def _look_up(
        self, found: Candidates, vector: NDArray[np.float32], nearest: dict[int, float], matches: dict[int, float]
    ) -> None:
        """Texts and vectors of the candidates. What is in the library no more is left out."""
        import numpy as np

        found.chunks = self.index.rows([*nearest, *(row for row in matches if row not in nearest)])
        rows = list(found.chunks)
        if rows:
            vectors = self.index.vectors(rows)
            found.vectors = dict(zip(rows, vectors, strict=True))
            cosines = np.einsum("ij,j->i", vectors, vector)  # on this thread; `@` would wake others for so little
            exact = dict(zip(rows, cosines.tolist(), strict=True))
            found.cosines = {row: nearest.get(row, exact[row]) for row in rows}

    def _fused(self, found: Candidates, matches: Matches) -> dict[int, float]:
        """Cosine similarity + weight * BM25 / the best BM25 of the query.

        The best, or level with the best, of the ways to fuse that were tried (docs/decisions.md).
        """
        rows = list(found.chunks)
        weight = self.settings.keyword_weight / (matches.top or 1.0)
        scores = matches.scores_of(rows)
        return {row: found.cosines[row] + weight * score for row, score in zip(rows, scores, strict=True)}
