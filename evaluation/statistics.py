"""Confidence intervals: of shares, of means, and of the difference between two ways on the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

DRAWS = 4_000
"""Samples that a bootstrap draws."""

_BLOCK = 1_000_000
"""Values that are drawn at once."""

_DRAWN_AT_ONCE = 1_000_000
"""Values held in memory at a time; all draws in one go are faster than one by one (docs/measurements.md)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} (95 % interval {self.low:.3f} to {self.high:.3f})"


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of a share, as two shares between 0 and 1.

    With p = successes / trials and n = trials: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Unlike the textbook interval it is sound for few trials and
    for shares near 0 and 1. Raises `ValueError` without trials or for more successes than trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a share.")
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    low = 0.0 if successes == 0 else (centre - half) / scale  # exactly, where rounding would leave 5e-17
    return low, 1.0 if successes == trials else (centre + half) / scale


def share_text(successes: int, trials: int) -> str:
    """`73 % (62 of 85; 95 % interval 63–81)`."""
    low, high = wilson(successes, trials)
    return f"{100 * successes / trials:.0f} % ({successes} of {trials}; 95 % interval {100 * low:.0f}–{100 * high:.0f})"


def paired(differences: Sequence[float], most: float = 1.0, z: float = Z_95) -> Estimate:
    """The mean of differences, question by question, with its adjusted Wald interval. `most`: the largest possible one.

    Two questions are added, one with +`most` and one with -`most`, and the normal interval is taken of all, cut at
    the ends. Source: D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37 (2012), 479-488. A bootstrap
    would call the difference on three questions of which none changed exactly 0, from 0 to 0. Raises `ValueError`
    without differences.
    """
    if not differences:
        raise ValueError("There is nothing to take the mean of.")
    added = [*differences, most, -most]
    centre = sum(added) / len(added)
    half = z * sqrt((sum(value * value for value in added) / len(added) - centre * centre) / len(added))
    mean = sum(differences) / len(differences)
    return Estimate(mean, max(-most, min(mean, centre - half)), min(most, max(mean, centre + half)))


def bootstrap(values: Sequence[float], draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The mean of `values` with its percentile bootstrap interval, the same at every call.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. For the difference
    between two ways that were tried on the same questions, give the differences question by question: that interval
    is much narrower than the two apart. Raises `ValueError` without values.
    """
    import numpy as np

    if not len(values):
        raise ValueError("There is nothing to take the mean of.")
    data = np.asarray(values, dtype=np.float64)
    random = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // len(data))
    means = [
        data[random.integers(0, len(data), (min(at_once, draws - start), len(data)))].mean(axis=1)
        for start in range(0, draws, at_once)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Estimate(float(data.mean()), float(low), float(high))
