"""The zones of a page: consecutive rows that empty strips part into columns, and the rows between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backends.rag.documents.readers.pdf.runs import Row, Run

GUTTER = 0.8
"""In font sizes: an empty strip narrower than this parts no columns."""

TWICE_AS_FAR = 2.0

_LEADING = 1.3
"""In font sizes: the lines of a paragraph are no farther apart than this."""

_MOST_COLUMNS = 100

_LOOKED_AT = 4
"""Rows above or below a place that are looked at to see whether another table begins there."""

_LARGER = 1.08
"""A title is set in letters that are larger by this factor."""

_ALIGNED = 2.0
"""In points: texts of one column begin, end, or have their middle within this."""

NARROW_GAP = 0.45
"""In font sizes: a gap between words that is wider than a space."""


@dataclass(slots=True)
class Zone:
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


def side(zone: Zone, run: Run) -> int:
    """The column of the zone in which the run begins, from 0."""
    return sum(x0 < run.x0 for x0, _ in zone.gutters)


def zones_of(rows: list[Row]) -> Iterator[Zone]:
    """The rows in runs that share an empty strip, and the rows between them."""
    plain: list[Row] = []
    start = 0
    while start < len(rows):
        end, gutters = _longest(rows, start)
        if gutters:
            if plain:
                yield Zone(plain, [])
                plain = []
            yield Zone(rows[start:end], gutters)
            start = end
        else:
            plain.append(rows[start])
            start += 1
    if plain:
        yield Zone(plain, [])


def _longest(rows: list[Row], start: int) -> tuple[int, list[tuple[float, float]]]:
    """Where the rows end that share a strip with the row at `start`, and the strips; none if there are no two."""
    if len(rows[start]) < 2:
        return _from_one_side(rows, start)
    strips = _strips(rows[start])
    edges = _Edges(rows[start])
    end, parted = start + 1, 1
    while end < len(rows) and strips:
        row = rows[end] = _split(rows[end], strips)
        kept = _uncrossed(strips, row)
        if not kept or (len(row) == 1 and _is_far(rows, end)):
            break
        if parted > 1 and not _goes_on(rows, end):
            if len(kept) < len(strips) and _begins_anew(rows, end, len(kept)):
                break
            if _is_title(rows, start, end):
                break
        strips, end = edges.widened(row, kept), end + 1
        parted += len(row) > 1
    strips = edges.trusted(strips, rows[start:end])
    return (end, strips) if parted > 1 and strips else (start, [])


class _Edges:
    """How far the rows of a zone reach; a row with text farther out shows a strip that the rows above could not."""

    def __init__(self, row: Row) -> None:
        self._left, self._right = row[0].x0, max(run.x1 for run in row)
        self._added: list[tuple[float, float]] = []

    def widened(self, row: Row, strips: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """The strips with those between the rows above and text of this row that stands beside all of them."""
        least = row[0].size * GUTTER
        beyond_left = [run.x1 for run in row if run.x1 < self._left - least]
        beyond_right = [run.x0 for run in row if run.x0 > self._right + least]
        if beyond_left:
            strips = [(max(beyond_left), self._left), *strips]
            self._added.append(strips[0])
        if beyond_right and len(strips) < _MOST_COLUMNS:
            strips = [*strips, (self._right, min(beyond_right))]
            self._added.append(strips[-1])
        self._left = min(self._left, row[0].x0)
        self._right = max(self._right, *(run.x1 for run in row))
        return strips

    def trusted(self, strips: list[tuple[float, float]], rows: list[Row]) -> list[tuple[float, float]]:
        """The strips without those that a single row showed."""
        return [strip for strip in strips if not self._is_added(strip) or _beside(strip, rows) > 1]

    def _is_added(self, strip: tuple[float, float]) -> bool:
        return any(x0 <= strip[0] and strip[1] <= x1 for x0, x1 in self._added)


def _beside(strip: tuple[float, float], rows: list[Row]) -> int:
    """In how many rows text stands on the side of a strip where fewer rows have some."""
    left = sum(any(run.x1 <= strip[0] for run in row) for row in rows)
    right = sum(any(run.x0 >= strip[1] for run in row) for row in rows)
    return min(left, right)


def _goes_on(rows: list[Row], place: int) -> bool:
    """Whether the file draws a run of a row right after one that stands above it, as in a column of text."""
    return any(
        before.is_followed_by(run) and before.x0 < run.x1 and before.x1 > run.x0
        for row in rows[max(0, place - _LOOKED_AT) : place]
        for before in row
        for run in rows[place]
    )


def _begins_anew(rows: list[Row], start: int, kept: int) -> bool:
    """Whether the rows from `start` on share more strips than are kept of those above: another table begins there."""
    if start + 1 >= len(rows) or len(rows[start]) < 2 or len(rows[start + 1]) < 2:
        return False
    strips = _strips(rows[start])
    for row in rows[start + 1 : start + _LOOKED_AT]:
        if len(row) < 2 or not (still := _uncrossed(strips, row)):
            break
        strips = still
    return len(strips) > kept


def _is_title(rows: list[Row], start: int, place: int) -> bool:
    """Whether a row between those of a table is the title of another one, whose columns stand elsewhere."""
    if len(rows[place]) > 1 or place + 1 >= len(rows) or len(rows[place + 1]) < 2:
        return False
    above = [row for row in rows[max(start, place - _LOOKED_AT) : place] if len(row) > 1]
    title, below = rows[place][0], rows[place + 1]
    if above and title.size > _LARGER * max(run.size for run in below) and len(below) > max(map(len, above)):
        return True
    edges = [(run.x0, run.x1) for row in above for run in row]
    return bool(edges) and not any(
        abs(run.x0 - x0) < _ALIGNED or abs(run.x1 - x1) < _ALIGNED or abs(run.x0 + run.x1 - x0 - x1) < 2 * _ALIGNED
        for run in below[1:]
        for x0, x1 in edges
    )


def _from_one_side(rows: list[Row], start: int) -> tuple[int, list[tuple[float, float]]]:
    """As `_longest`, where the first rows have text in one column only: it begins higher than the other."""
    if start and _ends_paragraph(rows[start - 1], rows[start]):
        return start, []
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


def _ends_paragraph(above: Row, row: Row) -> bool:
    """Whether a row is the next line of the paragraph above it, which is wider."""
    last, here = above[-1], row[0]
    return (
        last.is_followed_by(here)
        and last.y - here.y <= _LEADING * min(last.size, here.size)
        and abs(last.size - here.size) < 0.1 * here.size
        and here.x1 < last.x1
    )


def _strips(row: Row) -> list[tuple[float, float]]:
    found, edge = [], row[0].x1
    for run in row[1:]:
        if run.x0 - edge >= run.size * GUTTER:
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
                left, rest = rest.cut(place)
                pieces.append(left)
        pieces.append(rest)
    return pieces


def _gap_in(run: Run, x0: float, x1: float) -> int:
    """Before which character of the run a gap within the strip begins; 0 if there is none."""
    for place, (a, b) in enumerate(zip(run.pieces, run.pieces[1:], strict=False), start=1):
        if b.x0 - a.x1 > run.size * NARROW_GAP and a.x1 < x1 and b.x0 > x0:
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
        if x1 - x0 >= row[0].size * GUTTER:
            kept.append((x0, x1))
    return kept


def _is_far(rows: list[Row], position: int) -> bool:
    """Whether a row is farther from the one above it than lines of a paragraph are."""
    above, here = rows[position - 1][0], rows[position][0]
    return above.y - here.y > TWICE_AS_FAR * max(above.size, here.size)
