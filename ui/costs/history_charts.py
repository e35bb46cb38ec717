"""Charts of the ledger: spend, latency and errors by day."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import altair as alt
import pandas as pd

from backends.registry import spec_of
from evaluation.costs.history import Spend
from ui.shared import numbers
from ui.shared.charts import readable
from ui.shared.text import plain, shortened

_HEIGHT = 260  # pixels
_LABELLED = 9  # days whose sums have room beside each other; of more, only the dearest day's is written
_LINE, _NAME = 84, 24  # characters of a bar's name, and of the model's in it at least
_LEGEND = {12: 4, 26: 2}  # characters of the longest name -> names beside each other; of longer ones, one
_SQUARE, _DOT = 18, 30  # pixels that a line of a legend takes, by what stands before the names


def spend_chart(spent: Sequence[Spend], colours: Mapping[str, str], ink: str) -> alt.LayerChart:
    """A bar per day, stacked by approach, with the day's sum above it in `ink` where there is room for all."""
    frame = pd.DataFrame(
        [
            {
                "day": one.day.isoformat(),
                "approach": spec_of(one.approach).name,
                "model": plain(one.model),
                "usd": float(one.usd),
                "label": numbers.dollars(one.usd),
                "answers": one.answers,
                "tests": one.tests,
            }
            for one in spent
        ]
    )
    sums: dict[date, Decimal] = defaultdict(Decimal)
    for one in spent:
        sums[one.day] += one.usd
    totals = pd.DataFrame(
        [{"day": day.isoformat(), "usd": float(usd), "label": numbers.dollars(usd)} for day, usd in sums.items()]
    )
    if len(sums) > _LABELLED:
        totals = totals.nlargest(1, "usd")
    x = _days(sums)
    bars = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("usd:Q", title="USD", stack="zero"),
            color=_colour(colours),
            tooltip=["day:N", "approach:N", "model:N", alt.Tooltip("label:N", title="spent"), "answers:Q", "tests:Q"],
        )
    )
    labels = alt.Chart(totals).mark_text(dy=-9, fontSize=14, color=ink).encode(x=x, y="usd:Q", text="label:N")
    return readable((bars + labels).properties(height=_height(colours, _SQUARE)))


def model_chart(spent: Sequence[Spend], colours: Mapping[str, str], ink: str) -> alt.LayerChart:
    """A bar per approach and model with what it cost in all, the dearest first; none for what is not known at all."""
    sums: dict[tuple[str, str], list[Spend]] = defaultdict(list)
    for one in spent:
        sums[spec_of(one.approach).name, plain(one.model)].append(one)
    rows: list[dict[str, object]] = []
    for (name, model), found in sums.items():
        usd = sum((one.usd for one in found), Decimal(0))
        answers, tests = sum(one.answers for one in found), sum(one.tests for one in found)
        unknown = sum(one.unknown for one in found)
        label = numbers.dollars(usd) if unknown < answers + tests else "unknown"
        short = shortened(model, max(_NAME, _LINE - len(name)))
        bar = {"row": len(rows), "approach": name, "bar": f"{name} \u00b7 {short}", "model": model, "usd": float(usd)}
        rows.append(bar | {"label": label, "answers": answers, "tests": tests, "unknown": unknown})
    frame = pd.DataFrame(rows).sort_values("usd", ascending=False, kind="stable")
    largest = float(frame["usd"].max()) or 1.0
    x = alt.X("usd:Q", title="USD", scale=alt.Scale(domain=[0, largest * 1.25], nice=False))
    tooltip = ["approach:N", "model:N", alt.Tooltip("label:N", title="spent"), "answers:Q", "tests:Q", "unknown:Q"]
    y = alt.Y("row:N", sort=list(frame["row"]), title=None, axis=None)  # names in short may be the same
    base = alt.Chart(frame).encode(y=y)
    bars = base.mark_bar(height=14, yOffset=9).encode(x=x, color=_colour(colours, legend=False), tooltip=tooltip)
    amounts = base.mark_text(align="left", dx=6, dy=9, fontSize=14, color=ink).encode(x=x, text="label:N")
    names = base.mark_text(align="left", dy=-9, fontSize=13, color=ink).encode(x=alt.value(2), text="bar:N")
    return readable((bars + amounts + names).properties(height=max(_HEIGHT, 48 * len(frame))))


def by_day_chart(
    rows: Sequence[tuple[date, str, float | None]], unit: str, format: str, colours: Mapping[str, str]
) -> alt.LayerChart:
    """A line with a point per day for each approach: `rows` are day, name, value.

    An unknown value and a day without an answer leave a gap: no line goes where nothing was measured.
    """
    values = {(day, name): value for day, name, value in rows}
    days, names = _span(day for day, _, _ in rows), dict.fromkeys(name for _, name, _ in rows)
    frame = pd.DataFrame(
        [
            {"day": day.isoformat(), "approach": name, "value": values.get((day, name))}
            for name in names
            for day in days
        ],
        columns=["day", "approach", "value"],
    )
    lines = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=55, filled=True), strokeWidth=2, invalid="break-paths-show-domains")
        .encode(
            x=_days(day for day, _, _ in rows),
            y=alt.Y("value:Q", title=unit, scale=alt.Scale(zero=True)),
            color=_colour(colours),
            tooltip=["day:N", "approach:N", alt.Tooltip("value:Q", title=unit, format=format)],
        )
        .properties(height=_height(colours, _DOT))
    )
    return readable(alt.LayerChart(layer=[lines]))


def _days(days: Iterable[date]) -> alt.X:
    """Every day from the first to the last, those without an answer too, so that a week looks like a week."""
    domain = [day.isoformat() for day in _span(days)]
    axis = alt.Axis(labelAngle=0, labelOverlap=True, labelExpr="utcFormat(toDate(datum.value), '%-d %b')")
    return alt.X("day:O", title=None, scale=alt.Scale(domain=domain), axis=axis)


def _span(days: Iterable[date]) -> list[date]:
    """Every day from the first to the last of `days`."""
    known = sorted(set(days))
    span = (known[-1] - known[0]).days + 1 if known else 0
    return [known[0] + timedelta(days=number) for number in range(span)]


def _colour(colours: Mapping[str, str], legend: bool = True) -> alt.Color:
    return alt.Color(
        "approach:N",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(orient="top", title=None, columns=_beside(colours), labelLimit=0) if legend else None,
    )


def _beside(names: Iterable[str]) -> int:
    """How many names of a legend have room beside each other in a chart of half the page."""
    longest = max(map(len, names), default=0)
    return next((beside for most, beside in _LEGEND.items() if longest <= most), 1)


def _height(names: Mapping[str, str], line: int) -> int:
    """Of a chart whose legend has these names: what it takes is not taken from the chart."""
    return _HEIGHT + line * (math.ceil(len(names) / _beside(names)) - 1)
