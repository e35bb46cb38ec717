"""Searching a real collection in every mode: ranks, scores, merging, filters, the threshold, and what can go wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends.errors import BackendError
from backends.rag.search.retriever import Filters, Hit, Searcher
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import NEVER, fill, write_folder
from tests.backends.rag.cross_encoder import tiny_cross_encoder
from tests.backends.rag.quick import SETTINGS, QuickEmbedder


def searcher(index: Index, quick: QuickEmbedder, **more: object) -> Searcher:
    return Searcher(index, quick, RagSettings(**{**SETTINGS, **more}))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Four documents with five chunks, for tests that change nothing."""
    folder = write_folder(tmp_path_factory.mktemp("docs"))
    data = tmp_path_factory.mktemp("data")
    index = Index(data, "filled", QuickEmbedder(), RagSettings(**SETTINGS))
    fill(index, folder)
    yield index
    close_stores(data)
    open_database(data).close()


def names(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.passage.document for hit in hits]


def test_every_stage_has_its_rank_and_score(filled: Index, quick: QuickEmbedder) -> None:
    result = searcher(filled, quick).search("paid holiday", 3)
    first = result.hits[0]
    assert (result.mode, first.passage.document) == ("sentences", "leave.txt")
    assert first.passage.text == "Every employee has 27 days of paid holiday a year."
    assert first.dense
    assert first.keyword
    assert first.fused
    assert first.sentences
    ranks = (first.dense.rank, first.keyword.rank, first.fused.rank, first.sentences.rank)
    assert (*ranks, first.reranked) == (1, 1, 1, 1, None)
    assert first.dense.score == first.passage.score
    assert first.fused.score == pytest.approx(first.dense.score + 0.25)
    best = max(one.passage.score for one in result.sentences if one.passage.chunk_id == first.passage.chunk_id)
    assert first.sentences.score == pytest.approx(first.fused.score + best)
    assert set(result.stage_s) == {"embed", "dense", "keyword", "fuse", "sentences"}
    assert all(seconds > 0 for seconds in result.stage_s.values())


def test_the_weight_decides_between_meaning_and_words(filled: Index, quick: QuickEmbedder) -> None:
    """Fused scores are the cosine similarity plus the weight times BM25 over the best BM25."""
    fused = searcher(filled, quick, keyword_weight=3, mode="fused").search("kettle tank water", 9)
    best = max(hit.keyword.score for hit in fused.hits if hit.keyword)
    for hit in fused.hits:
        words = hit.keyword.score if hit.keyword else 0.0
        assert hit.fused
        assert hit.fused.score == pytest.approx(hit.passage.score + 3 * words / best)
    assert [hit.fused.rank for hit in fused.hits if hit.fused] == list(range(1, len(fused.hits) + 1))
    alone = searcher(filled, quick, keyword_weight=0, mode="fused")
    assert names(alone.search("kettle tank water", 9).hits) == names(
        alone.search("kettle tank water", 9, mode="dense").hits
    )


def test_what_only_words_found_gets_its_exact_similarity(filled: Index, quick: QuickEmbedder) -> None:
    """One candidate each way: the nearest by meaning, and another by words."""
    narrow = searcher(filled, quick, candidates=1)
    wanted = next(chunk for chunk in filled.chunks() if "27 days" in chunk.text)
    (hit,) = narrow.search("employee", 1, mode="keyword").hits
    cosine = float(filled.vectors([wanted.row])[0] @ quick.embed_query("employee"))
    assert hit.passage.chunk_id == wanted.chunk_id
    assert hit.passage.score == pytest.approx(cosine)
    assert (hit.dense, hit.fused) == (None, None)


def test_modes_run_only_what_they_need(filled: Index, quick: QuickEmbedder) -> None:
    one = searcher(filled, quick)
    assert set(one.search("days", 3, mode="dense").stage_s) == {"embed", "dense", "fuse", "sentences"}
    assert set(one.search("days", 3, mode="keyword").stage_s) == {"embed", "keyword", "fuse", "sentences"}
    assert searcher(filled, quick, mode="keyword").search("days", 3).mode == "keyword"
    assert one.search("zeppelin", 3, mode="keyword").hits == ()


def test_all_modes_from_one_pass(filled: Index, quick: QuickEmbedder) -> None:
    one = searcher(filled, quick)
    results = one.compare("paid holiday", 2)
    assert tuple(results) == one.modes == ("dense", "keyword", "fused", "sentences")
    for mode, result in results.items():
        alone = one.search("paid holiday", 2, mode=mode)
        assert [hit.passage.chunk_id for hit in result.hits] == [hit.passage.chunk_id for hit in alone.hits]
    assert results["dense"].hits[0].keyword == results["keyword"].hits[0].keyword
    assert set(results["dense"].stage_s) == {"embed", "dense", "fuse", "sentences"}


def test_filters(filled: Index, quick: QuickEmbedder) -> None:
    one = searcher(filled, quick)
    for mode in one.modes:
        pdf = one.search("days water", 9, mode=mode, filters=Filters(formats=("pdf",))).hits
        assert set(names(pdf)) == {"manual.pdf"}
        named = one.search("days", 9, mode=mode, filters=Filters(documents=("leave.txt", "manual.pdf"))).hits
        assert set(names(named)) == {"leave.txt", "manual.pdf"}
    languages = {document.language for document in filled.documents()}
    english = one.search("days", 9, filters=Filters(languages=("en",))).hits
    assert set(names(english)) == {one.name for one in filled.documents() if one.language == "en"}
    assert languages


def test_filters_that_no_document_passes_are_a_fault(filled: Index, quick: QuickEmbedder) -> None:
    one = searcher(filled, quick)
    for mode in one.modes:
        both = Filters(documents=("leave.txt",), formats=("pdf",))
        with pytest.raises(BackendError, match=r"passes the filters \(document leave\.txt, format pdf\)"):
            one.search("days", 9, mode=mode, filters=both)
    with pytest.raises(BackendError, match=r"language xx or yy"):
        one.compare("days", 9, Filters(languages=("xx", "yy")))


def test_filters_of_an_empty_collection_say_that_it_is_empty(index: Index, quick: QuickEmbedder) -> None:
    with pytest.raises(BackendError, match="is empty"):
        searcher(index, quick).search("days", 9, filters=Filters(formats=("pdf",)))


def test_below_the_threshold_nothing_counts(filled: Index, quick: QuickEmbedder) -> None:
    """The best sentence has to reach it; the others are kept, whatever their score."""
    one = searcher(filled, quick)
    free = one.search("paid holiday", 3)
    scores = [sentence.score for sentence in free.sentences]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < scores[0]
    assert one.search("paid holiday", 3, min_score=scores[0]).hits == free.hits
    emptied = one.search("paid holiday", 3, min_score=scores[0] + 0.001)
    assert emptied.hits == ()
    assert set(emptied.stage_s) == {"embed", "dense", "keyword", "fuse", "sentences"}


def test_a_small_k_refuses_no_more_than_a_larger_one(filled: Index, quick: QuickEmbedder) -> None:
    one = searcher(filled, quick, keyword_weight=3)
    best = one.search("kettle tank water", 3).sentences[0].score
    assert one.search("kettle tank water", 1, min_score=best).hits == one.search("kettle tank water", 1).hits
    assert one.search("kettle tank water", 1, min_score=best + 0.001).hits == ()


def test_near_duplicates_take_one_place(index: Index, quick: QuickEmbedder, tmp_path: Path) -> None:
    for number, text in enumerate(["Return goods within 30 days.", "return goods within 30 days.", "Goods are sold."]):
        (tmp_path / f"{number}.txt").write_text(text)
    fill(index, *(tmp_path / f"{number}.txt" for number in range(3)))
    hits = searcher(index, quick, merge_above=0.7).search("return goods within 30 days.", 2).hits
    assert names(hits) == ["1.txt", "2.txt"]
    assert [passage.document for passage in hits[0].near_duplicates] == ["0.txt"]
    assert hits[1].near_duplicates == ()


@pytest.mark.parametrize("query", ["", "  \n ", "\ufeff "])
def test_an_empty_query_finds_nothing(index: Index, quick: QuickEmbedder, query: str) -> None:
    one = searcher(index, quick)
    assert one.search(query.strip("\ufeff"), 3).hits == ()
    assert {mode: result.hits for mode, result in one.compare(" ", 3).items()} == {
        "dense": (),
        "keyword": (),
        "fused": (),
        "sentences": (),
    }


@pytest.mark.parametrize("mode", ["dense", "keyword", "fused"])
def test_an_empty_collection_says_so(index: Index, quick: QuickEmbedder, mode: str) -> None:
    with pytest.raises(BackendError, match="is empty"):
        searcher(index, quick).search("days", 3, mode=mode)  # type: ignore[arg-type]


def test_more_hits_than_there_are(filled: Index, quick: QuickEmbedder) -> None:
    assert len(searcher(filled, quick).search("days", 1000).hits) == filled.count() == 5


def test_the_last_change_is_found(index: Index, quick: QuickEmbedder, folder: Path) -> None:
    fill(index, folder)
    one = searcher(index, quick)
    assert names(one.search("zeppelin", 1, mode="keyword").hits) == []
    (folder / "leave.txt").write_text("A zeppelin is no longer on offer.")
    fill(index, folder)
    assert names(one.search("zeppelin", 1, mode="keyword").hits) == ["leave.txt"]
    index.delete("leave.txt")
    assert names(one.search("zeppelin", 1, mode="keyword").hits) == []
    assert "leave.txt" not in names(one.search("zeppelin", 9).hits)


def test_it_begins_again_when_the_collection_changes_under_it(
    index: Index, quick: QuickEmbedder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(index, folder)
    one = searcher(index, quick)
    vectors, calls = index.vectors, []

    def changed(rows: list[int]) -> np.ndarray:
        calls.append(rows)
        if len(calls) == 1:
            index.delete("leave.txt")
        return vectors(rows)

    monkeypatch.setattr(index, "vectors", changed)
    assert "leave.txt" not in names(one.search("paid holiday", 9).hits)
    assert len(calls) == 2


def test_searching_from_many_threads_while_indexing(index: Index, quick: QuickEmbedder, folder: Path) -> None:
    fill(index, folder / "leave.txt")
    one = searcher(index, quick)
    found: list[int] = []
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            found.extend(len(one.search("days", 9).hits) for _ in range(10))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in index.add([folder], NEVER):
        pass
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(found) == 40
    assert set(found) <= {1, 2, 3, 4, 5}
    assert len(one.search("days", 9).hits) == 5


def test_hits_carry_their_headings(filled: Index, quick: QuickEmbedder) -> None:
    (hit,) = searcher(filled, quick).search("Unopened goods", 1).hits
    assert (hit.passage.document, hit.heading) == ("returns.md", "Returns")


# --- reranking ----------------------------------------------------------------------------------


def test_without_a_reranker_there_is_a_sentence(filled: Index, quick: QuickEmbedder) -> None:
    one = searcher(filled, quick)
    assert one.reranker is None
    assert one.reranker_fault == (
        "No reranker is configured. Set rag.reranker to the Hub id or the folder of a cross-encoder."
    )
    with pytest.raises(BackendError, match=r"^No reranker is configured\."):
        one.search("days", 3, mode="reranked")
    with pytest.raises(BackendError, match=r"^No reranker is configured\."):
        searcher(filled, quick, mode="reranked").prepare()


def test_a_reranker_puts_the_candidates_in_its_order(filled: Index, quick: QuickEmbedder, tmp_path: Path) -> None:
    folder = tiny_cross_encoder(tmp_path)
    one = searcher(filled, quick, reranker=str(folder))
    assert (one.reranker, one.reranker_fault) == (str(folder), None)
    result = one.search("paid holiday", 9, mode="reranked")
    assert set(result.stage_s) == {"embed", "dense", "keyword", "fuse", "sentences", "rerank"}
    stages = [hit.reranked for hit in result.hits if hit.reranked]
    assert [stage.rank for stage in stages] == [1, 2, 3, 4, 5]
    assert [stage.score for stage in stages] == sorted((stage.score for stage in stages), reverse=True)
    assert {hit.fused.rank for hit in result.hits if hit.fused} == {1, 2, 3, 4, 5}
    compared = one.compare("paid holiday", 9)
    assert tuple(compared) == ("dense", "keyword", "fused", "sentences", "reranked")
    assert [hit.passage for hit in compared["reranked"].hits] == [hit.passage for hit in result.hits]


def test_only_the_best_candidates_are_reranked(
    filled: Index, quick: QuickEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backends.rag.search.candidates.RERANKED", 2)
    one = searcher(filled, quick, reranker=str(tiny_cross_encoder(tmp_path)))
    hits = one.search("paid holiday", 9, mode="reranked").hits
    assert [bool(hit.reranked) for hit in hits] == [True, True, False, False, False]
    assert [hit.fused.rank for hit in hits if hit.fused][2:] == [3, 4, 5]


def test_a_reranker_that_cannot_be_had_is_left_out(filled: Index, quick: QuickEmbedder, tmp_path: Path) -> None:
    one = searcher(filled, quick, reranker=str(tmp_path / "a" / "b" / "missing"))
    assert tuple(one.compare("days", 3)) == ("dense", "keyword", "fused", "sentences")
    assert one.reranker is None
    assert one.reranker_fault
    assert "There is no folder" in one.reranker_fault
    assert len(one.search("days", 3).hits) == 3
    with pytest.raises(BackendError, match="There is no folder"):
        one.search("days", 3, mode="reranked")
