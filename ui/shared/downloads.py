"""Buttons that save what a page shows: its data as CSV, a chart as a picture. Files are made when they are clicked."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import streamlit as st

from ui.shared.charts import on_white


def heading_with_download(
    heading: str, file: str, made: Callable[[], bytes], *, button: str = "CSV", what: str
) -> None:
    """A heading in Markdown with the button beside it that saves what is below as `file`; `what` says what is in it."""
    with st.container(horizontal=True, vertical_alignment="top"):
        st.markdown(heading, width="stretch", anchors=False)
        download_button(file, made, button=button, what=what)


def download_button(file: str, made: Callable[[], bytes], *, button: str = "CSV", what: str) -> None:
    """The button alone."""
    st.download_button(
        button, made, file, "text/csv", key=f"save:{file}", icon=":material/download:", help=what, on_click="ignore"
    )


def picture_button(file: str, made: Callable[[], alt.LayerChart], title: str, subtitle: str, width: int) -> None:
    """The button that saves a chart as PNG on white, so many pixels wide and twice the usual resolution.

    `made` draws it in the light theme's ink.
    """

    def picture() -> bytes:
        import vl_convert

        return vl_convert.vegalite_to_png(on_white(made(), title, subtitle, width).to_json(), scale=2)

    what = "The chart on white, for slides and documents."
    st.download_button(
        "PNG", picture, file, "image/png", key=f"save:{file}", icon=":material/image:", help=what, on_click="ignore"
    )
