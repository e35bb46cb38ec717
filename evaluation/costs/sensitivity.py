"""What if: one input at a time is changed, and the monthly costs and break-even points are computed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from evaluation.costs.break_even import BreakEven, break_evens
from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import MonthlyCost, monthly

HALF, DOUBLE, TENFOLD = Decimal("0.5"), Decimal(2), Decimal(10)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that might turn out otherwise. Changes with the same `subject` are two directions of one."""

    subject: str
    name: str
    apply: Callable[[Inputs], Inputs]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does: the new costs by approach, their difference to now in USD a month, the new break-evens."""

    subject: str
    name: str
    costs: dict[str, MonthlyCost]
    difference: dict[str, Decimal | None]
    break_evens: tuple[BreakEven, ...]


def _scaled(factor: Decimal, *names: str, most: Decimal | None = None) -> Callable[[Inputs], Inputs]:
    return lambda inputs: inputs.scaled(dict.fromkeys(names, factor), most)


def _prices(factor: Decimal) -> Callable[[Inputs], Inputs]:
    return lambda inputs: inputs.scaled(dict.fromkeys(inputs.prices, factor))


def _longer(inputs: Inputs) -> Inputs:
    """Tokens out double, and machine time with them: writing is nearly all of a local answer's time.

    Where a paid model writes, machine time is that of the search, which does not grow.
    """
    names = [f"{profile.approach}.completion_tokens" for profile in inputs.profiles]
    names += [f"{profile.approach}.machine_s" for profile in inputs.profiles if not profile.by_token]
    return inputs.scaled(dict.fromkeys(names, DOUBLE))


CHANGES = (
    Change("paid prices", "paid prices halve", _prices(HALF)),
    Change("paid prices", "paid prices double", _prices(DOUBLE)),
    Change("length of answers", "answers twice as long", _longer),
    Change("machine rate", "machine rate halves", _scaled(HALF, "machine.usd_per_hour")),
    Change("machine rate", "machine rate doubles", _scaled(DOUBLE, "machine.usd_per_hour")),
    Change("utilisation", "machines half as busy", _scaled(HALF, "machine.utilisation")),
    Change(
        "utilisation",
        "machines twice as busy (100 % at most)",
        _scaled(DOUBLE, "machine.utilisation", most=Decimal(1)),
    ),
    Change("questions", "ten times the questions", _scaled(TENFOLD, "questions")),
)


def sensitivity(inputs: Inputs) -> tuple[Effect, ...]:
    """The effect of every change, one at a time."""
    now = {profile.approach: monthly(profile.approach, inputs) for profile in inputs.profiles}
    return tuple(_effect(change, inputs, now) for change in CHANGES)


def _effect(change: Change, inputs: Inputs, now: dict[str, MonthlyCost]) -> Effect:
    changed = change.apply(inputs)
    costs = {approach: monthly(approach, changed) for approach in now}
    difference = {
        approach: None if cost.usd is None or (before := now[approach].usd) is None else cost.usd - before
        for approach, cost in costs.items()
    }
    return Effect(change.subject, change.name, costs, difference, break_evens(changed))
