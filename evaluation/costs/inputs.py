"""What a monthly cost is computed from: values by name, each with its unit and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

Origin = Literal["measured here", "price list", "entered by hand", "assumption", "your assumption"]
"""`assumption` is a round figure of ours, `your assumption` what somebody typed or set."""


@dataclass(frozen=True, slots=True)
class Input:
    """A value with its unit and origin. `note`: from how many answers, which list; or why it is unknown (None)."""

    value: Decimal | None
    unit: str
    origin: Origin
    note: str = ""


@dataclass(frozen=True, slots=True)
class PaymentProfile:
    """How an approach's answers are paid for.

    `on_machine`: its seconds are this machine's (or a rented one's). `by_token`: its tokens are charged, at the prices
    of the approach `priced_by`. `trained`: training belongs to it. `documents`: embedding and storing documents belong
    to it. `paid`: a paid model asked directly, `seller` where it is no connection. `why_unknown`: the reason if it
    can be paid for in neither way.
    """

    approach: str
    model: str
    on_machine: bool = False
    by_token: bool = False
    trained: bool = False
    documents: bool = False
    paid: bool = False
    priced_by: str = ""
    why_unknown: str = ""
    seller: str = ""


LABELS = {
    "questions": "questions",
    "prompt_tokens": "tokens in",
    "cached_share": "share that is cached",
    "completion_tokens": "tokens out",
    "machine_s": "seconds per answer",
    "price.input": "price of a million tokens in",
    "price.cached": "price of a million cached tokens",
    "price.output": "price of a million tokens out",
    "machine.usd_per_hour": "machine rate per hour",
    "machine.utilisation": "utilisation",
    "machine.at_once": "answers at once",
    "training.seconds": "seconds of one training",
    "training.per_month": "trainings a month",
    "documents.chunks": "chunks",
    "documents.embed_s": "seconds to embed one",
    "documents.per_month": "times a month",
    "documents.bytes": "bytes per chunk",
    "documents.usd_per_gb_month": "price of a GB for a month",
}
"""What each value is called in formulas; the approach's own without its name."""


class UnknownValue(Exception):
    """A value that is needed is not known; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a monthly cost depends on. The names of `values` are:

    `questions` a month; for each approach `APPROACH.prompt_tokens`, `.cached_share` (of the prompt's tokens, 0 to 1),
    `.completion_tokens`, `.machine_s` for one answer; for each paid model `APPROACH.price.input`, `.price.cached`,
    `.price.output` in USD per million tokens; `machine.usd_per_hour`, `machine.utilisation` (share of a rented
    machine's hours in which it answers, 0 to 1), `machine.at_once` (answers at the same time); `training.seconds`,
    `training.per_month`, and `rag.training.seconds` where RAG reads with an adapter of its own; `documents.chunks`,
    `documents.embed_s` for one chunk, `documents.per_month` (how often they are all embedded), `documents.bytes` of
    one chunk, `documents.usd_per_gb_month` (10^9 bytes).

    `rented`: machines are paid for all month. Otherwise by the second used. `reference`: the paid model that the
    others are compared with.
    """

    values: Mapping[str, Input]
    profiles: tuple[PaymentProfile, ...]
    rented: bool = True
    reference: str = "paid_api"

    def exact(self, name: str) -> Fraction:
        """The exact value. Raises `UnknownValue` with the reason."""
        found = self.values[name]
        if found.value is None:
            raise UnknownValue(found.note or f"{name} is not known")
        return Fraction(found.value)

    def label(self, name: str) -> str:
        """What a value is called in formulas."""
        return LABELS.get(name) or LABELS[name.partition(".")[2]]

    def formatted(self, name: str) -> str:
        """A value as formulas show it, with its unit."""
        found = self.values[name]
        if found.value is None:
            return "unknown"
        return f"{found.value.normalize():,f} {found.unit}".rstrip()

    def profile(self, approach: str) -> PaymentProfile:
        """How that approach is paid for."""
        return next(profile for profile in self.profiles if profile.approach == approach)

    @property
    def prices(self) -> tuple[str, ...]:
        """The names of all prices of tokens."""
        return tuple(name for name in self.values if ".price." in name)

    def assuming(self, changes: Mapping[str, Decimal]) -> Inputs:
        """The same with other values, which are then the user's assumptions. Raises `KeyError` for an unknown name."""
        changed = {
            name: replace(self.values[name], value=value, origin="your assumption", note="")
            for name, value in changes.items()
        }
        return replace(self, values={**self.values, **changed})

    def scaled(self, factors: Mapping[str, Decimal], most: Decimal | None = None) -> Inputs:
        """The same with values multiplied, up to `most`; what is unknown stays so."""
        known = {name: self.values[name].value for name in factors}
        changed = {name: value * factors[name] for name, value in known.items() if value is not None}
        return self.assuming(changed if most is None else {name: min(value, most) for name, value in changed.items()})
