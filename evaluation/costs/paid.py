"""The paid models of a calculation: connections as they are configured, and models whose price somebody entered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from backends.errors import BackendError
from backends.remote import connections
from backends.remote.connection_settings import DEFAULT, PAID_API, ManualPrice, approach_of, name_in
from backends.settings import Settings
from backends.spend.pricing import Rates, manual_rates, rates
from evaluation.costs.inputs import Input, Origin

PRICES = ("price.input", "price.cached", "price.output")


@dataclass(frozen=True, slots=True)
class ManualModel:
    """A model that is no connection: its name, and prices in USD per million tokens as somebody entered them."""

    model: str
    price: ManualPrice

    @property
    def approach(self) -> str:
        """What stands for it among the approaches. No connection can have a name with a colon."""
        return f"{approach_of(re.sub(r'[^a-z0-9]+', '-', self.model.lower()).strip('-') or 'model')}:by-hand"


@dataclass(frozen=True, slots=True)
class PaidModel:
    """One paid model: its prices, or why there are none (`prices` of None), and whether it computes here."""

    approach: str
    model: str
    prices: dict[str, Input]
    on_this_machine: bool = False

    @property
    def by_token(self) -> bool:
        """Whether any price is known."""
        return any(price.value is not None for price in self.prices.values())

    @property
    def why_unknown(self) -> str:
        """Why nobody can say what it costs; empty if somebody can."""
        if self.by_token or self.on_this_machine:
            return ""
        return next(iter(self.prices.values())).note


def from_connection(settings: Settings, approach: str) -> PaidModel:
    """A connection with the price that was entered for it, else with that of the list. Raises `BackendError`."""
    name = name_in(approach)
    if name is None:
        raise BackendError(f"{approach} is no paid model.", "Choose paid_api or paid_api:NAME.")
    chosen = connections.settings_of(settings, name)
    here = connections.computes_here(settings, name)
    if chosen.price:
        return PaidModel(approach, chosen.model, _listed(manual_rates(chosen.price, chosen.model), "entered by hand"))
    try:
        listed = _listed(rates(chosen.model, connections.price_url(settings, name)), "price list")
    except LookupError as reason:
        listed = dict.fromkeys(PRICES, Input(None, "USD", "price list", str(reason)))
    return PaidModel(approach, chosen.model, listed, here)


def from_manual(entered: ManualModel) -> PaidModel:
    """A model whose price somebody entered."""
    return PaidModel(
        entered.approach, entered.model, _listed(manual_rates(entered.price, entered.model), "entered by hand")
    )


def paid_models(settings: Settings, compared: Sequence[str], manual: Sequence[ManualModel]) -> list[PaidModel]:
    """Those of `compared` that there are, in that order; the default connection if there is none."""
    entered = {one.approach: one for one in manual}
    known = [approach_of(name) for name in (DEFAULT, *settings.connections)]
    chosen = [one for one in dict.fromkeys(compared) if one in entered or one in known] or [PAID_API]
    return [from_manual(entered[one]) if one in entered else from_connection(settings, one) for one in chosen]


def _listed(found: Rates, origin: Origin) -> dict[str, Input]:
    values: Sequence[Decimal] = (found.input_mtok, found.cached_mtok, found.output_mtok)
    return {name: Input(value, "USD", origin, found.basis) for name, value in zip(PRICES, values, strict=True)}
