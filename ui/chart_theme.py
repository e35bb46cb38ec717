"""What charts cannot take from the theme by themselves: the colour of text and lines drawn inside them."""

from __future__ import annotations

import streamlit as st

INK = {"light": "#1c2033", "dark": "#e8eaf2"}
"""The text colours of `.streamlit/config.toml`; Vega would draw black on the dark page."""


def theme() -> str:
    """The theme that the browser shows: light or dark."""
    return "dark" if st.context.theme.type == "dark" else "light"


def ink() -> str:
    """The colour for text inside a chart."""
    return INK[theme()]
