"""Searching a collection by meaning, by words, by both, and with a reranker; every step of it can be looked at."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from backends.base import Passage
from backends.errors import BackendError
from backends.matching import matchable
from backends.rag.search.candidates import Candidates, Finder, Searchable, Stage, merged
from backends.rag.search.codes import codes
from backends.rag.search.embedder import Embedder
from backends.rag.search.filters import EVERYTHING, Filters
from backends.rag.search.keyword_cache import KeywordCache, keyword_cache
from backends.rag.search.pieces import Pieces, query_pieces
from backends.rag.search.reranker import Reranker, open_reranker
from backends.rag.search.sentences import RankedSentence
from backends.rag.store.index import Index
from backends.rag.store.library import StoredChunk
from backends.settings import RagSettings, RetrievalMode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OVERLAP = 0.5
"""Share of the shorter of two chunks of one document that they must have in common to count as one passage."""

_FIGURE = re.compile(r"\b[^\W\d]*+\d\w*")


def merge_near_duplicates(
    order: Sequence[int],
    chunks: Mapping[int, StoredChunk],
    vectors: Mapping[int, NDArray[np.float32]],
    above: float,
    k: int,
) -> list[list[int]]:
    """The first `k` rows of `order` that say something new, each followed by the rows that only repeat it.

    Two chunks are near-duplicates if their cosine similarity is at least `above` and they hold the same figures, or
    if they share more than half of the shorter one. The figures matter: paragraphs on two products or of two editions
    of a rule reach 0.97 and differ in nothing but a number. Pairs are compared one by one, as few are needed, and
    because a product of whole matrices wakes the threads of the numerical library (docs/measurements.md).
    """
    groups: list[list[int]] = []
    figures = cache(lambda row: Counter(_FIGURE.findall(matchable(chunks[row].text))))
    for row in order:
        for group in groups:
            one, other = chunks[group[0]], chunks[row]
            alike = float(vectors[group[0]] @ vectors[row]) >= above and figures(group[0]) == figures(row)
            if alike or _overlap(one, other):
                group.append(row)
                break
        else:
            if len(groups) == k:
                break
            groups.append([row])
    return groups


def _overlap(one: StoredChunk, other: StoredChunk) -> bool:
    if one.document != other.document:
        return False
    common = min(one.end, other.end) - max(one.start, other.start)
    return common > OVERLAP * min(one.end - one.start, other.end - other.start)


__all__ = ["Filters", "Hit", "Mode", "SearchResult", "Searchable", "Searcher", "Stage"]

Mode = RetrievalMode

_NO_RERANKER = BackendError(
    "No reranker is configured.", "Set rag.reranker to the Hub id or the folder of a cross-encoder."
)
_TRIES = 3
"""How often a search begins again because the collection changed under it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. A stage is None if it did not run or did not put this passage forward.

    `near_duplicates` are the near-duplicates that were merged into it; `heading` is the path of headings above it.
    """

    passage: Passage
    dense: Stage | None
    keyword: Stage | None
    fused: Stage | None
    reranked: Stage | None
    near_duplicates: tuple[Passage, ...] = ()
    heading: str = ""
    sentences: Stage | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one query, best first, and the seconds that each step took.

    Steps: embed, dense, keyword, fuse (texts and vectors looked up, fused, near-duplicates merged), rerank.
    `codes` of the query are why the hits count although no one of them is similar enough: they hold one word for word.
    `sentences` are those of the best chunks, best first, whether or not they are among the hits.
    `pieces` and `unread` are set for a query that is longer than the embedder reads, see `Pieces`.
    """

    query: str
    mode: Mode
    hits: tuple[Hit, ...]
    stage_s: Mapping[str, float]
    codes: tuple[str, ...] = ()
    pieces: int = 1
    unread: int = 0
    sentences: tuple[RankedSentence, ...] = ()


class Searcher:
    """Searches one collection. Safe to use from several threads; raises `BackendError` where `Index` does.

    `keywords` replaces the keyword index that is shared by all searchers of a collection.
    """

    def __init__(
        self, index: Searchable, embedder: Embedder, settings: RagSettings, keywords: KeywordCache | None = None
    ) -> None:
        if keywords is None:
            keywords = keyword_cache(index) if isinstance(index, Index) else KeywordCache(index)
        self._index = index
        self._embedder = embedder
        self._settings = settings
        self._keywords = keywords
        self._reranker = open_reranker(settings.reranker, index.data, embedder.device) if settings.reranker else None
        self._fault: str | None = None

    @property
    def reranker(self) -> str | None:
        """The reranker's name, or None if there is none or it could not be loaded: see `reranker_fault`."""
        return self._reranker.name if self._reranker and not self._fault else None

    @property
    def reranker_fault(self) -> str | None:
        """Why there is no reranker, in a sentence; None if there is one."""
        return self._fault if self._reranker else str(_NO_RERANKER)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that can be used."""
        modes: tuple[Mode, ...] = ("dense", "keyword", "fused", "sentences")
        return (*modes, "reranked") if self.reranker else modes

    def prepare(self) -> None:
        """Load and build what the first search would wait for. Raises `BackendError` if the reranker is missing."""
        if self._settings.mode == "reranked":
            self._loaded_reranker()
        self._embedder.embed_query("What is read into memory here?")
        self._keywords.current()

    def search(
        self,
        query: str,
        k: int,
        *,
        mode: Mode | None = None,
        filters: Filters = EVERYTHING,
        min_score: float | None = None,
    ) -> SearchResult:
        """The `k` best passages, or none at all if no one of them (of the best three if `k` is less) reaches the cosine
        similarity `min_score`.

        Then only those count that hold a code of the query word for word. A query that is longer than the embedder
        reads is searched in pieces.

        Raises `BackendError` if the collection is empty or damaged, no document passes the filters, or there is no
        reranker for mode reranked.
        """
        mode = mode or self._settings.mode
        if not query.strip():
            return SearchResult(query, mode, (), {})
        reranker = self._loaded_reranker() if mode == "reranked" else None
        pieces = query_pieces(query, self._embedder)
        found = self._candidates(pieces, k, (mode,), filters, reranker)
        result = self._result(found, query, mode, k)
        if min_score is not None and all(one.score < min_score for one in result.sentences[:1]):
            result = self._with_codes(result, k, filters)
        return replace(result, pieces=len(pieces.texts), unread=pieces.unread)

    def compare(self, query: str, k: int, filters: Filters = EVERYTHING) -> dict[Mode, SearchResult]:
        """The `k` best passages of every mode that can be used, from one pass over all stages."""
        reranker = None
        if self.reranker:
            try:
                reranker = self._loaded_reranker()
            except BackendError:  # `reranker_fault` says so
                reranker = None
        modes = self.modes
        if not query.strip():
            return {mode: SearchResult(query, mode, (), {}) for mode in modes}
        found = self._candidates(query_pieces(query, self._embedder), k, modes, filters, reranker)
        return {mode: self._result(found, query, mode, k) for mode in modes}

    def _loaded_reranker(self) -> Reranker:
        if self._reranker is None:
            raise BackendError(_NO_RERANKER.cause, _NO_RERANKER.next_step)
        try:
            self._reranker.load()
        except BackendError as fault:
            self._fault = f"{fault.cause} {fault.next_step}"
            raise
        self._fault = None
        return self._reranker

    def _with_codes(self, result: SearchResult, k: int, filters: Filters) -> SearchResult:
        """The result with nothing but passages that hold a code of the query, whatever their similarity."""
        none = replace(result, hits=())
        if not (wanted := codes(result.query)):
            return none
        finder = Finder(self._index, self._embedder, self._keywords, self._settings)
        found = finder.holding(wanted, query_pieces(result.query, self._embedder).texts[0], k, self._names(filters))
        held = self._result(found, result.query, "keyword", k)
        return replace(result, hits=held.hits, sentences=held.sentences, codes=wanted) if held.hits else none

    def _candidates(
        self, query: Pieces, k: int, modes: Sequence[Mode], filters: Filters, reranker: Reranker | None
    ) -> Candidates:
        """Every stage that these modes need. Begins again if the collection changes meanwhile."""
        finder = Finder(self._index, self._embedder, self._keywords, self._settings, reranker)
        for attempt in range(_TRIES):
            version = self._index.version
            try:
                names = self._names(filters)
                return merged([finder.find(text, k, modes, names) for text in query.texts])
            except BackendError:
                if attempt == _TRIES - 1 or self._index.version == version:
                    raise
        raise AssertionError("unreachable")

    def _names(self, filters: Filters) -> list[str] | None:
        """The documents that are searched; None for all."""
        if not filters.count:
            return None
        if not (documents := self._index.documents()):
            self._index.check()
        return filters.names(documents)

    def _result(self, found: Candidates, query: str, mode: Mode, k: int) -> SearchResult:
        began = time.perf_counter()
        groups = merge_near_duplicates(found.order(mode), found.chunks, found.vectors, self._settings.merge_above, k)
        hits = tuple(_hit(found, group) for group in groups)
        stage_s = found.stage_s(mode)
        if "fuse" in stage_s:
            stage_s["fuse"] += time.perf_counter() - began
        return SearchResult(query, mode, hits, stage_s, sentences=found.ranked_sentences())


def _hit(found: Candidates, group: list[int]) -> Hit:
    first, *others = group
    return Hit(
        found.passage(first),
        found.stage("dense", first),
        found.stage("keyword", first),
        found.stage("fused", first),
        found.stage("reranked", first),
        tuple(map(found.passage, others)),
        found.chunks[first].heading,
        found.stage("sentences", first),
    )
