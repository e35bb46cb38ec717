"""A table whose rows are edited, added and removed, and which draws itself anew only when it is filled anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

HOW = "Click a cell to edit it. Tick rows at the left to remove them; the last row adds one."

_ROW = 35  # pixels, Streamlit's own


def edited_table(
    key: str,
    base: str,
    fill: Callable[[], pd.DataFrame],
    *,
    columns: Mapping[str, Any],
    rows: tuple[int, int],
    alt: str,
) -> pd.DataFrame:
    """Draw it; the rows as they were edited.

    `key` is another one whenever the rows come from elsewhere, and `base` the state's key of what was edited since.
    `rows`: at least and at most so many are in sight, beside the header and the row that adds one.
    """
    if key not in st.session_state:  # new, or the page was left and the editor forgot its edits; the session did not
        st.session_state[base] = fill()
    filled: pd.DataFrame = st.session_state[base]
    least, most = rows
    edited: pd.DataFrame = st.data_editor(
        filled,
        key=key,
        num_rows="dynamic",
        hide_index=True,
        height=_ROW * (max(least, min(len(filled), most)) + 2)
        + 3,  # for good: another height is another table, so rows
        # that are added need their room before
        column_config=dict(columns),
        alt=alt,
    )
    return edited
