"""CSV files in which a spreadsheet runs nothing."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from evaluation.spreadsheet import csv_bytes, neutral_cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_looks_like_a_formula_is_text(text: str) -> None:
    assert neutral_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "1.5", "gpt-4.1-mini", "a=b", " =1"])
def test_anything_else_stays_as_it_is(text: str) -> None:
    assert neutral_cell(text) == text


def test_a_file_that_a_spreadsheet_opens() -> None:
    cells = [("=evil", 'say "a, b"'), ("two\nlines", -0.5), (None, Decimal("-0.0000001"))]
    made = csv_bytes(("name", "value"), cells)
    assert made.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline="")))
    assert rows == [["name", "value"], ["'=evil", 'say "a, b"'], ["two\nlines", "-0.5"], ["", "-0.0000001"]]
