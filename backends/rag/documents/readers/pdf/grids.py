"""Tables whose cells have borders: what is drawn around them says what is a cell, a row and a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backends.rag.documents.readers.pdf.ruling import Lines, Rule

_NEAR = 3.0
"""In points: lines nearer than this meet, or are the two sides of one border."""

_SAME_LEVEL = 1.5
"""In points: pieces of one line differ by less than this in their level."""

_MOST_LINES = 400
"""In each direction on a page; of more of them the longest are looked at."""

_MOST_CELLS = 20_000


@dataclass(slots=True)
class Grid:
    """Cells between lines: `xs` are the edges of columns from the left, `ys` those of rows from the top, in points.

    `cells`: for each row and column the number of the cell that is there; merged cells have the same number.
    """

    xs: list[float]
    ys: list[float]
    cells: list[list[int]]

    def place(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of a point; None if it is outside."""
        if not (self.xs[0] <= x <= self.xs[-1] and self.ys[-1] <= y <= self.ys[0]):
            return None
        row = sum(y < level for level in self.ys[1:-1])
        return row, sum(x > level for level in self.xs[1:-1])


@dataclass(slots=True)
class _Group:
    """Lines that meet."""

    across: list[Rule] = field(default_factory=list)
    up: list[Rule] = field(default_factory=list)


def grids_of(lines: Lines) -> Iterator[Grid]:
    """The grids of at least two rows and two columns that lines form."""
    if len(lines.across) < 2 or not lines.up:
        return
    for group in _meeting(_whole(lines.across), _whole(lines.up)):
        xs = _levels([x for _, _, x in group.up], [end for a, b, _ in group.across for end in (a, b)])
        ys = _levels([y for _, _, y in group.across], [end for a, b, _ in group.up for end in (a, b)])[::-1]
        rows, columns = len(ys) - 1, len(xs) - 1
        if rows >= 2 and columns >= 2 and rows * columns <= _MOST_CELLS:
            yield Grid(xs, ys, _cells(group, xs, ys))


def _whole(rules: Sequence[Rule]) -> list[Rule]:
    """The lines, of which each may be drawn in pieces."""
    whole: list[Rule] = []
    level: list[Rule] = []
    for rule in sorted(rules, key=lambda one: one[2]):
        if level and rule[2] - level[0][2] > _SAME_LEVEL:
            whole += _joined(level)
            level = []
        level.append(rule)
    whole += _joined(level)
    return sorted(whole, key=lambda one: one[0] - one[1])[:_MOST_LINES]


def _joined(level: Sequence[Rule]) -> list[Rule]:
    joined: list[Rule] = []
    for start, end, at in sorted(level):
        if joined and start <= joined[-1][1] + _NEAR:
            joined[-1] = joined[-1][0], max(joined[-1][1], end), joined[-1][2]
        else:
            joined.append((start, end, at))
    return joined


def _meeting(across: Sequence[Rule], up: Sequence[Rule]) -> list[_Group]:
    """The lines in groups that hang together."""
    parents = list(range(len(across) + len(up)))
    for place, (x0, x1, y) in enumerate(across):
        for other, (y0, y1, x) in enumerate(up, start=len(across)):
            if x0 - _NEAR <= x <= x1 + _NEAR and y0 - _NEAR <= y <= y1 + _NEAR:
                parents[_root(parents, place)] = _root(parents, other)
    groups: dict[int, _Group] = {}
    for place, rule in enumerate([*across, *up]):
        group = groups.setdefault(_root(parents, place), _Group())
        (group.across if place < len(across) else group.up).append(rule)
    return [group for group in groups.values() if len(group.across) > 1 and group.up]


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place


def _levels(drawn: Sequence[float], ends: Sequence[float]) -> list[float]:
    """The levels of lines, ascending, with the outermost ends of those that cross them."""
    levels: list[float] = []
    for level in sorted([*drawn, min(ends), max(ends)]):
        if not levels or level - levels[-1] > _NEAR:
            levels.append(level)
    return levels


def _cells(group: _Group, xs: Sequence[float], ys: Sequence[float]) -> list[list[int]]:
    rows, columns = len(ys) - 1, len(xs) - 1
    right, below = set(), set()
    for y0, y1, x in group.up:
        column = min(range(columns + 1), key=lambda place: abs(xs[place] - x))
        right |= {(row, column - 1) for row in range(rows) if y0 <= (ys[row] + ys[row + 1]) / 2 <= y1}
    for x0, x1, y in group.across:
        row = min(range(rows + 1), key=lambda place: abs(ys[place] - y))
        below |= {(row - 1, column) for column in range(columns) if x0 <= (xs[column] + xs[column + 1]) / 2 <= x1}
    parents = list(range(rows * columns))
    for row in range(rows):
        for column in range(columns):
            here = row * columns + column
            if column + 1 < columns and (row, column) not in right:
                parents[_root(parents, here + 1)] = _root(parents, here)
            if row + 1 < rows and (row, column) not in below:
                parents[_root(parents, here + columns)] = _root(parents, here)
    return [[_root(parents, row * columns + column) for column in range(columns)] for row in range(rows)]
