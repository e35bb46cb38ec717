"""Quality against what it costs, in money or in time: a point with its intervals for each approach, and the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

from backends.registry import spec_of
from evaluation.runs.breakdown import Figure, Measure, pareto_front
from evaluation.scorers import title_of
from ui.evaluate.figures import Shown, is_share, name_of
from ui.shared import numbers
from ui.shared.charts import INK, ink, legible, readable, theme
from ui.shared.downloads import picture_button
from ui.shared.text import escaped, plain, shortened

_HEIGHT = 340  # pixels
_CHART_WIDTH = 460  # pixels at least: two beside each other at 1440, below each other at 800
_PICTURE_WIDTH = 900  # pixels
_NAME = 28  # characters
_DECADE = 20  # times the smallest from which on the axis is logarithmic


@dataclass(frozen=True, slots=True)
class Point:
    """One approach: what is paid (USD or seconds), and its quality. Both have a value."""

    name: str
    colour: str
    paid: Figure
    quality: Figure


def front_of(points: Sequence[Point]) -> tuple[str, ...]:
    """The names of those on the Pareto front, the cheapest first."""
    return pareto_front({one.name: (one.paid.value or 0.0, one.quality.value or 0.0) for one in points})


def quality_chart(
    points: Sequence[Point], title: str, quality: str, share: bool, ink: str, theme: str
) -> alt.LayerChart:
    """`title` names what is paid, `quality` what is got; with `share`, quality is drawn in per cent.

    Dashes lead along the front: for what is paid, nothing is known above them. `ink` is the colour of text in `theme`.
    """
    frame = pd.DataFrame([_row(one, 100 if share else 1, theme) for one in points])
    x = alt.X("paid:Q", title=title, scale=_scale(frame), axis=alt.Axis(tickCount=6, labelOverlap=True, format="~r"))
    got = f"{quality} in %" if share else quality
    y = alt.Y("quality:Q", title=got, scale=alt.Scale(domain=_ends(frame, share), nice=False))
    colour = alt.Color("colour:N", scale=None)
    tooltip = [
        alt.Tooltip("approach:N"),
        alt.Tooltip("paid_words:N", title=title),
        alt.Tooltip("words:N", title=quality),
    ]
    base = alt.Chart(frame).encode(tooltip=tooltip)
    up = base.mark_rule(strokeWidth=3, opacity=0.45).encode(x=x, y=alt.Y("low:Q", title=got), y2="high:Q", color=colour)
    across = base.mark_rule(strokeWidth=3, opacity=0.45).encode(
        x=alt.X("paid_low:Q", title=title), x2="paid_high:Q", y=y, color=colour
    )
    dots = base.mark_point(filled=True, size=150, opacity=1).encode(x=x, y=y, color=colour)
    names = base.mark_text(align="left", dx=10, dy=-12, fontSize=14, fontWeight="bold").encode(
        x=x, y=y, text="name:N", color=alt.Color("ink:N", scale=None)
    )
    front = front_of(points)
    along = frame[frame["approach"].isin(front)].sort_values("paid")
    line = alt.Chart(along).mark_line(interpolate="step-after", strokeDash=[5, 4], color=ink, opacity=0.6)
    return readable((line.encode(x=x, y=y) + up + across + dots + names).properties(height=_HEIGHT))


def _row(one: Point, times: int, theme: str) -> dict[str, object]:
    quality, paid = one.quality, one.paid
    value = quality.value or 0.0
    return {
        "approach": one.name,
        "name": shortened(one.name, _NAME),
        "colour": one.colour,
        "ink": legible(one.colour, theme),
        "quality": times * value,
        "low": times * (value if quality.low is None else quality.low),
        "high": times * (value if quality.high is None else quality.high),
        "paid": paid.value,
        "paid_low": paid.value if paid.low is None else paid.low,
        "paid_high": paid.value if paid.high is None else paid.high,
        "words": _words(quality, times),
        "paid_words": _words(paid, 1),
    }


def _words(one: Figure, times: int) -> str:
    value, *ends = (None if part is None else times * part for part in (one.value, one.low, one.high))
    low, high = map(numbers.figure, ends)
    return f"{numbers.figure(value)} ({low} to {high})"


def _scale(frame: pd.DataFrame) -> alt.Scale:
    """From 0, or logarithmic where the dearest is many times the cheapest; with room for the names on the right."""
    low, high = float(frame["paid_low"].min()), float(frame["paid_high"].max())
    if low > 0 and high > _DECADE * low:
        return alt.Scale(type="log", domain=[low / 1.5, high * (high / low) ** 0.35], nice=False)
    return alt.Scale(domain=[0, (high or 1.0) * 1.35], nice=False)


def _ends(frame: pd.DataFrame, share: bool) -> list[float]:
    low, high = float(frame["low"].min()), float(frame["high"].max())
    room = max(high - low, 10.0 if share else 0.1) * 0.12
    if share:
        return [max(0.0, low - room), min(104.0, high + 1.5 * room)]
    return [low - room, high + 1.5 * room]


# --- as the page shows them -----------------------------------------------------------------------


def draw_charts(shown: Shown) -> None:
    """Quality against cost, and against latency."""
    grid = st.grid(2, min_column_width=_CHART_WIDTH)
    with grid.cell():
        _draw(shown, "usd_per_1000", "cost", "USD per 1,000 questions")
    with grid.cell():
        _draw(shown, "latency_p50_s", "latency", "seconds, p50")


def _draw(shown: Shown, measure: Measure, what: str, title: str) -> None:
    st.markdown(f"## Quality against {'cost' if what == 'cost' else 'latency'}", anchors=False)
    points, run = points_of(shown, measure), shown.result.run
    if points:
        words = front_words(points, what)
        st.markdown(escaped(words))
        drawn = quality_chart(points, title, _quality(shown), is_share(shown), ink(), theme())
        st.altair_chart(drawn, width="stretch", alt=plain(words))
        picture_button(
            f"crossroads-{run.id}-{what}.png",
            lambda: quality_chart(points, title, _quality(shown), is_share(shown), INK["light"], "light"),
            f"Quality against {what}",
            f"{run.questions:,} questions of {plain(run.set_name)}; lines: 95 % intervals; dashes: Pareto front",
            _PICTURE_WIDTH,
        )
    known = {one.name for one in points}
    names = [name_of(one.approach) for one in shown.result.approaches]
    if left_out := ", ".join(name for name in names if name not in known):
        why = f"quality or {what} is unknown or compares with nothing"
        st.caption(escaped(f"Not drawn, since {why}: {left_out}."))


def _quality(shown: Shown) -> str:
    return plain(title_of(shown.scorer))


def points_of(shown: Shown, measure: Measure) -> list[Point]:
    """The approaches that can be compared by quality and a measure."""
    found = []
    for one in shown.result.approaches:
        figures = shown.headline.figures[one.approach]
        quality, paid = figures["quality"], figures[measure]
        if one.approach not in shown.headline.incomparable and quality.value is not None and paid.value is not None:
            found.append(Point(name_of(one.approach), spec_of(one.approach).hex, paid, quality))
    return found


def front_words(points: Sequence[Point], what: str) -> str:
    """Who is on the Pareto front by cost or latency (`what`), and who is not."""
    front = front_of(points)
    behind = [one.name for one in points if one.name not in front]
    less, more = ("cheaper", "dearer") if what == "cost" else ("faster", "slower")
    words = f"On the Pareto front: {', '.join(front)}."
    if behind:
        words += f" Not so {', '.join(behind)}: another one is {less} and no worse, or better and no {more}."
    return words
