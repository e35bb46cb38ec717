"""What a search found, in words: what moved, what is below the threshold, and every rank and score."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from backends.base import Passage
from backends.rag.search.retriever import Hit, SearchResult, Stage
from backends.rag.search.sentences import RankedSentence
from tests.scripted import PATIENCE_S
from ui.rag.hits import every_stage, passage_key, rank_change, ranks, stage_line, stage_times, verdict


def hit(
    document: str,
    score: float,
    dense: int | None = None,
    keyword: int | None = None,
    also: tuple[Passage, ...] = (),
) -> Hit:
    return Hit(
        Passage(document, 2, document, score, 0, 10, f"text of {document}"),
        None if dense is None else Stage(dense, score),
        None if keyword is None else Stage(keyword, 7.25),
        None,
        None,
        also,
    )


def test_what_moved_is_said_in_words_and_not_by_colour_alone() -> None:
    dense = {passage_key(hit(name, 0.5).passage): rank for rank, name in enumerate(("a", "b", "c"), 1)}
    assert rank_change(hit("c", 0.5), 1, dense) == ":green-badge[\u25b2 up 2 from dense]"
    assert rank_change(hit("a", 0.5), 2, dense) == ":violet-badge[\u25bc down 1 from dense]"
    assert rank_change(hit("b", 0.5), 2, dense) == ":gray-badge[as in dense]"
    assert rank_change(hit("d", 0.5), 3, dense) == ":orange-badge[not in the dense list]"


def test_a_passage_that_was_merged_into_another_is_in_the_list_at_its_rank() -> None:
    twin = hit("twin", 0.5).passage
    dense = ranks(SearchResult("q", "dense", (hit("a", 0.6), hit("b", 0.5, also=(twin,))), {}))
    assert rank_change(hit("twin", 0.5), 1, dense) == ":green-badge[\u25b2 up 1 from dense]"
    assert rank_change(hit("a", 0.6), 1, dense) == ":gray-badge[as in dense]"


def test_every_stage_that_put_a_hit_forward_is_named() -> None:
    assert stage_line(hit("a", 0.625, dense=1, keyword=12)) == "dense #1 (0.625) \u00b7 keyword #12 (7.25)"
    assert stage_line(hit("a", 0.1, keyword=3)) == "keyword #3 (7.25)"


def ranked(*scores: float) -> tuple[RankedSentence, ...]:
    passages = [Passage(f"{one}.md", 2, "c", one, 0, 10, f"![x](y) says {one}") for one in scores]
    return tuple(RankedSentence(one, rank, one.score, 0.5) for rank, one in enumerate(passages, 1))


def test_the_best_sentence_decides_whether_there_is_an_answer() -> None:
    def said(*scores: float, by_code: bool = False) -> str:
        return verdict(SearchResult("q", "sentences", (), {}, sentences=ranked(*scores)), 0.35, by_code)

    assert said(0.5, 0.2) == ("The best sentence reaches 0.50. From 0.35 on, RAG answers from what was found.")
    assert said(0.2).endswith("less than the threshold of 0.35: RAG would say that the documents do not say.")
    assert said(0.2, by_code=True).endswith("and RAG answers from that.")
    assert said() == "Nothing was found, so RAG would say that the documents do not say."


def test_the_table_has_a_row_for_every_passage_that_any_mode_found() -> None:
    results = {
        "dense": SearchResult("q", "dense", (hit("a", 0.5, dense=1), hit("b", 0.4, dense=2)), {}),
        "keyword": SearchResult("q", "keyword", (hit("c", 0.1, keyword=1), hit("a", 0.5, dense=1, keyword=2)), {}),
    }
    table = every_stage(results)  # type: ignore[arg-type]
    assert list(table["document"]) == ["c", "a", "b"]
    assert list(table.columns) == [
        "document",
        "page",
        "dense rank",
        "dense score",
        "keyword rank",
        "keyword score",
        "headings",
        "text",
    ]
    assert table.set_index("document").loc["a", "keyword rank"] == 2


def test_times_stand_in_the_order_of_the_work() -> None:
    results = {
        "dense": SearchResult("q", "dense", (), {"fuse": 0.002, "embed": 0.01, "dense": 0.0005}),
        "keyword": SearchResult("q", "keyword", (), {"embed": 0.01, "keyword": 0.0021, "fuse": 0.004}),
    }
    assert stage_times(results) == (  # type: ignore[arg-type]
        "turning the question into numbers 10 ms \u00b7 dense < 1 ms \u00b7 keyword 2.1 ms \u00b7 fusing 4 ms"
    )


def test_merged_passages_are_shown() -> None:
    def script() -> None:
        from backends.rag.search.retriever import SearchResult
        from tests.ui.rag.test_hits import hit
        from ui.rag.hits import mode_column

        twin = hit("![x](http://evil.example).md", 0.6).passage
        found = (hit("a.md", 0.6, dense=1, also=(twin, twin)), hit("b.md", 0.2, dense=2), hit("c.md", 0.1, dense=3))
        mode_column("dense", SearchResult("q", "dense", found, {}), {}, in_use=True)

    at = AppTest.from_function(script, default_timeout=PATIENCE_S).run()
    assert not at.exception
    merged = [one.value for one in at.caption if "almost the same text" in one.value]
    assert merged == [
        ":material/content_copy: almost the same text, shown once: \\!\\[x\\]\\(http\\::small[]//evil\\.example\\)\\.md"
    ]


def test_the_threshold_stands_between_the_sentences() -> None:
    def script() -> None:
        from backends.rag.search.retriever import SearchResult
        from tests.ui.rag.test_hits import ranked
        from ui.rag.hits import sentence_list

        sentence_list(SearchResult("q", "sentences", (), {}, sentences=ranked(0.6, 0.2, 0.1)), 0.35, 2)

    at = AppTest.from_function(script, default_timeout=20).run()
    assert not at.exception
    lines = [one.value for one in at.markdown]
    below = ":orange-badge[:material/vertical_align_bottom: below the threshold of 0.35]"
    assert lines.index(below) == lines.index("**2** \u00b7 \\!\\[x\\]\\(y\\) says 0\\.2") - 1
    assert len(lines) == 4
