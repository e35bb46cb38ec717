"""Where the facts of a question stand among the passages and sentences that a search finds for it.

It takes seconds, since nothing is written, so that ways of ranking can be compared with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from backends.base import Passage
from backends.rag.documents.tables import head_of
from backends.rag.search.retriever import Hit, Searcher, SearchResult
from backends.rag.store.index import Index
from benchmarks.figures import Figure
from evaluation.metrics import NOT_ANSWERED, contains_fact
from evaluation.retrieval import usable_samples
from evaluation.samples import Sample
from evaluation.statistics import paired, share_text

PASSAGES_AT = (1, 3, 5)
SENTENCES_AT = (1, 2, 3, 5)
_PLACES = {"passages": PASSAGES_AT, "sentences": SENTENCES_AT}
DEPTH = 10
"""Passages and sentences that are looked at."""

FALSELY = (0, 5, 10, 20)
"""Percent of the answerable questions that a threshold may refuse."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for one question.

    `passages` and `sentences`: so many of the best ones hold every key fact; None if no number up to `DEPTH` does, or
    if the documents do not answer the question. The scores are those of the best passage (cosine similarity) and of
    the best sentence (its ranking's own), None if there is none. `texts` are the best sentences, for the record.
    """

    sample: Sample
    passages: int | None
    sentences: int | None
    passage_score: float | None
    sentence_score: float | None
    texts: tuple[str, ...] = ()


def find(searcher: Searcher, index: Index, samples: Sequence[Sample]) -> tuple[list[Found], dict[str, str]]:
    """Search for every question; and by sample id, why a question with an answer cannot be judged and is left out."""
    asked, by_fact, left_out = usable_samples(index, samples)
    there = {sample.id: sample for sample in asked if sample.id in by_fact}
    unanswered = {sample.id: sample for sample in samples if NOT_ANSWERED in sample.tags}
    searcher.prepare()
    found = []
    for id in (sample.id for sample in samples):
        if sample := there.get(id) or unanswered.get(id):
            found.append(_judged(sample, searcher.search(sample.question, DEPTH)))
    return found, {id: why for id, why in left_out.items() if id not in unanswered and id not in by_fact}


def ranked_sentences(result: SearchResult) -> list[tuple[Passage, float]]:
    """The sentences of a search with their scores, best first; none where no stage ranks them."""
    return [(one.passage, one.score) for one in cast("Sequence[Any]", getattr(result, "sentences", ()))]


def _judged(sample: Sample, result: SearchResult) -> Found:
    ranked = ranked_sentences(result)
    sentences = [passage for passage, _ in ranked[:DEPTH]]
    return Found(
        sample,
        _enough([[f"{head_of(p)}\n{p.text}" for p in _from(hit, sample)] for hit in result.hits], sample),
        _enough([[f"{p.heading}\n{p.text}"] if p.document in sample.sources else [] for p in sentences], sample),
        max((hit.passage.score for hit in result.hits), default=None),
        ranked[0][1] if ranked else None,
        tuple(passage.text for passage in sentences[: SENTENCES_AT[-1]]),
    )


def _from(hit: Hit, sample: Sample) -> list[Passage]:
    """What a hit holds from the sources of a sample: those that were merged into it have the same figures."""
    return [passage for passage in (hit.passage, *hit.near_duplicates) if passage.document in sample.sources]


def _enough(texts: Sequence[Sequence[str]], sample: Sample) -> int | None:
    """How many of the best places together hold every key fact; None if all do not. `texts`: of each, best first."""
    ranks = [
        next((rank for rank, place in enumerate(texts, 1) if any(contains_fact(text, fact) for text in place)), None)
        for fact in sample.key_facts
    ]
    known = [rank for rank in ranks if rank is not None]
    return max(known) if known and len(known) == len(ranks) else None


# --- figures ------------------------------------------------------------------------------------

KINDS: Mapping[str, frozenset[str]] = {
    "single_fact": frozenset({"single_fact"}),
    "two_passages or comparison": frozenset({"two_passages", "comparison"}),
}


def figures(name: str, label: str, found: Sequence[Found]) -> list[Figure]:
    """Shares of questions whose facts are among the best passages and sentences."""
    rows: list[Figure] = []
    for what, ranks in _ranks(record(found)).items():
        for k in _PLACES[what.rpartition(" ")[2]]:
            within = [_is_within(rank, k) for rank in ranks.values()]
            shown = share_text(sum(within), len(within))
            rows.append(
                Figure(name, f"{label}: {what}, best {k}", "%", (100 * sum(within) / len(within),), shown=shown)
            )
    return rows


def compared(name: str, label: str, found: Sequence[Found], earlier: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """By how many points more questions have their facts among the best places than in an earlier `record`."""
    rows: list[Figure] = []
    before = _ranks(earlier)
    for what, ranks in _ranks(record(found)).items():
        common = ranks.keys() & before.get(what, {}).keys()
        for k in _PLACES[what.rpartition(" ")[2]] if common else ():
            steps = [float(_is_within(ranks[id], k)) - float(_is_within(before[what][id], k)) for id in common]
            ahead = paired(steps)
            better, worse = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
            interval = f"95 %: {100 * ahead.low:+.1f} to {100 * ahead.high:+.1f}"
            shown = f"{100 * ahead.value:+.1f} points ({interval}; {better} gained, {worse} lost of {len(steps)})"
            label_k = f"{label}: {what}, best {k}, against the earlier run"
            rows.append(Figure(name, label_k, "points", (100 * ahead.value,), shown=shown))
    return rows


def _ranks(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int | None]]:
    """By kind and place, the ranks by sample id. Sentences are left out where none were ranked."""
    found: dict[str, dict[str, int | None]] = {}
    for kind, tags in KINDS.items():
        of_kind = [one for one in records if tags & set(one["tags"])]
        for place in ("passages", "sentences"):
            if of_kind and (place == "passages" or any(one["sentence_score"] is not None for one in of_kind)):
                found[f"{kind} within {place}"] = {one["id"]: one[place] for one in of_kind}
    return found


def _is_within(rank: int | None, k: int) -> bool:
    return rank is not None and rank <= k


def threshold_notes(label: str, found: Sequence[Found]) -> Iterator[str]:
    """How well a threshold on the best score would part what the documents answer from what they do not."""
    for what in ("passage", "sentence"):
        scores = [
            (score, NOT_ANSWERED not in one.sample.tags)
            for one in found
            if (score := one.passage_score if what == "passage" else one.sentence_score) is not None
        ]
        answered = sorted(score for score, is_answered in scores if is_answered)
        unanswered = [score for score, is_answered in scores if not is_answered]
        if answered and unanswered:
            pairs = 100 * parted(answered, unanswered)
            yield (
                f"{label}, score of the best {what}: that of a question with an answer is above that of one without in "
                f"{pairs:.0f} % of all pairs. A threshold refuses {_refused(answered, unanswered)}."
            )


def _refused(answered: Sequence[float], unanswered: Sequence[float]) -> str:
    """What is refused rightly at the thresholds that refuse a given share of the `answered`, which are in order."""
    parts = []
    for share in FALSELY:
        limit = answered[len(answered) * share // 100]
        right = 100 * sum(score < limit for score in unanswered) / len(unanswered)
        parts.append(f"{right:.0f} % of those without at {limit:.3f}, where it refuses {share} % of the others")
    return "; ".join(parts)


def parted(answered: Sequence[float], unanswered: Sequence[float]) -> float:
    """The share of pairs in which the score of the question with an answer is the higher one; an equal pair is half.

    Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve", Radiology 143 (1982), 29-36.
    """
    wins = sum((one > other) + 0.5 * (one == other) for one in answered for other in unanswered)
    return wins / (len(answered) * len(unanswered))


def record(found: Sequence[Found]) -> list[dict[str, Any]]:
    """One question each, as JSON."""
    return [
        {
            "id": one.sample.id,
            "tags": list(one.sample.tags),
            "passages": one.passages,
            "sentences": one.sentences,
            "passage_score": one.passage_score,
            "sentence_score": one.sentence_score,
            "best_sentences": list(one.texts),
        }
        for one in found
    ]
