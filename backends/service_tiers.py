"""How a server served a request: as usual, or in a tier with prices of its own (flex, priority, batch, ...).

What counts is the tier that the response names. genai-prices knows such prices for some models; for the others the
cost of that answer is unknown, because the usual price would be a false number.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from genai_prices.types import ModelInfo, PriceVariant, Provider

_USUAL = {"default", "standard", "on_demand", "auto"}
"""OpenAI's and Azure's, Anthropic's and Gemini's, Groq's; `auto` is what is asked for, so echoing it says nothing."""


def special(tier: str | None) -> str | None:
    """The tier if it is not the usual one."""
    return None if tier is None or tier in _USUAL else tier


def price_context(tier: str | None) -> dict[str, str] | None:
    """What genai-prices wants to hear of a special tier."""
    if tier is None:
        return None
    return {"processing": "batch"} if tier == "batch" else {"service_tier": tier}


def variant(model: ModelInfo, provider: Provider, tier: str, now: datetime) -> PriceVariant | None:
    """The prices of `model` in a special tier, or None where the list has none.

    A provider that offers another one's model has none of its own for it: genai-prices would give the usual price.
    """
    if not any(model is listed for listed in provider.models):
        return None
    return next((found for found in _active(model, now) if found.when == price_context(tier)), None)


def priced_tiers(model: ModelInfo, now: datetime) -> tuple[str, ...]:
    """The special tiers that a request may be served in, as far as the list has prices for them."""
    tiers = (found.when.get("service_tier") for found in _active(model, now))
    return tuple(dict.fromkeys(tier for tier in tiers if tier and special(tier)))


def _active(model: ModelInfo, now: datetime) -> Iterator[PriceVariant]:
    for found in model.price_variants or ():
        if found.constraint is None or found.constraint.active(now):
            yield found
