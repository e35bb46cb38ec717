"""Tables that are longer than a chunk: which rows are their head, so that it can go with every piece.

Tables are those of CSV files and those that stand in a text as Markdown, whatever format they came from. The head is
the first row and, where it groups columns or the next row holds nothing but units, up to two more.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from backends.base import Passage
from backends.terms import is_unit

_ROW_CHARACTERS = 1_000
"""A longer head row is cut: it is kept with every chunk below it."""

_MOST_HEAD_ROWS = 3
_LOOKED_AT = 12
"""Rows of a table that are looked at to find its head."""

_RULE = re.compile(r"[ \t]*+\|?+[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?+[ \t]*+")
_SEPARATORS = ",;\t|"
_LABEL_NUMBER = re.compile(r"(?:19|20)\d\d|[A-Za-z]{1,2}\d")
"""Years and the like (Q1, H2), which are names of columns although they have digits."""

_BRACKETS = re.compile(r"[(\[].{1,12}[)\]]")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class TableHead:
    """The head of a table: its rows as they are written, where they begin and end, and where the table ends."""

    start: int
    end: int
    table_end: int
    text: str


def table_heads(text: str, format: str) -> list[TableHead]:
    """The tables of a page in their order; of a CSV file, which is one table, that one. Offsets are in `text`."""
    if format == "csv":
        return list(_csv_head(text))
    return [] if format in ("code", "jsonl") or "-" not in text else list(_markdown_heads(text))


def head_at(tables: Sequence[TableHead], offset: int) -> str:
    """The head of the table in the middle of which an offset lies; "" if it lies in none, or in front of the head."""
    place = bisect_right(tables, offset, key=attrgetter("start")) - 1
    if place < 0 or offset >= tables[place].table_end or offset == tables[place].start:
        return ""
    return tables[place].text


def join_heading(path: str, head: str) -> str:
    """A path of headings and the head of a table as one text, which `parts_of` takes apart."""
    return f"{path}\n{head}" if head else path


def parts_of(heading: str) -> tuple[str, str]:
    """The path of headings, and the head rows of the table, each "" if there is none."""
    path, _, head = heading.partition("\n")
    return path, head


def shown_heading(heading: str) -> str:
    """A heading in one line."""
    return " > ".join(filter(None, heading.split("\n")))


def columns_in_words(head: str) -> str:
    """Head rows as they are searched: without the signs of Markdown."""
    rows = (row.strip().strip("|").replace("|", ",") if row.lstrip().startswith("|") else row for row in _rows(head))
    named = (row for row in rows if row.strip(" ,"))  # a table without a head has an empty one
    return " ".join(" ".join(row.split()).replace(" ,", ",") for row in named)


def head_of(passage: Passage) -> str:
    """The head rows that a passage lacks; "" if it lacks none. Chunks of earlier versions have them for CSV alone."""
    path, head = parts_of(passage.heading)
    if not head and passage.start and passage.document.lower().endswith((".csv", ".tsv")):
        head = path
    first = head.split("\n", 1)[0].strip()
    return head if first and first not in passage.text else ""


def is_whole(head: str, row: str) -> bool:
    """Whether a row has as many cells as its head. The rest of a row that was cut has fewer, of other columns."""
    names, values = _names_and_values(head, row)
    return len(values) >= max(map(len, names), default=0)


def row_in_words(head: str, row: str) -> str:
    """A row with the names of its columns, `Seats: 14; Floor: first`; empty cells are left out.

    What stands in a row of fewer or more cells than the head stays as it is. "" if nothing is in it.
    """
    names, values = _names_and_values(head, row)
    named = []
    for place, value in enumerate(values):
        above = dict.fromkeys(name[place] for name in names if place < len(name) and name[place])
        name = " ".join(above) if len(values) <= max(map(len, names), default=0) else ""
        if value:
            named.append(f"{name}: {value}" if name and name != value else value)
    return "; ".join(named)


def _names_and_values(head: str, row: str) -> tuple[list[list[str]], list[str]]:
    """The cells of the head rows, and those of a row."""
    if row.lstrip().startswith("|"):
        return [_cells(line) for line in _rows(head) if line.strip()], _cells(row)
    separator = max(_SEPARATORS, key=head.split("\n", 1)[0].count)
    return _csv_rows(head, separator), next(iter(_csv_rows(row, separator)), [])


def _csv_rows(text: str, separator: str) -> list[list[str]]:
    try:
        return [
            [" ".join(cell.split()) for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            if row
        ]
    except csv.Error:
        return [[cell.strip() for cell in line.split(separator)] for line in text.splitlines() if line.strip()]


def _rows(head: str) -> Iterator[str]:
    return (row for row in head.split("\n") if not _RULE.fullmatch(row))


# --- Markdown -----------------------------------------------------------------------------------


def _markdown_heads(text: str) -> Iterator[TableHead]:
    lines: list[tuple[int, str]] = []
    offset = 0
    for line in text.split("\n"):
        lines.append((offset, line))
        offset += len(line) + 1
    place = 0
    while place + 1 < len(lines):
        rule = lines[place + 1][1]
        if "|" in lines[place][1] and "|" in rule and _RULE.fullmatch(rule):
            last = place + 2
            while last < len(lines) and "|" in lines[last][1] and lines[last][1].strip():
                last += 1
            yield _markdown_head(lines[place:last])
            place = last
        else:
            place += 1


def _markdown_head(lines: Sequence[tuple[int, str]]) -> TableHead:
    rows = [_cells(line) for _, line in (lines[0], *lines[2 : 2 + _LOOKED_AT])]
    count = _head_rows(rows)
    shown = [line.strip()[:_ROW_CHARACTERS] for _, line in lines[: count + 1]]
    end, last = lines[count], lines[-1]
    return TableHead(lines[0][0], end[0] + len(end[1]), last[0] + len(last[1]), "\n".join(shown))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


# --- CSV ----------------------------------------------------------------------------------------


def _csv_head(text: str) -> Iterator[TableHead]:
    """The first row that is not blank, and those below it that belong to the head."""
    begin = len(text) - len(text.lstrip(f"{_BOM} \t\r\n"))
    begin = text.rfind("\n", 0, begin) + 1  # a tab in front of the first name is an empty cell
    begin += text.startswith(_BOM, begin)
    if text[begin : begin + 4].lower() == "sep=":
        begin = text.find("\n", begin) + 1 or len(text)
    first = text[begin:].split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    looked_at = text[begin : begin + _ROW_CHARACTERS * _LOOKED_AT]
    reader = csv.reader(io.StringIO(looked_at, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    ends: list[int] = []
    try:
        for row in reader:
            rows.append([cell.strip() for cell in row])
            ends.append(reader.line_num)
            if len(rows) > _LOOKED_AT:
                break
    except csv.Error:
        rows, ends = rows[:1], ends[:1]
    if not rows:
        return
    written = looked_at.split("\n")[: max(1, ends[_head_rows(rows) - 1])]
    if len(written) > 2 * _MOST_HEAD_ROWS:  # a quotation mark that is never closed
        written = written[:1]
    head = "\n".join(line.strip(" \r")[:_ROW_CHARACTERS] for line in written if line.strip())
    yield TableHead(begin, begin + len("\n".join(written)), len(text), head)


# --- which rows are the head --------------------------------------------------------------------


def _head_rows(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows are the head, at least one."""
    count = 1
    while count < min(len(rows) - 1, _MOST_HEAD_ROWS) and _goes_on(rows, count):
        count += 1
    return count


def _goes_on(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether the row at a place belongs to the head above it."""
    above, row, below = rows[place - 1], rows[place], rows[place + 1 :]
    filled = [cell for cell in row if cell]
    if len(filled) < 2:
        return False
    if all(_is_unit(cell) for cell in filled):
        return True
    grouped = any(not cell for cell in above[1:]) or any(
        one and one == other for one, other in itertools.pairwise(above)
    )
    has_values = any(_is_value(cell) for one in below for cell in one)
    return grouped and has_values and not any(_is_value(cell) for cell in row)


def _is_unit(cell: str) -> bool:
    return bool(_BRACKETS.fullmatch(cell)) or is_unit(cell.lower())


def _is_value(cell: str) -> bool:
    return any(map(str.isdigit, cell)) and not _LABEL_NUMBER.fullmatch(cell)
