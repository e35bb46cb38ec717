"""Strengths of approaches by the model of Bradley and Terry with ties, and what the style of answers did to them.

Davidson's model: answer i is preferred to j, they are as good, or j is preferred, with chances in the ratio
exp(d/2) : exp(t) : exp(-d/2), where d is the difference of their strengths and t belongs to ties. Source: R. R.
Davidson, "On extending the Bradley-Terry model to accommodate ties in paired comparison experiments", Journal of the
American Statistical Association 65 (1970), 317-328.

A rating of n answers is one observation: each of its n(n-1)/2 pairs counts 2/(n(n-1)). Each strength is held near the
mean by one imaginary win and one loss against it, so that an approach that never lost has a finite one. Source of that:
M. E. J. Newman, "Efficient computation of rankings from pairwise comparisons", Journal of Machine Learning Research 24
(2023). Intervals draw raters and items anew, as those of net preferences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from evaluation.ratings.model import Item, Rating, pairs_of
from evaluation.ratings.preference import counted, drawn_weights
from evaluation.statistics import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 500
PRIOR = 1.0
"""Imaginary wins, and as many losses, of each strength against the mean."""

_STEPS, _CLOSE, _LONGEST_STEP = 100, 1e-11, 2.0
_AT_ONCE = 4_000_000
"""Numbers that are held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How strong an approach is: the natural logarithm, 0 in the mean over approaches. `beats`: the chance that its
    answer is preferred to one of mean strength, a tie counted half."""

    approach: str
    log: Estimate
    beats: Estimate


@dataclass(frozen=True, slots=True)
class Strengths:
    """Of all approaches, the strongest first; empty where there are none, and `why` says for what reason.

    `doubling`: by how much the strength of an answer grows if it is twice as long; `citing`: if it cites. None where
    style was not controlled, or where no two answers differ in it.
    """

    of: tuple[Strength, ...]
    doubling: Estimate | None = None
    citing: Estimate | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Compared:
    """Pairs of answers in ratings, equal ones in a group: `features` has a row for each group, the first answer's minus
    the second's. Each pair has its group, its rating, what was said of it (0 won, 1 as good, 2 lost), and its weight.
    """

    features: Floats
    groups: NDArray[np.int64]
    ratings: NDArray[np.int64]
    said: NDArray[np.int64]
    weights: Floats
    styles: tuple[str, ...]


def strengths(
    ratings: Sequence[Rating],
    approaches: Sequence[str],
    items: Mapping[int, Item] | None = None,
    draws: int = DRAWS,
    prior: float = PRIOR,
) -> Strengths:
    """The strengths; with `items`, those that are left when length and citations of the answers are accounted for."""
    import numpy as np

    kept = [one for one in counted(ratings) if len(one.ranks) > 1]
    present = [name for name in approaches if any(name in one.ranks for one in kept)]
    if len(present) < 2:
        return Strengths((), why="nothing was compared")
    if not _connected(kept, present):
        return Strengths((), why="some approaches were never rated beside the others")
    compared = _compared(kept, present, items)
    whole = _fitted(compared, len(present), _totals(compared, np.ones((1, len(kept)))), prior)
    fits = [
        _fitted(compared, len(present), _totals(compared, weights[at : at + step]), prior)
        for weights in drawn_weights(_numbers([one.rater for one in kept]), _numbers([one.item for one in kept]), draws)
        for step in (max(1, _AT_ONCE // compared.features.size),)
        for at in range(0, len(weights), step)
    ]
    drawn = np.concatenate(fits)
    return _read(present, compared.styles, whole, drawn)


def _read(present: Sequence[str], styles: Sequence[str], whole: Floats, drawn: Floats) -> Strengths:
    import numpy as np

    count = len(present)

    def estimate(one: Floats, draws: Floats) -> Estimate:
        low, high = np.percentile(draws, (2.5, 97.5))
        return Estimate(float(one[0]), float(low), float(high))

    def beats(fit: Floats, place: int) -> Floats:
        half, tie = np.exp(fit[:, place] / 2), np.exp(fit[:, -1])
        return np.asarray((half + tie / 2) / (half + 1 / half + tie))

    found = [
        Strength(name, estimate(whole[:, place], drawn[:, place]), estimate(beats(whole, place), beats(drawn, place)))
        for place, name in enumerate(present)
    ]
    style = {name: estimate(whole[:, count + place], drawn[:, count + place]) for place, name in enumerate(styles)}
    ordered = tuple(sorted(found, key=lambda one: -one.log.value))
    return Strengths(ordered, style.get("length"), style.get("cites"))


# --- what is compared -----------------------------------------------------------------------------


def _compared(kept: Sequence[Rating], present: Sequence[str], items: Mapping[int, Item] | None) -> _Compared:
    import numpy as np

    numbers: dict[tuple[int, str, str], int] = {}
    rows: list[tuple[int, int, int, float]] = []
    for place, one in enumerate(kept):
        pairs = pairs_of([name for name in present if name in one.ranks])
        for first, second in pairs:
            group = numbers.setdefault((one.item if items is not None else 0, first, second), len(numbers))
            gap = one.ranks[first] - one.ranks[second]
            rows.append((group, place, 1 + (gap > 0) - (gap < 0), 1 / len(pairs)))
    features = np.zeros((len(numbers), len(present)))
    for (_, first, second), group in numbers.items():
        features[group, present.index(first)], features[group, present.index(second)] = 1, -1
    styles: dict[str, list[float]] = {}
    if items is not None:
        for name, style in _STYLES.items():
            found = [style(items[item], first) - style(items[item], second) for item, first, second in numbers]
            if any(found):
                styles[name] = found
    groups, places, said, weights = zip(*rows, strict=True)
    return _Compared(
        np.column_stack([features, *styles.values()]),
        np.array(groups, dtype=np.int64),
        np.array(places, dtype=np.int64),
        np.array(said, dtype=np.int64),
        np.array(weights, dtype=np.float64),
        tuple(styles),
    )


def _length(item: Item, approach: str) -> float:
    """Of the text that raters saw."""
    return log2(max(1, len(item.answers[approach])))


def _cites(item: Item, approach: str) -> float:
    return float(bool(item.facts.get(approach, {}).get("cites")))


_STYLES: dict[str, Callable[[Item, str], float]] = {"length": _length, "cites": _cites}


def _numbers(names: Sequence[str | int]) -> NDArray[np.int64]:
    import numpy as np

    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _connected(kept: Sequence[Rating], present: Sequence[str]) -> bool:
    """Whether a chain of ratings leads from each approach to each other one."""
    reached, before = {present[0]}, 0
    while len(reached) > before:
        before = len(reached)
        for one in kept:
            if reached & set(one.ranks):
                reached |= set(one.ranks)
    return len(reached) == len(present)


def _totals(compared: _Compared, weights: Floats) -> Floats:
    """For each draw (rows) and group: how much was won, as good and lost."""
    import numpy as np

    count = len(compared.features)
    cells = compared.groups * 3 + compared.said
    found = [np.bincount(cells, row[compared.ratings] * compared.weights, count * 3) for row in weights]
    return np.array(found, dtype=np.float64).reshape(len(weights), count, 3)


# --- the fit --------------------------------------------------------------------------------------


def _fitted(compared: _Compared, approaches: int, totals: Floats, prior: float) -> Floats:
    """By Newton's method, for each draw: strengths, 0 in the mean, then effects of style, then that of ties.

    Without any tie that last one is -infinity.
    """
    import numpy as np

    features, tied = compared.features, bool((compared.said == 1).any())
    count = features.shape[1]
    fit = np.zeros((len(totals), count + tied))
    together = np.zeros((count + tied, count + tied))
    together[:approaches, :approaches] = 1  # strengths count by their differences alone
    for _ in range(_STEPS):
        slope, curve = _derivatives(features, totals, fit, tied, prior)
        step = np.linalg.solve(curve + together, slope[..., None])[..., 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        fit += step * np.minimum(1, _LONGEST_STEP / np.maximum(longest, _CLOSE))
        if longest.max() < _CLOSE:
            break
    fit[:, :approaches] -= fit[:, :approaches].mean(axis=1, keepdims=True)
    return fit if tied else np.column_stack([fit, np.full(len(fit), -np.inf)])


def _derivatives(features: Floats, totals: Floats, fit: Floats, tied: bool, prior: float) -> tuple[Floats, Floats]:
    """Of the logarithm of the likelihood, prior included: first, and the negative second ones."""
    import numpy as np

    count = features.shape[1]
    half = fit[:, :count] @ features.T / 2
    tie = fit[:, count:] if tied else np.full((len(fit), 1), -np.inf)
    most = np.maximum(np.abs(half), tie)
    won, lost, even = np.exp(half - most), np.exp(-half - most), np.exp(tie - most)
    everything = won + lost + even
    lead, even = (won - lost) / everything, even / everything
    size = totals.sum(axis=2)
    slope = ((totals[..., 0] - totals[..., 2] - size * lead) / 2) @ features
    spread = size * (1 - even - lead * lead) / 4
    curve = (features.T * spread[:, None, :]) @ features
    if tied:
        slope = np.column_stack([slope, (totals[..., 1] - size * even).sum(axis=1)])
        crossing = -((size * even * lead / 2) @ features)
        own = (size * even * (1 - even)).sum(axis=1)
        curve = np.concatenate([curve, crossing[:, None, :]], axis=1)
        last = np.column_stack([crossing, own])
        curve = np.concatenate([curve, last[:, :, None]], axis=2)
    chance = 1 / (1 + np.exp(-fit))
    slope += prior * (1 - 2 * chance)
    places = np.arange(fit.shape[1])
    curve[:, places, places] += 2 * prior * chance * (1 - chance)
    return slope, curve
