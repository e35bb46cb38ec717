"""Intervals against published values and exact cases."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, sqrt

import numpy as np
import pytest

from evaluation.statistics import (
    MOST_DRAWN,
    Estimate,
    bootstrap,
    clustered_difference,
    clustered_mean,
    clustered_share,
    holm,
    paired,
    share_text,
    spread,
    wilson,
)


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


def test_without_groups_a_share_has_the_interval_of_wilson() -> None:
    found = clustered_share([1.0] * 15 + [0.0] * 5, range(20))
    assert (found.value, found.low, found.high) == pytest.approx((0.75, *wilson(15, 20)))
    together = clustered_share([1.0] * 15 + [0.0] * 5, ["one"] * 20)  # one group says nothing of others
    assert together == found


def test_questions_that_stand_and_fall_together_count_as_their_groups() -> None:
    """Five groups of four, right or wrong as a whole: as uncertain as five questions, and t for four degrees."""
    values, groups = [1.0] * 12 + [0.0] * 8, [place // 4 for place in range(20)]
    found = spread(values, groups)
    assert (found.mean, found.clusters) == (0.6, 5)
    assert found.standard_error == pytest.approx(sqrt(5 / 4 * (3 * 1.6**2 + 2 * 2.4**2) / 400))
    assert found.design_effect == pytest.approx(found.standard_error**2 / (0.24 / 19))
    assert found.quantile == pytest.approx(2.7764451)
    share, mean = clustered_share(values, groups), clustered_mean(values, groups)
    assert share.low < wilson(12, 20)[0] - 0.1
    assert share.high > wilson(12, 20)[1] + 0.05
    assert (mean.low, mean.high) == pytest.approx((0.6 - 2.7764451 * found.standard_error, 1.0))


def test_groups_that_agree_by_chance_make_nothing_surer() -> None:
    found = spread([1.0, 0.0] * 10, [place // 2 for place in range(20)])  # each group is half right
    assert (found.design_effect, found.standard_error) == (1.0, pytest.approx(sqrt(0.25 / 19)))
    assert spread([1.0] * 6, [0, 0, 1, 1, 2, 2]).standard_error == 0


def test_a_difference_without_groups_is_the_paired_one() -> None:
    values = [1.0] * 8 + [0.0] * 11 + [-1.0]
    found = clustered_difference(values, range(20))
    assert found.estimate == paired(values)
    assert (found.p < 0.05) == (found.estimate.low > 0)
    grouped = clustered_difference(values, [place // 4 for place in range(20)])
    assert grouped.estimate.low < found.estimate.low
    assert grouped.p > found.p
    assert clustered_difference([0.0] * 10, range(10)).p == 1


@pytest.mark.parametrize("changed", range(1, 12))
def test_the_interval_holds_0_just_where_chance_may_be_the_reason(changed: int) -> None:
    values = [1.0] * changed + [0.0] * (12 - changed)
    for groups in (list(range(12)), [place // 3 for place in range(12)]):
        found = clustered_difference(values, groups)
        assert (found.p >= 0.05) == (found.estimate.low <= 0)


def test_holm_on_its_own_example() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("function", [spread, clustered_share, clustered_mean, clustered_difference])
def test_of_nothing_there_is_no_interval(function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="nothing to take the mean of"):
        function([], [])


@pytest.mark.parametrize("seed", range(6))
def test_arrays_come_to_what_the_formulas_come_to_value_by_value(seed: int) -> None:
    """The same sums, written out without numpy."""
    chance = np.random.default_rng(seed)
    values = chance.choice([-1.0, 0.0, 1 / 3, 1.0], 30 + seed).tolist()
    groups = chance.integers(0, 7, len(values)).tolist()
    count, mean = len(values), sum(values) / len(values)
    sums: dict[int, float] = {}
    for value, group in zip(values, groups, strict=True):
        sums[group] = sums.get(group, 0.0) + value - mean
    independent = sum((value - mean) ** 2 for value in values) / (count - 1) / count
    together = len(sums) / (len(sums) - 1) * sum(total**2 for total in sums.values()) / count**2
    found = spread(values, groups)
    close = {"rel": 1e-12, "abs": 1e-12}
    assert found.mean == pytest.approx(mean, **close)
    assert found.design_effect == pytest.approx(max(1.0, together / independent), **close)
    assert found.standard_error == pytest.approx(sqrt(max(independent, together)), **close)
    added = [*values, 1.0, -1.0]
    centre = sum(added) / len(added)
    half = 1.959963984540054 * sqrt((sum(value * value for value in added) / len(added) - centre**2) / len(added))
    assert (paired(values).low, paired(values).high) == pytest.approx((centre - half, centre + half), **close)
    named = [f"document {group}" for group in groups]
    for function in (spread, clustered_mean, clustered_difference):
        assert function(np.array(values), np.array(groups)) == function(values, named)


def test_of_many_values_the_interval_is_the_one_that_the_bootstrap_goes_to() -> None:
    values = np.random.default_rng(1).random(MOST_DRAWN + 1) ** 3  # skewed
    many, drawn = bootstrap(values), bootstrap(values[1:])
    assert many.value == pytest.approx(values.mean())
    assert (many.high - many.low) == pytest.approx(drawn.high - drawn.low, rel=0.04)
    assert (many.low, many.high) == pytest.approx((drawn.low, drawn.high), abs=0.04 * (many.high - many.low))
