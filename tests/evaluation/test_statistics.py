"""Intervals against published values and exact cases."""

from __future__ import annotations

from math import factorial

import pytest

from evaluation.statistics import Estimate, bootstrap, paired, share_text, wilson


# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_mirrors_and_stays_within_0_and_1():
    assert wilson(20, 20) == pytest.approx((1 - 0.1611, 1.0), abs=5e-5)
    assert share_text(62, 85) == "73 % (62 of 85; 95 % interval 63–81)"


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(successes, trials):
    with pytest.raises(ValueError, match="not a share"):
        wilson(successes, trials)


def test_wilson_ends_are_exactly_0_and_1_where_nothing_or_all_succeeded():
    assert (wilson(0, 3)[0], wilson(3, 3)[1]) == (0.0, 1.0)


def test_the_adjusted_interval_of_pairs_is_the_formula_s():
    """Of 20 pairs 8 to right and 2 to wrong: shares 9/22 and 3/22, ± 1.96 sqrt((12/22 - (6/22)²) / 22)."""
    found = paired([1.0] * 8 + [-1.0] * 2 + [0.0] * 10)
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((6 / 22 - 0.28680, 6 / 22 + 0.28680), abs=5e-5)


def test_the_adjusted_interval_holds_the_truth_as_often_as_it_says():
    """Exactly, for every outcome of ten questions of which each changes to right with 0.3 and to wrong with 0.02."""
    held = 0.0
    for right in range(11):
        for wrong in range(11 - right):
            same = 10 - right - wrong
            ways = factorial(10) / (factorial(right) * factorial(wrong) * factorial(same))
            found = paired([1.0] * right + [-1.0] * wrong + [0.0] * same)
            held += ways * 0.3**right * 0.02**wrong * 0.68**same * (found.low <= 0.28 <= found.high)
    assert held > 0.94


def test_the_bootstrap_of_equal_values_has_no_width():
    assert bootstrap([0.5] * 20) == Estimate(0.5, 0.5, 0.5)


def test_the_bootstrap_is_close_to_the_normal_interval_for_many_values():
    """Mean ± 1.96 standard errors: 0.3 ± 1.96 * sqrt(0.3 * 0.7 / 1000)."""
    found = bootstrap([1.0] * 300 + [0.0] * 700)
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.2716, 0.3284), abs=0.002)


def test_the_bootstrap_gives_the_same_every_time():
    values = [n * n / 7919 for n in range(89)]
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap(values, seed=1) != bootstrap(values)


def test_paired_differences_are_narrower_than_the_two_apart():
    one = [float(n % 2) for n in range(100)]
    other = [value - 0.1 for value in one]
    ahead = bootstrap([a - b for a, b in zip(one, other, strict=True)])
    assert (ahead.low, ahead.high) == pytest.approx((0.1, 0.1))
    assert bootstrap(one).high - bootstrap(one).low > 0.15


def test_the_bootstrap_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to take the mean of"):
        bootstrap([])


def test_an_estimate_in_words():
    assert str(Estimate(0.8612, 0.8172, 0.9041)) == "0.861 (95 % interval 0.817 to 0.904)"
