"""Text that was set in columns, told from tables by the order of the file: it draws a column before the next one."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Sequence

from backends.rag.documents.readers.pdf.kinds import goes_on, rules_across
from backends.rag.documents.readers.pdf.records import links
from backends.rag.documents.readers.pdf.ruling import Rule
from backends.rag.documents.readers.pdf.runs import Row, rows_of
from backends.rag.documents.readers.pdf.zones import Zone, side

_FEW_LINES = 3
"""So many lines in each of two columns make text in columns."""

_WORDS = 2.2
"""Words on a line of text in columns, on average."""

_MANY_ROWS = 3

_CLOSE = 1.8
"""In font sizes: the lines above and below a row of a table are no farther from its text."""

_LONGEST_CELL = 14
"""Lines of a cell; what has more in every column is text in columns."""

_ENDS = (".", "!", "?", ":", ";", "。", "！", "？", "؟", "۔", ")", "”", '"')
_NUMBER = re.compile(r"(?:§ ?)?\(?(?:\d{1,3}(?:\.\d{1,3}){0,4}|[A-Za-z]|[ivxIVX]{1,5})[.)]?|[•▪◦‣·●○■□–—*-]")
"""What stands in front of a clause: 4.2, (a), § 7."""


def flows_of(zone: Zone, rules: Sequence[Rule]) -> list[tuple[Zone, bool]]:
    """The zone in parts, each with whether it is text in columns; none if no part of it is known to be that."""
    parts = _unbroken(zone)
    flowing = [_flows(Zone(part, zone.gutters)) for part in parts]
    ruled = rules_across(zone, rules)
    if ruled:
        flowing = [flows and not _is_ruled(part, ruled) for part, flows in zip(parts, flowing, strict=True)]
    if not any(flowing):
        return []
    if len(parts) > 1:
        many = sum(flowing) >= _MANY_ROWS
        whole = [flows and _is_row(Zone(part, zone.gutters), many) for part, flows in zip(parts, flowing, strict=True)]
        wide = [len(part[0]) > 1 for part in parts]
        for place, row in enumerate(whole):
            beside = whole[max(place - 1, 0) : place + 2].count(True) > 1
            near = any(wide[at] and not flowing[at] for at in (place - 1, place + 1) if 0 <= at < len(parts))
            flowing[place] &= not (row and (beside or near))
    if not any(flowing):
        return []
    joined: list[tuple[Zone, bool]] = []
    for part, flows in zip(parts, flowing, strict=True):
        if joined and joined[-1][1] == flows and not flows:
            joined[-1][0].rows.extend(part)
        else:
            joined.append((Zone(list(part), zone.gutters), flows))
    return joined


def _is_ruled(part: Sequence[Row], ruled: Sequence[float]) -> bool:
    """Whether a line is drawn close above these lines, and one close below them."""
    first, last = part[0][0], part[-1][0]
    above = any(0.3 * first.size < y - first.y < _CLOSE * first.size for y in ruled)
    return above and any(0 < last.y - y < _CLOSE * last.size for y in ruled)


def _unbroken(zone: Zone) -> list[list[Row]]:
    """The rows, cut where no column goes on in the file from the row above to the row below."""
    going: set[int] = set()
    for upper, lower, *_ in links(zone.rows, lambda run: side(zone, run)):
        going |= set(range(upper, lower))
    parts = [[zone.rows[0]]]
    for place, row in enumerate(zone.rows[1:]):
        if place not in going:
            parts.append([])
        parts[-1].append(row)
    return parts


def _flows(zone: Zone) -> bool:
    """Whether two columns or more have several lines each, of several words, that follow each other in the file."""
    if len(zone.rows) < _FEW_LINES:
        return False
    columns = [column for column in zone.columns() if column]
    long = [column for column in columns if len(rows_of(column)) >= _FEW_LINES]
    if len(long) < 2:
        return False
    following = [sum(a.is_followed_by(b) for a, b in itertools.pairwise(column)) / (len(column) - 1) for column in long]
    words = [len(" ".join(run.text for run in column).split()) / len(rows_of(column)) for column in long]
    return min(following) >= 0.7 and statistics.fmean(words) >= _WORDS


def _is_row(zone: Zone, is_one_of_many: bool) -> bool:
    """Whether this may be a row of a table with long cells: each begins and ends as a text of its own.

    `is_one_of_many`: that they begin so is enough, for text in columns would not do that time and again.
    """
    columns = [column for column in zone.columns() if column]
    if min(len(rows_of(column)) for column in columns) > _LONGEST_CELL or any(
        run.is_mark for column in columns for run in column
    ):
        return False
    starts = [column[0].text[:1] for column in columns]
    ends = [column[-1].text[-1:] in _ENDS for column in columns if len(rows_of(column)) > 1]
    return not any(map(str.islower, starts)) and (is_one_of_many or all(ends) or not any(ends))


def is_hanging(zone: Zone, rules: Sequence[Rule]) -> bool:
    """Whether these are clauses whose numbers stand in a column of their own beside the text."""
    if len(zone.gutters) != 1 or len(rules_across(zone, rules)) > 2:
        return False
    numbers, texts = zone.columns()
    if not numbers or not all(len(run.pieces) <= 9 and _NUMBER.fullmatch(run.text) for run in numbers):
        return False
    lines = [" ".join(run.text for run in row) for row in rows_of(texts)]
    words = statistics.fmean(len(line.split()) for line in lines) if lines else 0.0
    return words >= _WORDS and len(lines) > len(numbers) and goes_on(lines) >= 0.3
