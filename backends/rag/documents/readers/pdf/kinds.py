"""Whether a zone is columns of prose, which are read one after another, or a table, whose rows stay together.

What tells them apart: lines drawn between rows, the order in which the file draws the runs, and whether lines go on in
the next line.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import Literal

from backends.rag.documents.readers.pdf.records import records
from backends.rag.documents.readers.pdf.ruling import Rule
from backends.rag.documents.readers.pdf.runs import Row, is_level, rows_of
from backends.rag.documents.readers.pdf.zones import TWICE_AS_FAR, Zone, side

Kind = Literal["prose", "table", "lines"]

APART = 1.35
"""In line heights: rows farther apart than this are two rows of a table and not one wrapped line."""

_ROW_APART = 3.5
"""In line heights: the head of a table is no farther from its rows."""

_GOES_ON = 0.4
"""Share of the lines of prose that begin in the middle of a sentence; of the cells of a table, few do."""

_WORDS = 2.2
"""Words on a line of a column of prose, on average; cells have fewer."""

_TEXT_WORDS = 5.0
"""Words on a line of a text that has notes beside it."""

_SENTENCE_ENDS = ".!?:;。！？؟۔"


def pieces_of(zone: Zone, rules: Sequence[Rule]) -> Iterator[tuple[Zone, Kind]]:
    """The zone, cut at gaps that go across all columns where what is above and below differs in kind."""
    pieces: list[list[Row]] = [[zone.rows[0]]]
    pitch = pitch_of(zone.rows)
    for position, row in enumerate(zone.rows[1:], start=1):
        if zone.rows[position - 1][0].y - row[0].y > pitch * TWICE_AS_FAR:
            pieces.append([])
        pieces[-1].append(row)
    last = len(pieces) - 1
    cut: list[tuple[Zone, Kind]] = []
    for position, piece in enumerate(pieces):
        here = Zone(piece, zone.gutters)
        kind = _kind(here, rules, 0 < position < last)
        if cut and (joint := _together(cut[-1], (here, kind), pitch)):
            cut[-1] = Zone(cut[-1][0].rows + piece, zone.gutters), joint
        else:
            cut.append((here, kind))
    if len(cut) == 1:
        yield zone, _kind(zone, rules, False)
    else:
        yield from cut


def _together(above: tuple[Zone, Kind], below: tuple[Zone, Kind], pitch: float) -> Kind | None:
    """The kind of two pieces that are one: of the same kind, or a table and a row of it that stands a bit apart."""
    (upper, kind), (lower, other) = above, below
    if kind == other:
        return kind
    if {kind, other} != {"table", "lines"} or upper.rows[-1][0].y - lower.rows[0][0].y > _ROW_APART * pitch:
        return None
    row = (upper if kind == "lines" else lower).rows[0]
    return "table" if len(row) > len(upper.gutters) else None


def _kind(zone: Zone, rules: Sequence[Rule], inside: bool) -> Kind:
    """What a zone is; a single row is neither columns nor a table, unless it stands between them."""
    if len(zone.rows) == 1 and not inside and len(rules_across(zone, rules)) < 2:
        return "lines"
    return "table" if _is_table(zone, rules) else "prose"


def _is_table(zone: Zone, rules: Sequence[Rule]) -> bool:
    if any(run.is_mark for row in zone.rows for run in row):
        return False
    if len(rules_across(zone, rules)) >= 2:
        return True
    columns = [rows_of(column) for column in zone.columns() if column]
    if len(columns) < 2:
        return False
    shared = sum(len({side(zone, run) for run in row if is_level(row[0], run)}) > 1 for row in zone.rows)
    lines = [[" ".join(run.text for run in row) for row in column] for column in columns]
    words = [statistics.fmean(map(_word_count, column)) for column in lines]
    if shared * 2 < min(map(len, columns)) and not (min(words) < _WORDS and _is_drawn_by_rows(zone)):
        return False  # the lines of columns that were set one by one stand where they like
    prose = [column for column in lines if not _is_count(column)]
    if len(prose) < len(lines) and prose and min(map(goes_on, prose)) >= _GOES_ON:  # line numbers in the margin
        return False
    if _is_beside_notes(zone, words):
        return False
    if is_drawn_by_columns(zone):
        return max(words) < _WORDS and len(zone.rows) > 1
    if has_wrapped_rows(zone):
        return True
    return min(words) < _WORDS or statistics.fmean(map(goes_on, lines)) < _GOES_ON


def _is_beside_notes(zone: Zone, words: Sequence[float]) -> bool:
    """Whether one of two columns holds notes beside a text, which is in the middle of a sentence where they stand."""
    if len(words) != 2 or max(words) < _TEXT_WORDS:
        return False
    text = words.index(max(words))
    keys = records(zone.rows, lambda run: side(zone, run))
    firsts = [row for place, row in enumerate(zone.rows) if place == 0 or keys[place] != keys[place - 1]]
    noted = [row for row in firsts[1:] if len({side(zone, run) for run in row}) > 1]
    starts = [next(run.text[:1] for run in row if side(zone, run) == text) for row in noted]
    return sum(map(str.islower, starts)) >= max(_GOES_ON * len(starts), 2)


def _word_count(line: str) -> float:
    """Words; of scripts without spaces, about as many as characters make in others."""
    return max(len(line.split()), sum(ord(character) >= 0x2E80 for character in line) / 2)


def _is_count(lines: Sequence[str]) -> bool:
    """Whether these are whole numbers that rise by the same step."""
    if len(lines) < 3 or not all(line.isdecimal() and len(line) < 6 for line in lines):
        return False
    return len({int(b) - int(a) for a, b in itertools.pairwise(lines)}) == 1 and int(lines[1]) > int(lines[0])


def goes_on(lines: Sequence[str]) -> float:
    """The share of the lines after the first that continue a sentence of the line before."""
    pairs = list(itertools.pairwise(lines))
    going = sum(
        bool(after) and (after[0].islower() or (_is_uncased(after[0]) and before[-1:] not in _SENTENCE_ENDS))
        for before, after in pairs
    )
    return going / len(pairs) if pairs else 0.0


def _is_uncased(letter: str) -> bool:
    return letter.isalpha() and letter.lower() == letter.upper()


def is_drawn_by_columns(zone: Zone) -> bool:
    """Whether the file draws a whole column before the next: text that was set in columns."""
    return len(zone.rows) > 2 and _changes_of_side(zone) <= len(zone.gutters)


def _is_drawn_by_rows(zone: Zone) -> bool:
    """Whether what the file draws next stands in another column, more often than not."""
    return _changes_of_side(zone) * 2 >= sum(map(len, zone.rows))


def _changes_of_side(zone: Zone) -> int:
    runs = sorted((run for row in zone.rows for run in row), key=lambda run: run.order)
    sides = [side(zone, run) for run in runs]
    return sum(a != b for a, b in itertools.pairwise(sides))


def has_wrapped_rows(zone: Zone) -> bool:
    """Whether gaps cut all columns at the same heights, and what stands between them begins anew: wrapped cells."""
    groups = _grouped(zone.rows, pitch_of(zone.rows) * APART)
    if len(groups) < 3:
        return False
    starts = [
        " ".join(run.text for run in column[:1]) for group in groups for column in Zone(group, zone.gutters).columns()
    ]
    return sum(start[:1].islower() for start in starts) <= len(starts) / 10


def pitch_of(rows: Sequence[Row]) -> float:
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


def rules_across(zone: Zone, rules: Sequence[Rule]) -> list[float]:
    """The heights of lines that are drawn across a gutter of the zone, or around it, from the top."""
    top, bottom = zone.rows[0][0].y + zone.rows[0][0].size * 1.5, zone.rows[-1][0].y - zone.rows[-1][0].size * 1.5
    inside = sorted({round(y, 1) for x0, x1, y in rules if bottom < y < top and _crosses(zone, x0, x1)}, reverse=True)
    return [y for position, y in enumerate(inside) if position == 0 or inside[position - 1] - y > 3]


def _crosses(zone: Zone, x0: float, x1: float) -> bool:
    """Whether a line from `x0` to `x1` crosses a gutter, or ends in one as the edge of a cell does."""
    return any(x0 < right and x1 > left for left, right in zone.gutters)
