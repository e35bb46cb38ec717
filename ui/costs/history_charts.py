"""Charts of the ledger: spend, latency and errors by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import altair as alt
import pandas as pd

from evaluation.costs.history import Spend
from ui import numbers
from ui.approaches import look_of

_HEIGHT = 260  # pixels


def spend_chart(spent: Sequence[Spend], colours: Mapping[str, str], ink: str) -> alt.LayerChart:
    """A bar per day, stacked by approach, the day's sum written above it in `ink`."""
    frame = pd.DataFrame(
        [
            {
                "day": one.day.isoformat(),
                "approach": look_of(one.approach).name,
                "model": one.model,
                "usd": float(one.usd),
                "label": numbers.dollars(one.usd),
                "answers": one.answers,
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
    x = _days()
    bars = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("usd:Q", title="USD", stack="zero"),
            color=_colour(colours),
            tooltip=["day:N", "approach:N", "model:N", alt.Tooltip("label:N", title="spent"), "answers:Q"],
        )
    )
    labels = alt.Chart(totals).mark_text(dy=-8, color=ink).encode(x=x, y="usd:Q", text="label:N")
    return (bars + labels).properties(height=_HEIGHT)


def by_day_chart(
    rows: Sequence[tuple[date, str, float | None]], unit: str, format: str, colours: Mapping[str, str]
) -> alt.Chart:
    """A line with a point per day for each approach: `rows` are day, name, value; an unknown value leaves a gap."""
    frame = pd.DataFrame(
        [{"day": day.isoformat(), "approach": name, "value": value} for day, name, value in rows],
        columns=["day", "approach", "value"],
    )
    return (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=55, filled=True), strokeWidth=2, invalid="break-paths-show-domains")
        .encode(
            x=_days(),
            y=alt.Y("value:Q", title=unit, scale=alt.Scale(zero=True)),
            color=_colour(colours),
            tooltip=["day:N", "approach:N", alt.Tooltip("value:Q", title=unit, format=format)],
        )
        .properties(height=_HEIGHT)
    )


def _days() -> alt.X:
    return alt.X("day:O", title=None, axis=alt.Axis(labelAngle=-40, labelOverlap=True))


def _colour(colours: Mapping[str, str]) -> alt.Color:
    return alt.Color(
        "approach:N",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(orient="top", title=None),
    )
