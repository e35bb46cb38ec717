"""What each format becomes as text, and what is said about it."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pptx
import pytest
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from backends.rag.documents.readers import read
from backends.rag.documents.readers.reading import Reading, numbered
from tests.backends.rag.conftest import make_docx, make_pdf
from tests.backends.rag.samples import docx_of, half_scanned

TABLES = "flattened into lines of text: layout is lost, merged cells are repeated."


def saved(file: Any) -> bytes:
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def text_of(reading: Reading) -> str:
    ((page, text),) = reading.pages
    assert page is None
    return text


def test_numbers_in_a_sentence() -> None:
    assert numbered("Page", [3]) == "Page 3"
    assert numbered("Page", [3, 7, 8, 9, 12, 13]) == "Pages 3, 7-9, 12-13"
    assert numbered("Line", range(1, 99, 2)) == "Lines 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and others"


def test_a_pdf_is_read_page_by_page() -> None:
    assert read(make_pdf(["One.", "Two."]), "pdf") == Reading(((1, "One."), (2, "Two.")))


def test_pages_without_text_are_named() -> None:
    some = read(half_scanned({1, 2, 4, 5, 6, 10}, 10), "pdf")
    assert some.pages[:3] == ((1, "Page 1"), (2, "Page 2"), (3, ""))
    assert some.warnings == ("Pages 3, 7-9 have no text: they were probably scanned.",)
    assert read(half_scanned({1}, 2), "pdf").warnings == ("Page 2 has no text: it was probably scanned.",)


def test_a_broken_page_does_not_hide_the_others() -> None:
    good = make_pdf(["One.", "Two.", "Three."])
    broken = good.replace(b"BT /F1 12 Tf 72 700 Td (Two.) Tj ET", b"BT /F1 12 Tf 72 700 Td <4Z> Tj (()")
    assert len(broken) < len(good)
    reading = read(broken, "pdf")
    assert [text for _, text in reading.pages] == ["One.", "", "Three."]
    assert reading.warnings == ("Page 2 could not be read.",)


def test_a_word_file_keeps_headings_lists_tables_and_footnotes() -> None:
    cell = "<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"
    rows = "".join(f"<w:tr>{cell.format(a)}{cell.format(b)}</w:tr>" for a, b in (("item", "price"), ("kettle", "49")))
    reading = read(docx_of(f"<w:tbl>{rows}</w:tbl>"), "docx")
    assert text_of(reading) == "# Title\n\nHello\n\n| item | price |\n| --- | --- |\n| kettle | 49 |"
    assert reading.warnings == (f"1 table was {TABLES}",)


def test_a_word_file_keeps_equations_and_names_with_signs() -> None:
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    xml = (
        f'<w:p><w:r><w:t>max_file_mb *or* </w:t></w:r><m:oMath xmlns:m="{math}"><m:f><m:fPr/><m:num><m:r>'
        "<m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath></w:p>"
    )
    assert text_of(read(docx_of(xml), "docx")) == "# Title\n\nHello\n\nmax_file_mb *or* $\\frac{a}{b}$"


def test_a_word_file_with_incomplete_styles_is_read() -> None:
    styles = (
        '<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<w:style w:styleId="Heading1"><w:name w:val="heading 1"/></w:style><w:style w:type="paragraph"/></w:styles>'
    )
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"
    link = f'<Relationship Id="rId9" Type="{kind}" Target="styles.xml"/>'
    data = docx_of(others={"word/styles.xml": styles.encode()}, relations=link)
    assert text_of(read(data, "docx")) == "# Title\n\nHello"


def test_a_presentation_is_read_slide_by_slide_with_notes_tables_and_charts() -> None:
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Year in\nreview"
    first.placeholders[1].text = "Sales rose.\nCosts fell."
    first.notes_slide.notes_text_frame.text = "Thank the team."
    second = deck.slides.add_slide(deck.slide_layouts[6])
    cells = second.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(4), Inches(1)).table
    for place, text in {(0, 0): "item", (0, 1): "a|b", (1, 0): "kettle", (1, 1): "49"}.items():
        cells.cell(*place).text = text
    chart = CategoryChartData()
    chart.categories = ["Q1", "Q2"]
    chart.add_series("Sold", (1.5, 1_234_567))
    frame = second.shapes.add_chart(XL_CHART_TYPE.PIE, Inches(1), Inches(5), Inches(3), Inches(2), chart)
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "Kettles"
    second.shapes.add_group_shape().shapes.add_textbox(0, 0, 99, 99).text_frame.text = "In a group"
    deck.slides.add_slide(deck.slide_layouts[6]).element.set("show", "0")
    picture = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_picture(
        io.BytesIO(saved_image()), Inches(1), Inches(1)
    )
    picture.element.nvPicPr.cNvPr.set("descr", "A kettle on a table")
    reading = read(saved(deck), "pptx")
    assert reading.pages == (
        (1, "# Year in review\n\nSales rose.\nCosts fell.\n\n## Speaker notes\n\nThank the team."),
        (
            2,
            "In a group\n\n| item | a\\|b |\n| --- | --- |\n| kettle | 49 |\n\n"
            "Kettles\n\n|  | Sold |\n| --- | --- |\n| Q1 | 1.5 |\n| Q2 | 1234567 |",
        ),
        (3, ""),
        (4, "A kettle on a table"),
    )
    assert reading.warnings == (
        f"1 table was {TABLES}",
        "Slide 3 has no text.",
        "Slide 3 is hidden in the presentation and was read too.",
    )


def saved_image() -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "png")
    return out.getvalue()


def test_a_workbook_is_read_sheet_by_sheet() -> None:
    book = openpyxl.Workbook()
    prices = book.active
    prices.title = "Prices"
    prices.append(["Prices of 2026"])
    prices.append([])
    prices.append([None, "item", "price", "valid from", "share", "new", "note"])
    prices.append([None, "kettle", 49.0, datetime.datetime(2026, 1, 31), 0.15, True, "a|b\nc"])
    prices["E4"].number_format = "0%"
    prices.append([None, "Total", "=SUM(C4:C4)", 4006381333931000, 0.1 + 0.2])
    secret = book.create_sheet("Costs")
    secret.append(["unit cost", 12.5])
    secret.sheet_state = "hidden"
    book.create_sheet("Empty")
    reading = read(saved(book), "xlsx")
    assert text_of(reading) == (
        "## Prices\n\nPrices of 2026\n\n"
        "| item | price | valid from | share | new | note |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| kettle | 49 | 2026-01-31 | 15% | TRUE | a\\|b c |\n"
        "| Total |  | 4006381333931000 | 0.3 |  |  |"
    )
    assert reading.warnings == (
        f"The sheets were {TABLES}",
        "The sheet Costs is hidden in the workbook and was left out.",
        "1 formula has no stored result and stayed empty: open the workbook in its program and save it again.",
    )


def test_html_becomes_markdown_without_scripts_styles_and_pictures() -> None:
    html = """<!doctype html><html><head><meta charset="utf-8"><title>Tea & more</title><style>p {color: red}</style>
    <body><script>evil()</script><h2>Grüße</h2><p>Tee &amp; <b>Kaffee</b>, see <a href="https://a.example/x_y">the shop
    </a>, <a href="#top">top</a> and <a href="javascript:evil()">this</a>.</p><img src="http://a.example/i.png" alt="A
    kettle"><ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>
    <svg><text>drawn</text></svg><noscript>Switch on scripts</noscript><template>not shown</template>"""
    reading = read(html.encode(), "html")
    assert text_of(reading) == (
        "# Tea & more\n\n## Grüße\n\nTee & **Kaffee**, see [the shop](https://a.example/x_y) , top and this.\n\n"
        "A kettle\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    )
    assert reading.warnings == (
        f"1 table was {TABLES}",
        "Hidden text was left out: “Switch on scripts”, “not shown”.",
        "1 drawing was not read.",
    )


def test_html_is_read_in_the_encoding_that_it_names() -> None:
    page = '<meta charset="windows-1251"><h1>Возврат</h1>'
    assert read(page.encode("cp1251"), "html") == Reading(((None, "# Возврат"),))


def test_html_nested_beyond_reason_becomes_plain_lines() -> None:
    reading = read(b"<h1>T</h1>" + b"<div>" * 3000 + b"deep" + b"</div>" * 3000, "html")
    assert text_of(reading) == "T\ndeep"
    assert reading.warnings == ("The page is nested too deeply: its headings, lists and tables became plain lines.",)


def test_json_lines_become_readable_records() -> None:
    records = [
        {"question": "Wie groß?", "id": 7, "price": 1.10, "tags": ["a", "b"], "ok": None, "more": {"ü": [True]}},
        ["x", 2],
    ]
    lines = [json.dumps(records[0]).replace("1.1,", "1.10,"), "not JSON", "", "{cut", json.dumps(records[1]), "8"]
    reading = read("\r\n".join(lines).encode(), "jsonl")
    assert text_of(reading) == (
        'question: Wie groß?\nid: 7\nprice: 1.10\ntags: a, b\nok: null\nmore: {"ü": [true]}\n\n'
        "not JSON\n\n{cut\n\nx, 2\n\n8"
    )
    assert reading.warnings == ("Lines 2, 4 are not JSON and were kept as they are.",)
    assert read(b'{"a": 1}\n' + b"[" * 99_999, "jsonl").warnings == ("Line 2 is not JSON and was kept as it is.",)


@pytest.mark.parametrize("format", ["text", "markdown", "csv", "code"])
def test_text_formats_are_read_as_they_stand(format: str) -> None:
    text = "a,b\n  1,<b>2</b>\n\n# x_y *z*\n"
    assert read(text.encode(), format) == Reading(((None, text),))


def test_a_word_file_by_hand_is_read(tmp_path: Path) -> None:
    assert text_of(read(make_docx("Returns", "Within 45 days."), "docx")) == "# Returns\n\nWithin 45 days."
