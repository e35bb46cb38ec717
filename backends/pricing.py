"""Token counts or seconds -> US dollars, in Decimal, with the reckoning in words. Unknown is None, never 0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from backends.base import Cost, Usage
from backends.price_words import host, priced_as, served_in, source

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, PriceCalculation, TieredPrices

    from backends.connections import ManualPrice

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text: help.openai.com, "What are tokens and how to count them?"."""

_SIX_DIGITS = Context(prec=6)
_NOT_CHAT = re.compile(
    r"audio|babbage|codex|computer|curie|cyber|dall-e|davinci|decision|deep-research|embed|extended|guard|image|instruct"
    r"|live|moderation|ocr|oss|preview|-pro\b|realtime|rerank|rosalind|safe|search|speech|transcribe|translat|tts|vision"
    r"|voice|whisper|\bada\b|:|-latest$|gpt-3\.5|gpt-4\b(?!\.)|\d{4}-\d{2}-\d{2}"
)


def price(usage: Usage, model: str, base_url: str) -> Cost:
    """What `usage` costs at the list price of `model` at the provider that `base_url` belongs to.

    Cached tokens are charged at their own price where the server reported them, and so is the service tier. None
    where the model, the provider, the tier's price or the token counts are unknown.
    """
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return Cost(None, "the server did not report token counts, so the cost is unknown")
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    from backends.service_tiers import price_context, special, variant

    now = datetime.now(UTC)
    tokens = Tokens(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    tier = special(usage.service_tier)
    try:
        found = calc_price(
            tokens,
            model,
            provider_api_url=base_url.lower(),
            genai_request_timestamp=now,
            price_context=price_context(tier),
        )
    except LookupError:
        return Cost(None, f"no price is known for {model} at {host(base_url)} ({source()})")
    except ValueError:
        return Cost(None, f"the token counts contradict each other, so the cost is unknown ({source()})")
    if found.model_price.input_mtok is None or found.model_price.output_mtok is None:
        return Cost(None, f"no price per token is known for {model} at {found.provider.name} ({source()})")
    if tier and variant(found.model, found.provider, tier, now) is None:
        return Cost(None, f"{served_in(tier)}, and no price of that is known for {model} ({source()})")
    return Cost(found.total_price, _basis(found, usage, model, now))


@dataclass(frozen=True, slots=True)
class Rates:
    """List prices in USD per million tokens, and in words of what, since when and where from.

    `cached_mtok` is that of a cached token in; where the list has none, a cached token costs what any other does.
    """

    input_mtok: Decimal
    cached_mtok: Decimal
    output_mtok: Decimal
    basis: str


def rates(model: str, base_url: str, prompt_tokens: int = 0, tier: str | None = None) -> Rates:
    """The list prices in force now for prompts of that length, in the usual service tier or a special one.

    Raises `LookupError` that says what is not known.
    """
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    from backends.service_tiers import price_context

    now = datetime.now(UTC)
    unknown = f"no price per token is known for {model} at {host(base_url)} ({source()})"
    try:
        found = calc_price(
            Tokens(),
            model,
            provider_api_url=base_url.lower(),
            genai_request_timestamp=now,
            price_context=price_context(tier),
        )
    except LookupError:
        raise LookupError(unknown) from None
    prices = found.model_price
    if prices.input_mtok is None or prices.output_mtok is None:
        raise LookupError(unknown)
    fresh, output = _rate(prices.input_mtok, prompt_tokens), _rate(prices.output_mtok, prompt_tokens)
    cached = fresh if prices.cache_read_mtok is None else _rate(prices.cache_read_mtok, prompt_tokens)
    return Rates(fresh, cached, output, priced_as(found, model, tier, now))


def possible_tiers(model: str, base_url: str) -> tuple[str, ...]:
    """The special service tiers in which a provider may serve a request, as far as they have a price."""
    from backends.service_tiers import priced_tiers

    found = _listed(model, base_url)
    return priced_tiers(found, datetime.now(UTC)) if found else ()


def context_window(model: str, base_url: str) -> int | None:
    """How many tokens the model can take, as the list of prices says; None if it does not."""
    found = _listed(model, base_url)
    return found.context_window if found else None


def _listed(model: str, base_url: str) -> ModelInfo | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        return get_snapshot().find_provider_model(model, None, None, base_url.lower())[1]
    except LookupError:
        return None


def manual_rates(prices: ManualPrice, model: str) -> Rates:
    """Prices that somebody entered for `model`, as `rates` gives those of the list."""
    cached = prices.input_usd if prices.cached_usd is None else prices.cached_usd
    return Rates(prices.input_usd, cached, prices.output_usd, f"{model}, price entered by hand on {prices.date}")


def manual_price(usage: Usage, prices: ManualPrice, model: str) -> Cost:
    """What `usage` costs at prices that somebody entered for `model`. None where the token counts are unknown."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return Cost(None, "the server did not report token counts, so the cost is unknown")
    from backends.service_tiers import special

    if (tier := special(usage.service_tier)) != special(prices.service_tier):
        served, entered = served_in(tier), prices.service_tier or "usual"
        return Cost(None, f"{served}, and the price entered by hand for {model} is that of the {entered} tier")
    cached = usage.cached_tokens or 0
    fresh, cached_usd = (
        usage.prompt_tokens - cached,
        prices.input_usd if prices.cached_usd is None else prices.cached_usd,
    )
    usd = (fresh * prices.input_usd + cached * cached_usd + usage.completion_tokens * prices.output_usd) / 1_000_000
    parts = [f"{fresh:,} tokens in at {prices.input_usd}"]
    if cached:
        parts.append(f"{cached:,} cached at {cached_usd}")
    parts.append(f"{usage.completion_tokens:,} out at {prices.output_usd} USD per million")
    return Cost(usd, f"{', '.join(parts)}; {model}, price entered by hand on {prices.date}")


def machine_cost(
    seconds: float | None, usd_per_hour: Decimal, training_usd: Decimal | None = None, answers: int | None = None
) -> Cost:
    """What `seconds` of this machine cost at the user's rate, to six significant digits.

    With `training_usd` and `answers`, training is spread evenly over that many answers. None if nothing was timed.
    """
    if seconds is None:
        return Cost(None, "the answer was not timed, so the cost is unknown")
    usd = Decimal(repr(float(seconds))) * usd_per_hour / 3600
    shown = f"{seconds:,.0f}" if seconds >= 1000 else f"{seconds:.3g}"
    basis = f"{shown} s × {usd_per_hour} USD/hour (machine rate, your assumption)"
    if training_usd is not None and answers:
        usd += training_usd / answers
        basis += f" + {_SIX_DIGITS.create_decimal(training_usd)} USD of training ÷ {answers:,} answers"
    return Cost(_SIX_DIGITS.create_decimal(usd), basis)


def models(provider: str = "openai") -> list[str]:
    """Chat models of a provider (`openai`, `anthropic`, `mistral`, ...) that have a price, cheapest answers first.

    Models for images, sound, search and research, dated snapshots and deprecated ones are left out. Empty for an
    unknown provider.
    """
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    found = find_provider_by_id(get_snapshot().providers, provider)
    now = datetime.now(UTC)
    priced: list[tuple[Decimal, str]] = []
    for model in found.models if found else ():
        prices = model.get_prices(now)
        if model.deprecated or _NOT_CHAT.search(model.id) or not prices.input_mtok or not prices.output_mtok:
            continue
        priced.append((_rate(prices.output_mtok, 0), model.id))
    return [name for _, name in sorted(priced)]


def _basis(found: PriceCalculation, usage: Usage, model: str, now: datetime) -> str:
    """The reckoning in words: tokens, prices per million, provider, model, date and source of the price."""
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    prices = found.model_price
    if prices.input_mtok is None or prices.output_mtok is None:
        raise ValueError("a price without its parts")
    parts = [f"{prompt:,} tokens in at {_rate(prices.input_mtok, prompt)}"]
    if usage.cached_tokens and prices.cache_read_mtok is not None:
        parts[0] = f"{prompt - usage.cached_tokens:,} tokens in at {_rate(prices.input_mtok, prompt)}"
        parts.append(f"{usage.cached_tokens:,} cached at {_rate(prices.cache_read_mtok, prompt)}")
    parts.append(f"{completion:,} out at {_rate(prices.output_mtok, prompt)} USD per million")
    from backends.service_tiers import special

    return f"{', '.join(parts)}; {priced_as(found, model, special(usage.service_tier), now)}"


def _rate(rate: Decimal | TieredPrices, prompt_tokens: int) -> Decimal:
    """USD per million tokens for a prompt of this length: beyond a tier's start, its price holds for all tokens."""
    if isinstance(rate, Decimal):
        return rate
    tiers: Sequence[Decimal] = [tier.price for tier in rate.tiers if prompt_tokens > tier.start]
    return tiers[-1] if tiers else rate.base
