"""How a ranked list of hits is judged against what it should have found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log2, nan

from backends.rag.search import Hit
from evaluation.metrics import holds
from evaluation.question_sets import Sample

DEPTH = 10
"""Hits that are judged."""

HITS_AT = (1, 3, 5, 10)
METRICS = (*(f"hit@{k}" for k in HITS_AT), "MRR", "nDCG@10")
"""`hit@k`: share of questions for which everything wanted is among the first k hits. `MRR`: mean of 1 / rank of the
first hit that is wanted. `nDCG@10`: the sum over what is wanted of 1 / log2(1 + rank), over the best possible sum.
Source: Manning, Raghavan, Schütze, "Introduction to Information Retrieval" (2008), chapter 8.
"""


def document_ranks(hits: Sequence[Hit], sample: Sample) -> list[int | None]:
    """For each source of a sample, the rank of the first hit from it; None if there is none."""
    found = [{passage.document for passage in (hit.passage, *hit.also)} for hit in hits[:DEPTH]]
    return [_first(source in documents for documents in found) for source in sample.sources]


def fact_ranks(hits: Sequence[Hit], sample: Sample) -> list[int | None]:
    """For each key fact, the rank of the first hit from a source of the sample that holds it; None if there is none."""
    found = [
        [passage.text for passage in (hit.passage, *hit.also) if passage.document in sample.sources]
        for hit in hits[:DEPTH]
    ]
    return [_first(any(holds(text, fact) for text in texts) for texts in found) for fact in sample.key_facts]


def judged(ranks: Sequence[int | None], passages: int) -> dict[str, float]:
    """The value of every metric for one question, which needs at least this many passages.

    hit@k is NaN where k passages cannot be enough. The best possible list has one thing in each of the first
    `passages` places and the rest in the first.
    """
    places = min(passages, len(ranks))
    found = [rank for rank in ranks if rank is not None and rank <= DEPTH]
    complete = max(found) if len(found) == len(ranks) else DEPTH + 1
    values = {f"hit@{k}": nan if k < places else float(complete <= k) for k in HITS_AT}
    values["MRR"] = 1 / min(found) if found else 0.0
    best = len(ranks) - places + sum(1 / log2(1 + place) for place in range(1, places + 1))
    values["nDCG@10"] = sum(1 / log2(1 + rank) for rank in found) / best
    return values


def _first(wanted: Iterable[bool]) -> int | None:
    """The rank of the first true one."""
    for rank, is_wanted in enumerate(wanted, 1):
        if is_wanted:
            return rank
    return None
