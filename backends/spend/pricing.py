"""Token counts or seconds -> US dollars, in Decimal, with the calculation in words. Unknown is None, never 0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from genai_prices.types import ModelInfo, PriceVariant, Provider

from backends.base import Cost, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, PriceCalculation, TieredPrices

    from backends.remote.connection_settings import ManualPrice

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


def priced_as(found: PriceCalculation, model: str, tier: str | None, now: datetime) -> str:
    """Provider, model, tier, date and source of a list price."""
    name = model if found.model.id == model.lower() else f"{model} (priced as {found.model.id})"
    in_tier = f" in the {tier} tier" if tier else ""
    return f"{found.provider.name} {name}, list price{in_tier}{_in_force_since(found, tier, now)}, {source()}"


def served_in(tier: str | None) -> str:
    """What the server says of the tier of an answer."""
    return f"the server says that it served this in its {tier or 'usual'} tier"


def source() -> str:
    """The price list and its date: that of the last change in it which is in force."""
    from genai_prices import __version__

    return f"genai-prices {__version__}, changes up to {last_change(datetime.now(UTC).date())}"


@cache
def last_change(today: date) -> date | str:
    """When the youngest price of the list that is in force `today` came into force."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import StartDateConstraint

    dated = (
        entry.constraint.start_date
        for provider in get_snapshot().providers
        for model in provider.models
        for entry in (*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ()))
        if isinstance(entry.constraint, StartDateConstraint) and entry.constraint.start_date <= today
    )
    return max(dated, default="an unknown date")


def host(base_url: str) -> str:
    """Whose address it is, for a sentence."""
    try:
        return urlsplit(base_url).hostname or "this server"
    except ValueError:
        return "this server"


def _in_force_since(found: PriceCalculation, tier: str | None, now: datetime) -> str:
    from genai_prices.types import StartDateConstraint

    if tier:
        special = variant(found.model, found.provider, tier, now)
        start = special.constraint if special else None
        return f" since {start.start_date}" if isinstance(start, StartDateConstraint) else ""
    if not isinstance(found.model.prices, list):
        return ""
    for conditional in reversed(found.model.prices):
        if conditional.constraint is None:
            return ""
        if conditional.constraint.active(now):
            if isinstance(conditional.constraint, StartDateConstraint):
                return f" since {conditional.constraint.start_date}"
            return " for this time of day"
    return ""


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
    if (priced := _rates(found, model, prompt_tokens, tier, now)) is None:
        raise LookupError(unknown)
    return priced


def _rates(found: PriceCalculation, model: str, prompt_tokens: int, tier: str | None, now: datetime) -> Rates | None:
    """The prices per token of a model that was found; None where the list has none."""
    prices = found.model_price
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    fresh, output = _rate(prices.input_mtok, prompt_tokens), _rate(prices.output_mtok, prompt_tokens)
    cached = fresh if prices.cache_read_mtok is None else _rate(prices.cache_read_mtok, prompt_tokens)
    return Rates(fresh, cached, output, priced_as(found, model, tier, now))


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the price list at one provider, with the prices that are in force.

    `from_maker`: the provider is the one that the list knows the model's name by; others sell what somebody made.
    """

    provider_id: str
    provider: str
    model: str
    rates: Rates
    from_maker: bool = False


def price_list() -> list[ListedModel]:
    """Every model of the list that has a price per token in and out, by provider and name."""
    from genai_prices import Usage as Tokens
    from genai_prices.data_snapshot import get_snapshot

    now = datetime.now(UTC)
    providers = get_snapshot().providers
    return [
        ListedModel(provider.id, provider.name, model.id, priced, _maker(model.id, providers) is provider)
        for provider in providers
        for model in provider.models
        if (priced := _rates(model.calc_price(Tokens(), provider), model.id, 0, None, now)) is not None
    ]


def _maker(model: str, providers: Sequence[Provider]) -> Provider | None:
    """Whose a model's name is, as genai-prices tells providers by the names of models; None where it cannot."""
    makers = (one for one in providers if one.model_match and one.id not in _HOSTS)
    return next((one for one in makers if one.model_match and one.model_match.is_match(model)), None)


_HOSTS = frozenset({"cerebras", "cloudflare", "databricks", "fireworks"})
"""Providers that the list tells by what they put in front of other makers' names (`@cf/...`, `databricks-...`)."""


def possible_tiers(model: str, base_url: str) -> tuple[str, ...]:
    """The special service tiers in which a provider may serve a request, as far as they have a price."""

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
    """What `seconds` of this machine cost at the machine rate of the settings, to six significant digits.

    With `training_usd` and `answers`, training is spread evenly over that many answers. None if nothing was timed.
    """
    if seconds is None:
        return Cost(None, "the answer was not timed, so the cost is unknown")
    usd = Decimal(repr(float(seconds))) * usd_per_hour / 3600
    shown = f"{seconds:,.0f}" if seconds >= 1000 else f"{seconds:.3g}"
    basis = f"{shown} s × {usd_per_hour} USD/hour (machine rate, assumed)"
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
    """The calculation in words: tokens, prices per million, provider, model, date and source of the price."""
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    prices = found.model_price
    if prices.input_mtok is None or prices.output_mtok is None:
        raise ValueError("a price without its parts")
    parts = [f"{prompt:,} tokens in at {_rate(prices.input_mtok, prompt)}"]
    if usage.cached_tokens and prices.cache_read_mtok is not None:
        parts[0] = f"{prompt - usage.cached_tokens:,} tokens in at {_rate(prices.input_mtok, prompt)}"
        parts.append(f"{usage.cached_tokens:,} cached at {_rate(prices.cache_read_mtok, prompt)}")
    reasoning = usage.reasoning_tokens or 0
    if reasoning and (rate := getattr(prices, "output_reasoning_mtok", None)) is not None:
        completion -= reasoning
        parts.append(f"{reasoning:,} of reasoning at {_rate(rate, prompt)}")
    parts.append(f"{completion:,} out at {_rate(prices.output_mtok, prompt)} USD per million")
    return f"{', '.join(parts)}; {priced_as(found, model, special(usage.service_tier), now)}"


def _rate(rate: Decimal | TieredPrices, prompt_tokens: int) -> Decimal:
    """USD per million tokens for a prompt of this length: beyond a tier's start, its price holds for all tokens."""
    if isinstance(rate, Decimal):
        return rate
    tiers: Sequence[Decimal] = [tier.price for tier in rate.tiers if prompt_tokens > tier.start]
    return tiers[-1] if tiers else rate.base
