"""Confidence intervals for shares."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


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
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def share_text(successes: int, trials: int) -> str:
    """`73 % (62 of 85; 95 % interval 63–81)`."""
    low, high = wilson(successes, trials)
    return f"{100 * successes / trials:.0f} % ({successes} of {trials}; 95 % interval {100 * low:.0f}–{100 * high:.0f})"
