"""Numbers as people read them: a unit, at most three significant digits, and a dash for unknown."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

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
