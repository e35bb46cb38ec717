"""The order in which a page is read: columns one after another, tables row by row.

A page is cut into runs of text on one baseline. Where an empty strip parts the runs of consecutive rows, these are
either columns of prose, read one after another, or the rows of a table, which stay together. What tells them apart:
lines drawn between rows, the order in which the file draws the runs, and whether lines go on in the next line.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backends.rag.documents.readers.pdf.characters import Piece
from backends.rag.documents.readers.pdf.direction import SMALLER, has_right_to_left, is_right_to_left, line_text
from backends.rag.documents.readers.reading import table

_SPLIT = 1.2
"""In font sizes: a wider gap parts two runs; a space between justified words stays below it."""

_SAME_LINE = 0.35
"""In font sizes: baselines nearer than this are one line; an exponent is raised by about a third."""

_SCRIPT = 0.6
"""In font sizes: a smaller letter or digit that touches the one before it is raised or lowered by no more than this."""

_LESS_THAN_A_LINE = 0.75
"""In font sizes: the distance of two lines of a paragraph is larger."""

_GUTTER = 0.8
"""In font sizes: an empty strip narrower than this parts no columns."""

_PARAGRAPH = 1.75
"""In font sizes: lines farther apart belong to two paragraphs."""

_APART = 1.35
"""In line heights: rows farther apart than this are two rows of a table and not one wrapped line."""

_ROW_APART = 3.5
"""In line heights: the head of a table is no farther from its rows."""

_GOES_ON = 0.4
"""Share of the lines of prose that begin in the middle of a sentence; of the cells of a table, few do."""

_WORDS = 2.2
"""Words on a line of a column of prose, on average; cells have fewer."""

_TWICE_AS_FAR = 2.0

_MOST_COLUMNS = 100

_NARROW_GAP = 0.45
"""In font sizes: a gap between words that is wider than a space."""

_MARKER_GAP = 4.0
"""In font sizes: a bullet or number is no farther than this from the text of its list item."""

_MARKER = re.compile(r"[•▪◦‣·●○■□–—*-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)]")
"""What stands in front of a list item."""

_SENTENCE_ENDS = ".!?:;。！？؟۔"


@dataclass(slots=True)
class Run:
    """Characters on one baseline without a wide gap. `order`: its place in the file; other lengths are in points."""

    pieces: list[Piece]
    x0: float
    x1: float
    y: float
    size: float
    order: int

    @property
    def text(self) -> str:
        """What it says."""
        return line_text(self.pieces)


Row = list[Run]
"""Runs on one baseline, from left to right."""

Rule = tuple[float, float, float]

_Kind = Literal["prose", "table", "lines"]


def page_lines(pieces: Iterable[Piece], rules: Sequence[Rule] = ()) -> str:
    """The text of pieces of one direction in reading order, a line each, an empty line between paragraphs."""
    rows = _rows(_runs(pieces))
    return "\n\n".join(filter(None, _blocks(rows, rules, depth=0))).strip("\n")


def _runs(pieces: Iterable[Piece]) -> list[Run]:
    runs: list[Run] = []
    for one in pieces:
        run = runs[-1] if runs else None
        if run is not None and _continues(run, one):
            run.pieces.append(one)
            run.x0, run.x1 = min(run.x0, one.x0), max(run.x1, one.x1)
            if one.size > run.size * 1.2:
                run.size, run.y = one.size, one.y
        else:
            runs.append(Run([one], one.x0, one.x1, one.y, one.size, len(runs)))
    return runs


def _continues(run: Run, one: Piece) -> bool:
    size = max(run.size, one.size)
    if abs(one.y - run.y) > size * _SAME_LINE:
        return _is_script(run, one)
    gap = max(one.x0 - run.x1, run.x0 - one.x1)
    return gap <= min(run.size, one.size) * _SPLIT or gap <= size * 0.3


def _is_script(run: Run, one: Piece) -> bool:
    """Whether a piece is an exponent or index of what the run ends with, farther from its baseline than most."""
    return (
        not one.spaced
        and one.size < run.size * SMALLER
        and abs(one.y - run.y) <= run.size * _SCRIPT
        and abs(one.x0 - run.pieces[-1].x1) <= one.size * 0.15
    )


def _rows(runs: Iterable[Run]) -> list[Row]:
    """Runs by their baselines, from the top; a run beside the row above, that stands a bit lower, belongs to it."""
    rows: list[Row] = []
    for run in sorted(runs, key=lambda run: -run.y):
        if rows and (_is_level(rows[-1][0], run) or _is_beside(rows[-1], run)):
            rows[-1].append(run)
        else:
            rows.append([run])
    return [_with_markers(_by_place(row)) for row in rows]


def _is_level(first: Run, other: Run) -> bool:
    return first.y - other.y <= max(first.size, other.size) * _SAME_LINE


def _is_beside(row: Row, run: Run) -> bool:
    """Whether a run is lower by less than a line, and apart from every run of the row, as in a column beside them."""
    if row[0].y - run.y > min(row[0].size, run.size) * _LESS_THAN_A_LINE:
        return False
    return all(max(run.x0 - other.x1, other.x0 - run.x1) > run.size * _SPLIT for other in row)


def _by_place(row: Row) -> Row:
    """From left to right. In right-to-left scripts the file's order says nothing about what stands side by side."""
    row.sort(key=lambda run: run.x0)
    if not any(has_right_to_left(run.pieces) for run in row):
        return row
    placed = sorted((one for run in row for one in run.pieces), key=lambda one: one.x0)
    first = min(run.order for run in row)
    return [replace(run, order=first + number) for number, run in enumerate(_runs(placed))]


def _with_markers(row: Row) -> Row:
    """The row in which the sign in front of a list item is part of the item."""
    if len(row) < 2 or len(row[0].pieces) > 5 or not _MARKER.fullmatch(row[0].text):
        return row
    marker, item = row[0], row[1]
    if item.x0 - marker.x1 > _MARKER_GAP * marker.size:
        return row
    item.pieces[0].spaced = True
    both = marker.pieces + item.pieces
    return [Run(both, marker.x0, item.x1, item.y, item.size, item.order), *row[2:]]


# --- zones ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Zone:
    """Consecutive rows, and the empty strips (x0, x1) that part all of them."""

    rows: list[Row]
    gutters: list[tuple[float, float]]

    def columns(self) -> list[list[Run]]:
        """The runs of each column, from left to right, each from the top."""
        edges = [(x0 + x1) / 2 for x0, x1 in self.gutters]
        columns: list[list[Run]] = [[] for _ in range(len(edges) + 1)]
        for row in self.rows:
            for run in row:
                columns[sum(edge < run.x0 + 0.01 for edge in edges)].append(run)
        return columns


def _blocks(rows: list[Row], rules: Sequence[Rule], depth: int) -> Iterator[str]:
    for zone in _zones(rows):
        if not zone.gutters:
            yield _lines(zone.rows)
            continue
        prose: list[Row] = []
        for piece, kind in _pieces(zone, rules):
            if kind == "prose":
                prose += piece.rows
                continue
            yield from _columns(_Zone(prose, zone.gutters), rules, depth)
            prose = []
            yield from _titled_table(piece, rules) if kind == "table" else [_lines(piece.rows)]
        yield from _columns(_Zone(prose, zone.gutters), rules, depth)


def _columns(zone: _Zone, rules: Sequence[Rule], depth: int) -> Iterator[str]:
    """Columns one after another; those of a right-to-left script begin on the right."""
    columns = [column for column in zone.columns() if column]
    if sum(is_right_to_left(run.text) for column in columns for run in column) * 2 > sum(map(len, columns)):
        columns.reverse()
    for column in columns:
        if depth < 4:
            yield from _blocks(_rows(column), rules, depth + 1)
        else:
            yield _lines(_rows(column))


def _zones(rows: list[Row]) -> Iterator[_Zone]:
    """The rows in runs that share an empty strip, and the rows between them."""
    plain: list[Row] = []
    start = 0
    while start < len(rows):
        end, gutters = _longest(rows, start)
        if gutters:
            if plain:
                yield _Zone(plain, [])
                plain = []
            yield _Zone(rows[start:end], gutters)
            start = end
        else:
            plain.append(rows[start])
            start += 1
    if plain:
        yield _Zone(plain, [])


def _longest(rows: list[Row], start: int) -> tuple[int, list[tuple[float, float]]]:
    """Where the rows end that share a strip with the row at `start`, and the strips; none if there are no two."""
    if len(rows[start]) < 2:
        return _from_one_side(rows, start)
    strips = _strips(rows[start])
    end, parted = start + 1, 1
    while end < len(rows) and strips:
        row = rows[end] = _split(rows[end], strips)
        kept = _uncrossed(strips, row)
        if not kept or (len(row) == 1 and _is_far(rows, end)):
            break
        strips, end = kept, end + 1
        parted += len(row) > 1
    return (end, strips) if parted > 1 else (start, [])


def _from_one_side(rows: list[Row], start: int) -> tuple[int, list[tuple[float, float]]]:
    """As `_longest`, where the first rows have text in one column only: it begins higher than the other."""
    end = start
    while end < len(rows) and len(rows[end]) == 1 and end - start < 60:
        if end > start and _is_far(rows, end):
            return start, []
        end += 1
    if end >= len(rows) or _is_far(rows, end):
        return start, []
    last, strips = _longest(rows, end)
    if not strips:
        return start, []
    for position in range(end - 1, start - 1, -1):
        split = _split(rows[position], strips)
        kept = _uncrossed(strips, split)
        if not kept:
            return start, []
        rows[position], strips = split, kept
    return (last, strips) if strips else (start, [])


def _strips(row: Row) -> list[tuple[float, float]]:
    found, edge = [], row[0].x1
    for run in row[1:]:
        if run.x0 - edge >= run.size * _GUTTER:
            found.append((edge, run.x0))
        edge = max(edge, run.x1)
    return found[:_MOST_COLUMNS]


def _split(row: Row, strips: list[tuple[float, float]]) -> Row:
    """The row in which runs are cut where a gap of theirs, though narrow, lies in a strip, as in a table's head."""
    pieces: Row = []
    for run in row:
        rest = run
        for x0, x1 in strips:
            if rest.x0 < x0 and rest.x1 > x1 and (place := _gap_in(rest, x0, x1)):
                left, right = rest.pieces[:place], rest.pieces[place:]
                pieces.append(Run(left, rest.x0, max(one.x1 for one in left), rest.y, rest.size, rest.order))
                rest = Run(right, min(one.x0 for one in right), rest.x1, rest.y, rest.size, rest.order)
        pieces.append(rest)
    return pieces


def _gap_in(run: Run, x0: float, x1: float) -> int:
    """Before which character of the run a gap within the strip begins; 0 if there is none."""
    for place, (a, b) in enumerate(zip(run.pieces, run.pieces[1:], strict=False), start=1):
        if b.x0 - a.x1 > run.size * _NARROW_GAP and a.x1 < x1 and b.x0 > x0:
            return place
    return 0


def _uncrossed(strips: list[tuple[float, float]], row: Row) -> list[tuple[float, float]]:
    """What is left of the strips where the runs of a row are taken away."""
    kept = []
    for x0, x1 in strips:
        for run in row:
            if run.x1 <= x0 or run.x0 >= x1:
                continue
            if run.x0 <= x0 and run.x1 >= x1:
                x1 = x0
            elif run.x0 - x0 > x1 - run.x1:
                x1 = run.x0
            else:
                x0 = run.x1
        if x1 - x0 >= row[0].size * _GUTTER:
            kept.append((x0, x1))
    return kept


def _is_far(rows: list[Row], position: int) -> bool:
    """Whether a row is farther from the one above it than lines of a paragraph are."""
    above, here = rows[position - 1][0], rows[position][0]
    return above.y - here.y > _TWICE_AS_FAR * max(above.size, here.size)


# --- prose or table -----------------------------------------------------------------------------------


def _pieces(zone: _Zone, rules: Sequence[Rule]) -> Iterator[tuple[_Zone, _Kind]]:
    """The zone, cut at gaps that go across all columns where what is above and below differs in kind."""
    pieces: list[list[Row]] = [[zone.rows[0]]]
    pitch = _pitch(zone.rows)
    for position, row in enumerate(zone.rows[1:], start=1):
        if zone.rows[position - 1][0].y - row[0].y > pitch * _TWICE_AS_FAR:
            pieces.append([])
        pieces[-1].append(row)
    last = len(pieces) - 1
    cut: list[tuple[_Zone, _Kind]] = []
    for position, piece in enumerate(pieces):
        here = _Zone(piece, zone.gutters)
        kind = _kind(here, rules, 0 < position < last)
        if cut and (joint := _together(cut[-1], (here, kind), pitch)):
            cut[-1] = _Zone(cut[-1][0].rows + piece, zone.gutters), joint
        else:
            cut.append((here, kind))
    if len(cut) == 1:
        yield zone, _kind(zone, rules, False)
    else:
        yield from cut


def _together(above: tuple[_Zone, _Kind], below: tuple[_Zone, _Kind], pitch: float) -> _Kind | None:
    """The kind of two pieces that are one: of the same kind, or a table and a row of it that stands a bit apart."""
    (upper, kind), (lower, other) = above, below
    if kind == other:
        return kind
    if {kind, other} != {"table", "lines"} or upper.rows[-1][0].y - lower.rows[0][0].y > _ROW_APART * pitch:
        return None
    row = (upper if kind == "lines" else lower).rows[0]
    return "table" if len(row) > len(upper.gutters) else None


def _kind(zone: _Zone, rules: Sequence[Rule], inside: bool) -> _Kind:
    """What a zone is; a single row is neither columns nor a table, unless it stands between them."""
    if len(zone.rows) == 1 and not inside and len(_ruled(zone, rules)) < 2:
        return "lines"
    return "table" if _is_table(zone, rules) else "prose"


def _is_table(zone: _Zone, rules: Sequence[Rule]) -> bool:
    if len(_ruled(zone, rules)) >= 2:
        return True
    columns = [_rows(column) for column in zone.columns() if column]
    if len(columns) < 2:
        return False
    shared = sum(len({_side(zone, run) for run in row if _is_level(row[0], run)}) > 1 for row in zone.rows)
    if shared * 2 < min(map(len, columns)):  # the lines of columns that were set one by one stand where they like
        return False
    lines = [[" ".join(run.text for run in row) for row in column] for column in columns]
    prose = [column for column in lines if not _is_count(column)]
    if len(prose) < len(lines) and prose and min(map(_goes_on, prose)) >= _GOES_ON:  # line numbers in the margin
        return False
    words = [statistics.fmean(map(_word_count, column)) for column in lines]
    if _is_drawn_by_columns(zone):
        return max(words) < _WORDS and len(zone.rows) > 1
    if _has_wrapped_rows(zone):
        return True
    return min(words) < _WORDS or statistics.fmean(map(_goes_on, lines)) < _GOES_ON


def _side(zone: _Zone, run: Run) -> int:
    return sum(x0 < run.x0 for x0, _ in zone.gutters)


def _word_count(line: str) -> float:
    """Words; of scripts without spaces, about as many as characters make in others."""
    return max(len(line.split()), sum(ord(character) >= 0x2E80 for character in line) / 2)


def _is_count(lines: Sequence[str]) -> bool:
    """Whether these are whole numbers that rise by the same step."""
    if len(lines) < 3 or not all(line.isdecimal() and len(line) < 6 for line in lines):
        return False
    return len({int(b) - int(a) for a, b in itertools.pairwise(lines)}) == 1 and int(lines[1]) > int(lines[0])


def _goes_on(lines: Sequence[str]) -> float:
    """The share of the lines after the first that continue a sentence of the line before."""
    pairs = list(itertools.pairwise(lines))
    going = sum(
        bool(after) and (after[0].islower() or (_is_uncased(after[0]) and before[-1:] not in _SENTENCE_ENDS))
        for before, after in pairs
    )
    return going / len(pairs) if pairs else 0.0


def _is_uncased(letter: str) -> bool:
    return letter.isalpha() and letter.lower() == letter.upper()


def _is_drawn_by_columns(zone: _Zone) -> bool:
    """Whether the file draws a whole column before the next: text that was set in columns."""
    runs = sorted((run for row in zone.rows for run in row), key=lambda run: run.order)
    sides = [_side(zone, run) for run in runs]
    changes = sum(a != b for a, b in itertools.pairwise(sides))
    return len(zone.rows) > 2 and changes <= len(zone.gutters)


def _has_wrapped_rows(zone: _Zone) -> bool:
    """Whether gaps cut all columns at the same heights, and what stands between them begins anew: wrapped cells."""
    groups = _grouped(zone.rows, _pitch(zone.rows) * _APART)
    if len(groups) < 3:
        return False
    starts = [
        " ".join(run.text for run in column[:1]) for group in groups for column in _Zone(group, zone.gutters).columns()
    ]
    return sum(start[:1].islower() for start in starts) <= len(starts) / 10


def _pitch(rows: Sequence[Row]) -> float:
    """The usual distance of two rows in points: the lower quartile, which wide gaps do not move."""
    steps = sorted(a[0].y - b[0].y for a, b in itertools.pairwise(rows))
    return max(steps[len(steps) // 4], rows[0][0].size * 0.8) if steps else rows[0][0].size


def _grouped(rows: Sequence[Row], apart: float) -> list[list[Row]]:
    groups = [[rows[0]]]
    for row in rows[1:]:
        if groups[-1][-1][0].y - row[0].y > apart:
            groups.append([])
        groups[-1].append(row)
    return groups


def _ruled(zone: _Zone, rules: Sequence[Rule]) -> list[float]:
    """The heights of lines that are drawn across a gutter of the zone, or around it, from the top."""
    top, bottom = zone.rows[0][0].y + zone.rows[0][0].size * 1.5, zone.rows[-1][0].y - zone.rows[-1][0].size * 1.5
    inside = sorted({round(y, 1) for x0, x1, y in rules if bottom < y < top and _crosses(zone, x0, x1)}, reverse=True)
    return [y for position, y in enumerate(inside) if position == 0 or inside[position - 1] - y > 3]


def _crosses(zone: _Zone, x0: float, x1: float) -> bool:
    """Whether a line from `x0` to `x1` crosses a gutter, or ends in one as the edge of a cell does."""
    return any(x0 < right and x1 > left for left, right in zone.gutters)


# --- what it becomes ------------------------------------------------------------------------------------


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


def _titled_table(zone: _Zone, rules: Sequence[Rule]) -> Iterator[str]:
    """The table, after the lines above it that are no rows of it."""
    first = next(position for position, row in enumerate(zone.rows) if len(row) > 1)
    if first:
        yield _lines(zone.rows[:first])
    last = len(zone.rows)
    while last > first and len(zone.rows[last - 1]) == 1 and _side(zone, zone.rows[last - 1][0]) == 0:
        last -= 1
    yield _table(_Zone(zone.rows[first:last], zone.gutters), rules)
    if last < len(zone.rows):
        yield _lines(zone.rows[last:])


def _table(zone: _Zone, rules: Sequence[Rule]) -> str:
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


def _table_rows(zone: _Zone, lines: list[list[str]], rules: Sequence[Rule]) -> list[list[list[str]]]:
    """The lines of each row of the table."""
    ruled = _ruled(zone, rules)
    places = [row[0].y for row in zone.rows]
    if len(ruled) >= 3:
        keys = [sum(rule > place for rule in ruled) for place in places]
    elif _has_wrapped_rows(zone):
        apart = _pitch(zone.rows) * _APART
        keys = [0]
        for above, place in itertools.pairwise(places):
            keys.append(keys[-1] + (above - place > apart))
    elif _is_drawn_by_columns(zone):
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


def _by_drawing(zone: _Zone) -> list[int]:
    """A number per row of runs, the same where all runs continue a cell that the file drew just before them."""
    keys = [0]
    for above, row in itertools.pairwise(zone.rows):
        before = {(run.order, _side(zone, run)) for run in above}
        continued = all((run.order - 1, _side(zone, run)) in before for run in row)
        keys.append(keys[-1] + (not continued))
    return keys
