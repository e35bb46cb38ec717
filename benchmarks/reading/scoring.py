"""How well a reader reads: right, refused rightly and falsely, cited rightly, repeated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backends.rag.prompt import refuses
from benchmarks.reading.exercises import Exercise, Group
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample
from evaluation.scorers.right import is_right

_CITED = re.compile(r"\[(\d{1,2})\]")


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer and what it is worth."""

    group: Group
    exercise: Exercise
    answer: str
    right: bool
    refused: bool
    cited: bool
    repeated: bool


def score(group: Group, exercise: Exercise, answer: str) -> Scored:
    """One answer by the product's rule; `cited`: it names the sentences that hold the facts, and no others."""
    tags = () if exercise.facts else (NOT_ANSWERED,)
    right = is_right(answer, Sample("", exercise.question, key_facts=exercise.facts, tags=tags))
    wanted = {number for _, number in exercise.parts}
    cited = {int(number) for number in _CITED.findall(answer)} == wanted
    return Scored(group, exercise, answer, right, refuses(answer), cited, repeats(answer))


def quoted(groups: Sequence[Group], most: int = 1) -> Iterator[Scored]:
    """The baseline: the sentences with the most rare words of the question, word for word; it never refuses.

    A word is the rarer the fewer of the evidence's sentences have it; words are compared by their first five letters.
    """
    for group in groups:
        lines = [one.line(number) for number, one in enumerate(group.evidence, start=1)]
        known = [_stems(line) for line in lines]
        spread = Counter(stem for stems in known for stem in stems)
        for exercise in group.exercises:
            asked = _stems(exercise.question)
            worth = [sum(1 / spread[stem] for stem in asked & stems) for stems in known]
            best = sorted(range(len(lines)), key=lambda place: -worth[place])[:most]
            yield score(group, exercise, "\n".join(lines[place] for place in best))


def _stems(text: str) -> set[str]:
    return {word[:5] for word in re.findall(r"[a-z0-9]+", text.lower())}


def repeats(answer: str) -> bool:
    """Whether five words in a row stand in an answer twice."""
    words = answer.lower().split()
    runs = Counter(tuple(words[place : place + 5]) for place in range(len(words) - 4))
    return any(count > 1 for count in runs.values())


def table(scored: Sequence[Scored]) -> dict[str, float]:
    """Shares in percent: right of all and of each kind; of the missing, refused; of the others, refused falsely."""
    kinds = sorted({one.exercise.kind for one in scored})
    shares = {"all": _share(scored, lambda one: one.right)}
    for kind in kinds:
        shares[kind] = _share([one for one in scored if one.exercise.kind == kind], lambda one: one.right)
    answerable = [one for one in scored if one.exercise.facts]
    shares["answerable"] = _share(answerable, lambda one: one.right)
    shares["refused falsely"] = _share(answerable, lambda one: one.refused)
    shares["cited"] = _share(answerable, lambda one: one.cited)
    shares["repeated"] = _share(scored, lambda one: one.repeated)
    return shares | {"count": len(scored)}


def _share(scored: Sequence[Scored], holds: Callable[[Scored], bool]) -> float:
    return round(100 * sum(map(holds, scored)) / max(1, len(scored)), 1)
