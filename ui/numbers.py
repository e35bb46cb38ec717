"""Numbers as people read them: a unit, at most three significant digits, and a dash for unknown."""

from __future__ import annotations

from decimal import Decimal

UNKNOWN = "\u2014"


def _three(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0:
        return "0"
    whole = f"{value:.3g}"
    return f"{float(whole):,.0f}" if abs(value) >= 100 else f"{Decimal(whole):f}"


def seconds(value: float | None) -> str:
    """Seconds as `1.84 s`, below a second as `210 ms`."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.9995:
        return f"{_three(value * 1000)} ms" if value >= 0.001 else "< 1 ms"
    return f"{_three(value)} s"


def dollars(value: Decimal | None) -> str:
    """US dollars, small amounts included: `$0.0000535`."""
    return UNKNOWN if value is None else f"${_three(float(value))}"


def rate(value: float | None) -> str:
    """Tokens per second."""
    return UNKNOWN if value is None else f"{_three(value)} tokens/s"


def count(value: int | None) -> str:
    """A whole number."""
    return UNKNOWN if value is None else f"{value:,}"


def figure(value: float | Decimal | None) -> str:
    """A number without a unit."""
    return UNKNOWN if value is None else _three(float(value))
