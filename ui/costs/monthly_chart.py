"""Monthly cost of every approach over the number of questions, on logarithmic axes, with the break-even points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from evaluation.costs.curve import Curve
from ui.costs.sentences import rounded_count
from ui.shared.charts import readable
from ui.shared.text import shortened

FEWEST, MOST = 100, 10_000_000
"""The questions a month that are drawn."""

_ROOM = 10**8.7  # the axis goes on beyond the lines, for the names at their ends
HEIGHT = 430
"""Pixels."""

_NAME = 22  # characters of a name
_NAME_HEIGHT = 21  # pixels that a name takes
_NAMES_AT = MOST * 1.35  # where they begin
_POINTS = 160
_MOST_STEPS = 60  # of a curve that are drawn as steps; more would be finer than a pixel


def volumes(curves: Sequence[Curve]) -> list[int]:
    """The numbers of questions at which curves are drawn: evenly on the axis, and both sides of every step."""
    span = math.log10(MOST / FEWEST)
    found = {round(FEWEST * 10 ** (span * step / (_POINTS - 1))) for step in range(_POINTS)}
    for curve in curves:
        if curve.step_questions:
            for machines in range(1, _MOST_STEPS + 1):
                full = math.floor(curve.step_questions * machines)
                found |= {full, full + 1}
    return sorted(volume for volume in found if FEWEST <= volume <= MOST)


def spread_apart(values: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """`values` moved as little as needed upwards or downwards so that neighbours are `gap` apart; order is kept.

    None is below `low`, and none above `high` as long as there is room for all of them.
    """
    order = sorted(range(len(values)), key=lambda index: values[index])
    groups: list[list[int]] = [[index] for index in order]

    def centre(group: list[int]) -> float:
        return sum(values[index] for index in group) / len(group)

    merged = True
    while merged:
        merged = False
        for at in range(len(groups) - 1):
            under, over = groups[at], groups[at + 1]
            if centre(over) - centre(under) < gap * (len(under) + len(over)) / 2 - 1e-12:
                groups[at : at + 2] = [under + over]
                merged = True
                break
    placed = list(values)
    for group in groups:
        for rank, index in enumerate(group):
            placed[index] = centre(group) + gap * (rank - (len(group) - 1) / 2)
    for above, index in enumerate(reversed(order)):
        placed[index] = min(placed[index], high - gap * above)
    for below, index in enumerate(order):
        placed[index] = max(placed[index], low + gap * below)
    return placed


def monthly_chart(
    curves: Mapping[str, Curve],
    colours: Mapping[str, str],
    crossings: Mapping[str, int],
    questions: int,
    ink: str,
    text_colours: Mapping[str, str] | None = None,
) -> alt.LayerChart:
    """`curves` and `colours` by the name that is written at the line's end; `crossings` maps it to its break-even.

    A cost of 0 has no place on a logarithmic axis: such a part is not drawn. `ink` is the colour of text,
    `text_colours` those of the names where the lines' own cannot be read.
    """
    at = volumes(list(curves.values()))
    rows = [
        {"approach": name, "questions": volume, "usd": float(usd)}
        for name, curve in curves.items()
        for volume in at
        if (usd := curve.usd(volume)) > 0
    ]
    frame = pd.DataFrame(rows, columns=["approach", "questions", "usd"])
    low, high = _decades(frame["usd"].min(), frame["usd"].max()) if rows else (-2, 2)
    x, y = _axes(low, high)
    colour = alt.Color(
        "approach:N", scale=alt.Scale(domain=list(curves), range=[colours[name] for name in curves]), legend=None
    )
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2.5, clip=True)
        .encode(x=x, y=y, color=colour, detail="approach:N", tooltip=_tooltip())
    )
    chart = lines + _volume(x, questions, ink) + _names(frame, x, y, text_colours or colours, low, high)
    if drawn := {name: volume for name, volume in crossings.items() if FEWEST <= volume <= MOST}:
        chart += _crossings(curves, drawn, low, high, (x, y, colour), ink)
    return readable(chart.properties(height=HEIGHT))


def _axes(low: int, high: int) -> tuple[alt.X, alt.Y]:
    """Questions and USD, both logarithmic; USD from 10^low to 10^high."""
    x = alt.X(
        "questions:Q",
        title="questions a month",
        scale=alt.Scale(type="log", domain=[FEWEST, _ROOM], nice=False),
        axis=alt.Axis(values=[10**power for power in range(2, 8)], format=",.0f", labelFlush=False, grid=True),
    )
    y = alt.Y(
        "usd:Q",
        title="USD a month",
        scale=alt.Scale(type="log", domain=[10**low, 10**high], nice=False),
        axis=alt.Axis(
            values=[10**power for power in range(low, high + 1)],
            labelExpr="datum.value >= 1 ? format(datum.value, '$,.0f') : format(datum.value, '$.4~f')",
        ),
    )
    return x, y


def _decades(low: float, high: float) -> tuple[int, int]:
    """The powers of ten around two amounts, at least one apart."""
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return bottom, max(top, bottom + 1)


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("approach:N"),
        alt.Tooltip("questions:Q", title="questions a month", format=",.0f"),
        alt.Tooltip("usd:Q", title="USD a month", format=",.4~r"),
    ]


def _volume(x: alt.X, questions: int, ink: str) -> alt.LayerChart:
    """Where the chosen number is; nothing where the axis does not reach."""
    rows = [{"questions": questions, "label": f"your {questions:,}"}] if FEWEST <= questions < _ROOM else []
    base = alt.Chart(pd.DataFrame(rows, columns=["questions", "label"])).encode(x=x)
    rule = base.mark_rule(strokeDash=[4, 4], color=ink, opacity=0.55)
    text = base.mark_text(align="left", dx=5, baseline="top", fontSize=14, color=ink, opacity=0.8).encode(
        y=alt.value(4), text="label:N"
    )
    return rule + text


def _names(frame: pd.DataFrame, x: alt.X, y: alt.Y, colours: Mapping[str, str], low: int, high: int) -> alt.LayerChart:
    """The names beside the ends of the lines, and what leads to those that had to be moved; long ones in short, for
    they take their room from the lines."""
    ends = frame.groupby("approach", sort=False).last().reset_index()
    ends["name"] = [shortened(name, _NAME) for name in ends["approach"]]
    ends["colour"] = [colours[name] for name in ends["approach"]]
    gap = _NAME_HEIGHT * (high - low) / HEIGHT
    logs = [math.log10(usd) for usd in ends["usd"]]
    placed = [10**value for value in spread_apart(logs, gap, low + gap / 2, high - gap / 2)]
    names = ends.assign(usd=placed, questions=_NAMES_AT)
    base = alt.Chart(names).encode(x=x, y=y, color=alt.Color("colour:N", scale=None))
    text = base.mark_text(align="left", dx=4, fontSize=15, fontWeight="bold").encode(
        text="name:N", tooltip="approach:N"
    )
    lead = alt.Chart(pd.concat([ends, names]).drop(columns="name")).mark_line(strokeWidth=1)
    return lead.encode(x=x, y=y, color=alt.Color("colour:N", scale=None), detail="approach:N") + text


def _crossings(
    curves: Mapping[str, Curve],
    drawn: Mapping[str, int],
    low: int,
    high: int,
    axes: tuple[alt.X, alt.Y, alt.Color],
    ink: str,
) -> alt.LayerChart:
    """A dot at each break-even with a line down to its number; the names stand in the lower right corner.

    There they cover nothing: what is paid by the token has long left it.
    """
    x, y, colour = axes
    columns = ["approach", "questions", "usd", "label"]
    labels = [f"{shortened(name, _NAME)}: from {rounded_count(volume)}" for name, volume in drawn.items()]
    usd = [float(curves[name].usd(volume)) for name, volume in drawn.items()]
    points = pd.DataFrame(zip(drawn, drawn.values(), usd, labels, strict=True), columns=columns)
    gap = _NAME_HEIGHT * (high - low) / HEIGHT
    corner = points.assign(usd=[10 ** (low + gap * (row + 0.7)) for row in range(len(points))], questions=_ROOM)
    down = alt.Chart(points.drop(columns="label").assign(down=10.0**low)).mark_rule(strokeDash=[2, 3], opacity=0.8)
    dots = alt.Chart(points).mark_point(filled=True, size=120, stroke=ink, strokeWidth=1.5, opacity=1)
    names = alt.Chart(corner).mark_text(align="right", dx=-6, fontSize=14, color=ink)
    layers = [
        down.encode(x=x, y=y, y2="down:Q", color=colour),
        dots.encode(x=x, y=y, color=colour, tooltip=_tooltip()),
        names.encode(x=x, y=y, text="label:N"),
    ]
    return alt.LayerChart(layer=layers)
