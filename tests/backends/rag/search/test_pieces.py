"""A question that is longer than the embedder reads is searched in pieces."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.rag.search.pieces import MOST, Pieces, query_pieces
from backends.rag.search.retriever import Searcher
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import fill
from tests.backends.rag.quick import SETTINGS, QuickEmbedder

EMBEDDER = QuickEmbedder()
TALK = "I bought a coffee grinder last spring and use it. "
ASKED = "How long is the notice period for the maintenance contract?"


def test_a_short_question_is_left_as_it_is() -> None:
    for text in ("Why?", "word " * 200):
        assert query_pieces(text, EMBEDDER) == Pieces((text,))


def test_what_is_asked_comes_first_and_what_is_repeated_counts_once() -> None:
    found = query_pieces(TALK * 40 + "The sky is grey. " + ASKED, EMBEDDER)
    assert found == Pieces((ASKED, f"{TALK}The sky is grey."))


def test_without_a_question_mark_the_end_comes_first() -> None:
    sentences = [f"Sentence number {number} says something of its own." for number in range(80)]
    found = query_pieces(" ".join(sentences), EMBEDDER)
    assert found.texts[0].endswith(sentences[-1])
    assert " ".join(reversed(found.texts)) == " ".join(sentences)
    assert found.unread == 0


def test_a_sentence_without_end_is_cut_and_what_is_too_much_is_counted() -> None:
    found = query_pieces(" ".join(f"w{number}" for number in range(8_000)), EMBEDDER)
    assert len(found.texts) == MOST
    assert found.unread > 1_000


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=60), st.integers(1, 400))
def test_every_piece_fits_the_embedder(text: str, times: int) -> None:
    for piece in query_pieces(text * times, EMBEDDER).texts:
        if len(query_pieces(text * times, EMBEDDER).texts) > 1:
            assert len(EMBEDDER.tokenizer.encode(piece)) <= EMBEDDER.max_tokens


def test_the_last_sentence_of_a_long_question_is_found(index: Index, quick: QuickEmbedder, tmp_path: Path) -> None:
    (tmp_path / "grinders.md").write_text("A coffee grinder is used nearly every day since spring.")
    (tmp_path / "contracts.md").write_text("The notice period for the maintenance contract is three months.")
    fill(index, tmp_path / "grinders.md", tmp_path / "contracts.md")
    searcher = Searcher(index, quick, RagSettings(**SETTINGS))
    for mode in searcher.modes:
        found = searcher.search(TALK * 60 + ASKED, 1, mode=mode)
        assert [hit.passage.document for hit in found.hits] == ["contracts.md"]
        assert (found.pieces, found.unread) == (2, 0)
    assert searcher.search(ASKED, 1).pieces == 1
    both = searcher.compare(TALK * 60 + ASKED, 2)
    assert [hit.passage.document for hit in both["fused"].hits] == ["contracts.md", "grinders.md"]
