"""What charts cannot take from the theme by themselves: the colour of text and lines drawn inside them."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

INK = {"light": "#1c2033", "dark": "#e8eaf2"}
"""The text colours of `.streamlit/config.toml`; Vega would draw black on the dark page."""


PAGE = {"light": "#ffffff", "dark": "#12141c"}
"""The background colours likewise."""

_CONTRAST = 4.5  # at least, for text: WCAG 2.2, success criterion 1.4.3

AXIS: dict[str, Any] = {"labelFontSize": 13, "titleFontSize": 14, "labelLimit": 260}
LEGEND: dict[str, Any] = {"labelFontSize": 13}
"""Sizes in pixels that can be read from the back of a room."""


def readable(chart: alt.LayerChart) -> alt.LayerChart:
    """The same chart with axes and legend that can be read from the back of a room."""
    return chart.configure_axis(**AXIS).configure_legend(**LEGEND)


def on_white(chart: alt.LayerChart, title: str, subtitle: str, width: int) -> alt.LayerChart:
    """The chart as a picture of its own, `width` pixels wide; it has to be drawn in the light theme's ink."""
    head = alt.Title(title, subtitle=subtitle, fontSize=24, subtitleFontSize=16, offset=16)
    chart = chart.properties(width=width, title=head).configure(background=PAGE["light"]).configure_view(stroke=None)
    return chart.configure_title(anchor="start", color=INK["light"], subtitleColor=INK["light"])


def theme() -> str:
    """The theme that the browser shows: light or dark."""
    return "dark" if st.context.theme.type == "dark" else "light"


def ink() -> str:
    """The colour for text inside a chart."""
    return INK[theme()]


def legible(colour: str, theme: str) -> str:
    """`colour` as far towards the theme's ink as text in it needs to be read on the theme's page, and no further."""
    own, towards = _channels(colour), _channels(INK[theme])
    for step in range(21):
        mixed = tuple(round(a + (b - a) * step / 20) for a, b in zip(own, towards, strict=True))
        made = "#" + "".join(f"{channel:02x}" for channel in mixed)
        if contrast(made, PAGE[theme]) >= _CONTRAST:
            return made
    return INK[theme]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21: WCAG 2.2, definitions of contrast ratio and relative luminance."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in _channels(colour))]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
