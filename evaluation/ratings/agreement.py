"""How far raters agree with each other, with themselves and with gold items, and whether they were blind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, factorial
from typing import TYPE_CHECKING, Literal

from evaluation.ratings.model import Item, Rater, Rating, pairs_of
from evaluation.ratings.preference import counted
from evaluation.statistics import Estimate, wilson

if TYPE_CHECKING:
    import pandas as pd

Distance = Literal["ordinal", "interval"]
Said = Mapping[tuple[int, str], Mapping[str, float]]
"""By unit (an item and what of it is judged) what each rater said."""

_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha: 1 for full agreement, 0 for that of chance. `value` is None where it is undefined, and
    `why` says for what reason; the interval is None where items are too few to be drawn anew."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    units: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`, with the Wilson interval; None where there is nothing to count."""

    hits: int
    of: int

    @property
    def estimate(self) -> Estimate | None:
        """The share with its interval."""
        return Estimate(self.hits / self.of, *wilson(self.hits, self.of)) if self.of else None


def alpha(ratings: Sequence[Rating], pair: tuple[str, str] | None = None, criterion: str = "") -> Alpha:
    """Agreement of raters: on which of every two answers is better (of `pair` alone if it is given; ordinal), or on the
    scores by one criterion (interval).

    Units are items and pairs. The interval draws items anew, and with an item all of its pairs. Source: K.
    Krippendorff, "Content Analysis" (2018), chapter 12.
    """
    kept = counted(ratings)
    said: dict[tuple[int, str], dict[str, float]] = {}
    for one in kept:
        for unit, value in _units(one, pair, criterion):
            said.setdefault((one.item, unit), {})[one.rater] = value
    paired = {unit: values for unit, values in said.items() if len(values) > 1}
    if not paired:
        return Alpha(None, why="no item was rated by two people")
    if len({value for values in paired.values() for value in values.values()}) == 1:
        return Alpha(None, why="everybody said the same of every item", units=len(paired))
    return _with_interval(paired, "interval" if criterion else "ordinal")


def _units(one: Rating, pair: tuple[str, str] | None, criterion: str) -> list[tuple[str, float]]:
    if criterion:
        return [(name, float(value)) for name, value in one.scores.get(criterion, {}).items()]
    pairs = [pair] if pair else pairs_of(sorted(one.ranks))
    return [
        (f"{first}\0{second}", float((one.ranks[second] > one.ranks[first]) - (one.ranks[second] < one.ranks[first])))
        for first, second in pairs
        if first in one.ranks and second in one.ranks
    ]


def _with_interval(said: Said, distance: Distance) -> Alpha:
    import numpy as np

    frame = _frame(said)
    value = _alpha(frame, distance)
    by_item: dict[int, list[int]] = {}
    for place, (item, _) in enumerate(said):
        by_item.setdefault(item, []).append(place)
    items = list(by_item)
    if len(items) < 3:
        return Alpha(value, units=len(said))
    drawn, found = np.random.default_rng(0), list[float]()
    for _ in range(_DRAWS):
        places = [place for one in drawn.integers(0, len(items), len(items)) for place in by_item[items[one]]]
        again = _alpha(frame.iloc[:, places], distance)
        if again is not None:
            found.append(again)
    if not found:
        return Alpha(value, units=len(said))
    low, high = np.percentile(found, (2.5, 97.5))
    return Alpha(value, float(low), float(high), units=len(said))


def _frame(said: Said) -> pd.DataFrame:
    """Raters in rows, units in columns."""
    import pandas as pd

    raters = list(dict.fromkeys(rater for values in said.values() for rater in values))
    columns = [[values.get(rater, float("nan")) for rater in raters] for values in said.values()]
    return pd.DataFrame(list(map(list, zip(*columns, strict=True))), index=raters)


def _alpha(frame: pd.DataFrame, distance: Distance) -> float | None:
    """None where all values are the same."""
    import evalica
    import numpy as np

    values = frame.to_numpy(dtype=float)
    known = values[~np.isnan(values)]
    if len(known) == 0 or np.all(known == known[0]):
        return None
    found = float(evalica.alpha(frame, distance).alpha)
    return found if np.isfinite(found) else None


def self_consistency(ratings: Sequence[Rating]) -> Share:
    """Of the items that a rater got twice, on how many the rater said the same of who is first."""
    first = {(one.rater, one.item, one.round): one for one in ratings if not one.again and not one.skipped}
    twice = [
        (first[key], one)
        for one in ratings
        if one.again and not one.skipped and (key := (one.rater, one.item, one.round)) in first
    ]
    return Share(sum(_first(one) == _first(other) for one, other in twice), len(twice))


def gold_accuracy(ratings: Sequence[Rating], items: Mapping[int, Item]) -> dict[str, Share]:
    """By rater: on how many gold items the known best answer was put first, alone."""
    found: dict[str, list[bool]] = {}
    for one in counted(ratings):
        if gold := items[one.item].gold:
            found.setdefault(one.rater, []).append(not one.all_bad and _first(one) == {gold})
    return {rater: Share(sum(said), len(said)) for rater, said in found.items()}


def _first(one: Rating) -> set[str]:
    """The answers that stand first; none if all are bad."""
    return set() if one.all_bad else {name for name, rank in one.ranks.items() if rank == 1}


@dataclass(frozen=True, slots=True)
class Blinding:
    """How many approaches raters recognised, against what guessing comes to: `expected` of `of` on average.

    `p` is the probability of at least so many by guessing alone; None where nobody guessed.
    """

    right: int
    of: int
    expected: float
    p: float | None


def blinding(raters: Sequence[Rater], approaches: Sequence[str]) -> Blinding:
    """Whether raters could tell whose answers they read. A guess that names each approach once has, by chance, one
    right on average (the number of fixed points of a drawn permutation)."""
    guesses = [one.guess for one in raters if one.kind == "person" and one.guess]
    count = len(approaches)
    if not guesses or not count:
        return Blinding(0, 0, 0.0, None)
    hits = [sum(guess.get(name) == name for name in approaches) for guess in guesses]
    chance = [comb(count, fixed) * _without_fixed(count - fixed) / factorial(count) for fixed in range(count + 1)]
    total = [1.0]
    for _ in guesses:
        total = _convolved(total, chance)
    return Blinding(sum(hits), count * len(guesses), float(len(guesses)), min(1.0, sum(total[sum(hits) :])))


def _without_fixed(count: int) -> int:
    """Permutations in which nothing stays in its place."""
    before, here = 1, 0
    if count == 0:
        return 1
    for number in range(2, count + 1):
        before, here = here, (number - 1) * (before + here)
    return here


def _convolved(one: Sequence[float], other: Sequence[float]) -> list[float]:
    found = [0.0] * (len(one) + len(other) - 1)
    for place, value in enumerate(one):
        for step, factor in enumerate(other):
            found[place + step] += value * factor
    return found


def disputed(ratings: Sequence[Rating], most: int = 10) -> list[tuple[int, float]]:
    """The items on which raters differ most: number, and the share of pairs of raters who put different answers first;
    the most disputed one first."""
    by_item: dict[int, list[frozenset[str]]] = {}
    for one in counted(ratings):
        by_item.setdefault(one.item, []).append(frozenset(_first(one)))
    found = []
    for item, said in by_item.items():
        if len(said) > 1:
            same = sum(comb(count, 2) for count in Counter(said).values())
            share = 1 - same / comb(len(said), 2)
            if share > 0:
                found.append((item, share))
    return sorted(found, key=lambda one: (-one[1], one[0]))[:most]
