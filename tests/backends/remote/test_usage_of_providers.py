"""Token counts in the shape of each provider's documentation, and in shapes that gateways make of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Usage
from backends.remote.chunk import parse_chunk
from backends.remote.providers import PROVIDERS
from backends.remote.usage import (
    ABSURD_TOKENS,
    merged_usage,
    reported_usage,
    says_nothing,
    unknown_counts,
    written_to_cache,
)


def openai(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0},
    } | more


def of(prompt: int | None, completion: int | None, cached: int | None = None, reasoning: int | None = None) -> Usage:
    return Usage(prompt, completion, cached, reasoning, "server")


SHAPES: dict[str, list[tuple[dict[str, Any], Usage]]] = {
    "openai": [
        (openai(30, 8), of(30, 8, 0, 0)),
        (
            openai(
                30,
                103,
                completion_tokens_details={"reasoning_tokens": 94},
                prompt_tokens_details={"cached_tokens": 16},
            ),
            of(30, 103, 16, 94),
        ),
    ],
    "azure": [(openai(30, 8, prompt_tokens_details=None, completion_tokens_details=None), of(30, 8))],
    "openrouter": [
        (
            openai(30, 103, cost=0.0012, is_byok=False, completion_tokens_details={"reasoning_tokens": 94})
            | {"cost_details": {"upstream_inference_cost": None}},
            of(30, 103, 0, 94),
        )
    ],
    "groq": [
        (
            {"queue_time": 0.01, "prompt_tokens": 30, "prompt_time": 0.1, "completion_tokens": 8, "total_tokens": 38},
            of(30, 8),
        )
    ],
    "together": [
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38, "cached_tokens": 5}, of(30, 8, 5)),
    ],
    "mistral": [
        (
            {
                "prompt_tokens": 30,
                "completion_tokens": 8,
                "total_tokens": 38,
                "prompt_audio_seconds": None,
                "num_cached_tokens": 20,
            },
            of(30, 8, 20),
        )
    ],
    "gemini": [
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38}, of(30, 8)),
        (
            openai(20, 198, total_tokens=623, completion_tokens_details={"reasoning_tokens": 405}),
            of(20, 603, 0, 405),
        ),
        (openai(21, 0, total_tokens=81, completion_tokens_details={"reasoning_tokens": 60}), of(21, 60, 0, 60)),
    ],
    "anthropic": [
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38, "prompt_tokens_details": None}, of(30, 8)),
        (
            {
                "input_tokens": 10,
                "output_tokens": 8,
                "cache_read_input_tokens": 2000,
                "cache_creation_input_tokens": 50,
            },
            of(2060, 8, 2000),
        ),
        ({"input_tokens": 10, "output_tokens": 8, "cache_creation_input_tokens": 50}, of(60, 8)),
    ],
    "ollama": [
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38}, of(30, 8)),
        ({"prompt_eval_count": 30, "eval_count": 8}, of(30, 8)),
    ],
    "vllm": [
        (
            {"prompt_tokens": 30, "total_tokens": 38, "completion_tokens": 8, "prompt_tokens_details": None},
            of(30, 8),
        )
    ],
    "lmstudio": [(openai(30, 8), of(30, 8, 0, 0))],
    "llamacpp": [
        (openai(30, 8, prompt_tokens_details={"cached_tokens": 12}), of(30, 8, 12, 0)),
        (
            {"cache_n": 236, "prompt_n": 1, "prompt_ms": 30.9, "predicted_n": 35, "predicted_ms": 661.0},
            of(237, 35, 236),
        ),
    ],
}
MORE: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "xAI: reasoning beside",
        openai(32, 9, total_tokens=135, completion_tokens_details={"reasoning_tokens": 94}),
        of(32, 103, 0, 94),
    ),
    (
        "reasoning beside, and less than completion",
        openai(32, 90, total_tokens=142, completion_tokens_details={"reasoning_tokens": 20}),
        of(32, 110, 0, 20),
    ),
    (
        "reasoning inside",
        openai(32, 90, completion_tokens_details={"reasoning_tokens": 20}),
        of(32, 90, 0, 20),
    ),
    (
        "xAI: cached as many as reasoning",
        openai(
            32,
            9,
            total_tokens=46,
            completion_tokens_details={"reasoning_tokens": 5},
            prompt_tokens_details={"cached_tokens": 5},
        ),
        of(32, 14, 5, 5),
    ),
    (
        "Gemini's own",
        {"promptTokenCount": 20, "candidatesTokenCount": 198, "thoughtsTokenCount": 405, "totalTokenCount": 623},
        of(20, 603, None, 405),
    ),
    (
        "Gemini's own, only thoughts so far",
        {"promptTokenCount": 20, "thoughtsTokenCount": 405, "totalTokenCount": 425},
        of(20, None, None, 405),
    ),
    (
        "DeepSeek",
        openai(30, 8, prompt_cache_hit_tokens=10, prompt_cache_miss_tokens=20, prompt_tokens_details=None),
        of(30, 8, 10, 0),
    ),
    ("Kimi", {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38, "cached_tokens": 7}, of(30, 8, 7)),
    (
        "SGLang",
        {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38, "reasoning_tokens": 3},
        of(30, 8, None, 3),
    ),
    (
        "Perplexity",
        {
            "prompt_tokens": 30,
            "completion_tokens": 8,
            "total_tokens": 38,
            "search_context_size": "low",
            "cost": {"x": 1},
        },
        of(30, 8),
    ),
    (
        "LiteLLM over Anthropic: cached inside",
        openai(2060, 8, cache_read_input_tokens=2000, cache_creation_input_tokens=50, prompt_tokens_details=None),
        of(2060, 8, 2000, 0),
    ),
    (
        "a gateway over Anthropic: cached beside, by the total",
        {
            "prompt_tokens": 10,
            "completion_tokens": 8,
            "total_tokens": 2068,
            "cache_read_input_tokens": 2000,
            "cache_creation_input_tokens": 50,
        },
        of(2060, 8, 2000),
    ),
    (
        "a gateway over Anthropic: cached beside, without a total",
        {"prompt_tokens": 10, "completion_tokens": 8, "cache_read_input_tokens": 2000},
        of(2010, 8, 2000),
    ),
    (
        "OpenAI's Responses",
        {
            "input_tokens": 30,
            "output_tokens": 103,
            "total_tokens": 133,
            "input_tokens_details": {"cached_tokens": 16},
            "output_tokens_details": {"reasoning_tokens": 94},
        },
        of(30, 103, 16, 94),
    ),
    *(
        (name, {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38, name: 20}, of(30, 8, 20))
        for name in ("cache_read_tokens", "cacheReadTokens", "prompt_cached_tokens", "cached_input_tokens")
    ),
    (
        "cached under another name in the details",
        {"prompt_tokens": 30, "completion_tokens": 8, "prompt_tokens_details": {"cache_read_tokens": 20}},
        of(30, 8, 20),
    ),
    ("in camel case", {"promptTokens": 30, "completionTokens": 8, "totalTokens": 38}, of(30, 8)),
    (
        "Bedrock's own: cached beside",
        {"inputTokens": 10, "outputTokens": 8, "totalTokens": 2068, "cacheReadInputTokens": 2000}
        | {"cacheWriteInputTokens": 50},
        of(2060, 8, 2000),
    ),
    (
        "a gateway over Anthropic whose total leaves the cached ones out as well",
        {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13, "cache_read_input_tokens": 2000},
        of(2005, 8, 2000),
    ),
    ("total of zero", {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 0}, of(30, 8)),
    ("total null", {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": None}, of(30, 8)),
]
EVERY = [(name, *one) for name, several in SHAPES.items() for one in several] + MORE


def test_every_known_provider_has_its_shape() -> None:
    assert set(SHAPES) == set(PROVIDERS)


@pytest.mark.parametrize(("name", "raw", "expected"), EVERY, ids=[f"{n}-{one[0]}" for n, one in enumerate(EVERY)])
def test_the_counts_of_a_provider(name: str, raw: dict[str, Any], expected: Usage) -> None:
    assert reported_usage(raw) == (expected, ())


@pytest.mark.parametrize(
    ("raw", "expected", "note"),
    [
        (
            {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623},
            of(20, None),
            "It does not say what the other 405 are",
        ),
        (
            openai(32, 9, total_tokens=500, completion_tokens_details={"reasoning_tokens": 94}),
            of(32, None, 0, 94),
            "It does not say what the other 459 are",
        ),
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 10}, of(30, 8), "the total is left out"),
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": "38"}, of(30, 8), "as total_tokens"),
        ({"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": -1}, of(30, 8), "-1 as total_tokens"),
        ({"prompt_n": 1, "predicted_n": 35}, of(None, 35), "prompt_n without cache_n"),
        ({"prompt_tokens": 30, "completion_tokens": 8.5, "total_tokens": 38}, of(30, None), "as completion_tokens"),
    ],
)
def test_what_is_not_known_stays_unknown_with_a_note(raw: dict[str, Any], expected: Usage, note: str) -> None:
    usage, (said,) = reported_usage(raw)
    assert usage == expected
    assert note in said


USAGE = {"prompt_tokens": 30, "completion_tokens": 8}


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [], "usage": USAGE},
        {"choices": [], "x_groq": {"id": "x", "usage": USAGE}},
        {"choices": [{"delta": {}, "finish_reason": "stop", "usage": USAGE}]},
        {"choices": [{"delta": {}}], "usage": USAGE, "x_groq": None},
    ],
)
def test_where_the_counts_are(chunk: dict[str, Any]) -> None:
    assert parse_chunk(chunk).usage == USAGE


def test_counts_in_several_chunks() -> None:
    assert merged_usage(None, None) is None
    assert merged_usage(None, USAGE) == USAGE
    assert merged_usage(USAGE, None) == USAGE
    assert merged_usage(USAGE, USAGE | {"completion_tokens": 9}) == USAGE | {"completion_tokens": 9}
    assert merged_usage(USAGE, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}) == USAGE
    early = {"input_tokens": 30, "output_tokens": 1, "total_tokens": 31}
    assert merged_usage(early, {"output_tokens": 8}) == {"input_tokens": 30, "output_tokens": 8}
    assert says_nothing({"prompt_tokens": 0, "completion_tokens": 0})
    assert not says_nothing({"prompt_tokens": False})
    assert not says_nothing({})


numbers = st.one_of(st.none(), st.integers(-5, 300), st.sampled_from(["3", 2.0, True, {}, [], 10**9]))
NAMES = ["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "reasoning_tokens"]
NAMES += ["cache_read_input_tokens", "cache_creation_input_tokens", "cached_tokens", "prompt_cache_hit_tokens"]
NAMES += ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "cache_n", "prompt_n"]
reported = st.dictionaries(st.sampled_from(NAMES), numbers).flatmap(
    lambda flat: st.fixed_dictionaries(
        {
            "completion_tokens_details": st.one_of(numbers, st.dictionaries(st.just("reasoning_tokens"), numbers)),
            "prompt_tokens_details": st.one_of(numbers, st.dictionaries(st.just("cached_tokens"), numbers)),
        }
    ).map(lambda details: flat | details)
)


@given(reported)
def test_never_more_than_was_sent(raw: dict[str, Any]) -> None:
    usage, notes = reported_usage(raw)
    inner = [one for value in raw.values() for one in (value.values() if isinstance(value, dict) else (value,))]
    sent = [one for one in inner if type(one) is int and 0 <= one <= ABSURD_TOKENS]
    for count in (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens):
        assert count is None or 0 <= count <= sum(sent)
    if usage.cached_tokens is not None and usage.prompt_tokens is not None:
        assert usage.cached_tokens <= usage.prompt_tokens
    if usage.reasoning_tokens is not None and usage.completion_tokens is not None:
        assert usage.reasoning_tokens <= usage.completion_tokens
    assert all(len(note) < 300 for note in notes)


@given(reported, reported)
def test_merging_never_raises(one: dict[str, Any], other: dict[str, Any]) -> None:
    reported_usage(merged_usage(one, other))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (None, ""),
        ({}, ""),
        ({"service_tier": "batch"}, ""),
        ({"prompt_tokens": 30}, ""),
        ({"total_tokens": 38}, "The server reported total_tokens, but no tokens of prompt or completion"),
        ({"tokens\n<b>": 38}, "The server reported tokensb, but"),
        ({"billed_units": {"input_tokens": 30}}, "The server reported billed_units, but"),
        ([{"prompt_tokens": 30}], "The server reported a usage that is no object"),
    ],
)
def test_a_usage_without_known_counts_is_named(raw: object, said: str) -> None:
    assert unknown_counts(raw).startswith(said)
    assert bool(unknown_counts(raw)) == bool(said)


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 2000, "cache_write_tokens": 400}}, "400"),
        ({"cache_creation_input_tokens": 50}, "50"),
        ({"cache_creation_input_tokens": 0}, ""),
        ({"cache_creation_input_tokens": "50"}, ""),
        (None, ""),
    ],
)
def test_tokens_that_were_written_to_a_cache_are_named(raw: object, count: str) -> None:
    said = written_to_cache(raw)
    assert said.startswith(f"The server wrote {count} tokens") if count else not said
