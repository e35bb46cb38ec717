"""A measured figure: every repeat, what it is compared with, and whether its goal is met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Compared = Literal["ratio", "difference", "lost"]
"""`ratio`: value / reference. `difference`: value - reference. `lost`: by how many percent it is below it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit for the median: of the comparison where there is one, else of the measured values."""

    limit: float
    kind: Literal["at least", "at most"]
    unit: str = ""

    def met(self, value: float) -> bool:
        """Whether `value` is on the wanted side of the limit."""
        return value >= self.limit if self.kind == "at least" else value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.kind == "at least" else "≤"
        return f"{sign} {with_unit(number(self.limit), self.unit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    `values` are the repeats in `unit`, in the order in which they were measured; `reference_values[i]` was measured
    next to `values[i]`. `shown` replaces "median (min – max)" where that is not how the figure is read.
    """

    benchmark: str
    name: str
    unit: str
    values: tuple[float, ...]
    reference: str = ""
    reference_values: tuple[float, ...] = ()
    compared: Compared | None = None
    goal: Goal | None = None
    shown: str = ""

    @property
    def comparisons(self) -> tuple[float, ...]:
        """Pair by pair; empty where nothing is compared."""
        return pairwise(self.values, self.reference_values, self.compared) if self.compared else ()

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return self.goal.met(median(self.comparisons or self.values)) if self.goal else None

    @property
    def measured_text(self) -> str:
        """Median and range of the repeats, with the unit."""
        return self.shown or with_unit(spread(self.values), self.unit)

    @property
    def reference_text(self) -> str:
        """Name of the reference and the median of its repeats."""
        if not self.reference_values:
            return self.reference
        return f"{self.reference}: {with_unit(number(median(self.reference_values)), self.unit)}"

    @property
    def compared_text(self) -> str:
        """Median and range of the comparisons."""
        if not self.comparisons:
            return ""
        if self.compared == "ratio":
            return f"× {spread(self.comparisons)}"
        unit = "% lost" if self.compared == "lost" else "points" if self.unit == "%" else self.unit
        return with_unit(spread(self.comparisons, signed=True), unit)

    def as_json(self) -> dict[str, Any]:
        """Everything, every repeat included."""
        return {
            "benchmark": self.benchmark,
            "figure": self.name,
            "unit": self.unit,
            "median": median(self.values),
            "repeats": list(self.values),
            "shown": self.measured_text,
            "reference": self.reference or None,
            "reference_median": median(self.reference_values) if self.reference_values else None,
            "reference_repeats": list(self.reference_values),
            "compared": self.compared,
            "compared_median": median(self.comparisons) if self.comparisons else None,
            "compared_repeats": list(self.comparisons),
            "goal": str(self.goal) if self.goal else None,
            "met": self.met,
        }


def pairwise(values: Sequence[float], references: Sequence[float], compared: Compared) -> tuple[float, ...]:
    """Each value against the reference that was measured next to it. Raises `ValueError` for unequal lengths."""
    pairs = zip(values, references, strict=True)
    match compared:
        case "ratio":
            return tuple(value / reference for value, reference in pairs)
        case "difference":
            return tuple(value - reference for value, reference in pairs)
        case "lost":
            return tuple(100 * (1 - value / reference) for value, reference in pairs)


def spread(values: Sequence[float], signed: bool = False) -> str:
    """`median (min–max)`; the median alone where there was one repeat."""
    middle = number(median(values), signed)
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), signed)} – {number(max(values), signed)})"


def number(value: float, signed: bool = False) -> str:
    """At most three significant digits, whole from 100 on."""
    sign = "+" if signed else ""
    return format(value, f"{sign},.0f") if abs(value) >= 100 else format(value, f"{sign}.3g")


def with_unit(text: str, unit: str) -> str:
    """`text` followed by its unit, if it has one."""
    return f"{text} {unit}" if unit else text
