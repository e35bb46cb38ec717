"""Tables of values that did not come from us: cells, headings and names of rows show letter by letter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ui.shared.text import escaped, plain


def literal_table(
    rows: pd.DataFrame | Mapping[str, str] | Sequence[Mapping[str, str]],
    *,
    strong: Collection[str] = (),
    **options: Any,
) -> None:
    """Draw `st.table`, which reads Markdown everywhere, with none of it. The rows named `strong` are bold.

    `rows` is a frame, or the names of rows with their cell, or a mapping for each row.
    """
    if isinstance(rows, pd.DataFrame):
        lines = [[escaped(cell) for cell in line] for line in rows.itertuples(index=False, name=None)]
        for line in (line for name, line in zip(rows.index, lines, strict=True) if name in strong):
            line[:] = [f"**{cell}**" if cell else "" for cell in line]
        index = rows.index
        if not isinstance(index, pd.RangeIndex):
            index = pd.Index(_names(index, escaped), name=escaped(str(index.name or "")) or None)
        shown = pd.DataFrame(lines, columns=_names(rows.columns, escaped), index=index)
    elif isinstance(rows, Mapping):
        shown = pd.DataFrame({"": list(map(escaped, rows.values()))}, index=_names(rows, escaped))
        options = {"hide_header": True, **options}
    else:
        shown = pd.DataFrame([dict(zip(_names(row, escaped), map(escaped, row.values()), strict=True)) for row in rows])
    st.table(shown, **options)


def plain_frame(columns: Mapping[str, Any] | Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A frame for `st.dataframe`, which shows letters: without what hides them, and what no frame can hold.

    `columns` are lists or series by name, or a mapping for each row.
    """
    if isinstance(columns, Mapping):
        return pd.DataFrame(
            {
                plain(name): list(map(_plain, cells)) if isinstance(cells, list) else cells
                for name, cells in columns.items()
            }
        )
    return pd.DataFrame([{plain(name): _plain(cell) for name, cell in row.items()} for row in columns])


def _plain(cell: object) -> object:
    return plain(cell) if isinstance(cell, str) else cell


def _names(names: Iterable[Hashable], write: Callable[[str], str]) -> list[str]:
    """The names as `write` gives them. Those that look alike then are numbered: a table takes no name twice."""
    found: dict[str, None] = {}
    for name in names:
        first, twin = write(str(name)), 1
        text = first
        while text in found:
            twin += 1
            text = f"{first} {twin}"
        found[text] = None
    return list(found)
