"""Heads of tables: one whose first row holds values has none, or has that of the page before, which it continues."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

from backends.rag.documents.readers.reading import table

_DIGITS = re.compile(r"\d++")
_YEAR = re.compile(r"(?:19|20)\d\d")
_BESIDE = 2
"""So many lines, such as a page number or a running title, stand between the parts of a table on two pages."""

_SHORT = 80
"""Characters of such a line, at most."""


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a Markdown table; if the first of them holds values like those below it, the head is empty."""
    return table([[""] * len(rows[0]), *rows]) if _has_no_head(rows) else table(rows)


def _has_no_head(rows: Sequence[Sequence[str]]) -> bool:
    first, below = rows[0], rows[1:]
    if len(below) < 2 or not first[0].strip():
        return False
    found = False
    for column, cell in enumerate(first):
        if not _is_value(cell):
            continue
        shapes = Counter(_shape(row[column]) for row in below if _is_value(row[column]))
        if shapes[_shape(cell)] * 2 < len(below):
            return False
        found = True
    numbers = [int(cell) for cell in first if cell.isdecimal() and len(cell) < 6]
    return found and not any(b - a == 1 for a, b in itertools.pairwise(numbers))


def _is_value(cell: str) -> bool:
    start = cell.strip().lstrip("-−+±€$£ ")[:1]
    return start.isdigit() and not _YEAR.fullmatch(cell.strip())


def _shape(cell: str) -> str:
    """What is equal in values of one kind: 4.50 and 12.80, but not 4.50 and 3."""
    return _DIGITS.sub("9", " ".join(cell.split()))


def continued(pages: Sequence[str]) -> list[str]:
    """The pages, where a table without a head goes on with the head that it has on the page before."""
    found = list(pages)
    for place in range(1, len(found)):
        if (head := _last_head(found[place - 1])) and (start := _empty_head(found[place], head)) >= 0:
            lines = found[place].split("\n")
            lines[start] = head
            found[place] = "\n".join(lines)
    return found


def _last_head(page: str) -> str:
    """The head of the table that a page ends with; "" if it ends with none, or with one that has none."""
    lines = [line for line in page.split("\n") if line]
    last = len(lines) - 1
    while last >= 0 and len(lines) - last <= _BESIDE and not _is_row(lines[last]) and len(lines[last]) <= _SHORT:
        last -= 1
    while last > 0 and _is_row(lines[last]) and not lines[last].startswith("| ---"):
        last -= 1
    if last < 1 or not lines[last].startswith("| ---"):
        return ""
    return lines[last - 1] if any(map(str.isalnum, lines[last - 1])) else ""


def _empty_head(page: str, head: str) -> int:
    """The line of an empty head, as wide as `head`, with which a page begins; -1 if it begins otherwise."""
    met = 0
    for place, line in enumerate(page.split("\n", 3 * _BESIDE + 1)):
        if _is_row(line):
            return place if line.count("|") == head.count("|") and not any(map(str.isalnum, line)) else -1
        met += bool(line)
        if met > _BESIDE or len(line) > _SHORT:
            break
    return -1


def _is_row(line: str) -> bool:
    return line.startswith("| ") and line.endswith(" |")
