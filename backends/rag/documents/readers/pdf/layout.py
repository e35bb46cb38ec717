"""The order in which a page is read: columns one after another, tables row by row.

A page is cut into runs of text on one baseline. Where an empty strip parts the runs of consecutive rows, these are
either columns of prose, read one after another, or the rows of a table, which stay together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from backends.rag.documents.readers.pdf.bordered import cell_text, without_bordered
from backends.rag.documents.readers.pdf.characters import Piece
from backends.rag.documents.readers.pdf.direction import is_right_to_left
from backends.rag.documents.readers.pdf.flows import flows_of, is_hanging
from backends.rag.documents.readers.pdf.heads import markdown
from backends.rag.documents.readers.pdf.kinds import (
    APART,
    has_wrapped_rows,
    is_drawn_by_columns,
    pieces_of,
    pitch_of,
    rules_across,
)
from backends.rag.documents.readers.pdf.records import Column, is_next_line, records
from backends.rag.documents.readers.pdf.ruling import Lines, Rule
from backends.rag.documents.readers.pdf.runs import Row, Run, is_leader, rows_of, runs_of
from backends.rag.documents.readers.pdf.zones import GUTTER, NARROW_GAP, Zone, side, zones_of

_PARAGRAPH = 1.75
"""In font sizes: lines farther apart belong to two paragraphs."""


_ROWS_TO_TRUST = 3
"""In so many rows of a table narrow gaps at the same place part two columns."""

_WRAPPED = 0.3
"""Of the lines between two gaps so many begin in the middle of a sentence, or leave the first column empty."""

_DEEPEST = 6
"""So often columns are parted into columns again."""


def page_lines(pieces: Sequence[Piece], drawn: Lines) -> str:
    """The text of pieces of one direction in reading order, a line each, an empty line between paragraphs."""
    page = without_bordered(pieces, drawn)
    rows = rows_of(runs_of(page.pieces))
    return page.restored("\n\n".join(filter(None, _blocks(rows, page.rules, depth=0))).strip("\n"))


def _blocks(rows: list[Row], rules: Sequence[Rule], depth: int) -> Iterator[str]:
    for zone in zones_of(rows):
        if not zone.gutters:
            yield _lines(zone.rows)
            continue
        if is_hanging(zone, rules):
            yield _lines(zone.rows)
            continue
        if depth < _DEEPEST and (parts := flows_of(zone, rules)):
            for part, flows in parts:
                yield from _columns(part, rules, depth) if flows else _blocks(part.rows, rules, depth + 1)
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
        if depth < _DEEPEST:
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
    while last > first and _stands_alone(zone, last - 1):
        last -= 1
    yield _table(Zone(zone.rows[first:last], zone.gutters), rules)
    if last < len(zone.rows):
        yield _lines(zone.rows[last:])


def _stands_alone(zone: Zone, place: int) -> bool:
    """Whether a row has text in the first column only, and is not the next line of a cell there."""
    row = zone.rows[place]
    if len(row) > 1 or side(zone, row[0]) > 0:
        return False
    return not any(above.is_followed_by(row[0]) and is_next_line(above, row[0]) for above in zone.rows[place - 1])


def _table(zone: Zone, rules: Sequence[Rule]) -> str:
    """The rows as a Markdown table; the lines of a wrapped cell are joined where it is known that they are one cell."""
    edges = _cell_edges(zone)
    rows = [_parted(row, edges) for row in zone.rows]

    def column(run: Run) -> int:
        return sum(edge < run.x0 + 0.01 for edge in edges)

    keys = _row_numbers(Zone(rows, zone.gutters), column, rules)
    joined = []
    for _, group in itertools.groupby(range(len(rows)), key=lambda place: keys[place]):
        lines = [rows[place] for place in group]
        cells = [[[run for run in line if column(run) == here] for line in lines] for here in range(len(edges) + 1)]
        joined.append([cell_text([line for line in cell if line]) for cell in cells])
    if is_right_to_left("".join(cell for row in joined for cell in row)):
        joined = [row[::-1] for row in joined]
    return markdown(joined)


def _cell_edges(zone: Zone) -> list[float]:
    """Where the columns of a table part: no word crosses there. Titles, which stand alone on the left, do not count.

    Where enough rows show it, gaps part columns that are too narrow to part the runs of a single line.
    """
    rows = [row for row in zone.rows if len(row) > 1 or side(zone, row[0]) > 0]
    spans: list[tuple[float, float]] = []
    for run in itertools.chain.from_iterable(rows):
        start = run.x0
        if len(rows) >= _ROWS_TO_TRUST:
            for before, after in itertools.pairwise(run.pieces):
                if after.x0 - before.x1 >= run.size * GUTTER and not (is_leader(before) or is_leader(after)):
                    spans.append((start, before.x1))
                    start = after.x0
        spans.append((start, run.x1))
    spans.sort()
    edges, reach = [], spans[0][1]
    for x0, x1 in spans[1:]:
        if x0 > reach:
            edges.append((reach + x0) / 2)
        reach = max(reach, x1)
    return edges


def _parted(row: Row, edges: Sequence[float]) -> Row:
    """The row with runs cut at the edges between columns; a run that no gap parts there stays whole."""
    parted: Row = []
    for run in row:
        rest = run
        for edge in edges:
            if not rest.x0 < edge < rest.x1:
                continue
            place = next((at for at, one in enumerate(rest.pieces) if (one.x0 + one.x1) / 2 > edge), 0)
            if not place or rest.pieces[place].x0 - rest.pieces[place - 1].x1 < rest.size * NARROW_GAP:
                continue
            left, rest = rest.cut(place)
            parted.append(left)
        parted.append(rest)
    return parted


def _row_numbers(zone: Zone, column: Column, rules: Sequence[Rule]) -> list[int]:
    """A number per line, the same for those of one row of the table."""
    if is_drawn_by_columns(zone):
        return list(range(len(zone.rows)))
    keys = records(zone.rows, column, rules_across(zone, rules))
    if keys[-1] + 1 < len(keys) or not has_wrapped_rows(zone):
        return keys
    apart = pitch_of(zone.rows) * APART
    steps = [above[0].y - row[0].y > apart for above, row in itertools.pairwise(zone.rows)]
    inner = [row for row, is_apart in zip(zone.rows[1:], steps, strict=True) if not is_apart]
    wrapped = sum(column(row[0]) > 0 or any(run.text[:1].islower() for run in row) for row in inner)
    return list(itertools.accumulate(steps, initial=0)) if wrapped >= _WRAPPED * len(inner) else keys
