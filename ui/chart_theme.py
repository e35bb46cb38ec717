"""What charts cannot take from the theme by themselves: the colour of text and lines drawn inside them."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

INK = {"light": "#1c2033", "dark": "#e8eaf2"}
"""The text colours of `.streamlit/config.toml`; Vega would draw black on the dark page."""


AXIS: dict[str, Any] = {"labelFontSize": 13, "titleFontSize": 14, "labelLimit": 260}
LEGEND: dict[str, Any] = {"labelFontSize": 13}
"""Sizes in pixels that can be read from the back of a room."""


def readable(chart: alt.LayerChart) -> alt.LayerChart:
    """The same chart with axes and legend that can be read from the back of a room."""
    return chart.configure_axis(**AXIS).configure_legend(**LEGEND)


def theme() -> str:
    """The theme that the browser shows: light or dark."""
    return "dark" if st.context.theme.type == "dark" else "light"


def ink() -> str:
    """The colour for text inside a chart."""
    return INK[theme()]
