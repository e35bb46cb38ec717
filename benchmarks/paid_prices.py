"""Cost arithmetic against genai-prices' own results: every listed chat model of several providers, exactly.

Prompts with and without cached tokens, answers with and without reasoning, around the length from which some models
charge more, and in every service tier that the list has a price for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import genai_prices

from backends.base import Usage
from backends.remote.providers import OPENAI_URL
from backends.spend.pricing import models, possible_tiers, price, source
from benchmarks.bench import Bench, Outcome
from benchmarks.figures import Figure, Goal

NAME = "paid_prices"
PROVIDERS = {
    OPENAI_URL: "openai",
    "https://api.anthropic.com/v1/": "anthropic",
    "https://generativelanguage.googleapis.com/v1beta/openai/": "google",
    "https://api.groq.com/openai/v1": "groq",
    "https://api.deepseek.com": "deepseek",
}
"""By the address under which they are asked."""

_PROMPTS, _COMPLETIONS = (0, 1, 1000, 200_000, 200_001, 272_001, 1_000_000), (0, 1, 777, 64_000)


def listed_models() -> list[tuple[str, str]]:
    """Model and address of every listed chat model."""
    return [(model, url) for url, provider in PROVIDERS.items() for model in models(provider)]


def usages(tiers: tuple[str, ...]) -> Iterator[Usage]:
    """Counts to price: cached tokens none, some and all; reasoning none, some and all; every tier."""
    for prompt, completion, tier in product(_PROMPTS, _COMPLETIONS, (None, *tiers)):
        for cached, reasoning in product((None, 0, prompt // 3, prompt), (None, 0, completion // 2, completion)):
            yield Usage(prompt, completion, cached, reasoning, "server", tier)


def expected_usd(usage: Usage, model: str, url: str) -> Decimal:
    """What genai-prices itself makes of it."""
    tokens = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    context = {"service_tier": usage.service_tier} if usage.service_tier else None
    now = datetime.now(UTC)
    return genai_prices.calc_price(
        tokens, model, provider_api_url=url, genai_request_timestamp=now, price_context=context
    ).total_price


def run(bench: Bench) -> Outcome:
    """Price everything both ways."""
    found = listed_models()
    bench.report(f"{len(found)} models")
    compared = wrong = 0
    raw: dict[str, Any] = {}
    for model, url in found:
        tiers = possible_tiers(model, url)
        differences = [
            str(usage) for usage in usages(tiers) if price(usage, model, url).usd != expected_usd(usage, model, url)
        ]
        compared += sum(1 for _ in usages(tiers))
        wrong += len(differences)
        raw[f"{model} at {url}"] = {"tiers": list(tiers), "differences": differences}
    rows = (
        ("models compared", len(found), Goal(20, "at least")),
        ("token counts priced", compared, None),
        ("costs that differ from genai-prices' own", wrong, Goal(0, "at most")),
    )
    figures = tuple(Figure(NAME, name, "", (float(value),), goal=goal) for name, value, goal in rows)
    return Outcome(figures, (f"{source()}; compared as Decimals, without any tolerance.",), raw)
