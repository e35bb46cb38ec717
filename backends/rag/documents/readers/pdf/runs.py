"""The runs of text of a page, and the rows that they stand in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from backends.rag.documents.readers.pdf.characters import Piece
from backends.rag.documents.readers.pdf.direction import SMALLER, has_right_to_left, line_text

_SPLIT = 1.2
"""In font sizes: a wider gap parts two runs; a space between justified words stays below it."""

_LEADER_GAP = 2.5
"""In font sizes: dots that lead from one text to another stand no farther from each other and from the texts."""

_SAME_LINE = 0.35
"""In font sizes: baselines nearer than this are one line; an exponent is raised by about a third."""

_SCRIPT = 0.6
"""In font sizes: a smaller letter or digit that touches the one before it is raised or lowered by no more than this."""

_LESS_THAN_A_LINE = 0.75
"""In font sizes: the distance of two lines of a paragraph is larger."""

_MARKER_GAP = 4.0
"""In font sizes: a bullet or number is no farther than this from the text of its list item."""

_MARKER = re.compile(r"[•▪◦‣·●○■□–—*-]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)]")
"""What stands in front of a list item."""


FIRST_MARK = 0x100000
"""Characters from here on, for private use, stand for tables: none comes from a file, where they are unknown ones."""


@dataclass(slots=True)
class Run:
    """Characters on one baseline without a wide gap; lengths are in points.

    `order`: the place of its first piece in the file, counted in pieces.
    """

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

    @property
    def is_mark(self) -> bool:
        """Whether it stands for a table that was taken out of the page."""
        return ord(self.pieces[0].text[0]) >= FIRST_MARK

    def is_followed_by(self, other: Run) -> bool:
        """Whether the file draws the other one next."""
        return other.order == self.order + len(self.pieces)

    def cut(self, place: int) -> tuple[Run, Run]:
        """The run in two, the second of which begins with the piece at `place`."""
        left, right = self.pieces[:place], self.pieces[place:]
        return (
            Run(left, self.x0, max(one.x1 for one in left), self.y, self.size, self.order),
            Run(right, min(one.x0 for one in right), self.x1, self.y, self.size, self.order + place),
        )


Row = list[Run]
"""Runs on one baseline, from left to right."""


def runs_of(pieces: Iterable[Piece]) -> list[Run]:
    """The pieces, joined where no wide gap parts them, in the order of the file."""
    runs: list[Run] = []
    for place, one in enumerate(pieces):
        run = runs[-1] if runs else None
        if run is not None and _continues(run, one):
            run.pieces.append(one)
            run.x0, run.x1 = min(run.x0, one.x0), max(run.x1, one.x1)
            if one.size > run.size * 1.2:
                run.size, run.y = one.size, one.y
        else:
            runs.append(Run([one], one.x0, one.x1, one.y, one.size, place))
    return runs


def _continues(run: Run, one: Piece) -> bool:
    size = max(run.size, one.size)
    if abs(one.y - run.y) > size * _SAME_LINE:
        return _is_script(run, one)
    gap = max(one.x0 - run.x1, run.x0 - one.x1)
    if gap <= min(run.size, one.size) * _SPLIT or gap <= size * 0.3:
        return True
    return gap <= size * _LEADER_GAP and (is_leader(run.pieces[-1]) or is_leader(one))


def is_leader(one: Piece) -> bool:
    """Whether these are dots that lead from a name to its page or price."""
    return not one.text.strip(".…·")


def _is_script(run: Run, one: Piece) -> bool:
    """Whether a piece is an exponent or index of what the run ends with, farther from its baseline than most."""
    return (
        not one.spaced
        and one.size < run.size * SMALLER
        and abs(one.y - run.y) <= run.size * _SCRIPT
        and abs(one.x0 - run.pieces[-1].x1) <= one.size * 0.15
    )


def rows_of(runs: Iterable[Run]) -> list[Row]:
    """Runs by their baselines, from the top; a run beside the row above, that stands a bit lower, belongs to it."""
    rows: list[Row] = []
    for run in sorted(runs, key=lambda run: -run.y):
        if rows and (is_level(rows[-1][0], run) or _is_beside(rows[-1], run)):
            rows[-1].append(run)
        else:
            rows.append([run])
    return [_with_markers(_by_place(row)) for row in rows]


def is_level(first: Run, other: Run) -> bool:
    """Whether two runs stand on one line; the first one is not the lower."""
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
    return [replace(run, order=first + run.order) for run in runs_of(placed)]


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
