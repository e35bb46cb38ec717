"""Chunk boundaries in a text: every character is shown once, with the chunks that it belongs to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from ui.rag.document_view import ChunkSpan, Segment, segments

TEXT = "one two three four"


def test_overlapping_chunks_share_a_segment() -> None:
    assert segments(TEXT, [ChunkSpan(1, 0, 7), ChunkSpan(2, 4, 13)]) == [
        Segment("one ", (1,), (1,)),
        Segment("two", (1, 2), (2,)),
        Segment(" three", (2,)),
        Segment(" four", ()),
    ]


def test_offsets_count_from_the_start_of_the_document() -> None:
    assert segments("three four", [ChunkSpan(2, 4, 13)], start=8) == [Segment("three", (2,)), Segment(" four", ())]
    assert segments("three", [ChunkSpan(1, 0, 7)], start=8) == [Segment("three", ())]
    assert segments("", [ChunkSpan(1, 0, 7)]) == []


@given(
    text=st.text(max_size=60),
    start=st.integers(0, 50),
    edges=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 60)), max_size=6),
)
def test_no_character_is_lost_or_moved(text: str, start: int, edges: list[tuple[int, int]]) -> None:
    cuts = [ChunkSpan(number, begin, begin + length) for number, (begin, length) in enumerate(edges, 1)]
    found = segments(text, cuts, start)
    assert "".join(segment.text for segment in found) == text
    offset = start
    for segment in found:
        covering = tuple(cut.number for cut in cuts if cut.start <= offset < cut.end)
        assert segment.numbers == covering
        offset += len(segment.text)


def shown(text: str, cuts: list[ChunkSpan]) -> str:
    def script(text: str, cuts: list[tuple[int, int, int]]) -> None:
        from ui.rag.document_view import ChunkSpan, draw_chunked_text

        draw_chunked_text(text, [ChunkSpan(*cut) for cut in cuts])

    at = AppTest.from_function(script, args=(text, [(cut.number, cut.start, cut.end) for cut in cuts])).run()
    assert not at.exception
    return str(at.markdown[0].value)


def test_neighbours_have_two_tints_and_what_they_share_a_third() -> None:
    assert shown(TEXT, [ChunkSpan(1, 0, 7), ChunkSpan(2, 4, 13)]) == (
        ":gray-badge[1] :violet-background[one ]  "
        ":gray-badge[2] :orange-background[two]  "
        ":blue-background[ three]  "
        "four"
    )


def test_a_tint_never_spans_lines_and_nothing_in_the_text_is_markdown() -> None:
    text = "# head\n\n![x](http://evil.example/x.png)\n    code :red[b] $x$"
    assert shown(text, [ChunkSpan(2, 0, len(text))]) == (
        ":gray-badge[2] :blue-background[\\# head]  \n\n"
        ":blue-background[\\!\\[x\\]\\(http\\::small[]//evil\\.example/x\\.png\\)]  \n"
        ":blue-background[:small[]    code \\:red\\[b\\] \\$x\\$]"
    )
