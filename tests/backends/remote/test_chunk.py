"""One chunk of a stream, whatever its shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.remote.chunk import ChunkContent, parse_chunk

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "reasoning", "usage", "type", "text", "thinking"]), inner
        )
    ),
)


@given(json_values)
def test_nothing_that_is_json_breaks_the_reading(document: object) -> None:
    found = parse_chunk(document)
    assert isinstance(found.text, str)
    assert isinstance(found.reasoning, str)
    assert found.finish_reason is None or found.finish_reason
    (found.text + found.reasoning).encode()


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        (delta(content="Par"), ChunkContent("Par")),
        (delta(content="", reasoning_content="Hm"), ChunkContent("", "Hm")),
        (delta(content=None, reasoning="Hm"), ChunkContent("", "Hm")),
        (delta(reasoning="", reasoning_content=None), ChunkContent()),
        (
            delta(
                content=[
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
                    {"type": "text", "text": "A"},
                ]
            ),
            ChunkContent("A", "Hm"),
        ),
        (delta(content="a\ud83db"), ChunkContent("a\ufffdb")),
        ({"choices": [], "usage": {"prompt_tokens": 3}}, ChunkContent(usage={"prompt_tokens": 3})),
        ({"choices": [{"delta": None, "finish_reason": "stop"}]}, ChunkContent(finish_reason="stop")),
        ({"choices": [], "service_tier": "flex"}, ChunkContent(service_tier="flex")),
        ({"usage": {"service_tier": "batch"}}, ChunkContent(usage={"service_tier": "batch"}, service_tier="batch")),
        (["not", "a", "chunk"], ChunkContent()),
    ],
)
def test_what_a_chunk_says(chunk: object, expected: ChunkContent) -> None:
    assert parse_chunk(chunk) == expected


def test_the_words_of_sound_are_text() -> None:
    assert parse_chunk(delta(audio={"transcript": "36 "})) == ChunkContent("36 ", left_out=("sound",))
    assert parse_chunk(delta(audio={"data": "AAAA"})) == ChunkContent(left_out=("sound",))


@pytest.mark.parametrize("reason", ["null", "None", "", " ", None, 5])
def test_what_is_no_finish_reason(reason: object) -> None:
    assert parse_chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).finish_reason is None


def test_of_several_choices_the_lowest_counts() -> None:
    choices = [{"index": 1, "delta": {"content": "B"}}, {"index": 0, "delta": {"content": "A"}}]
    found = parse_chunk({"choices": choices})
    assert (found.text, found.index, found.left_out) == ("A", 0, ("more than one answer",))
    assert parse_chunk({"choices": [5, {"delta": {"content": "A"}}]}).text == ""
    assert parse_chunk({"choices": [{"index": True, "delta": {"content": "A"}}]}).index in (None, 1)


@pytest.mark.parametrize(
    "choice",
    [
        {"delta": "A"},
        {"delta": {"text": "A"}},
        {"delta": {"content": {"text": "A"}}},
        {"delta": None, "text": "A"},
        {"text": "A"},
    ],
)
def test_where_the_text_may_be(choice: dict[str, Any]) -> None:
    assert parse_chunk({"choices": [choice]}) == ChunkContent("A")
    assert parse_chunk({"choices": [{"message": "A"}]}) == ChunkContent("A", whole=True)
    assert parse_chunk({"choices": {"delta": {"content": "A"}}}) == ChunkContent("A")


def test_content_that_is_a_number_is_named() -> None:
    assert parse_chunk(delta(content=36)) == ChunkContent(left_out=("content that is a number",))


@pytest.mark.parametrize(
    "choice",
    [
        {"finishReason": "STOP"},
        {"finish_reason": None, "native_finish_reason": "STOP"},
        {"delta": {"finish_reason": "STOP"}},
        {"finish_details": {"type": "STOP"}},
        {"finish_reason": "STOP", "native_finish_reason": "end"},
    ],
)
def test_where_the_reason_may_be(choice: dict[str, Any]) -> None:
    assert parse_chunk({"choices": [choice]}) == ChunkContent(finish_reason="STOP")
