"""Which lines of a table are one row of it: the lines of a cell follow each other in the file."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence

from backends.rag.documents.readers.pdf.runs import Row, Run

_NEXT_LINE = 1.7
"""In font sizes: the next line of a cell is no farther below."""

_CLOSER = 0.9
"""Lines of a cell are closer than this share of the usual distance of two rows, where nothing else tells them apart."""

Column = Callable[[Run], int]


def links(rows: Sequence[Row], column: Column) -> Iterator[tuple[int, int, Run, Run]]:
    """Runs that the file draws one after the other in one column, with the places of their rows, from the top."""
    last: dict[int, tuple[int, Run]] = {}
    for place, row in enumerate(rows):
        for run in row:
            here = column(run)
            if here in last and last[here][1].is_followed_by(run):
                yield last[here][0], place, last[here][1], run
            last[here] = place, run


def records(rows: Sequence[Row], column: Column, ruled: Sequence[float] = ()) -> list[int]:
    """A number per line, the same for lines of one row of the table. `ruled`: the heights of lines between rows."""
    apart = [_between(upper, lower, ruled) for upper, lower in itertools.pairwise(rows)]
    found = [one for one in links(rows, column) if one[0] < one[1] and not any(apart[one[0] : one[1]])]
    linked = {place for upper, lower, *_ in found for place in range(upper, lower)}
    steps = [a[0].y - b[0].y for place, (a, b) in enumerate(itertools.pairwise(rows)) if place not in linked]
    usual = statistics.median(steps) if steps else 0.0
    joined: set[int] = set()
    for upper, lower, before, after in found:
        if not is_next_line(before, after):
            continue
        is_begun = upper - 1 in joined or len({column(run) for run in rows[upper]}) > 1
        is_first = len({column(run) for run in rows[lower]}) > 1 or column(after) == 0
        if not is_begun and is_first and lower == upper + 1 and usual and before.y - after.y >= _CLOSER * usual:
            continue
        joined |= set(range(upper, lower))
    keys = [0]
    for place in range(len(rows) - 1):
        keys.append(keys[-1] + (place not in joined))
    return _by_bands(rows, keys, column, ruled, bool(found)) if len(ruled) >= 4 else keys


def is_next_line(before: Run, after: Run) -> bool:
    """Whether a run stands no farther below another one than the lines of a cell do."""
    return before.y - after.y <= _NEXT_LINE * max(before.size, after.size)


def _between(upper: Row, lower: Row, ruled: Sequence[float]) -> bool:
    return any(lower[0].y + lower[0].size * 0.3 < y < upper[0].y + upper[0].size * 0.3 for y in ruled)


def _by_bands(
    rows: Sequence[Row], keys: Sequence[int], column: Column, ruled: Sequence[float], is_linked: bool
) -> list[int]:
    """The numbers with all lines between two drawn lines made one row, unless several rows are there.

    `is_linked`: whether the order of the file says which lines are one cell.
    """
    bands = [sum(y > row[0].y for y in ruled) for row in rows]
    most = max(len({column(run) for run in row}) for row in rows)
    short = not is_linked and len(rows) <= 2 * len(set(bands))
    numbered: list[tuple[int, int]] = []
    for band, group in itertools.groupby(range(len(rows)), key=lambda place: bands[place]):
        places = list(group)
        wide = {
            key
            for key, same in itertools.groupby(places, key=lambda place: keys[place])
            if len({column(run) for place in same for run in rows[place]}) > 1
        }
        full = sum(len({column(run) for run in rows[place]}) == most for place in places)
        is_one = full < 2 if short else len(wide) < 2
        numbered += [(band, 0 if is_one else keys[place]) for place in places]
    return list(itertools.accumulate((a != b for a, b in itertools.pairwise(numbered)), initial=0))
