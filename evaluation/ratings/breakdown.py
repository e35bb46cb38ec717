"""Ratings taken apart: by tag, by what answers look like, and against the scores that the run gave them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.ratings.model import Item, Rating, pairs_of
from evaluation.ratings.preference import DRAWS, Preference, counted, estimate_of, preferences
from evaluation.statistics import Estimate

LEAST_ITEMS = 3
"""Of fewer items an interval that draws items anew says nothing."""


@dataclass(frozen=True, slots=True)
class ByTag:
    """Net preferences over the items of one tag."""

    tag: str
    items: int
    of: tuple[Preference, ...]


@dataclass(frozen=True, slots=True)
class Lean:
    """How much more often the answer that has more of something was preferred, -1 to 1, over ratings with two answers
    that differ in it: the share of their pairs in which it was, minus the share in which the other one was."""

    net: Estimate
    ratings: int
    pairs: int


def by_tag(ratings: Sequence[Rating], items: Mapping[int, Item], approaches: Sequence[str]) -> list[ByTag]:
    """Each tag with `LEAST_ITEMS` rated items or more, those with most items first."""
    kept = counted(ratings)
    tagged: dict[str, set[int]] = {}
    for number in {one.item for one in kept}:
        for tag in items[number].tags:
            tagged.setdefault(tag, set()).add(number)
    found = [
        ByTag(tag, len(numbers), tuple(preferences([one for one in kept if one.item in numbers], approaches)))
        for tag, numbers in tagged.items()
        if len(numbers) >= LEAST_ITEMS
    ]
    return sorted(found, key=lambda one: (-one.items, one.tag))


def longer(ratings: Sequence[Rating], items: Mapping[int, Item]) -> Lean | None:
    """Whether the longer answer, as raters saw it, was preferred; None where none is longer."""
    return lean(ratings, lambda item, approach: float(len(items[item].answers[approach])))


def citing(ratings: Sequence[Rating], items: Mapping[int, Item]) -> Lean | None:
    """Whether an answer that cited was preferred to one that did not; None where no two differ. Raters did not see the
    citations themselves: they are left out for all."""
    return lean(ratings, lambda item, approach: float(bool(items[item].facts.get(approach, {}).get("cites"))))


def by_score(ratings: Sequence[Rating], items: Mapping[int, Item]) -> dict[str, Lean]:
    """By scorer: whether the answer with the higher score was preferred: 1 if always, 0 if as often as not,
    below 0 the opposite. Pairs with the same score, or without one, say nothing and are left out."""
    scorers = {
        name: None for item in items.values() for facts in item.facts.values() for name in facts.get("scores", {})
    }
    found = {}
    for scorer in scorers:

        def score(item: int, approach: str, scorer: str = scorer) -> float | None:
            value = items[item].facts.get(approach, {}).get("scores", {}).get(scorer)
            return None if value is None else float(value)

        if (agreed := lean(ratings, score)) is not None:
            found[scorer] = agreed
    return found


def lean(ratings: Sequence[Rating], amount: Callable[[int, str], float | None], draws: int = DRAWS) -> Lean | None:
    """The lean towards what has more of an amount, which is that of an item's answer by an approach. Its interval draws
    raters and items anew; a rating counts once, whatever its number of pairs."""
    kept: list[Rating] = []
    values: list[float] = []
    pairs = 0
    for one in counted(ratings):
        signs = []
        for first, second in pairs_of(sorted(one.ranks)):
            more, less = amount(one.item, first), amount(one.item, second)
            if more is None or less is None or more == less:
                continue
            gap = one.ranks[second] - one.ranks[first]
            signs.append(((gap > 0) - (gap < 0)) * (1 if more > less else -1))
        if signs:
            kept.append(one)
            values.append(sum(signs) / len(signs))
            pairs += len(signs)
    return Lean(estimate_of(kept, values, draws), len(kept), pairs) if kept else None
