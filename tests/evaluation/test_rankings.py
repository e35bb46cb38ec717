"""Ranked lists judged by hand."""

from __future__ import annotations

from math import isnan, log2

import pytest

from backends.base import Passage
from backends.rag.search.retriever import Hit
from evaluation.retrieval import document_ranks, fact_ranks, metric_values
from evaluation.samples import Sample

SAMPLE = Sample("q1", "?", key_facts=(("30 days", "thirty days"), ("unopened",)), sources=("a.md", "b.md"))


def hit(document: str, text: str = "", also: tuple[Passage, ...] = ()) -> Hit:
    return Hit(passage(document, text), None, None, None, None, also)


def passage(document: str, text: str = "") -> Passage:
    return Passage(document, None, "", 0.5, 0, len(text), text)


def test_the_ranks_of_the_sources() -> None:
    hits = [hit("c.md"), hit("b.md"), hit("b.md"), hit("a.md")]
    assert document_ranks(hits, SAMPLE) == [4, 2]
    assert document_ranks(hits[:3], SAMPLE) == [None, 2]
    assert document_ranks([hit("c.md")] * 10 + [hit("a.md")], SAMPLE) == [None, None]


def test_a_fact_counts_only_in_a_source() -> None:
    hits = [
        hit("c.md", "30 days, unopened"),
        hit("a.md", "130 days"),
        hit("b.md", "THIRTY  days"),
        hit("a.md", "Unopened"),
    ]
    assert fact_ranks(hits, SAMPLE) == [3, 4]


def test_what_was_merged_into_a_hit_counts() -> None:
    hits = [hit("c.md", "x", (passage("a.md", "unopened"),))]
    assert document_ranks(hits, SAMPLE) == [1, None]
    assert fact_ranks(hits, SAMPLE) == [None, 1]


def test_one_thing_at_rank_2() -> None:
    assert metric_values([2], 1) == {
        "hit@1": 0.0,
        "hit@3": 1.0,
        "hit@5": 1.0,
        "hit@10": 1.0,
        "MRR": 0.5,
        "nDCG@10": pytest.approx(1 / log2(3)),
    }


def test_two_sources_need_two_places() -> None:
    values = metric_values([1, 4], 2)
    assert isnan(values["hit@1"])
    assert [values[f"hit@{k}"] for k in (3, 5, 10)] == [0.0, 1.0, 1.0]
    assert values["MRR"] == 1.0
    assert values["nDCG@10"] == pytest.approx((1 + 1 / log2(5)) / (1 + 1 / log2(3)))


@pytest.mark.parametrize(("ranks", "passages"), [([1], 1), ([1, 1, 1], 1), ([1, 2], 2), ([1, 1, 2], 2), ([1], 2)])
def test_the_best_possible_list_has_1(ranks: list[int], passages: int) -> None:
    assert metric_values(ranks, passages)["nDCG@10"] == pytest.approx(1)


def test_nothing_found_is_0_everywhere() -> None:
    assert set(metric_values([None, None], 1).values()) == {0.0}
    assert metric_values([None, 1], 1)["hit@10"] == 0.0
