"""What a search found, mode beside mode: which passage came where at every stage, and what moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from backends.base import Passage
from backends.rag.documents.headings import without_heading_marks
from backends.rag.documents.tables import parts_of, shown_heading
from backends.rag.search.retriever import Hit, Mode, SearchResult, Stage
from backends.rag.search.sentences import in_words
from ui.shared import numbers
from ui.shared.tables import plain_frame
from ui.shared.text import escaped, plain

COLUMN_WIDTH = 220  # pixels at least: five columns fit beside each other at 1440, three at 800
_TEXT_HEIGHT = 106  # pixels; the rest of a passage scrolls

STEPS = {
    "embed": "turning the question into numbers",
    "dense": "dense",
    "keyword": "keyword",
    "fuse": "fusing",
    "sentences": "reading sentences",
    "judge": "judging sentences",
    "rerank": "reranking",
}
_STAGES: tuple[Mode, ...] = ("dense", "keyword", "fused", "sentences", "reranked")

PassageKey = tuple[str, int, int]
"""Document, start and end: what makes a passage the same one in several lists."""


@dataclass(frozen=True, slots=True)
class ModeLabel:
    """How a mode is named and explained."""

    name: str
    what: str


MODE_LABELS: dict[Mode, ModeLabel] = {
    "dense": ModeLabel("Dense", "By meaning: passages whose vectors are close to the question's. Score: cosine."),
    "keyword": ModeLabel("Keyword", "By words: the rarer a shared word, the more it counts. Score: BM25."),
    "fused": ModeLabel("Fused", "By both: the cosine, with a bonus for shared words."),
    "sentences": ModeLabel("Best sentence", "Fused, and how close the passage's best sentence is to the question."),
    "reranked": ModeLabel("Reranked", "A second model reads the question and each passage together."),
}


def passage_key(passage: Passage) -> PassageKey:
    """What makes a passage the same one in several lists."""
    return passage.document, passage.start, passage.end


def ranks(result: SearchResult) -> dict[PassageKey, int]:
    """The rank of every passage in a list from 1; one that was merged into another has that one's."""
    return {
        passage_key(passage): rank
        for rank, hit in enumerate(result.hits, 1)
        for passage in (hit.passage, *hit.near_duplicates)
    }


def verdict(result: SearchResult, min_score: float, by_code: bool = False) -> str:
    """Whether an answer would be written from these hits: the best sentence must reach `min_score`, unless a passage
    holds a code of the question word for word (`by_code`)."""
    if not result.sentences:
        return "Nothing was found, so RAG would say that the documents do not say."
    if result.wordless:
        return "The question holds no word to look for, so RAG would say that the documents do not say."
    best = result.best_score
    reached = (
        f"The best sentence answers with a chance of {best:.2f}"
        if judged(result)
        else f"The best sentence reaches {best:.2f}"
    )
    if best < min_score and by_code:
        return (
            f"{reached}, less than the threshold of {min_score:.2f}; but a passage holds a code of the question word "
            "for word, and RAG answers from that."
        )
    if best < min_score:
        return f"{reached}, less than the threshold of {min_score:.2f}: RAG would say that the documents do not say."
    return f"{reached}. From {min_score:.2f} on, RAG answers from what was found."


def judged(result: SearchResult) -> bool:
    """Whether the scores of its sentences are chances."""
    return "judge" in result.stage_s


def rank_change(hit: Hit, rank: int, dense: Mapping[PassageKey, int]) -> str:
    """Where a hit came from, compared with its rank in the `dense` list, as a badge with words."""
    was = dense.get(passage_key(hit.passage))
    if was is None:
        return ":orange-badge[not in the dense list]"
    if was == rank:
        return ":gray-badge[as in dense]"
    arrow, colour, word = ("\u25b2", "green", "up") if was > rank else ("\u25bc", "violet", "down")
    return f":{colour}-badge[{arrow} {word} {abs(was - rank)} from dense]"


def stage_line(hit: Hit) -> str:
    """Rank and score of every stage that put the hit forward: `dense #1 (0.62) · keyword #4 (7.1)`."""
    return " \u00b7 ".join(f"{name} #{stage.rank} ({stage.score:.3g})" for name, stage in _stages(hit))


def _stages(hit: Hit) -> list[tuple[Mode, Stage]]:
    stages = zip(_STAGES, (hit.dense, hit.keyword, hit.fused, hit.sentences, hit.reranked), strict=True)
    return [(name, stage) for name, stage in stages if stage is not None]


def mode_column(mode: Mode, result: SearchResult, dense: Mapping[PassageKey, int], *, in_use: bool) -> None:
    """Draw one mode's list."""
    look = MODE_LABELS[mode]
    st.markdown(f"## {look.name}" + (" :blue-badge[:material/check: in use]" if in_use else ""))
    st.caption(look.what)
    if not result.hits:
        st.caption("No passage shares a word with it." if mode == "keyword" else "Nothing was found this way.")
    for rank, hit in enumerate(result.hits, 1):
        _card(rank, hit, [] if mode == "dense" else [rank_change(hit, rank, dense)])


def _card(rank: int, hit: Hit, marks: Sequence[str]) -> None:
    passage = hit.passage
    with st.container(border=True, gap="xsmall"):
        page = f" \u00b7 page {passage.page}" if passage.page else ""
        st.markdown(f"**{rank} \u00b7 {escaped(passage.document)}**{page}")
        if passage.superseded:
            marks = [*marks, f":red-badge[:material/history: {escaped(passage.superseded)}]"]
        if marks:
            st.markdown(" ".join(marks))
        with st.container(height=_TEXT_HEIGHT, border=False):
            st.text(plain(" ".join(without_heading_marks(passage.text, passage.document).split())))
        st.caption(escaped(stage_line(hit)))
        if hit.near_duplicates:
            where = ", ".join(dict.fromkeys(one.document for one in hit.near_duplicates))
            st.caption(f":material/content_copy: almost the same text, shown once: {escaped(where)}")


def sentence_list(result: SearchResult, min_score: float, most: int) -> None:
    """Draw the best sentences with rank and score, and where the threshold lies among them."""
    st.markdown("## Best sentences")
    st.caption(
        "The sentences and table rows of the best passages, with document and headings. "
        + (
            "Chance: how likely each answers, by a small network that reads it with the question."
            if judged(result)
            else "Score: 0.5 \u00d7 cosine + 0.15 \u00d7 share of the question's words + 0.3 \u00d7 the passage's."
        )
    )
    name = "chance" if judged(result) else "score"
    for asked in result.asked:
        if asked.name:
            st.markdown(f"**{escaped(asked.name)}**")
        line_drawn = False
        for one in asked.sentences[: max(1, most // len(result.asked))]:
            if not line_drawn and one.score < min_score:
                line_drawn = True
                st.markdown(f":orange-badge[:material/vertical_align_bottom: below the threshold of {min_score:.2f}]")
            above = " > ".join(filter(None, (one.passage.document, parts_of(one.passage.heading)[0])))
            old = f" :red-badge[:material/history: {escaped(one.passage.superseded)}]" if one.passage.superseded else ""
            st.markdown(f"**{one.rank:d}** \u00b7 {escaped(in_words(one.passage))}{old}")
            st.caption(f"{escaped(above)} \u00b7 {name} {one.score:.2f} \u00b7 cosine {one.passage.score:.2f}")


def every_stage(results: Mapping[Mode, SearchResult]) -> pd.DataFrame:
    """One row per passage that any mode found, with its rank and score at every stage, best of the last mode first."""
    rows: dict[PassageKey, dict[str, object]] = {}
    for result in reversed(list(results.values())):
        for hit in result.hits:
            row = rows.setdefault(passage_key(hit.passage), {})
            row |= {"document": hit.passage.document, "page": hit.passage.page, "headings": shown_heading(hit.heading)}
            for name, stage in _stages(hit):
                row |= {f"{name} rank": stage.rank, f"{name} score": round(stage.score, 4)}
            row["text"] = hit.passage.text
    found = plain_frame(list(rows.values()))
    measures = [f"{name} {what}" for name in _STAGES for what in ("rank", "score")]
    return found[[name for name in ("document", "page", *measures, "headings", "text") if name in found]]


def stage_times(results: Mapping[Mode, SearchResult]) -> str:
    """What each step took, in words, from the results that ran it."""
    took: dict[str, float] = {}
    for result in results.values():
        for name, seconds in result.stage_s.items():
            took[name] = max(took.get(name, 0.0), seconds)
    return " \u00b7 ".join(f"{word} {numbers.seconds(took[name])}" for name, word in STEPS.items() if name in took)
