"""What a threshold on the best sentence's score refuses: of the questions that have an answer, and of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

THRESHOLDS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Closest where chances of sentences that answer in other words lie."""


@dataclass(frozen=True, slots=True)
class BestScore:
    """The score of the best sentence for one question, None if there is none.

    `answerable`: the documents answer it. `by_code`: a passage holds a code of the question word for word, which passes
    every threshold.
    """

    question: str
    score: float | None
    answerable: bool
    by_code: bool = False

    def refused_at(self, threshold: float) -> bool:
        """Whether the question is refused with this threshold."""
        return not self.by_code and (self.score is None or self.score < threshold)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many questions a threshold refuses: `falsely` of those that are answered, `rightly` of the others."""

    threshold: float
    falsely: int
    answerable: int
    rightly: int
    unanswerable: int


def refusals(scores: Sequence[BestScore], threshold: float) -> Refusals:
    """What one threshold refuses."""
    answerable = [one.refused_at(threshold) for one in scores if one.answerable]
    others = [one.refused_at(threshold) for one in scores if not one.answerable]
    return Refusals(threshold, sum(answerable), len(answerable), sum(others), len(others))


def curve(scores: Sequence[BestScore], in_force: float) -> tuple[Refusals, ...]:
    """What every one of `THRESHOLDS` and the one in force refuse, the lowest first."""
    return tuple(refusals(scores, one) for one in sorted({*THRESHOLDS, in_force}))
