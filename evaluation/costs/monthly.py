"""What an approach costs in a month: the sum and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from evaluation.costs.curve import Curve
from evaluation.costs.inputs import Inputs, Unknown
from evaluation.costs.terms import Term, terms


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a month's cost: `formula` in words, `numbers` filled in. `usd` is None if unknown, `why` tells."""

    name: str
    formula: str
    numbers: str
    usd: Decimal | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """What an approach costs in a month. `usd` is the sum of the parts, None as soon as one is unknown."""

    approach: str
    model: str
    questions: int
    parts: tuple[Part, ...]
    usd: Decimal | None
    why: str = ""
    machines: int = 0

    @property
    def per_answer(self) -> Decimal | None:
        """USD for one of the month's answers."""
        return None if self.usd is None or not self.questions else self.usd / self.questions


def monthly(approach: str, inputs: Inputs) -> MonthlyCost:
    """What `approach` costs at the number of questions in `inputs`."""
    questions = int(inputs.amount("questions"))
    found = terms(approach, inputs)
    parts = tuple(_part(term, questions) for term in found)
    model = inputs.way(approach).model
    try:
        whole = curve(approach, inputs)
    except Unknown as reason:
        return MonthlyCost(approach, model, questions, parts, None, str(reason))
    usd = as_decimal(whole.usd(questions))
    return MonthlyCost(approach, model, questions, parts, usd, machines=whole.machines(questions))


def curve(approach: str, inputs: Inputs) -> Curve:
    """The cost of `approach` over the number of questions. Raises `Unknown` with the reason."""
    if reason := inputs.way(approach).why_unknown:
        raise Unknown(reason)
    whole = Curve()
    for term in terms(approach, inputs):
        if term.curve is None:
            raise Unknown(term.why)
        whole += term.curve
    return whole


def as_decimal(value: Fraction) -> Decimal:
    """A fraction as a Decimal: exact where it ends within 28 digits, else rounded to these."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def _part(term: Term, questions: int) -> Part:
    usd = None if term.curve is None else as_decimal(term.curve.usd(questions))
    return Part(term.name, term.formula, term.numbers, usd, term.why)
