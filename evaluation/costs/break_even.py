"""From how many questions a month on an approach costs less than the paid model that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from evaluation.costs.curve import crossing
from evaluation.costs.inputs import Inputs, UnknownValue
from evaluation.costs.monthly import as_decimal, curve

Kind = Literal["from", "always", "never", "unknown"]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """When `approach` becomes cheaper than the paid one.

    `from`: at `first` questions a month for the first time, and from `lasting` on at any number; between the two, a
    further machine makes it dearer again now and then. `never` has no number; for `unknown`, `why` tells.
    `least` is what one of its answers costs where machines have all the work they can do, without what is fixed, and
    `paid` what one of the paid model's does, in USD.
    """

    approach: str
    kind: Kind
    first: int | None = None
    lasting: int | None = None
    why: str = ""
    least: Decimal | None = None
    paid: Decimal | None = None


def break_evens(inputs: Inputs) -> tuple[BreakEven, ...]:
    """For every approach that is no paid model, in the order of the inputs."""
    return tuple(break_even(profile.approach, inputs) for profile in inputs.profiles if not profile.paid)


def break_even(approach: str, inputs: Inputs) -> BreakEven:
    """When `approach` costs less than the reference, exactly, in whole questions."""
    try:
        own, paid = curve(approach, inputs), curve(inputs.reference, inputs)
    except UnknownValue as reason:
        return BreakEven(approach, "unknown", why=str(reason))
    if paid.fixed or paid.step_questions:
        return BreakEven(approach, "unknown", why="the paid model runs on a machine of yours, not at a price per token")
    found = crossing(own, paid)
    kind: Kind = "never" if found.first is None else "always" if found.lasting == 1 else "from"
    least, asked = as_decimal(own.least_per_question), as_decimal(paid.per_question)
    return BreakEven(approach, kind, found.first, found.lasting, least=least, paid=asked)
