"""The documents of a collection as a table in which one can be chosen."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from backends.rag.store.library import DocumentInfo
from ui.shared import numbers
from ui.shared.tables import plain_frame

_ROW = 35  # pixels, Streamlit's own
_MOST_ROWS = 12


def size(bytes_: int) -> str:
    """A file size: `830 B`, `12 KB`, `3.4 MB`, `1.2 GB`, of 1,000 bytes each."""
    if bytes_ < 1000:
        return f"{bytes_} B"
    if bytes_ < 999_500:
        return f"{bytes_ / 1000:.0f} KB"
    return f"{bytes_ / 1e6:.3g} MB" if bytes_ < 999.5e6 else f"{bytes_ / 1e9:.3g} GB"


def rows(documents: Sequence[DocumentInfo]) -> pd.DataFrame:
    """One row per document, as shown."""
    return plain_frame(
        {
            "Document": [one.name for one in documents],
            "Format": [one.format for one in documents],
            "Pages": pd.array([one.pages for one in documents], dtype="Int64"),
            "Characters": [one.characters for one in documents],
            "Chunks": [one.chunks for one in documents],
            "Language": [one.language or numbers.UNKNOWN for one in documents],
            "Size": [size(one.bytes) for one in documents],
            "Warnings": ["; ".join(one.warnings) for one in documents],
        }
    )


def file_table(documents: Sequence[DocumentInfo], key: str) -> DocumentInfo | None:
    """Draw the table; the document that is chosen in it."""
    shown = rows(documents)
    if any(one.warnings for one in documents):  # in sight on a small screen too
        shown.insert(1, "Warnings", shown.pop("Warnings"))
    event = st.dataframe(
        shown,
        hide_index=True,
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        placeholder=numbers.UNKNOWN,
        height=_ROW * (min(len(documents), _MOST_ROWS) + 1) + 3,
        column_config={
            "Document": st.column_config.TextColumn(pinned=True, width=260),
            **dict.fromkeys(("Format", "Language", "Size"), st.column_config.TextColumn(width=90)),
            **dict.fromkeys(
                ("Pages", "Characters", "Chunks"), st.column_config.NumberColumn(format="localized", width=90)
            ),
            "Warnings": st.column_config.TextColumn(width=280),
        },
        alt="The documents of the collection",
    )
    chosen = event.selection.rows
    return documents[chosen[0]] if chosen and chosen[0] < len(documents) else None
