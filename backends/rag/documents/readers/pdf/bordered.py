"""Tables with borders, taken out of a page; a mark that takes as much room stands in the page for each of them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backends.rag.documents.readers.pdf.characters import Piece
from backends.rag.documents.readers.pdf.direction import is_right_to_left
from backends.rag.documents.readers.pdf.grids import Grid, grids_of
from backends.rag.documents.readers.pdf.heads import markdown
from backends.rag.documents.readers.pdf.hyphens import joined
from backends.rag.documents.readers.pdf.records import records
from backends.rag.documents.readers.pdf.ruling import Lines, Rule
from backends.rag.documents.readers.pdf.runs import FIRST_MARK, Row, Run, rows_of, runs_of

_MOST_TABLES = 1_000
_MARK = re.compile("[\U00100000-\U001003ff]")

_CROSSING = 0.05
"""Share of the words that lines go through; of more of them these are not the borders of cells."""

_CELLS = 0.35
"""Cells of a table, as a share of those that its lines would make if none were merged, are at least so many."""

_MOST_LINES = 60
"""Lines in a cell; with more of them it is a part of the page and no cell."""

_REPEATED_CHARACTERS = 500
"""The text of a merged cell is repeated in each of the cells that it covers, unless it is longer than this."""


@dataclass(slots=True)
class Bordered:
    """A page without its bordered tables: the pieces with a mark for each, the lines left, the tables."""

    pieces: list[Piece]
    rules: list[Rule]
    tables: list[str]

    def restored(self, text: str) -> str:
        """The text of the page with each table where its first mark is, on lines of its own."""
        if not self.tables:
            return text
        lines: list[str] = []
        shown: set[str] = set()
        for line in text.split("\n"):
            marks = dict.fromkeys(_MARK.findall(line))
            if not marks:
                lines.append(line)
                continue
            for mark in marks:
                if mark not in shown:
                    shown.add(mark)
                    lines += ["", self.tables[ord(mark) - FIRST_MARK], ""]
            if any(map(str.isalnum, rest := _MARK.sub("", line))):
                lines.append(rest.strip())
        return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def without_bordered(pieces: Sequence[Piece], lines: Lines) -> Bordered:
    """The page with its bordered tables taken out."""
    page = Bordered(list(pieces), lines.across, [])
    grids = sorted(grids_of(lines), key=lambda one: (one.xs[0] - one.xs[-1]) * (one.ys[0] - one.ys[-1]))
    for grid in grids[:_MOST_TABLES]:
        placed = [grid.place((one.x0 + one.x1) / 2, one.y + one.size * 0.25) for one in page.pieces]
        inside = [(one, place) for one, place in zip(page.pieces, placed, strict=True) if place]
        if not (text := _text(grid, inside)):
            continue
        first = next(place for place, where in enumerate(placed) if where)
        marks = list(_marks(grid, [one for one, _ in inside], chr(FIRST_MARK + len(page.tables))))
        rest = [one for one, place in zip(page.pieces[first:], placed[first:], strict=True) if not place]
        page.pieces[first:] = marks + rest
        page.tables.append(text)
        page.rules = [rule for rule in page.rules if not _is_in(grid, rule)]
    return page


def _is_in(grid: Grid, rule: Rule) -> bool:
    x0, x1, y = rule
    return grid.ys[-1] - 3 <= y <= grid.ys[0] + 3 and grid.xs[0] - 3 <= x0 and x1 <= grid.xs[-1] + 3


def _marks(grid: Grid, inside: Sequence[Piece], mark: str) -> Iterator[Piece]:
    size = sorted(one.size for one in inside)[len(inside) // 2]
    y = grid.ys[0] - size
    while True:
        yield Piece(mark, grid.xs[0], grid.xs[-1], y, size, spaced=True)
        y -= size * 1.2
        if y < grid.ys[-1]:
            return


Placed = tuple[Piece, tuple[int, int]]


def _text(grid: Grid, inside: Sequence[Placed]) -> str:
    """The grid with the pieces in its cells as a Markdown table; "" if it is no table."""
    filled = {grid.cells[row][column] for _, (row, column) in inside}
    rows, columns = {row for _, (row, _) in inside}, {column for _, (_, column) in inside}
    if len(filled) < 3 or len(rows) < 2 or len(columns) < 2 or _crossed(grid, inside) > _CROSSING * len(inside):
        return ""
    if not _is_regular(grid, filled):
        return ""
    runs = _runs(grid, inside)
    lines = {cell: rows_of(some) for cell, some in runs.items()}
    if max(map(len, lines.values())) > _MOST_LINES:
        return ""
    texts = {cell: cell_text(some) for cell, some in lines.items()}
    written: list[list[str]] = []
    for row, cells in enumerate(grid.cells):
        several = _several(row, grid, runs)
        written += several or [_row(row, cells, grid, texts)]
    return _titled(written, len(set(grid.cells[0])) == 1)


def _is_regular(grid: Grid, filled: set[int]) -> bool:
    """Whether cells with text are rectangles and few cells are merged: frames in a drawing overlap and leave gaps."""
    sizes = Counter(itertools.chain.from_iterable(grid.cells))
    if len(sizes) < _CELLS * len(grid.cells) * len(grid.cells[0]):
        return False
    places: dict[int, list[tuple[int, int]]] = {cell: [] for cell in filled if sizes[cell] > 1}
    for row, cells in enumerate(grid.cells):
        for column, cell in enumerate(cells):
            if cell in places:
                places[cell].append((row, column))
    return all(
        (max(row for row, _ in some) - some[0][0] + 1)
        * (max(column for _, column in some) - min(column for _, column in some) + 1)
        == len(some)
        for some in places.values()
    )


def _crossed(grid: Grid, inside: Sequence[Placed]) -> int:
    """How many pieces go beyond the cell that they are in."""
    ends: dict[int, list[float]] = {}
    for cells in grid.cells:
        for column, cell in enumerate(cells):
            end = ends.setdefault(cell, [grid.xs[column], grid.xs[column + 1]])
            end[1] = max(end[1], grid.xs[column + 1])
            end[0] = min(end[0], grid.xs[column])
    count = 0
    for one, (row, column) in inside:
        left, right = ends[grid.cells[row][column]]
        count += one.x0 < left - 0.3 * one.size or one.x1 > right + 0.3 * one.size
    return count


def _runs(grid: Grid, inside: Sequence[Placed]) -> dict[int, list[Run]]:
    """The runs of each cell; their order is that of the file over all cells."""
    found: dict[int, list[Run]] = {}
    count = 0
    for cell, group in itertools.groupby(inside, key=lambda one: grid.cells[one[1][0]][one[1][1]]):
        pieces = [piece for piece, _ in group]
        for run in runs_of(pieces):
            run.order += count
            found.setdefault(cell, []).append(run)
        count += len(pieces)
    return found


def cell_text(lines: Sequence[Row]) -> str:
    """The lines of a cell, with divided words made whole."""
    text = "\n".join(" ".join(run.text for run in row) for row in lines)
    return joined([text])[0] if "-\n" in text else text


def _row(row: int, cells: Sequence[int], grid: Grid, texts: dict[int, str]) -> list[str]:
    """A row of the table: what a merged cell says stands in every cell that it covers, if it is not the whole row."""
    is_whole = len(set(cells)) == 1
    line = []
    for column, cell in enumerate(cells):
        text = texts.get(cell, "")
        first = (column == 0 or cells[column - 1] != cell) and (row == 0 or grid.cells[row - 1][column] != cell)
        line.append(text if first or (not is_whole and len(text) <= _REPEATED_CHARACTERS) else "")
    return line


def _several(row: int, grid: Grid, runs: dict[int, list[Run]]) -> list[list[str]]:
    """The rows that stand between two lines without a line between them; none if it is one row."""
    cells = grid.cells[row]
    if any(cell in grid.cells[other] for other in (row - 1, row + 1) if 0 <= other < len(grid.cells) for cell in cells):
        return []
    inside = {id(run): column for column, cell in enumerate(cells) for run in runs.get(cell, ())}
    lines = rows_of(run for cell in dict.fromkeys(cells) for run in runs.get(cell, ()))
    if len(lines) < 2:
        return []

    def column(run: Run) -> int:
        return inside.get(id(run), 0)

    keys = records(lines, column)
    found = []
    for _, group in itertools.groupby(range(len(lines)), key=lambda place: keys[place]):
        some = [lines[place] for place in group]
        placed = [[[run for run in line if column(run) == here] for line in some] for here in range(len(cells))]
        found.append([cell_text([line for line in one if line]) for one in placed])
    wide = [sum(map(bool, line)) > 1 for line in found]
    return found if sum(wide) > 1 and wide[0] else []


def _titled(rows: list[list[str]], has_title: bool) -> str:
    """The table without empty rows and columns, after its title if that is its first row."""
    kept = [row for row in rows if any(row)]
    if kept and is_right_to_left("".join(map("".join, kept))):
        kept = [row[::-1] for row in kept]
    title = ""
    if has_title and len(kept) > 2 and (title := " ".join(" ".join(kept[0]).split())):
        kept = kept[1:]
    used = [column for column in range(len(kept[0])) if any(row[column] for row in kept)]
    return f"{title}\n\n" * bool(title) + markdown([[row[column] for column in used] for row in kept])
