"""The two charts of the comparison: latency with its parts, and cost."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from backends.base import Answer
from ui import numbers
from ui.approaches import look_of
from ui.chart_theme import ink, readable
from ui.text import plain

_AROUND, _LEGEND = 60, 56  # pixels that a chart's axis and its legend take of its height
_ROW, _BAR, _NAME = 48, 16, -10  # pixels: an answer's share of the height, its bar, and its name above that
_ROOM = 1.18  # of the longest bar, for the number at its end
_TICKS = alt.Axis(tickCount=8)
_PARTS = {"retrieval": 0.35, "until the first text": 0.6, "writing": 1.0}
"""The parts of latency and how opaque they are drawn, in the approach's own colour."""


def name_of(answer: Answer) -> str:
    """The approach's name, with the stand-in named wherever it shows."""
    return look_of(answer.approach).name + (" (stand-in)" if answer.stand_in else "")


def latency_chart(answers: Sequence[Answer]) -> alt.LayerChart:
    """Latency of each approach in seconds, split into its parts. Bars are answers; unknown has no bar."""
    rows = [
        {"approach": name_of(a), "part": part, "order": order, "seconds": value}
        for a in answers
        for order, (part, value) in enumerate(_latency_parts(a))
        if value is not None
    ]
    totals = pd.DataFrame(
        [
            {
                "approach": name_of(a),
                "label": numbers.seconds(a.timings.latency_s),
                "total": a.timings.latency_s or 0.0,
            }
            for a in answers
        ]
    )
    names = [name_of(a) for a in answers]
    y = _rows(names)
    bars = (
        alt.Chart(pd.DataFrame(rows, columns=["approach", "part", "order", "seconds"]))
        .mark_bar(height=_BAR, yOffset=_BAR / 2, opacity=1)
        .encode(
            x=alt.X("seconds:Q", title="seconds", stack="zero", scale=_from_zero(totals["total"]), axis=_TICKS),
            y=y,
            color=alt.Color("approach:N", scale=_colours(answers), legend=None),
            opacity=alt.Opacity(
                "part:N",
                scale=alt.Scale(type="ordinal", domain=list(_PARTS), range=list(_PARTS.values())),
                legend=alt.Legend(  # Vega's own colour would be black, on the dark page too
                    orient="top", title=None, symbolFillColor=ink(), symbolStrokeColor=ink()
                ),
            ),
            order="order:Q",
            tooltip=["approach:N", "part:N", alt.Tooltip("seconds:Q", format=".3f")],
        )
    )
    labels = _numbers(totals).encode(x="total:Q", y=y, text="label:N")
    return readable((bars + labels + _names(totals, y)).properties(height=_ROW * len(names) + _AROUND + _LEGEND))


def _rows(names: Sequence[str]) -> alt.Y:
    """A row for each answer. Its name stands above its bar, where any length has room."""
    return alt.Y("approach:N", sort=list(names), title=None, axis=None)


def _names(frame: pd.DataFrame, y: alt.Y) -> alt.Chart:
    text = alt.Chart(frame).mark_text(align="left", dy=_NAME, fontSize=14, color=ink())
    return text.encode(x=alt.value(2), y=y, text="approach:N")


def _numbers(frame: pd.DataFrame) -> alt.Chart:
    return alt.Chart(frame).mark_text(align="left", dx=5, dy=_BAR / 2, fontSize=14, color=ink())


def _from_zero(values: pd.Series) -> alt.Scale:
    """An axis on which the number at the end of the longest bar has room."""
    return alt.Scale(domain=[0, (float(values.max()) or 1.0) * _ROOM], nice=False)


def _colours(answers: Sequence[Answer]) -> alt.Scale:
    return alt.Scale(domain=[name_of(a) for a in answers], range=[look_of(a.approach).hex for a in answers])


def _latency_parts(answer: Answer) -> list[tuple[str, float | None]]:
    timings = answer.timings
    retrieval, first, whole = timings.retrieval_s, timings.ttft_s, timings.latency_s
    if first is None:
        return [("retrieval", retrieval), ("until the first text", None if whole is None else whole - (retrieval or 0))]
    return [
        ("retrieval", retrieval),
        ("until the first text", first - (retrieval or 0)),
        ("writing", None if whole is None else whole - first),
    ]


def cost_chart(answers: Sequence[Answer]) -> alt.LayerChart:
    """Cost of each answer in US dollars, in the approach's colour; an unknown cost is written out, not drawn as 0."""
    frame = pd.DataFrame(
        [
            {
                "approach": name_of(a),
                "usd": None if a.cost.usd is None else float(a.cost.usd) * 1000,
                "label": "unknown" if a.cost.usd is None else f"{numbers.dollars(a.cost.usd * 1000)}",
                "position": 0.0 if a.cost.usd is None else float(a.cost.usd) * 1000,
                "basis": plain(a.cost.basis),
            }
            for a in answers
        ]
    )
    names = [name_of(a) for a in answers]
    y = _rows(names)
    bars = (
        alt.Chart(frame)
        .mark_bar(height=_BAR, yOffset=_BAR / 2)
        .encode(
            x=alt.X(
                "usd:Q",
                title="USD for 1,000 answers like this one",
                scale=_from_zero(frame["position"]),
                axis=_TICKS,
            ),
            y=y,
            color=alt.Color("approach:N", scale=_colours(answers), legend=None),
            tooltip=["approach:N", "label:N", "basis:N"],
        )
    )
    labels = _numbers(frame).encode(x="position:Q", y=y, text="label:N")
    return readable((bars + labels + _names(frame, y)).properties(height=_ROW * len(names) + _AROUND))
