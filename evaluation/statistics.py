"""Confidence intervals: of shares, of means, and of the difference between two ways on the same questions.

Questions that share a source are not independent: eight on one document tell less than eight on eight.
`clustered_share`, `clustered_mean` and `clustered_difference` take that into account.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Clusters = Sequence[Hashable] | NDArray[np.int64]

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

DRAWS = 4_000
"""Samples that a bootstrap draws."""

_ROUNDING = 1e-6
"""So far the cosine of two vectors of 32 bits may be beyond 1."""

MOST_DRAWN = 2_000
"""Of more values than this a bootstrap takes long and says what the normal interval says."""

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


def wilson(successes: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of a share, as two shares between 0 and 1.

    With p = successes / trials and n = trials: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Unlike the textbook interval it is sound for few trials and
    for shares near 0 and 1. Both may be fractions: an effective number of trials. Raises `ValueError` without trials or
    for more successes than trials.
    """
    if trials <= 0 or not 0 <= successes <= trials:
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


def paired(differences: Sequence[float] | Floats, most: float = 1.0, z: float = Z_95) -> Estimate:
    """The mean of differences, question by question, with its adjusted Wald interval. `most`: the largest possible one.

    Two questions are added, one with +`most` and one with -`most`, and the normal interval is taken of all, cut at
    the ends. Source: D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37 (2012), 479-488. A bootstrap
    would call the difference on three questions of which none changed exactly 0, from 0 to 0. Raises `ValueError`
    without differences.
    """
    if not len(differences):
        raise ValueError("There is nothing to take the mean of.")
    mean, centre, error = _adjusted_wald(differences, most)
    half = z * error
    return Estimate(mean, max(-most, min(mean, centre - half)), min(most, max(mean, centre + half)))


def _adjusted_wald(differences: Sequence[float] | Floats, most: float) -> tuple[float, float, float]:
    """The mean of differences; with +`most` and -`most` added, their mean and its standard error."""
    import numpy as np

    data = np.asarray(differences, dtype=np.float64)
    count = len(data) + 2
    centre = float(data.sum()) / count
    squares = float((data * data).sum()) + 2 * most * most
    return float(data.mean()), centre, sqrt(max(0.0, squares / count - centre * centre) / count)


def bootstrap(values: Sequence[float] | Floats, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The mean of `values` with its percentile bootstrap interval, the same at every call.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13. For the difference
    between two ways that were tried on the same questions, give the differences question by question: that interval
    is much narrower than the two apart. Of more than `MOST_DRAWN` values it is the normal interval, to which the
    bootstrap's converges and from which it differs there by less than its own noise. Raises `ValueError` without
    values.
    """
    import numpy as np

    if not len(values):
        raise ValueError("There is nothing to take the mean of.")
    data = np.asarray(values, dtype=np.float64)
    if len(data) > MOST_DRAWN:
        mean, half = float(data.mean()), Z_95 * float(data.std()) / sqrt(len(data))
        return Estimate(mean, mean - half, mean + half)
    random = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // len(data))
    means = [
        data[random.integers(0, len(data), (min(at_once, draws - start), len(data)))].mean(axis=1)
        for start in range(0, draws, at_once)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    return Estimate(float(data.mean()), float(low), float(high))


# --- questions that share a source ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """How the mean of values varies if whole clusters of them are drawn.

    `standard_error` is at least that of independent values, times the root of `design_effect` (1 or more). `quantile`
    is the 97.5 % quantile to multiply it with: Student's t with one degree of freedom less than there are clusters, and
    the normal one where each value stands for itself.
    """

    mean: float
    standard_error: float
    design_effect: float
    clusters: int
    quantile: float


def spread(values: Sequence[float] | Floats, clusters: Clusters) -> Spread:
    """The spread of the mean of `values`; each belongs to the cluster at its place.

    The cluster-robust variance G/(G-1) Σ_g (Σ_i (x_i - mean))² / n², over the clusters g: A. C. Cameron and D. L.
    Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50 (2015), 317-372. Its
    ratio to the variance of independent values is the design effect, here never below 1, since few clusters can only
    seem to agree by less than chance. One cluster alone says nothing of others: its values are then taken one by one.
    Raises `ValueError` without values.
    """
    import numpy as np

    count = len(values)
    if not count:
        raise ValueError("There is nothing to take the mean of.")
    data = np.asarray(values, dtype=np.float64)
    mean = float(data.mean())
    off = data - mean
    sums = np.bincount(_numbered(clusters, count), off)
    groups = len(sums)
    alone = count if count > 1 else 2
    independent = float((off * off).sum()) / (alone - 1) / count
    if groups in (1, count):
        return Spread(mean, sqrt(independent), 1.0, groups, Z_95)
    together = groups / (groups - 1) * float((sums * sums).sum()) / (count * count)
    effect = max(1.0, together / independent) if independent > 0 else 1.0
    return Spread(mean, sqrt(independent * effect), effect, groups, _t_quantile(groups - 1))


def _numbered(clusters: Clusters, count: int) -> NDArray[np.int64]:
    """The clusters as numbers from 0 without a gap; raises `ValueError` unless there are `count`."""
    import numpy as np

    if len(clusters) != count:
        raise ValueError(f"There are {count} values and {len(clusters)} clusters.")
    if isinstance(clusters, np.ndarray):
        return np.unique(clusters, return_inverse=True)[1]
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(one, len(numbers)) for one in clusters], np.int64)


def clustered_share(values: Sequence[float] | Floats, clusters: Clusters) -> Estimate:
    """A share, from values between 0 and 1, with Wilson's interval for the effective number of questions.

    That is n / design effect * (z / t)²: E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with
    small expected number of positive counts estimated from survey data", Survey Methodology 24 (1998), 193-201. Without
    clusters it is `wilson`.
    """
    found = spread(values, clusters)
    trials = len(values) / found.design_effect * (Z_95 / found.quantile) ** 2
    low, high = wilson(found.mean * trials, trials)
    return Estimate(found.mean, min(low, found.mean), max(high, found.mean))


def clustered_mean(values: Sequence[float] | Floats, clusters: Clusters) -> Estimate:
    """A mean with its cluster-robust interval; without clusters, with the bootstrap's.

    Where all values are between -1 and 1, as cosines and shares are, the interval is too.
    """
    found = spread(values, clusters)
    if found.clusters in (1, len(values)):
        return bootstrap(values)
    half = found.quantile * found.standard_error
    low, high = found.mean - half, found.mean + half
    if min(values) >= -1 - _ROUNDING and max(values) <= 1 + _ROUNDING:
        low, high = max(-1.0, low), min(1.0, high)
    return Estimate(found.mean, low, high)


@dataclass(frozen=True, slots=True)
class DifferenceEstimate:
    """A mean difference with its interval, and the probability of one at least as far from 0 if there were none."""

    estimate: Estimate
    p: float


def clustered_difference(
    differences: Sequence[float] | Floats, clusters: Clusters, most: float = 1.0
) -> DifferenceEstimate:
    """The mean of `differences` between -`most` and `most`: `paired`, made wider by the design effect of clusters.

    The probability belongs to the same normal or t distribution, so the interval holds 0 just where it is 0.05 or more.
    """
    found = spread(differences, clusters)
    width = sqrt(found.design_effect) * found.quantile / Z_95
    estimate = paired(differences, most, Z_95 * width)
    _, centre, error = _adjusted_wald(differences, most)
    ratio = abs(centre) / (error * sqrt(found.design_effect))
    plain = found.quantile == Z_95
    return DifferenceEstimate(estimate, _two_sided(ratio, None if plain else found.clusters - 1))


def holm(probabilities: Sequence[float]) -> list[float]:
    """The probabilities adjusted for how many there are, in their order.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979), 65-70. Of those that are below 0.05 afterwards, the chance that any is a mistake is at most 5 %.
    """
    ordered = sorted(range(len(probabilities)), key=lambda place: probabilities[place])
    adjusted, highest = [0.0] * len(probabilities), 0.0
    for rank, place in enumerate(ordered):
        highest = max(highest, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        adjusted[place] = highest
    return adjusted


def _t_quantile(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def _two_sided(ratio: float, freedom: int | None) -> float:
    """Of Student's t, or of the normal distribution without degrees of freedom."""
    if freedom is None:
        return erfc(ratio / sqrt(2))
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -ratio))
