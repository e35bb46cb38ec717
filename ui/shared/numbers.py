"""Numbers as people read them: a unit, at most three significant digits, and a dash for unknown."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

from backends.fine_tuned.train.events import StepRecord
from backends.fine_tuned.train.runs import Run
from backends.run.jobs import JobState


def job_left_s(state: JobState, now: float) -> float | None:
    """Seconds that the rest takes at the pace so far, waiting and looks at the held-out part included.

    A resumed training begins in the middle, so the steps of this job are counted. None before the second step, and once
    it was asked to stop, since the rest is not done then.
    """
    steps = sum(isinstance(one, StepRecord) for one in state.results)
    if steps < 2 or not state.running or state.cancelled or state.done >= state.total:
        return None
    return (now - state.started) / steps * (state.total - state.done)


def run_left_s(run: Run, records: Sequence[StepRecord]) -> float | None:
    """The same for a training of another process, from what its log says of its steps; without waiting."""
    if len(records) < 2 or run.step >= run.steps:
        return None
    return sum(one.seconds for one in records) / len(records) * (run.steps - run.step)


UNKNOWN = "\u2014"
_DIGITS = Context(prec=3, rounding=ROUND_HALF_EVEN)


_RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
_READABLE = (-10, 15)  # powers of ten between which a number is written out


def _three(value: float | Decimal) -> str:
    """Three significant digits; without a power of ten unless nobody could count the zeros."""
    if value == 0:
        return "0"
    if not Decimal(value).is_finite():
        return UNKNOWN
    rounded = _DIGITS.create_decimal(Decimal(value)).normalize()
    if not _READABLE[0] <= rounded.adjusted() < _READABLE[1]:
        return power(rounded)
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:f}"


def power(value: Decimal) -> str:
    """A very large or very small number as `2.7 × 10⁹`."""
    rounded = _DIGITS.create_decimal(value).normalize()
    exponent = rounded.adjusted()
    return f"{rounded.scaleb(-exponent).normalize():f} \u00d7 10{str(exponent).translate(_RAISED)}"


def seconds(value: float | None) -> str:
    """Seconds as `1.84 s`, below a second as `210 ms`."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.9995:
        return f"{_three(value * 1000)} ms" if value >= 0.001 else "< 1 ms"
    return f"{_three(value)} s"


def waited(spent_s: float, expected_s: float | None) -> str:
    """How long a wait is already, against what was expected of it: `12 of about 20 s`."""
    spent = f"{spent_s:.0f}"
    if not expected_s:
        return f"{spent} s"
    if round(spent_s) > round(expected_s):
        return f"{spent} s, longer than the expected {expected_s:.0f} s"
    return f"{spent} of about {expected_s:.0f} s"


def dollars(value: Decimal | None) -> str:
    """US dollars, small amounts included: `$0.0000535`."""
    if value is None or not value.is_finite():
        return UNKNOWN
    return f"{chr(0x2212) if value < 0 else ''}${_three(abs(value))}"


def rate(value: float | None) -> str:
    """Tokens per second."""
    return UNKNOWN if value is None else f"{_three(value)} tokens/s"


def count(value: int | None) -> str:
    """A whole number."""
    return UNKNOWN if value is None else f"{value:,}"


def figure(value: float | Decimal | None) -> str:
    """A number without a unit."""
    return UNKNOWN if value is None else _three(value)
