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
from backends.facts import contains_prepared_fact
from backends.matching import matchable
from backends.rag.search.candidates import JUDGED, Candidates, Finder, Searchable, Stage, merged
from backends.rag.search.codes import acronyms, codes
from backends.rag.search.embedder import Embedder
from backends.rag.search.filters import EVERYTHING, Filters
from backends.rag.search.judge import Judge, open_judge
from backends.rag.search.keyword import holds_no_word
from backends.rag.search.keyword_cache import KeywordCache, keyword_cache
from backends.rag.search.parts import parts
from backends.rag.search.pieces import Pieces, query_pieces
from backends.rag.search.reranker import Reranker, open_reranker
from backends.rag.search.sentences import Asked, RankedSentence, in_turn, with_context
from backends.rag.search.superseded import BEGINNING, compares_editions, superseded
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
    `below` are the hits that do not count, since no sentence is good enough. `figures` are the nearest sentences with
    figures.
    `sentences` are those of the best chunks, best first, whether or not they are among the hits.
    `parts` are set where the question asks for several things; `sentences` are then the best of each in turn.
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
    below: tuple[Hit, ...] = ()
    figures: tuple[Passage, ...] = ()
    parts: tuple[Asked, ...] = ()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What is asked, one thing or several, with the sentences of each."""
        return self.parts or (Asked(self.query, self.sentences),)

    @property
    def best_score(self) -> float:
        """The score of the best sentence of all; 0 if there is none."""
        return max((one.score for one in self.sentences), default=0.0)

    @property
    def wordless(self) -> bool:
        """Whether the query holds no word to look for: what it finds then, it finds by chance."""
        return holds_no_word(self.query)


class Searcher:
    """Searches one collection. Safe to use from several threads; raises `BackendError` where `Index` does.

    `keywords` replaces the keyword index that is shared by all searchers of a collection. Without a `judge` sentences
    keep the order and the score of their ranking.
    """

    def __init__(
        self,
        index: Searchable,
        embedder: Embedder,
        settings: RagSettings,
        keywords: KeywordCache | None = None,
        judge: Judge | None = None,
    ) -> None:
        if keywords is None:
            keywords = keyword_cache(index) if isinstance(index, Index) else KeywordCache(index)
        self._index = index
        self._embedder = embedder
        self._settings = settings
        self._keywords = keywords
        self._reranker = open_reranker(settings.reranker, index.data, embedder.device) if settings.reranker else None
        self._judge = judge
        self._fault: str | None = None
        self._superseded: tuple[str | None, Mapping[str, str]] = None, {}

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
        if self._judge:
            self._judge.odds("What is read into memory here?", ["The weights of the judge."])

    def search(
        self,
        query: str,
        k: int,
        *,
        mode: Mode | None = None,
        filters: Filters = EVERYTHING,
        min_score: float | None = None,
    ) -> SearchResult:
        """The `k` best passages, or none at all if no sentence of the best ones scores `min_score`, or the query holds
        no word to look for.

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
        result = replace(self._result(found, found.ranked_sentences(), query, mode, k), figures=found.with_figures())
        if len(pieces.texts) == 1:
            result = self._in_parts(result, found, filters, reranker, k)
        below = min_score is not None and (not result.sentences or result.best_score < min_score)
        if below or (min_score is not None and result.wordless):
            result = self._with_codes(result, k, filters)
        return replace(result, pieces=len(pieces.texts), unread=pieces.unread)

    def _in_parts(
        self, whole: SearchResult, found: Candidates, filters: Filters, reranker: Reranker | None, k: int
    ) -> SearchResult:
        """The same for a question that asks for several things, each of which is searched for by itself too."""
        if editions := _editions(whole):
            return replace(whole, sentences=in_turn([one.sentences for one in editions]), parts=editions)
        texts = parts(whole.query)
        if not texts:
            return whole
        each = [self._candidates(Pieces((text,)), k, (whole.mode,), filters, reranker) for text in texts]
        asked = tuple(Asked(text, one.ranked_sentences(), text) for text, one in zip(texts, each, strict=True))
        sentences = in_turn([*(one.sentences for one in asked), whole.sentences])
        together = self._result(merged([found, *each]), sentences, whole.query, whole.mode, k)
        return replace(together, figures=whole.figures, parts=asked)

    def holds_code(self, query: str, filters: Filters = EVERYTHING) -> bool:
        """Whether a passage holds a code of the query word for word, so that `min_score` is no matter."""
        return bool(self._with_codes(SearchResult(query, "keyword", (), {}), 1, filters).hits)

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
        pieces = query_pieces(query, self._embedder)
        found = self._candidates(pieces, k, modes, filters, reranker)
        sentences = found.ranked_sentences()
        results = {mode: self._result(found, sentences, query, mode, k) for mode in modes}
        own = self._settings.mode
        if own in results and len(pieces.texts) == 1:
            results[own] = self._in_parts(results[own], found, filters, reranker, k)
        return results

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
        none = replace(result, hits=(), below=result.hits)
        wanted, rare = codes(result.query), acronyms(result.query)
        if not (wanted or rare):
            return none
        finder = Finder(
            self._index, self._embedder, self._keywords, self._settings, superseded=self._no_longer_in_force()
        )
        pieces = query_pieces(result.query, self._embedder)
        found = self._judged(finder.holding(wanted, rare, pieces.texts[0], k, self._names(filters)), pieces)
        held = self._result(found, found.ranked_sentences(), result.query, "keyword", k)
        if not held.hits:
            return none
        there = tuple(dict.fromkeys((*wanted, *rare)))
        return replace(result, hits=held.hits, sentences=_holding_first(held.sentences, there), codes=there)

    def _candidates(
        self, query: Pieces, k: int, modes: Sequence[Mode], filters: Filters, reranker: Reranker | None
    ) -> Candidates:
        """Every stage that these modes need. Begins again if the collection changes meanwhile."""
        for attempt in range(_TRIES):
            version = self._index.version
            try:
                old = self._no_longer_in_force()
                finder = Finder(self._index, self._embedder, self._keywords, self._settings, reranker, old)
                names = self._names(filters)
                return self._judged(merged([finder.find(text, k, modes, names) for text in query.texts]), query)
            except BackendError:
                if attempt == _TRIES - 1 or self._index.version == version:
                    raise
        raise AssertionError("unreachable")

    def _no_longer_in_force(self) -> Mapping[str, str]:
        """The superseded documents, looked for once in each version of the collection."""
        version = self._index.version
        if self._superseded[0] != version:
            self._superseded = version, superseded(self._index.beginnings(BEGINNING))
        return self._superseded[1]

    def _judged(self, found: Candidates, query: Pieces) -> Candidates:
        if self._judge:
            found.judge(self._judge, query.texts[0], max(JUDGED, self._settings.sentences))
        return found

    def _names(self, filters: Filters) -> list[str] | None:
        """The documents that are searched; None for all."""
        if not filters.count:
            return None
        if not (documents := self._index.documents()):
            self._index.check()
        return filters.names(documents)

    def _result(
        self, found: Candidates, sentences: tuple[RankedSentence, ...], query: str, mode: Mode, k: int
    ) -> SearchResult:
        began = time.perf_counter()
        groups = merge_near_duplicates(found.order(mode), found.chunks, found.vectors, self._settings.merge_above, k)
        hits = tuple(_hit(found, group) for group in groups)
        stage_s = found.stage_s(mode)
        if "fuse" in stage_s:
            stage_s["fuse"] += time.perf_counter() - began
        return SearchResult(query, mode, hits, stage_s, sentences=sentences)


def _editions(found: SearchResult) -> tuple[Asked, ...]:
    """What is in force and what was, if the question asks for both and both were found; else nothing."""
    if not compares_editions(found.query):
        return ()
    old = tuple(one for one in found.sentences if one.passage.superseded)
    new = tuple(one for one in found.sentences if not one.passage.superseded)
    return (
        (Asked(found.query, new, "What is in force"), Asked(found.query, old, "What was before")) if old and new else ()
    )


def _holding_first(sentences: Sequence[RankedSentence], codes: Sequence[str]) -> tuple[RankedSentence, ...]:
    """Those that hold a code themselves or in a heading above them come first, in their order."""
    order = sorted(sentences, key=lambda one: not contains_prepared_fact(matchable(with_context(one.passage)), codes))
    return tuple(replace(one, rank=rank) for rank, one in enumerate(order, 1))


def judged_searcher(index: Searchable, embedder: Embedder, settings: RagSettings) -> Searcher:
    """A searcher with the judge that the settings want."""
    judge = open_judge(index.data, embedder.device) if settings.judge else None
    return Searcher(index, embedder, settings, judge=judge)


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
