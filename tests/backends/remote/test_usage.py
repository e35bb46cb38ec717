"""Token counts as servers report them, sound or not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Usage
from backends.remote.usage import ABSURD_TOKENS, reported_usage

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.just({"a": 1})
)
details = st.one_of(anything, st.fixed_dictionaries({"cached_tokens": anything, "reasoning_tokens": anything}))
reported = st.fixed_dictionaries(
    {
        "prompt_tokens": anything,
        "completion_tokens": anything,
        "prompt_tokens_details": details,
        "completion_tokens_details": details,
    }
)


@given(st.one_of(anything, reported, reported.map(lambda fields: SimpleNamespace(**fields))))
def test_whatever_a_server_reports_the_counts_are_possible(raw: object) -> None:
    usage, notes = reported_usage(raw)
    counts = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)
    assert all(count is None or (type(count) is int and 0 <= count <= ABSURD_TOKENS) for count in counts)
    assert usage.source == (None if set(counts) == {None} else "server")
    if usage.prompt_tokens is not None and usage.cached_tokens is not None:
        assert usage.cached_tokens <= usage.prompt_tokens
    if usage.completion_tokens is not None and usage.reasoning_tokens is not None:
        assert usage.reasoning_tokens <= usage.completion_tokens
    assert all(len(note) < 200 for note in notes)


count = st.integers(0, ABSURD_TOKENS)


@given(count, count, st.data())
def test_possible_counts_are_kept_exactly(prompt: int, completion: int, data: st.DataObject) -> None:
    cached, reasoning = data.draw(st.integers(0, prompt)), data.draw(st.integers(0, completion))
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    assert reported_usage(raw) == (Usage(prompt, completion, cached, reasoning, "server"), ())


def test_nothing_reported_is_nothing_known() -> None:
    assert reported_usage(None) == (Usage(), ())
    assert reported_usage({}) == (Usage(), ())


@pytest.mark.parametrize("value", [True, 3.0, "3", -1, ABSURD_TOKENS + 1, 10**30])
def test_what_is_not_a_count_is_not_reported(value: object) -> None:
    usage, notes = reported_usage({"prompt_tokens": 5, "completion_tokens": value})
    assert usage == Usage(5, source="server")
    assert len(notes) == 1
    assert "completion_tokens" in notes[0]


def test_a_part_larger_than_its_whole_is_left_out() -> None:
    raw = {
        "prompt_tokens": 5,
        "completion_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 8},
    }
    usage, notes = reported_usage(raw)
    assert usage == Usage(5, 6, source="server")
    assert notes == (
        "The server reported more cached_tokens (7) than prompt_tokens (5); they are left out.",
        "The server reported more reasoning_tokens (8) than completion_tokens (6); they are left out.",
    )
