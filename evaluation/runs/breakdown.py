"""The headline figures of a run with their intervals, who is best in each, quality by tag, and who is on the front.

A figure is best only where that is clear: for quality, where the paired difference to every other approach is; for
times and costs, where its interval and that of any other do not overlap, which is stricter. Times and costs of
stand-ins and of answers that were recorded compare with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Literal

from evaluation.judging import RIGHT
from evaluation.runs.columns import CellColumn, Reading
from evaluation.runs.results import ApproachResult, RunResult, differences_from, mean_of
from evaluation.statistics import Z_95, Estimate, spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Measure = Literal["quality", "latency_p50_s", "latency_p95_s", "ttft_p50_s", "usd_per_1000", "usd_per_right"]
MEASURES: tuple[Measure, ...] = (
    "quality",
    "latency_p50_s",
    "latency_p95_s",
    "ttft_p50_s",
    "usd_per_1000",
    "usd_per_right",
)
"""Quality is better the higher it is, the others the lower they are."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with the ends of its 95 % interval. None: it is unknown, or too few answers say where that end is.

    `of` is how many questions it is over (answers, for times).
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    of: int = 0


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures of a run by approach and measure, and the approach that is clearly best by a measure.

    `incomparable`: why times and costs of an approach are compared with no other, by approach.
    """

    figures: Mapping[str, Mapping[Measure, Figure]]
    best: Mapping[Measure, str]
    incomparable: Mapping[str, str]


def headline_of(reading: Reading, result: RunResult, scorer: str = RIGHT) -> Headline:
    """The figures of a run that was read, quality by one scorer."""
    figures = {one.approach: _figures(reading, one, scorer) for one in result.approaches}
    incomparable = {id: _why_incomparable(one) for id, one in reading.cells.items() if not one.comparable}
    best: dict[Measure, str] = {}
    if (first := _best_quality(reading, figures, scorer)) is not None:
        best["quality"] = first
    useless = {one.approach for one in result.approaches if RIGHT in one.scores and not one.right}
    compared = {id: by_measure for id, by_measure in figures.items() if id not in incomparable and id not in useless}
    for measure in MEASURES[1:]:
        if (first := _lowest({id: by_measure[measure] for id, by_measure in compared.items()})) is not None:
            best[measure] = first
    return Headline(figures, best, incomparable)


def _figures(reading: Reading, one: ApproachResult, scorer: str) -> dict[Measure, Figure]:
    measured, summary = reading.cells[one.approach], one.scores.get(scorer)
    quality = Figure()
    if summary is not None and summary.mean is not None:
        quality = Figure(summary.mean.value, summary.mean.low, summary.mean.high, summary.questions)
    asked = reading.run.questions
    latencies, first_texts = measured.latencies_s, measured.first_texts_s
    return {
        "quality": quality,
        "latency_p50_s": _quantile(latencies, one.latency_s.p50, 0.5, asked),
        "latency_p95_s": _quantile(latencies, one.latency_s.p95, 0.95, asked),
        "ttft_p50_s": _quantile(first_texts, one.ttft_s.p50, 0.5, asked),
        "usd_per_1000": _usd_per_1000(reading, one, measured),
        "usd_per_right": _usd_per_right(reading, one, measured),
    }


def quantile_of(values: Sequence[float], share: float, questions: int) -> Figure:
    """The quantile of `values` by linear interpolation, with its interval; without a value where there are none."""
    import numpy as np

    return _quantile(values, float(np.quantile(values, share)) if len(values) else None, share, questions)


def _quantile(values: Sequence[float], value: float | None, share: float, questions: int) -> Figure:
    """A quantile of `values` with its interval between order statistics, at the ranks n share ± z √(n share (1-share)).

    Source: W. J. Conover, "Practical Nonparametric Statistics" (1999), section 3.2. `n` is the number of questions
    where each was asked several times, since those answers are not independent. An end beyond the values is None.
    """
    import numpy as np

    if value is None:
        return Figure()
    count = min(len(values), questions)
    half = Z_95 * sqrt(share * (1 - share) / count)
    low, high = share - half, share + half
    ends = np.quantile(values, (max(0.0, low), min(1.0, high)))
    return Figure(value, float(ends[0]) if low >= 0 else None, float(ends[1]) if high <= 1 else None, len(values))


def _usd_per_1000(reading: Reading, one: ApproachResult, measured: CellColumn) -> Figure:
    """USD for 1,000 answers; the interval is that of the mean over questions, by their clusters."""
    if one.cost_per_1000_usd is None:
        return Figure()
    places = _priced(measured)
    costs = measured.costs[places]
    found = spread(costs, reading.clusters[places])
    value = float(one.cost_per_1000_usd)
    part = found.quantile * found.standard_error / found.mean if found.mean else 0.0
    return _around(value, part, len(places))


def _usd_per_right(reading: Reading, one: ApproachResult, measured: CellColumn) -> Figure:
    """USD for a right answer: a ratio of two means over the same questions, with its interval by linearisation.

    With r = Σ usd / Σ right, the error of r is that of the mean of (usd - r right), over the mean of right. Source: W.
    G. Cochran, "Sampling Techniques" (1977), section 6.4.
    """
    import numpy as np

    scored = reading.scored.get((one.approach, RIGHT))
    if one.usd_per_right is None or scored is None:
        return Figure()
    places = np.intersect1d(_priced(measured), scored.positions)
    rights, costs, value = np.zeros(reading.run.questions), measured.costs[places], float(one.usd_per_right)
    rights[scored.positions] = scored.values * scored.answers
    found = spread(costs - value * rights[places], reading.clusters[places])
    part = found.quantile * found.standard_error / float(rights[places].mean()) / value if value else 0.0
    return _around(value, part, len(places))


def _priced(measured: CellColumn) -> NDArray[np.intp]:
    """Positions of the questions whose cost is known."""
    import numpy as np

    return np.flatnonzero(~np.isnan(measured.costs))


def _around(value: float, part: float, of: int) -> Figure:
    """A value of which `part` is the half of its interval; one question alone has none.

    An amount is above 0, so where the interval reaches 0 or below, its lower end is unknown: too few answers say it.
    """
    if of < 2:
        return Figure(value, of=of)
    return Figure(value, value * (1 - part) if part < 1 else None, value * (1 + part), of)


def _why_incomparable(one: CellColumn) -> str:
    if one.stand_ins:
        return "a stand-in answered"
    return f"{one.recorded:,} of {one.cells:,} answers were recorded earlier"


def _best_quality(reading: Reading, figures: Mapping[str, Mapping[Measure, Figure]], scorer: str) -> str | None:
    """The approach that is clearly ahead of every other one; None if there is none. A stand-in is not in question."""
    values = {id: one["quality"].value for id, one in figures.items() if not reading.cells[id].stand_ins}
    known = {id: value for id, value in values.items() if value is not None}
    if len(known) < 2:
        return None
    first = max(known, key=lambda id: known[id])
    others = [one for one in differences_from(reading, first, [scorer]) if one.approach in known]
    return first if len(others) == len(known) - 1 and all(one.mean < 0 and one.clear for one in others) else None


def _lowest(figures: Mapping[str, Figure]) -> str | None:
    """The one whose interval is below every other one's; None if there is none, or one alone."""
    known = {id: one for id, one in figures.items() if one.value is not None}
    if len(known) < 2:
        return None
    first = min(known, key=lambda id: known[id].value or 0.0)
    high = known[first].high
    others = [one.low for id, one in known.items() if id != first]
    return first if high is not None and all(low is not None and high < low for low in others) else None


def pareto_front(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Of points (what is paid, quality), those that no other one beats: by paying less for at least the same quality,
    or getting more for at most the same. The cheapest first."""
    front = [
        name
        for name, (paid, quality) in points.items()
        if not any(
            other_paid <= paid and other >= quality and (other_paid < paid or other > quality)
            for other_paid, other in points.values()
        )
    ]
    return tuple(sorted(front, key=lambda name: points[name]))


# --- by tag ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TagResult:
    """Quality by one scorer over the questions with a tag: by approach its mean, and how many questions have a value.

    An approach without a value is not in `means`.
    """

    tag: str
    questions: int
    means: Mapping[str, tuple[Estimate, int]]


def by_tag(reading: Reading, scorer: str) -> list[TagResult]:
    """A result for each tag, the most frequent first."""
    places: dict[str, list[int]] = {}
    for position, tags in enumerate(reading.tags):
        for tag in dict.fromkeys(tags):
            places.setdefault(tag, []).append(position)
    ordered = sorted(places, key=lambda tag: (-len(places[tag]), tag))
    return [TagResult(tag, len(places[tag]), _means(reading, scorer, places[tag])) for tag in ordered]


def _means(reading: Reading, scorer: str, only: Sequence[int]) -> dict[str, tuple[Estimate, int]]:
    found: dict[str, tuple[Estimate, int]] = {}
    for one in reading.run.approaches:
        if (scored := reading.scored.get((one.approach, scorer))) is not None:
            mean, count, _ = mean_of(scored, reading.clusters, only)
            if mean is not None:
                found[one.approach] = mean, count
    return found
