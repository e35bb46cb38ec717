"""Cost over the number of questions a month: a straight line, plus a step for every machine that has to be rented."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class Curve:
    """USD a month for q questions: fixed + per_question × q + step_usd × max(1, ceil(q / step_questions)).

    `step_questions` is what one rented machine answers in a month; 0 where no machine is rented.
    """

    fixed: Fraction = Fraction(0)
    per_question: Fraction = Fraction(0)
    step_usd: Fraction = Fraction(0)
    step_questions: Fraction = Fraction(0)

    def machines(self, questions: int) -> int:
        """How many machines are rented; one stands ready even if nobody asks."""
        return max(1, math.ceil(questions / self.step_questions)) if self.step_questions else 0

    def usd(self, questions: int) -> Fraction:
        """The cost of a month, exactly."""
        return self.fixed + self.per_question * questions + self.step_usd * self.machines(questions)

    @property
    def least_per_question(self) -> Fraction:
        """What a question costs where every machine is full, without what is fixed."""
        stepped = self.step_usd / self.step_questions if self.step_questions else Fraction(0)
        return self.per_question + stepped

    def __add__(self, other: Curve) -> Curve:
        """Both together; at most one of them may have steps."""
        if self.step_questions and other.step_questions:
            raise ValueError("Two curves with steps have no sum that is one.")
        stepped = self if self.step_questions else other
        return Curve(
            self.fixed + other.fixed,
            self.per_question + other.per_question,
            stepped.step_usd,
            stepped.step_questions,
        )


@dataclass(frozen=True, slots=True)
class Crossing:
    """From how many questions a month on the one costs less than the other: for the first time, and for good.

    None: never. The two differ where a further machine makes the cheaper one dearer again for a while.
    """

    first: int | None
    lasting: int | None


def crossing(one: Curve, other: Curve) -> Crossing:
    """When `one` becomes cheaper than `other`, which must be a line from 0: nothing fixed, no steps. Exact.

    With m, the saving per question, k machines cost less for q > (fixed + k × step_usd) / m, and can answer up to
    k × step_questions: the crossing is in the first k for which a whole number fits in between.
    """
    if other.fixed or other.step_questions:
        raise ValueError("The other one must cost nothing but its questions.")
    saving = other.per_question - one.per_question
    if saving <= 0:
        return Crossing(None, None)
    if not one.step_questions or not one.step_usd:
        first = math.floor(one.fixed / saving) + 1
        return Crossing(first, first)
    gain = one.step_questions - one.step_usd / saving  # questions by which every further machine is ahead
    if gain <= 0:
        return Crossing(None, None)
    fixed = one.fixed / saving

    def enough(machines: int) -> int:
        return math.floor(fixed + machines * one.step_usd / saving) + 1

    def full(machines: int) -> int:
        return math.floor(machines * one.step_questions)

    earliest, sure = max(1, math.floor(fixed / gain)), max(1, math.ceil((fixed + 1) / gain))
    machines = earliest if sure - earliest <= _MOST_STEPS else sure
    while max(enough(machines), full(machines - 1) + 1) > full(machines):
        machines += 1
    first = max(enough(machines), full(machines - 1) + 1)
    last = max(1, math.ceil((fixed + one.step_questions) / gain))  # from here on every step is cheaper from its start
    lowest = max(machines, last - _MOST_STEPS)
    while last > lowest and enough(last) <= full(last - 1) + 1:
        last -= 1
    lasting = min(max(enough(last), full(last - 1) + 1), full(last) + 1)
    return Crossing(first, max(first, lasting))
