"""Chunks have exact offsets, fit the embedder, and know where they stand in the document."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from backends.errors import BackendError
from backends.rag.documents.chunks import CONTEXT_TOKENS, chunk, embedded_texts, pieces
from backends.rag.documents.files import PAGE_BREAK, Document, Page
from backends.rag.documents.formats import FORMATS
from backends.rag.search.embedder import Embedder
from backends.run.lane import Cancelled
from backends.text import visible_lines


@pytest.fixture(scope="module")
def tokenizer(embedder: Embedder) -> Tokenizer:
    return embedder.tokenizer


def make_document(texts: list[str], format: str, name: str = "notes.md") -> Document:
    pages, start = [], 0
    for number, text in enumerate(texts, start=1):
        pages.append(Page(number if format == "pdf" else None, start, text))
        start += len(text) + len(PAGE_BREAK)
    return Document(name, "ab" * 32, format, tuple(pages))


PIECES = st.sampled_from(
    ["# Title\n", "\n\n", "- item ", "| a | b |\n", "```\n", "naïve ", "日本語 ", "🙂", "x" * 300, "."]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=40)), max_size=30).map("".join).map(visible_lines)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), format=st.sampled_from(sorted(set(FORMATS.values()))))
def test_offsets_are_exact_and_no_text_is_lost(tokenizer: Tokenizer, texts: list[str], format: str) -> None:
    document = make_document(texts, format)
    chunks = chunk(document, tokenizer, 32, 8)
    covered = set()
    for one in chunks:
        assert document.text[one.start : one.end] == one.text
        covered.update(range(one.start, one.end))
        (page,) = [page for page in document.pages if page.start <= one.start < page.start + len(page.text)]
        assert one.end <= page.start + len(page.text)
        assert one.page == page.page
        assert len(tokenizer.encode(one.text, add_special_tokens=False)) <= 32
    missed = "".join(character for place, character in enumerate(document.text) if place not in covered)
    assert missed.strip() == ""
    assert len({one.chunk_id for one in chunks}) == len(chunks)


def test_a_chunk_knows_the_headings_above_it(tokenizer: Tokenizer) -> None:
    text = (
        "# Returns\n\n"
        + "Opened goods may be returned. " * 8
        + "\n\n## Exchanges\n\n"
        + "An exchange is free. " * 8
        + "\n\n```\n# not a heading\n```\n\n"
        + "Exchanges take a week. " * 8
        + "\n\n## Refunds\n\n"
        + "Paid in euros. " * 8
    )
    chunks = chunk(make_document([text], "markdown"), tokenizer, 64, 0)
    headings = [one.heading for one in chunks]
    assert headings[0] == "Returns"
    assert set(headings) == {"Returns", "Returns > Exchanges", "Returns > Refunds"}
    assert headings == sorted(headings, key=["Returns", "Returns > Exchanges", "Returns > Refunds"].index)
    assert {one.heading for one in chunk(make_document([text], "text"), tokenizer, 64, 0)} == {""}


def test_comments_in_source_code_are_no_headings(tokenizer: Tokenizer) -> None:
    code = "# Returns the total\n" + "total = sum(prices)  # in euros\n" * 40
    chunks = chunk(make_document([code], "code", "shop.py"), tokenizer, 64, 0)
    assert len(chunks) > 2
    assert {one.context for one in chunks} == {"shop"}


def test_rows_of_a_csv_file_keep_its_header_row(tokenizer: Tokenizer) -> None:
    text = "item,price\n" + "".join(f"kettle {number},{number}\n" for number in range(40))
    chunks = chunk(make_document([text], "csv", "price-list.csv"), tokenizer, 64, 0)
    assert len(chunks) > 2
    assert embedded_texts(chunks, tokenizer)[-1] == f"price list: item,price\n{chunks[-1].text}"


def test_the_embedded_text_always_fits_the_embedder(tokenizer: Tokenizer, embedder: Embedder) -> None:
    text = f"# {'Very long heading ' * 60}\n\n" + "Some words of the text. " * 200
    chunks = chunk(make_document([text], "markdown"), tokenizer, 160, 32)
    longest = max(len(tokenizer.encode(one)) for one in embedded_texts(chunks, tokenizer))
    assert longest <= 160 + CONTEXT_TOKENS + 2 <= embedder.max_tokens


def test_ids_depend_on_content_place_and_settings(tokenizer: Tokenizer) -> None:
    document = make_document(["One. " * 100], "text")
    first = chunk(document, tokenizer, 64, 16)
    assert [one.chunk_id for one in first] == [one.chunk_id for one in chunk(document, tokenizer, 64, 16)]
    other = chunk(document, tokenizer, 64, 8)
    assert not {one.chunk_id for one in first} & {one.chunk_id for one in other}
    assert all(len(one.chunk_id) == 12 for one in first)


def test_a_word_without_end_does_not_become_one_huge_chunk(tokenizer: Tokenizer) -> None:
    chunks = chunk(make_document(["x" * 100_000], "text"), tokenizer, 64, 16)
    assert max(len(one.text) for one in chunks) <= 64 * 12


def test_an_overlap_as_large_as_the_chunk_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(BackendError, match=r"^The overlap of 64 tokens is not smaller than a chunk of 64 tokens\."):
        chunk(make_document(["a"], "text"), tokenizer, 64, 64)


def test_a_long_heading_is_cut_where_it_is_kept_with_every_chunk(tokenizer: Tokenizer) -> None:
    text = f"# {'word ' * 5000}#\n\n" + "".join(f"## Part {n} ##\n\nBody {n}.\n\n" for n in range(20))
    found = chunk(make_document([text], "markdown"), tokenizer, 32, 0)
    assert max(len(one.heading) for one in found) < 1100
    assert {one.heading.rpartition(" > ")[2] for one in found} >= {"Part 8", "Part 11"}


ONE_LINE = {
    "columns": ("csv", ",".join(f"column {number}" for number in range(3_000))),
    "quotes": ("md", "> " * 10_000),
    "stars": ("md", "*" * 15_000),
    "letters": ("txt", "a" * 15_000),
    "words": ("txt", "a kettle stands on a stove. " * 700),
}


@pytest.mark.parametrize("name", ONE_LINE)
def test_a_line_without_end_is_parted_before_it_is_cut(tokenizer: Tokenizer, name: str) -> None:
    """The splitter's time grows faster than a line: one of a million columns would keep it busy for hours."""
    format, line = ONE_LINE[name]
    text = f"before\n{line}\nafter"
    seen: list[int] = []

    class Splitter:
        def chunk_indices(self, part: str) -> list[tuple[int, str]]:
            seen.append(max(map(len, part.splitlines())))
            return [(0, part)]

    assert "".join(piece for _, piece in pieces(Splitter(), tokenizer, text, 100)) == text  # type: ignore[arg-type]
    assert max(seen) <= 4_000
    chunks = chunk(make_document([text], format), tokenizer, 100, 20)
    covered = {place for one in chunks for place in range(one.start, one.end)}
    assert all(text[one.start : one.end] == one.text for one in chunks)
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


def test_cutting_can_be_cancelled(tokenizer: Tokenizer) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        chunk(make_document(["A kettle."], "txt"), tokenizer, 100, 20, cancel)
