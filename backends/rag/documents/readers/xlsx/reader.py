"""Workbooks: each sheet is a section, its rows are Markdown tables of what the cells show."""

from __future__ import annotations

import datetime
import io
import itertools
import zipfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import from_excel
from openpyxl.utils.escape import unescape

from backends.rag.documents.readers.reading import Reading, numbered, table, unpaged
from backends.rag.documents.readers.xlsx.formats import Value, hides, shown
from backends.rag.documents.readers.xlsx.parts import Box, SheetParts, read_parts, sheet_paths

_EASTERN_DATES = frozenset([*range(27, 37), *range(50, 59)])
"""Numbers of built-in formats that Chinese, Japanese and Korean programs write for dates and times, and that have no
code in the file (ECMA-376 part 1, 18.8.30). What openpyxl does not know it takes for plain numbers."""

Grid = dict[int, dict[int, str]]
"""Texts by row and column, both from 1; empty cells are not in it."""


@dataclass(slots=True)
class _Found:
    """What there is to say about a sheet beside its text."""

    errors: Counter[str] = field(default_factory=Counter)
    error_cells: dict[tuple[int, int], str] = field(default_factory=dict)
    blank: int = 0
    hidden_cells: bool = False
    corners: dict[tuple[int, int], str] = field(default_factory=dict)
    """Texts of hidden cells whose merged range begins there and may reach into rows and columns that are shown."""


@dataclass(frozen=True, slots=True)
class SheetTable:
    """The texts that a sheet shows: number and cells of each row that is not empty, all rows equally wide.

    `unreadable` says of a cell, by its row and its place in there, why it has no text to go by. `warnings` are
    sentences on what was left out.
    """

    name: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    unreadable: tuple[tuple[int, int, str], ...]
    warnings: tuple[str, ...]


def read_tables(data: bytes) -> list[SheetTable]:
    """Every visible sheet as rows of cells. Links and comments are left out."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        paths = sheet_paths(archive)
        shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        return [_table_of(sheet, read_parts(archive, paths[sheet.title])) for sheet in shown]


def _table_of(sheet: Any, parts: SheetParts) -> SheetTable:
    found = _Found()
    parts.links.clear()
    grid = _visible_grid(sheet, parts, found)
    _fill_merged(grid, parts, found.corners)
    why = {cell: f"shows the error {error}" for cell, error in found.error_cells.items()}
    why |= {cell: _NO_RESULT for cell in parts.without_result if cell[0] not in parts.hidden_rows}
    columns = {column for cells in grid.values() for column in cells} | {column for _, column in why}
    used = sorted(columns - parts.hidden_columns)
    numbers = sorted(grid.keys() | {row for row, _ in why})
    rows = tuple((number, tuple(grid.get(number, {}).get(column, "") for column in used)) for number in numbers)
    places = {column: place for place, column in enumerate(used)}
    unreadable = tuple(
        (row, places[column], f"{get_column_letter(column)}{row} {words}")
        for (row, column), words in sorted(why.items())
        if column in places
    )
    found.errors.clear()  # said of each cell
    return SheetTable(" ".join(sheet.title.split()), rows, unreadable, tuple(_warnings(sheet.title, parts, found)))


_NO_RESULT = "holds a formula whose result was not stored (open the workbook in its program and save it again)"


def read_xlsx(data: bytes) -> Reading:
    """Every visible sheet under its name; formulas as the results that were stored with them.

    What is hidden, or cannot be read, is named in warnings.
    """
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    sections: list[str] = []
    warnings: list[str] = []
    without_result = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        paths = sheet_paths(archive)
        for sheet in book.worksheets:
            if sheet.sheet_state != "visible":
                sheet.reset_dimensions()
                if any(cell.value is not None for row in sheet.iter_rows() for cell in row):
                    warnings.append(f"The sheet {sheet.title} is hidden in the workbook and was left out.")
                continue
            parts = read_parts(archive, paths[sheet.title])
            without_result += parts.no_result
            text, said = _sheet(sheet, parts)
            warnings += said
            if text:
                sections.append(f"## {' '.join(sheet.title.split())}\n\n{text}")
    for chart in book.chartsheets:
        warnings.append(f"The sheet {chart.title} is a chart and was left out.")
    if sections:
        warnings.insert(0, "The sheets were flattened into lines of text: layout is lost, merged cells are repeated.")
    if without_result:
        what = f"{without_result:,} formulas have" if without_result > 1 else "1 formula has"
        warnings.append(
            f"{what} no stored result and stayed empty: open the workbook in its program and save it again."
        )
    return unpaged("\n\n".join(sections), warnings)


def _sheet(sheet: Any, parts: SheetParts) -> tuple[str, list[str]]:
    """The text of a sheet, and what there is to say about it."""
    found = _Found()
    rows, columns = frozenset(parts.hidden_rows), frozenset(parts.hidden_columns)
    grid = _visible_grid(sheet, parts, found)
    merged = _fill_merged(grid, parts, found.corners)
    pieces = list(_blocks(grid, merged, rows, columns))
    pieces += parts.boxes
    if pieces:
        pieces = [*(f"Page {kind}: {text}" for kind, text in parts.frame), *pieces]
    notes = []
    for row, column, text in parts.notes:
        if row in rows or column in columns:
            found.hidden_cells = True
            continue
        notes.append(f"Comment on {get_column_letter(column)}{row}{_named(grid, row, column)}: {text}")
    if notes:
        pieces.append("\n".join(notes))
    return "\n\n".join(pieces), list(_warnings(sheet.title, parts, found))


def _named(grid: Grid, row: int, column: int) -> str:
    """What a cell is about, in brackets: the first text of its row, and its own."""
    cells = grid.get(row, {})
    texts = [cells[min(cells)] if cells else "", cells.get(column, "")]
    about = list(dict.fromkeys(text.partition("](")[0].lstrip("[") for text in texts if text))
    return f" ({', '.join(about)})" if about else ""


def _visible_grid(sheet: Any, parts: SheetParts, found: _Found) -> Grid:
    sheet.reset_dimensions()  # stated by the file, and not always rightly
    grid: Grid = {}
    columns: set[int] = set()
    hidden_rows: set[int] = set()
    corners = {(top, left) for left, top, _, _ in parts.merged}
    for cells in sheet.iter_rows():
        for cell in cells:
            value = cell.value
            if value is None:
                continue
            row, column = cell.row, cell.column
            if row in parts.hidden_rows or column in parts.hidden_columns:
                hidden_rows.add(row)
                columns.add(column)
                if (row, column) in corners:
                    found.corners[row, column] = _cell_text(cell, parts, found)
                continue
            if text := _cell_text(cell, parts, found):
                grid.setdefault(row, {})[column] = text
    parts.hidden_rows &= hidden_rows
    parts.filtered &= hidden_rows
    parts.hidden_columns &= columns
    return grid


def _cell_text(cell: Any, parts: SheetParts, found: _Found) -> str:
    value = cell.value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str) and "_x" in value:
        value = unescape(value)
    if cell.data_type == "e":
        found.errors[str(value)] += 1
        found.error_cells[cell.row, cell.column] = str(value)
        return str(value)
    code = cell.number_format or "General"
    if code == "General" and isinstance(value, int | float) and _is_eastern_date(cell):
        value, code = _moment(value, cell.parent.parent.epoch)
    text = shown(value, code)
    if not text and hides(value, code):
        found.blank += 1
    address = parts.links.get((cell.row, cell.column), "")
    if not address or not text or text in address:
        return address if text and text in address else text
    return f"[{text}]({address})"


def _is_eastern_date(cell: Any) -> bool:
    """Whether a cell has one of the formats of East Asian dates that are known by number alone."""
    return cell.has_style and cell.style_array.numFmtId in _EASTERN_DATES


def _moment(number: float, epoch: datetime.datetime) -> tuple[Value, str]:
    """A day number as a date, a time or both, and the format to show it in.

    The formats show eras and parts of dates that differ from language to language, and the file does not say which.
    """
    try:
        found = from_excel(number, epoch)
    except (ValueError, OverflowError):
        return number, "General"
    if found is None or isinstance(found, datetime.time | datetime.timedelta):
        return (number, "General") if found is None else (found, "h:mm:ss")
    return found, "yyyy-mm-dd" if number == int(number) else "yyyy-mm-dd h:mm:ss"


def _fill_merged(grid: Grid, parts: SheetParts, corners: dict[tuple[int, int], str]) -> dict[tuple[int, int], Box]:
    """Write the text of each merged range into all its cells that are shown; returns the range of each of them."""
    merged: dict[tuple[int, int], Box] = {}
    rows = sorted(grid)
    last_column = max((max(cells) for cells in grid.values()), default=0)
    for box in parts.merged:
        left, top, right, bottom = box
        text = grid.get(top, {}).get(left, "") or corners.get((top, left), "")
        if not text:
            continue
        for row in rows[bisect_left(rows, top) : bisect_right(rows, bottom)]:
            for column in range(left, min(right, max(last_column, left)) + 1):
                if column not in parts.hidden_columns:
                    grid[row].setdefault(column, text)
                    merged[row, column] = box
    return merged


def _blocks(
    grid: Grid, merged: dict[tuple[int, int], Box], hidden_rows: frozenset[int], hidden_columns: frozenset[int]
) -> Iterator[str]:
    """The pieces of a sheet between empty rows: a piece of one column is text, any other is a table.

    Rows that are empty because cells of the row above reach over them part nothing.
    """
    block: list[int] = []
    reach = 0
    for row in sorted(grid):
        if block and row > reach + 1 and not _touch(max(block[-1], reach), row, hidden_rows):
            yield from _titled(grid, block, merged, hidden_columns)
            block = []
        block.append(row)
        reach = max([reach, *(merged[row, column][3] for column in grid[row] if (row, column) in merged)])
    if block:
        yield from _titled(grid, block, merged, hidden_columns)


def _touch(before: int, after: int, hidden: frozenset[int]) -> bool:
    """Whether all rows (or columns) between two are hidden, if there are any."""
    return after - before == 1 or (
        after - before <= len(hidden) + 1 and all(place in hidden for place in range(before + 1, after))
    )


def _titled(
    grid: Grid, rows: Sequence[int], merged: dict[tuple[int, int], Box], hidden_columns: frozenset[int]
) -> Iterator[str]:
    """A block, after the titles above it: rows of one merged cell that is wider than a column."""
    first = 0
    while first < len(rows) and _is_title(grid, rows[first], merged):
        yield next(iter(grid[rows[first]].values()))
        first += 1
    if first < len(rows):
        for part in _side_by_side(grid, rows[first:], hidden_columns):
            yield _block(part)


def _is_title(grid: Grid, row: int, merged: dict[tuple[int, int], Box]) -> bool:
    boxes = {merged.get((row, column)) for column in grid[row]}
    box = next(iter(boxes))
    return len(boxes) == 1 and box is not None and box[2] > box[0]


def _side_by_side(grid: Grid, rows: Sequence[int], hidden: frozenset[int]) -> Iterator[list[dict[int, str]]]:
    """The tables of a block: an empty column parts two if each has rows of its own where the other one has none."""
    lines = [grid[row] for row in rows]
    used = sorted({column for line in lines for column in line})
    edges = [(a, b) for a, b in itertools.pairwise(used) if not _touch(a, b, hidden)]
    for left, right in edges:
        sides = [
            [{c: t for c, t in line.items() if (c <= left) == is_left} for line in lines] for is_left in (True, False)
        ]
        wide = all(len({column for line in side for column in line}) > 1 for side in sides)
        if wide and any(bool(a) != bool(b) for a, b in zip(*sides, strict=True)):
            yield [line for line in sides[0] if line]
            numbers = [row for row, line in zip(rows, sides[1], strict=True) if line]
            rest = {row: {c: t for c, t in grid[row].items() if c >= right} for row in numbers}
            yield from _side_by_side(rest, numbers, hidden)
            return
    yield lines


def _block(lines: Sequence[dict[int, str]]) -> str:
    used = sorted({column for line in lines for column in line})
    cells = [[line.get(column, "") for column in used] for line in lines]
    return table(cells) if len(used) > 1 else "\n".join(row[0] for row in cells)


def _warnings(title: str, parts: SheetParts, found: _Found) -> Iterator[str]:
    if rows := sorted(parts.hidden_rows - parts.filtered):
        yield f"{numbered('Row', rows)} of the sheet {title} {_are(rows)} hidden and {_were(rows)} left out."
    if rows := sorted(parts.filtered):
        yield (
            f"{numbered('Row', rows)} of the sheet {title} {_are(rows)} hidden by a filter and {_were(rows)} left out: "
            "clear the filter and save the workbook to have them read."
        )
    if columns := sorted(parts.hidden_columns):
        names = ", ".join(get_column_letter(column) for column in columns[:12]) + " and others" * (len(columns) > 12)
        noun = "Columns" if len(columns) > 1 else "Column"
        yield f"{noun} {names} of the sheet {title} {_are(columns)} hidden and {_were(columns)} left out."
    if found.hidden_cells:
        yield f"Comments on hidden cells of the sheet {title} were left out."
    if found.blank:
        cells = f"{found.blank:,} cells" if found.blank > 1 else "1 cell"
        yield f"{cells} of the sheet {title} {'have' if found.blank > 1 else 'has'} a format that shows nothing."
    if found.errors:
        count, kinds = found.errors.total(), ", ".join(sorted(found.errors))
        show = f"{count:,} cells of the sheet {title} show" if count > 1 else f"1 cell of the sheet {title} shows"
        yield f"{show} an error: {kinds}."
    if parts.pictures or parts.charts:
        yield f"{_drawn(parts)} of the sheet {title} {'were' if parts.pictures + parts.charts > 1 else 'was'} left out."


def _drawn(parts: SheetParts) -> str:
    words = [(parts.pictures, "picture"), (parts.charts, "chart")]
    return " and ".join(f"{count:,} {noun}{'s' * (count > 1)}" for count, noun in words if count)


def _are(some: Sequence[int]) -> str:
    return "are" if len(some) > 1 else "is"


def _were(some: Sequence[int]) -> str:
    return "were" if len(some) > 1 else "was"
