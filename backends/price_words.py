"""How a price is told: whose it is, in which tier, since when and from which list."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation


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

    from backends.service_tiers import variant

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
