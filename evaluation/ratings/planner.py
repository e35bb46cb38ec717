"""How sure a session's result will be: what more raters, or more items, would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from evaluation.ratings.model import Rating
from evaluation.ratings.preference import crossed_of
from evaluation.statistics import Z_95

if TYPE_CHECKING:
    from evaluation.ratings.preference import Crossed


@dataclass(frozen=True, slots=True)
class Components:
    """The variance of one rating's net preference (-1 to 1): what raters, items and everything else add to it.

    `basis` says in words where the three are from.
    """

    raters: float
    items: float
    rest: float
    basis: str


ASSUMED = Components(
    0.03, 0.15, 0.42, "an assumption: ratings vary by 0.6 in all, of which raters add a twentieth and items a quarter"
)
"""What is taken before anybody has rated. 1 is the most that a rating between -1 and 1 can vary."""

_FEWEST_RATERS, _FEWEST_ITEMS = 3, 8


def half_width(components: Components, raters: int, items: int, per_item: int | None = None) -> float:
    """Half of the 95 % interval of a net preference, on its scale of -1 to 1.

    `per_item`: how many of the raters rate an item; all of them if None. Variance: raters/R + items/I + rest/(I k).
    """
    each = raters if per_item is None else min(per_item, raters)
    variance = components.raters / raters + components.items / items + components.rest / (items * each)
    return Z_95 * sqrt(variance)


def components_of(ratings: Sequence[Rating], approaches: Sequence[str]) -> Components | None:
    """The variances as these ratings have them, the mean over approaches; None where they are too few to say."""
    raters, items = {one.rater for one in ratings}, {one.item for one in ratings}
    if len(raters) < _FEWEST_RATERS or len(items) < _FEWEST_ITEMS:
        return None
    found = [one for name in approaches if (one := _solved(crossed_of(ratings, name))) is not None]
    if not found:
        return None
    first, second, third = (sum(values) / len(found) for values in zip(*found, strict=True))
    return Components(first, second, third, f"the {len(ratings):,} ratings of this session")


def _solved(crossed: Crossed | None) -> tuple[float, float, float] | None:
    """Variance of raters, of items and of the rest by Henderson's method 1, which takes missing ratings; none below 0.

    Source: C. R. Henderson, "Estimation of variance and covariance components", Biometrics 9 (1953), 226-252.
    """
    import numpy as np

    if crossed is None:
        return None
    values, count = crossed.values, len(crossed.values)
    by_rater, by_item = np.bincount(crossed.raters), np.bincount(crossed.items)
    raters, items = len(by_rater), len(by_item)
    if raters < 2 or items < 2:
        return None
    mean_square = values.sum() ** 2 / count
    of_raters = (np.bincount(crossed.raters, values) ** 2 / by_rater).sum()
    of_items = (np.bincount(crossed.items, values) ** 2 / by_item).sum()
    rater_weight, item_weight = (by_rater**2).sum() / count, (by_item**2).sum() / count
    left = np.array(
        [
            [count - rater_weight, count - item_weight, count - 1],
            [count - rater_weight, raters - item_weight, raters - 1],
            [items - rater_weight, count - item_weight, items - 1],
        ]
    )
    right = np.array([(values**2).sum(), of_raters, of_items]) - mean_square
    try:
        solved = np.linalg.solve(left, right)
    except np.linalg.LinAlgError:
        return None
    first, second, third = np.maximum(solved, 0.0)
    return float(first), float(second), float(third)


def plan_words(components: Components, raters: int, items: int, per_item: int | None = None) -> list[str]:
    """Sentences: how wide the interval will be, and what half as many raters or items more would make of it."""
    now = half_width(components, raters, items, per_item)
    more_raters, more_items = max(raters + 1, round(1.5 * raters)), max(items + 1, round(1.5 * items))
    each = None if per_item is None else per_item + 1
    return [
        f"With {raters} raters and {items} items, a net preference will be known to about \u00b1 {now:.2f} "
        f"(on a scale of \u22121 to 1).",
        f"With {more_raters} raters: \u00b1 {half_width(components, more_raters, items, each):.2f}. "
        f"With {more_items} items: \u00b1 {half_width(components, raters, more_items, per_item):.2f}.",
        f"Basis: {components.basis}.",
    ]
