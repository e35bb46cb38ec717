"""What a right answer costs: the cost of an answer divided by the share of right ones."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from evaluation.costs.inputs import Origin
from evaluation.costs.monthly import as_decimal
from evaluation.intervals import wilson

FORMULA = "Cost of an answer ÷ share of right answers"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`right` of `asked` questions were answered right, with where that comes from."""

    right: int
    asked: int
    origin: Origin
    note: str = ""

    @property
    def share(self) -> Fraction:
        """Of right answers, 0 to 1."""
        return Fraction(self.right, self.asked)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share, which is never outside of it for a rounding of its floats."""
        low, high = wilson(self.right, self.asked)
        return min(low, float(self.share)), max(high, float(self.share))


@dataclass(frozen=True, slots=True)
class CostPerRight:
    """USD for one right answer, and from where to where it may be (the accuracy's 95 % interval).

    None: there was no right answer, or (`high`) there may be none, or the cost is unknown; `why` tells.
    """

    usd: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    why: str = ""


def cost_per_right(per_answer: Decimal | None, accuracy: Accuracy | None, why: str = "") -> CostPerRight:
    """`per_answer` in USD, None if it is unknown for the reason `why`."""
    if per_answer is None:
        return CostPerRight(None, why=why or "the cost of an answer is unknown")
    if accuracy is None:
        return CostPerRight(None, why="it is not known how many answers are right")
    usd = Fraction(per_answer)
    least, most = accuracy.interval
    low = as_decimal(usd / Fraction(most))
    if not accuracy.right:
        return CostPerRight(None, low, why="no right answer")
    return CostPerRight(as_decimal(usd / accuracy.share), low, as_decimal(usd / Fraction(least)))
