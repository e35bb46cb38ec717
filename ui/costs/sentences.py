"""Costs in sentences: who is cheapest now, and from when on what is cheaper than the paid model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.registry import spec_of
from evaluation.costs.break_even import BreakEven
from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import MonthlyCost
from ui.shared import numbers
from ui.shared.text import plain

ANSWER = "An answer (mean)"
"""What a month comes to for one of its answers: Compare says what one question is expected to cost."""


def subject(approach: str, inputs: Inputs) -> str:
    """An approach within a sentence; a paid one by its model."""
    if inputs.profile(approach).paid:
        return line_label(approach, inputs)
    return spec_of(approach).in_a_sentence


def line_label(approach: str, inputs: Inputs) -> str:
    """An approach at the end of its line in a chart and at the head of its column; a paid one by its model.

    Where the same model is there twice, the connection or the provider tells them apart.
    """
    profile = inputs.profile(approach)
    if not profile.paid:
        return spec_of(approach).name
    model = plain(profile.model)
    twice = sum(other.paid and plain(other.model) == model for other in inputs.profiles) > 1
    return f"{model} ({plain(profile.seller) or spec_of(approach).name})" if twice else model


def rounded_count(questions: int) -> str:
    """A number of questions to three digits, rounded up so that "from ... on" stays true."""
    step = 10 ** max(0, len(str(questions)) - 3)
    return f"{math.ceil(questions / step) * step:,}"


def break_even_sentence(found: BreakEven, inputs: Inputs) -> str:
    """When the approach becomes cheaper than the paid model, or why it does not."""
    one, paid = subject(found.approach, inputs), subject(inputs.reference, inputs)
    match found.kind:
        case "always":
            return f"At every volume, {one} is cheaper than {paid}."
        case "from" if found.first is not None and found.lasting is not None:
            return f"{_from(found.first, found.lasting)}, {one} is cheaper than {paid}."
        case "never":
            return f"{_upper(one)} never gets cheaper than {paid}{_never(found)}."
    return f"Whether {one} is ever cheaper than {paid} cannot be said: {found.why}."


def price_step(inputs: Inputs) -> str:
    """What to do where nothing can be compared, because it is not known what the paid model costs; else nothing."""
    profile = inputs.profile(inputs.reference)
    return _type_price(profile.approach, inputs) if profile.why_unknown else ""


def unknown_cost(cost: MonthlyCost, inputs: Inputs) -> str:
    """Why a cost is unknown, and what to do."""
    paid = inputs.profile(cost.approach).why_unknown and inputs.profile(cost.approach).paid
    step = _type_price(cost.approach, inputs) if paid else "Fill in what is unknown in the inputs."
    return f"Its cost is unknown: {cost.why}. {step}"


def _type_price(approach: str, inputs: Inputs) -> str:
    return f"Type its price per million tokens under {line_label(approach, inputs)} in the inputs."


def _never(found: BreakEven) -> str:
    """Why: what an answer costs on machines that are never idle for longer than assumed, against the paid one."""
    least, asks = numbers.dollars(found.least), numbers.dollars(found.paid)
    reason = f": an answer costs {least} at best, against {asks}"
    if not found.least or not found.paid or found.least <= found.paid:
        return reason
    return f"{reason}; a machine would have to give {numbers.figure(found.least / found.paid)} times as many answers"


def _from(first: int, lasting: int) -> str:
    now_and_then = (
        "" if rounded_count(first) == rounded_count(lasting) else f" (now and then from {rounded_count(first)} on)"
    )
    return f"From {rounded_count(lasting)} questions a month on{now_and_then}"


def cheapest_sentence(costs: Sequence[MonthlyCost], inputs: Inputs) -> str:
    """Who costs least at the chosen volume, all of them where the amounts read the same."""
    known = [(cost.usd, cost) for cost in costs if cost.usd is not None]
    if not known:
        return "No approach has a known cost."
    least, best = min(known, key=lambda pair: pair[0])
    *others, last = (
        subject(cost.approach, inputs) for usd, cost in known if numbers.dollars(usd) == numbers.dollars(least)
    )
    who = f"{', '.join(others)} and {last}" if others else last
    verb = "cost" if others else "costs"
    return f"At {best.questions:,} questions a month, {who} {verb} least: {numbers.dollars(least)} a month."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
