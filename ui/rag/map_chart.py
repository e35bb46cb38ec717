"""The map of a collection as a chart: a point per chunk, the question, and the passages it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import altair as alt
import pandas as pd

from ui.chart_theme import INK
from ui.text import plain

COLOURS = (
    "#2a76e2", "#fb4c10", "#437200", "#f945da", "#994487", "#659889", "#ae6f43", "#a473ee", "#c70cc1", "#d0126f",
    "#6758b4", "#ff4983", "#85789f", "#124efb", "#3f6e5d", "#5692c5", "#d273b0", "#c03809", "#91994e", "#0f6c93",
)  # fmt: skip
"""Colours for documents, the first ones furthest apart.

Each has a contrast of at least 3:1 with the light and with the dark page, and was chosen to be as far as possible
from those before it in OKLab, for full colour vision and for deuteranopia (simulated after Machado, 2009).
"""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
"""Each document has a shape too, so that no reader needs the colours alone."""

REST = "other documents"
REST_COLOUR = "#8a8f9c"

_LIFTED = 0.25
"""How far colours are mixed with white on the dark page, where the deep ones would sink in."""

_STAR = "M0,-1L0.23,-0.32L0.95,-0.31L0.37,0.12L0.59,0.81L0,0.4L-0.59,0.81L-0.37,0.12L-0.95,-0.31L-0.23,-0.32Z"
_HEIGHT = 640  # pixels
_TOOLTIP = [
    alt.Tooltip("document:N", title="document"),
    alt.Tooltip("place:N", title="place"),
    alt.Tooltip("text:N", title="text"),
]


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk on the map. `rank` counts from 1 for a passage that the question found; `place` is page and heading."""

    x: float
    y: float
    document: str
    place: str
    text: str
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The question on the map."""

    x: float
    y: float
    text: str


def named(points: Sequence[Point]) -> list[str]:
    """The documents that get a colour of their own, those with the most chunks first; at most as many as colours."""
    counts = Counter(point.document for point in points)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    return ordered if len(ordered) <= len(COLOURS) else ordered[: len(COLOURS) - 1]


def map_chart(points: Sequence[Point], asked: Asked | None, theme: str = "light") -> alt.LayerChart:
    """Points by document, hits ringed and numbered, the question a star with a line to each hit.

    A click on a document in the legend brings it out; hovering shows a point's text. `theme` is light or dark.
    """
    ink = INK[theme]
    points = [
        replace(one, document=plain(one.document), place=plain(one.place), text=plain(one.text)) for one in points
    ]
    shown = named(points)
    rest = len({point.document for point in points} - set(shown))
    labels = [*shown, f"{REST} ({rest})"] if rest else shown
    rows = [asdict(point) | {"colour": point.document if point.document in shown else labels[-1]} for point in points]
    frame = pd.DataFrame(rows, columns=["x", "y", "document", "place", "text", "rank", "colour"])
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(labels))]
    if rest:
        colours[-1] = REST_COLOUR
    layers: list[alt.Chart] = [_chunks(frame, labels, lifted(colours) if theme == "dark" else colours)]
    if asked is not None:
        layers += _question(frame[frame["rank"].notna()], asked, ink)
    return alt.layer(*layers).properties(height=_HEIGHT).configure_view(strokeOpacity=0)


def _axes() -> tuple[alt.X, alt.Y]:
    scale = alt.Scale(domain=[-1.08, 1.08], nice=False)
    return alt.X("x:Q", axis=None, scale=scale), alt.Y("y:Q", axis=None, scale=scale)


def lifted(colours: Sequence[str]) -> list[str]:
    """The colours (#rrggbb) for the dark page."""
    parts = [[int(colour[start : start + 2], 16) for start in (1, 3, 5)] for colour in colours]
    return ["#" + "".join(f"{round(part + (255 - part) * _LIFTED):02x}" for part in rgb) for rgb in parts]


def _chunks(frame: pd.DataFrame, labels: list[str], colours: list[str]) -> alt.Chart:
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(labels))]
    legend = alt.Legend(
        title=None, orient="bottom", columns=3, labelLimit=210, symbolOpacity=1, symbolSize=90, symbolStrokeWidth=0
    )
    chosen = alt.selection_point(name="document", fields=["colour"], bind="legend")
    x, y = _axes()
    return (
        alt.Chart(frame)
        .mark_point(filled=True, size=70, strokeWidth=0)
        .encode(
            x=x,
            y=y,
            color=alt.Color("colour:N", scale=alt.Scale(domain=labels, range=colours), legend=legend),
            shape=alt.Shape("colour:N", scale=alt.Scale(domain=labels, range=shapes), legend=legend),
            opacity=alt.condition(chosen, alt.value(0.85), alt.value(0.08)),
            tooltip=_TOOLTIP,
        )
        .add_params(chosen, alt.selection_interval(name="zoom", bind="scales"))
    )


def _question(hits: pd.DataFrame, asked: Asked, ink: str) -> list[alt.Chart]:
    x, y = _axes()
    hits = hits.assign(number=hits["rank"].astype(int).astype(str), from_x=asked.x, from_y=asked.y)
    lines = (
        alt.Chart(hits).mark_rule(color=ink, opacity=0.45, strokeDash=[4, 3]).encode(x=x, y=y, x2="from_x", y2="from_y")
    )
    rings = (
        alt.Chart(hits)
        .mark_point(size=330, filled=False, stroke=ink, strokeWidth=2, opacity=1)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("number:N", title="hit"), *_TOOLTIP])
    )
    ranks = (
        alt.Chart(hits)
        .mark_text(dx=15, dy=-11, fontWeight="bold", fontSize=13, color=ink)
        .encode(x=x, y=y, text="number:N")
    )
    star = (
        alt.Chart(pd.DataFrame([asdict(asked)]))
        .mark_point(shape=_STAR, size=320, filled=True, color=ink, opacity=1)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("text:N", title="question")])
    )
    return [lines, rings, ranks, star]
