"""Workbooks: values as their cells show them, merged ranges filled, hidden parts named, notes and links kept."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.comments import Comment

from backends.rag.documents.readers import read
from backends.rag.documents.readers.reading import Reading
from backends.rag.documents.readers.xlsx.formats import shown

FLAT = "The sheets were flattened into lines of text: layout is lost, merged cells are repeated."
NOON = datetime.datetime(2026, 3, 1, 14, 5, 9)
ACCOUNTING = '_("$"* #,##0.00_);_("$"* \\(#,##0.00\\);_("$"* "-"??_);_(@_)'


def read_book(book: Any) -> Reading:
    out = io.BytesIO()
    book.save(out)
    return read(out.getvalue(), "xlsx")


def text_of(reading: Reading) -> str:
    ((_, text),) = reading.pages
    return text


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (4711, "0000000", "0004711"),
        (1250, "#,##0", "1,250"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (19.9, '"€" #,##0.00', "€ 19.90"),
        (19.9, "#,##0.00 [$€-407]", "19.90 €"),
        (-1234, "[$¥-411]#,##0", "-¥1,234"),
        (-5, "0.00;[Red](0.00)", "(5.00)"),
        (-1234.5, ACCOUNTING, "$ (1,234.50)"),
        (0, ACCOUNTING, "$ -"),
        (0, '0;-0;"none"', "none"),
        (3, '0 "weeks"', "3 weeks"),
        (15, "0\\°\\C", "15°C"),
        (12, 'General "kg"', "12 kg"),
        (0.125, "0.0%", "12.5%"),
        (0.5, "# ?/?", "1/2"),
        (1.5, "# ?/?", "1 1/2"),
        (1.5, "?/?", "3/2"),
        (0.3333, "# ??/??", "1/3"),
        (2.25, "# ?/4", "2 1/4"),
        (12345, "0.00E+00", "1.23E+04"),
        (12345, "##0.0E+0", "12.3E+3"),
        (123456789, "000-00-0000", "123-45-6789"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (2.675, "0.00", "2.68"),
        (-0.001, "0.00", "0.00"),
        (0.5, "#.##", ".5"),
        (5, '[<10]"low";[>=10]"high"', "low"),
        (-1, '"Yes";"Yes";"No"', "Yes"),
        (5, ";;;", ""),
        ("x", '@" pieces"', "x pieces"),
        ("0042", "0.00", "0042"),
        (0.1 + 0.2, "General", "0.3"),
        (1e300, "0.00", "1e+300"),
        (NOON, "dd.mm.yyyy", "2026-03-01"),
        (NOON, "m/d/yy h:mm", "2026-03-01 14:05"),
        (NOON, "mmm yy", "Mar 26"),
        (NOON, "dddd", "Sunday"),
        (NOON, "h:mm AM/PM", "2:05 PM"),
        (datetime.time(8, 30), "hh:mm", "08:30"),
        (datetime.timedelta(hours=36, minutes=15), "[h]:mm", "36:15"),
        (datetime.timedelta(minutes=90), "[mm]:ss", "90:00"),
        (datetime.timedelta(hours=-2), "[h]:mm", "-2:00"),
        (datetime.time(0, 1, 2, 340_000), "mm:ss.0", "01:02.3"),
    ],
)
def test_a_value_is_what_its_cell_shows(value: Any, code: str, text: str) -> None:
    assert shown(value, code) == text


CODES = st.text(alphabet='0#?,.%/E+-;@[]"$hmsyd\\_* <>=()AMP', max_size=24)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=20) | st.datetimes(), CODES)
def test_no_format_makes_a_value_fail(value: Any, code: str) -> None:
    assert isinstance(shown(value, code), str)


@given(st.integers(min_value=0, max_value=10**14), st.integers(min_value=0, max_value=6))
def test_a_number_with_thousands_and_decimals_can_be_read_back(cents: int, decimals: int) -> None:
    text = shown(cents / 100, "#,##0" + "." * bool(decimals) + "0" * decimals)
    assert abs(float(text.replace(",", "")) - cents / 100) <= 0.5 * 10**-decimals + 1e-9 * cents


def test_formats_in_a_workbook() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Parts"
    sheet.append(["Part", "Price", "Lead time", "Open", "Ratio", "New", "Phone"])
    sheet.append([4711, 19.9, 3, 1.510416666666667, 0.5, True, 447700900123])
    for cell, code in {"A2": "0000000", "B2": '"€" 0.00', "C2": '0 "weeks"', "D2": "[h]:mm", "E2": "# ?/?"}.items():
        sheet[cell].number_format = code
    assert (
        text_of(read_book(book)).splitlines()[-1]
        == "| 0004711 | € 19.90 | 3 weeks | 36:15 | 1/2 | TRUE | 447700900123 |"
    )


def test_merged_ranges_are_filled_and_titles_are_no_rows() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales"
    for row in (["Sales of 2026"], ["Region", "2025", None, "2026"], [None, "Sold", "Back", "Sold", "Back"]):
        sheet.append(row)
    for row in (["North", 1, 2, 3, 4], [None, 5, 6, 7, 8]):
        sheet.append(row)
    for merged in ("A1:E1", "A2:A3", "B2:C2", "D2:E2", "A4:A5"):
        sheet.merge_cells(merged)
    for merged in ("G1:G1048576", "A9:XFD9"):  # without the million cells that openpyxl would make
        sheet.merged_cells.add(merged)
    assert text_of(read_book(book)) == (
        "## Sales\n\nSales of 2026\n\n"
        "| Region | 2025 | 2025 | 2026 | 2026 |\n| --- | --- | --- | --- | --- |\n"
        "| Region | Sold | Back | Sold | Back |\n| North | 1 | 2 | 3 | 4 |\n| North | 5 | 6 | 7 | 8 |"
    )


def test_what_is_hidden_is_named_and_left_out() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Open"
    for row in (["Item", "Price", "Cost"], ["Kettle", 40, 11], ["Grill", 90, 33], ["Toaster", 30, 9]):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = sheet.row_dimensions[9].hidden = True
    sheet.column_dimensions["C"].hidden = True
    sheet["B2"].comment = Comment("Price rises to 45 in May.", "Kim")
    sheet["B3"].comment = Comment("Not on sale.", "Kim")
    for name, state in (("Margins", "hidden"), ("Codes", "veryHidden"), ("Nothing", "hidden")):
        other = book.create_sheet(name)
        other.sheet_state = state
        if name != "Nothing":
            other.append(["secret", 1])
    filtered = book.create_sheet("Orders")
    for row in (["No", "State"], [1, "open"], [2, "done"], [3, "open"], [4, "done"]):
        filtered.append(row)
    filtered.auto_filter.ref = "A1:B5"
    filtered.row_dimensions[3].hidden = filtered.row_dimensions[5].hidden = True
    reading = read_book(book)
    assert text_of(reading) == (
        "## Open\n\n| Item | Price |\n| --- | --- |\n| Kettle | 40 |\n| Toaster | 30 |\n\n"
        "Comment on B2 (Kettle, 40): Price rises to 45 in May.\n\n"
        "## Orders\n\n| No | State |\n| --- | --- |\n| 1 | open |\n| 3 | open |"
    )
    assert reading.warnings == (
        FLAT,
        "Row 3 of the sheet Open is hidden and was left out.",
        "Column C of the sheet Open is hidden and was left out.",
        "Comments on hidden cells of the sheet Open were left out.",
        "The sheet Margins is hidden in the workbook and was left out.",
        "The sheet Codes is hidden in the workbook and was left out.",
        "Rows 3, 5 of the sheet Orders are hidden by a filter and were left out: "
        "clear the filter and save the workbook to have them read.",
    )


def test_links_errors_and_cells_that_show_nothing() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Links"
    links = {
        "Shop": "https://a.example/x?a=1",
        "Cell": "#Links!A1",
        "https://b.example/": "https://b.example/",
        "Bad": "javascript:x()",
    }
    for place, (text, address) in enumerate(links.items(), start=1):
        sheet.cell(place, 1, text).hyperlink = address
    sheet["A5"] = "#DIV/0!"
    sheet["A5"].data_type = "e"
    sheet["A6"] = 1234
    sheet["A6"].number_format = ";;;"
    sheet["A7"] = "=1+1"
    reading = read_book(book)
    assert text_of(reading) == "## Links\n\n[Shop](https://a.example/x?a=1)\nCell\nhttps://b.example/\nBad\n#DIV/0!"
    assert reading.warnings[1:] == (
        "1 cell of the sheet Links has a format that shows nothing.",
        "1 cell of the sheet Links shows an error: #DIV/0!.",
        "1 formula has no stored result and stayed empty: open the workbook in its program and save it again.",
    )


def test_tables_beside_each_other_are_apart_and_a_gap_in_one_table_is_none() -> None:
    book = openpyxl.Workbook()
    book.active.title = "Two"
    for row in (["Item", "Price", None, "City", "Code"], ["Kettle", 40, None, "Aldby", "A"], ["Grill", 90]):
        book.active.append(row)
    one = book.create_sheet("One")
    for row in (["Item", "Price", None, "City", "Code"], ["Kettle", 40, None, "Aldby", "A"]):
        one.append(row)
    assert text_of(read_book(book)) == (
        "## Two\n\n| Item | Price |\n| --- | --- |\n| Kettle | 40 |\n| Grill | 90 |\n\n"
        "| City | Code |\n| --- | --- |\n| Aldby | A |\n\n"
        "## One\n\n| Item | Price | City | Code |\n| --- | --- | --- | --- |\n| Kettle | 40 | Aldby | A |"
    )


def test_text_boxes_are_read_and_charts_and_pictures_named() -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("A & B")
    sheet.write_row(0, 0, ["a", 1])
    sheet.insert_textbox("D20", "Prices without VAT")
    for where in (sheet, None):
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "='A & B'!$B$1:$B$1"})
        if where:
            where.insert_chart("D2", chart)
        else:
            book.add_chartsheet("Sold").set_chart(chart)
    book.close()
    reading = read(out.getvalue(), "xlsx")
    assert text_of(reading) == "## A & B\n\n| a | 1 |\n| --- | --- |\n\nPrices without VAT"
    assert reading.warnings == (
        FLAT,
        "1 chart of the sheet A & B was left out.",
        "The sheet Sold is a chart and was left out.",
    )


def test_merged_cells_hold_a_table_together_over_empty_rows() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for place, value in {"A1": "Shift", "B1": "Monday", "A2": "Early", "B2": "Ana", "A5": "Late", "B5": "Ben"}.items():
        sheet[place] = value
    sheet.merge_cells("A2:A4")
    sheet.merge_cells("B2:B4")
    rows = "| Shift | Monday |\n| --- | --- |\n| Early | Ana |\n| Late | Ben |"
    assert text_of(read_book(book)) == f"## Sheet\n\n{rows}"


def test_a_merged_cell_whose_corner_is_hidden_is_read_where_it_shows() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Group", "Item"], ["Pumps", "P1"], [None, "P2"]):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    sheet.row_dimensions[2].hidden = True
    reading = read_book(book)
    assert text_of(reading).endswith("| Group | Item |\n| --- | --- |\n| Pumps | P2 |")
    assert reading.warnings == (FLAT, "Row 2 of the sheet Sheet is hidden and was left out.")


@pytest.mark.parametrize(
    ("value", "text"), [(45761, "2025-04-14"), (45761.5, "2025-04-14 12:00:00"), (0.75, "18:00:00")]
)
@pytest.mark.parametrize("number", [27, 31, 36, 57])
def test_east_asian_dates_that_are_known_by_number_alone(value: float, text: str, number: int) -> None:
    """ECMA-376 part 1, 18.8.30; reported of calamine (nashsu/llm_wiki, pull request 738)."""
    book = openpyxl.Workbook()
    book.active.append(["Due", "x"])
    book.active.append([value, "y"])
    book.active["A2"].number_format = "0.000"
    out = io.BytesIO()
    book.save(out)
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as source, zipfile.ZipFile(changed, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/styles.xml":
                data = data.replace(b'numFmtId="164" font', b'numFmtId="%d" font' % number)
                data = re.sub(rb"<numFmts.*?</numFmts>", b"", data)
            copy.writestr(name, data)
    assert f"| {text} | y |" in text_of(read(changed.getvalue(), "xlsx"))


def test_escaped_characters_and_what_is_printed_on_every_page() -> None:
    book = openpyxl.Workbook()
    book.active.append(["Key", "Value"])
    book.active.append(["one", "first_x000D_\nsecond, a_x005F_x"])
    book.active.oddHeader.center.text = "Draft 7, not for release"
    book.active.oddFooter.left.text = "Page &P of &N"
    text = text_of(read_book(book))
    assert text.startswith("## Sheet\n\nPage header: Draft 7, not for release\n\n| Key | Value |")
    assert text.endswith("| one | first second, a_x |")
