"""The order in which a page is read: columns one after another, tables row by row.

A page is cut into runs of text on one baseline. Where an empty strip parts the runs of consecutive rows, these are
either columns of prose, read one after another, or the rows of a table, which stay together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from backends.rag.documents.readers.pdf.characters import Piece
from backends.rag.documents.readers.pdf.direction import is_right_to_left
from backends.rag.documents.readers.pdf.kinds import (
    APART,
    Rule,
    has_wrapped_rows,
    is_drawn_by_columns,
    pieces_of,
    pitch_of,
    rules_across,
)
from backends.rag.documents.readers.pdf.runs import Row, rows_of, runs_of
from backends.rag.documents.readers.pdf.zones import Zone, side, zones_of
from backends.rag.documents.readers.reading import table

_PARAGRAPH = 1.75
"""In font sizes: lines farther apart belong to two paragraphs."""


def page_lines(pieces: Iterable[Piece], rules: Sequence[Rule] = ()) -> str:
    """The text of pieces of one direction in reading order, a line each, an empty line between paragraphs."""
    rows = rows_of(runs_of(pieces))
    return "\n\n".join(filter(None, _blocks(rows, rules, depth=0))).strip("\n")


def _blocks(rows: list[Row], rules: Sequence[Rule], depth: int) -> Iterator[str]:
    for zone in zones_of(rows):
        if not zone.gutters:
            yield _lines(zone.rows)
            continue
        prose: list[Row] = []
        for piece, kind in pieces_of(zone, rules):
            if kind == "prose":
                prose += piece.rows
                continue
            yield from _columns(Zone(prose, zone.gutters), rules, depth)
            prose = []
            yield from _titled_table(piece, rules) if kind == "table" else [_lines(piece.rows)]
        yield from _columns(Zone(prose, zone.gutters), rules, depth)


def _columns(zone: Zone, rules: Sequence[Rule], depth: int) -> Iterator[str]:
    """Columns one after another; those of a right-to-left script begin on the right."""
    columns = [column for column in zone.columns() if column]
    if sum(is_right_to_left(run.text) for column in columns for run in column) * 2 > sum(map(len, columns)):
        columns.reverse()
    for column in columns:
        if depth < 4:
            yield from _blocks(rows_of(column), rules, depth + 1)
        else:
            yield _lines(rows_of(column))


def _lines(rows: Sequence[Row]) -> str:
    """A line per row, an empty one between paragraphs."""
    lines: list[str] = []
    for position, row in enumerate(rows):
        if position:
            above = rows[position - 1][0]
            if above.y - row[0].y > _PARAGRAPH * max(above.size, row[0].size):
                lines.append("")
        lines.append(_row_text(row))
    return "\n".join(lines)


def _row_text(row: Row) -> str:
    texts = [run.text for run in row]
    return " ".join(reversed(texts) if is_right_to_left("".join(texts)) else texts)


def _titled_table(zone: Zone, rules: Sequence[Rule]) -> Iterator[str]:
    """The table, after the lines above it that are no rows of it."""
    first = next(position for position, row in enumerate(zone.rows) if len(row) > 1)
    if first:
        yield _lines(zone.rows[:first])
    last = len(zone.rows)
    while last > first and len(zone.rows[last - 1]) == 1 and side(zone, zone.rows[last - 1][0]) == 0:
        last -= 1
    yield _table(Zone(zone.rows[first:last], zone.gutters), rules)
    if last < len(zone.rows):
        yield _lines(zone.rows[last:])


def _table(zone: Zone, rules: Sequence[Rule]) -> str:
    """The rows as a Markdown table; the lines of a wrapped cell are joined where it is known that they are one cell."""
    edges = _cell_edges(zone.rows)
    lines = [_cells(row, edges) for row in zone.rows]
    joined = [
        ["\n".join(line[column] for line in group if line[column]) for column in range(len(edges) + 1)]
        for group in _table_rows(zone, lines, rules)
    ]
    if is_right_to_left("".join(cell for row in joined for cell in row)):
        joined = [row[::-1] for row in joined]
    return table(joined)


def _cell_edges(rows: Sequence[Row]) -> list[float]:
    """Where the columns of a table part: no run crosses there. Rows of a single run, such as titles, do not count."""
    spans = sorted((run.x0, run.x1) for row in rows if len(row) > 1 for run in row)
    edges, reach = [], spans[0][1]
    for x0, x1 in spans[1:]:
        if x0 > reach:
            edges.append((reach + x0) / 2)
        reach = max(reach, x1)
    return edges


def _cells(row: Row, edges: Sequence[float]) -> list[str]:
    cells: list[list[str]] = [[] for _ in range(len(edges) + 1)]
    for run in row:
        cells[sum(edge < run.x0 + 0.01 for edge in edges)].append(run.text)
    return [" ".join(cell) for cell in cells]


def _table_rows(zone: Zone, lines: list[list[str]], rules: Sequence[Rule]) -> list[list[list[str]]]:
    """The lines of each row of the table."""
    ruled = rules_across(zone, rules)
    places = [row[0].y for row in zone.rows]
    if len(ruled) >= 3:
        keys = [sum(rule > place for rule in ruled) for place in places]
    elif has_wrapped_rows(zone):
        apart = pitch_of(zone.rows) * APART
        keys = [0]
        for above, place in itertools.pairwise(places):
            keys.append(keys[-1] + (above - place > apart))
    elif is_drawn_by_columns(zone):
        keys = list(range(len(places)))
    else:
        keys = _by_drawing(zone)
    groups: list[list[list[str]]] = []
    for position, line in enumerate(lines):
        if position and keys[position] == keys[position - 1]:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _by_drawing(zone: Zone) -> list[int]:
    """A number per row of runs, the same where all runs continue a cell that the file drew just before them."""
    keys = [0]
    for above, row in itertools.pairwise(zone.rows):
        before = {(run.order, side(zone, run)) for run in above}
        continued = all((run.order - 1, side(zone, run)) in before for run in row)
        keys.append(keys[-1] + (not continued))
    return keys
