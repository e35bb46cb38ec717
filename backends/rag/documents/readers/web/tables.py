"""Tables of web pages: which of them hold data, and their cells."""

from __future__ import annotations

from collections.abc import Iterator

from backends.rag.documents.readers.reading import Cell
from backends.rag.documents.readers.web.tree import Node

_MOST_COLUMNS = 100
_MOST_ROWS = 65_534
"""The limit of the HTML standard for `rowspan`."""

_PLACED = frozenset({"table", "h1", "h2", "h3", "h4", "h5", "h6"})
_PARTS = {
    "table": frozenset({"thead", "tbody", "tfoot", "tr", "colgroup", "col"}),
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset({"tr"})),
    "tr": frozenset({"td", "th"}),
}
"""Part of a table -> what belongs into it."""


def rows_of(table: Node) -> list[list[Node]]:
    """The cells of each row, without those of tables inside it."""
    groups = [table, *(one for one in table.elements() if one.tag in ("thead", "tbody", "tfoot"))]
    rows = [row for group in groups for row in group.elements() if row.tag == "tr"]
    cells = [[cell for cell in row.elements() if cell.tag in ("td", "th")] for row in rows]
    return [row for row in cells if row]


def is_layout(table: Node, rows: list[list[Node]]) -> bool:
    """Whether a table only places blocks on the page.

    It says so, or it is a single column, or it holds headings or other tables and has no head cells of its own.
    """
    if table.get("role").lower() in ("presentation", "none") or all(len(row) == 1 for row in rows):
        return True
    cells = [cell for row in rows for cell in row]
    if any(cell.tag == "th" for cell in cells):
        return False
    return any(below.tag in _PLACED for cell in cells if cell.has_blocks for below in cell.walk())


def outside_cells(table: Node) -> Iterator[Node | str]:
    """What stands in a table but in no cell: its caption, and what browsers show in front of it."""
    waiting: list[tuple[Node | str, str]] = [(one, "table") for one in reversed(table.children)]
    while waiting:
        one, around = waiting.pop()
        if isinstance(one, str) or one.tag not in _PARTS.get(around, ()):
            yield one
        elif one.tag in _PARTS:
            waiting += [(child, one.tag) for child in reversed(one.children)]


def cell_of(node: Node, text: str) -> Cell:
    """A cell with its spans, which a page may write as it likes."""
    rows = node.get("rowspan").strip()
    return Cell(text, _span(node.get("colspan"), _MOST_COLUMNS), _MOST_ROWS if rows == "0" else _span(rows, _MOST_ROWS))


def _span(written: str, most: int) -> int:
    digits = written.strip()
    return max(1, min(most, int(digits))) if digits.isdecimal() and len(digits) < 9 else 1
