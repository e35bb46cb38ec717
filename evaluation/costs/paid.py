"""The paid models of a calculation: connections as they are configured, models of the price list, prices by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from backends.errors import BackendError
from backends.remote import connections
from backends.remote.connection_settings import DEFAULT, PAID_API, ManualPrice, approach_of, name_in
from backends.settings import Settings
from backends.spend.pricing import ListedModel, Rates, manual_rates, rates
from evaluation.costs.inputs import Input, Origin

PRICES = ("price.input", "price.cached", "price.output")


@dataclass(frozen=True, slots=True)
class ManualModel:
    """A model that is no connection, with prices in USD per million tokens as somebody entered them."""

    model: str
    price: ManualPrice

    @property
    def approach(self) -> str:
        """What stands for it among the approaches. No connection can have a name with a colon."""
        return f"{approach_of(re.sub(r'[^a-z0-9]+', '-', self.model.lower()).strip('-') or 'model')}:by-hand"

    def priced(self) -> PaidModel:
        """The same as a paid model of the calculation."""
        listed = _listed(manual_rates(self.price, self.model), "entered by hand")
        return PaidModel(self.approach, self.model, listed, seller="price by hand")


@dataclass(frozen=True, slots=True)
class PickedModel:
    """A model that is no connection, picked from the price list."""

    listed: ListedModel

    @property
    def approach(self) -> str:
        """What stands for it among the approaches, without the signs that mean something in names of inputs."""
        return f"{approach_of(re.sub(r'[^A-Za-z0-9-]+', '_', self.model))}:{self.listed.provider_id}"

    @property
    def model(self) -> str:
        """Its name."""
        return self.listed.model

    def priced(self) -> PaidModel:
        """The same as a paid model of the calculation."""
        return PaidModel(
            self.approach, self.model, _listed(self.listed.rates, "price list"), seller=self.listed.provider
        )


AddedModel = ManualModel | PickedModel
"""A model of the calculation that is no connection."""


@dataclass(frozen=True, slots=True)
class PaidModel:
    """One paid model: its prices, or why there are none (`prices` of None), and whether it computes here.

    `seller` tells models of the same name apart where they are no connections.
    """

    approach: str
    model: str
    prices: dict[str, Input]
    on_this_machine: bool = False
    seller: str = ""

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


def priced_connections(settings: Settings) -> list[str]:
    """The connections that can be compared, by approach, the default one first; what shows recorded answers is none."""
    every = [approach_of(name) for name in (DEFAULT, *sorted(settings.connections))]
    return [one for one in every if not connections.is_recorded(settings, one)]


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


def paid_models(settings: Settings, compared: Sequence[str], added: Sequence[AddedModel]) -> list[PaidModel]:
    """Those of `compared` that there are, in that order; the default connection if there is none."""
    others = {one.approach: one for one in added}
    known = priced_connections(settings)
    chosen = [one for one in dict.fromkeys(compared) if one in others or one in known] or [PAID_API]
    return [others[one].priced() if one in others else from_connection(settings, one) for one in chosen]


def _listed(found: Rates, origin: Origin) -> dict[str, Input]:
    values: Sequence[Decimal] = (found.input_mtok, found.cached_mtok, found.output_mtok)
    return {name: Input(value, "USD", origin, found.basis) for name, value in zip(PRICES, values, strict=True)}
