"""Tables as CSV files that a spreadsheet can open without running anything in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def neutral_cell(text: str) -> str:
    """`text` with an apostrophe before it if a spreadsheet would take it for a formula.

    The rule is OWASP's (owasp.org/www-community/attacks/CSV_Injection).
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[str | float | Decimal | None]]) -> bytes:
    """A CSV in UTF-8 with its mark, every text neutralised; a number is a number, also below 0; None is left empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig")


def _cell(cell: str | float | Decimal | None) -> str | float | None:
    """A Decimal is written out: a spreadsheet would read `1E-7` as it likes."""
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return neutral_cell(cell) if isinstance(cell, str) else cell
