"""What an approach costs in a month: the sum and its parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from backends.spend.pricing import Rates
from evaluation.costs.curve import Curve
from evaluation.costs.inputs import Inputs, PaymentProfile, UnknownValue

HOURS_PER_MONTH = 730
"""8,760 hours of a year / 12: what the price lists of AWS, Azure and Google Cloud compute a month with (2026)."""

_MILLION = 1_000_000
_GB = 10**9
_NAME = re.compile(r"\[([\w.:-]+)\]")


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a month's cost. `formula` is in words, `numbers` the same with the values filled in.

    `curve` is its cost over the number of questions, None if it is unknown for the reason in `why`.
    """

    name: str
    formula: str
    numbers: str
    curve: Curve | None
    why: str = ""


def terms(approach: str, inputs: Inputs) -> list[Term]:
    """The parts of what `approach` costs, none of them if nothing about its price is known."""
    return list(_terms(inputs.profile(approach), inputs))


def _terms(profile: PaymentProfile, inputs: Inputs) -> Iterator[Term]:
    if profile.by_token:
        yield from _tokens(profile.approach, profile.priced_by or profile.approach, inputs)
    if profile.on_machine and inputs.rented:
        yield _rented(profile.approach, inputs)
    elif profile.on_machine:
        yield _by_the_second(profile.approach, inputs)
    if profile.trained:
        yield _training(profile.approach, inputs)
    if profile.documents:
        yield from _documents(inputs)


def _tokens(approach: str, priced_by: str, inputs: Inputs) -> Iterator[Term]:
    prompt, cached, completion = (
        f"{approach}.{name}" for name in ("prompt_tokens", "cached_share", "completion_tokens")
    )
    fresh, kept, written = (f"{priced_by}.price.{name}" for name in ("input", "cached", "output"))
    value = inputs.exact
    yield _term(
        inputs,
        "tokens in",
        f"[questions] × [{prompt}] × (1 − [{cached}]) ÷ 1,000,000 × [{fresh}]",
        lambda: Curve(per_question=value(prompt) * (1 - value(cached)) / _MILLION * value(fresh)),
    )
    if inputs.values[cached].value != 0:
        yield _term(
            inputs,
            "cached tokens in",
            f"[questions] × [{prompt}] × [{cached}] ÷ 1,000,000 × [{kept}]",
            lambda: Curve(per_question=value(prompt) * value(cached) / _MILLION * value(kept)),
        )
    yield _term(
        inputs,
        "tokens out",
        f"[questions] × [{completion}] ÷ 1,000,000 × [{written}]",
        lambda: Curve(per_question=value(completion) / _MILLION * value(written)),
    )


def _by_the_second(approach: str, inputs: Inputs) -> Term:
    seconds, value = f"{approach}.machine_s", inputs.exact

    def used() -> Curve:
        return Curve(
            per_question=value(seconds) / _at_once(inputs) / 3600 * value("machine.usd_per_hour"),
        )

    formula = f"[questions] × [{seconds}] ÷ [machine.at_once] ÷ 3,600 × [machine.usd_per_hour]"
    return _term(inputs, "machine time", formula, used)


def _rented(approach: str, inputs: Inputs) -> Term:
    """Load over capacity, rounded up: a machine answers `at_once` × 3,600 × 730 × utilisation / seconds a month."""
    seconds, value = f"{approach}.machine_s", inputs.exact

    def rented() -> Curve:
        month = value("machine.usd_per_hour") * HOURS_PER_MONTH
        busy_s = value("machine.utilisation") * HOURS_PER_MONTH * 3600
        if not busy_s:
            raise UnknownValue("a machine that is never busy answers nothing: raise the utilisation")
        if not value(seconds):
            return Curve(fixed=month)
        return Curve(step_usd=month, step_questions=busy_s * _at_once(inputs) / value(seconds))

    formula = (
        f"⌈[questions] × [{seconds}] ÷ ([machine.at_once] × 3,600 × {HOURS_PER_MONTH} hours × "
        f"[machine.utilisation])⌉ × {HOURS_PER_MONTH} hours × [machine.usd_per_hour], at least one machine"
    )
    return _term(inputs, "rented machines", formula, rented)


def _at_once(inputs: Inputs) -> Fraction:
    found = inputs.exact("machine.at_once")
    if found <= 0:
        raise UnknownValue("a machine has to give at least one answer at once")
    return found


def _training(approach: str, inputs: Inputs) -> Term:
    own, value = f"{approach}.training.seconds", inputs.exact
    seconds = own if own in inputs.values else "training.seconds"
    return _term(
        inputs,
        "training",
        f"[training.per_month] × [{seconds}] ÷ 3,600 × [machine.usd_per_hour]",
        lambda: Curve(fixed=value("training.per_month") * value(seconds) / 3600 * value("machine.usd_per_hour")),
    )


def _documents(inputs: Inputs) -> Iterator[Term]:
    value = inputs.exact

    def embedding() -> Curve:
        seconds = value("documents.per_month") * value("documents.chunks") * value("documents.embed_s")
        return Curve(fixed=seconds / 3600 * value("machine.usd_per_hour"))

    yield _term(
        inputs,
        "embedding the documents",
        "[documents.per_month] × [documents.chunks] × [documents.embed_s] ÷ 3,600 × [machine.usd_per_hour]",
        embedding,
    )
    yield _term(
        inputs,
        "storing the documents",
        "[documents.chunks] × [documents.bytes] ÷ 1,000,000,000 × [documents.usd_per_gb_month]",
        lambda: Curve(
            fixed=value("documents.chunks") * value("documents.bytes") / _GB * value("documents.usd_per_gb_month")
        ),
    )


def _term(inputs: Inputs, name: str, template: str, made: Callable[[], Curve]) -> Term:
    """`template` has the names of values in brackets, for words and for numbers."""
    words = _NAME.sub(lambda found: inputs.label(found[1]), template)
    numbers = _NAME.sub(lambda found: inputs.formatted(found[1]), template)
    try:
        return Term(name, words, numbers, made())
    except UnknownValue as reason:
        return Term(name, words, numbers, None, str(reason))


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
    questions = int(inputs.exact("questions"))
    found = terms(approach, inputs)
    parts = tuple(_part(term, questions) for term in found)
    model = inputs.profile(approach).model
    try:
        whole = curve(approach, inputs)
    except UnknownValue as reason:
        return MonthlyCost(approach, model, questions, parts, None, str(reason))
    usd = as_decimal(whole.usd(questions))
    return MonthlyCost(approach, model, questions, parts, usd, machines=whole.machines(questions))


def month_at(rates: Rates, inputs: Inputs) -> Decimal:
    """What a month of answers costs at other prices, with as many tokens as those of the model compared with.

    Raises `UnknownValue` with the reason.
    """
    prompt, cached, completion = (
        inputs.exact(f"{inputs.reference}.{name}") for name in ("prompt_tokens", "cached_share", "completion_tokens")
    )
    fresh, kept, written = (Fraction(one) for one in (rates.input_mtok, rates.cached_mtok, rates.output_mtok))
    answer = prompt * ((1 - cached) * fresh + cached * kept) + completion * written
    return as_decimal(inputs.exact("questions") * answer / _MILLION)


def curve(approach: str, inputs: Inputs) -> Curve:
    """The cost of `approach` over the number of questions. Raises `UnknownValue` with the reason."""
    if reason := inputs.profile(approach).why_unknown:
        raise UnknownValue(reason)
    whole = Curve()
    for term in terms(approach, inputs):
        if term.curve is None:
            raise UnknownValue(term.why)
        whole += term.curve
    return whole


def as_decimal(value: Fraction) -> Decimal:
    """A fraction as a Decimal: exact where it ends within 28 digits, else rounded to these."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def _part(term: Term, questions: int) -> Part:
    usd = None if term.curve is None else as_decimal(term.curve.usd(questions))
    return Part(term.name, term.formula, term.numbers, usd, term.why)
