"""Numbers as people read them: at most three significant digits, whatever their size."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ui.shared import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "$0"),
        ("0.00005351", "$0.0000535"),
        ("12.345", "$12.3"),
        ("99.96", "$100"),
        ("999.9", "$1,000"),
        ("1030000", "$1,030,000"),
        ("999600000000", "$1,000,000,000,000"),
        ("1e30", "$1 × 10³⁰"),
        ("1.239e400", "$1.24 × 10⁴⁰⁰"),
        ("1.5e-15", "$1.5 × 10⁻¹⁵"),
        ("-0.5", "\u2212$0.5"),
        ("NaN", "\u2014"),
        ("Infinity", "\u2014"),
    ],
)
def test_dollars(value: str, shown: str) -> None:
    assert numbers.dollars(Decimal(value)) == shown


def test_figures_and_unknown() -> None:
    assert numbers.figure(1234.5) == "1,230"
    assert numbers.figure(float("inf")) == numbers.UNKNOWN
    assert (numbers.dollars(None), numbers.figure(None)) == (numbers.UNKNOWN, numbers.UNKNOWN)
    assert numbers.power(Decimal("2700000000")) == "2.7 × 10⁹"


def test_a_wait_that_is_longer_than_expected_says_so() -> None:
    said = [numbers.waited(spent, 20.2) for spent in (0.0, 20.4, 81.0)]
    assert said == ["0 of about 20 s", "20 of about 20 s", "81 s, longer than the expected 20 s"]
    assert numbers.waited(3.0, None) == "3 s"
