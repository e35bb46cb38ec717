"""Workbooks: each sheet is a section, its rows are Markdown tables."""

from __future__ import annotations

import datetime
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backends.rag.documents.readers.reading import Reading, table, unpaged

_NO_RESULT = re.compile(
    rb"<c(?: (?!t=\"str\")[^ <>]*)*+>\s*+<f[^<>]*+(?:(?<=/)>|>[^<]*+</f>)\s*+(?:<v\s*+/>\s*+|<v>\s*+</v>\s*+)?</c>"
)
"""A cell whose formula has no stored result; that of a text (`t="str"`) may be empty (ECMA-376 part 1, 18.3.1.4)."""


def read_xlsx(data: bytes) -> Reading:
    """Every sheet under its name, hidden ones included; formulas as the results that were stored with them."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    sections, hidden = [], []
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # stated by the file, and not always rightly
        body = "\n\n".join(_blocks(sheet.iter_rows()))
        if body:
            sections.append(f"## {' '.join(sheet.title.split())}\n\n{body}")
            if sheet.sheet_state != "visible":
                hidden.append(sheet.title)
    warnings = []
    if sections:
        warnings.append("The sheets were flattened into lines of text: merged cells and layout are lost.")
    warnings += [f"The sheet {title} is hidden in the workbook and was read too." for title in hidden]
    if missing := _formulas_without_result(data):
        what = f"{missing:,} formulas have" if missing > 1 else "1 formula has"
        warnings.append(
            f"{what} no stored result and stayed empty: open the workbook in its program and save it again."
        )
    return unpaged("\n\n".join(sections), warnings)


def _blocks(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The pieces of a sheet between empty rows: a piece of one column is text, any other is a table."""
    filled = ([_text(cell) for cell in row] for row in rows)
    for is_filled, group in itertools.groupby(filled, key=any):
        if not is_filled:
            continue
        block = list(group)
        used = sorted({column for row in block for column, text in enumerate(row) if text})
        cells = [[row[column] if column < len(row) else "" for column in used] for row in block]
        yield table(cells) if len(used) > 1 else "\n".join(row[0] for row in cells)


def _text(cell: Any) -> str:
    """A cell's value about as its program shows it: dates in ISO form, shares as a percentage."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if "%" in cell.number_format:
            return f"{value * 100:.10g}%"
        return str(int(value)) if value == value // 1 else f"{value:.15g}"
    return str(value).strip()


def _formulas_without_result(data: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]
        return sum(len(_NO_RESULT.findall(archive.read(name))) for name in sheets)
