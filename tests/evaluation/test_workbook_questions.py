"""Question sets from workbooks: what cells show, sheets, formulas, and files that are none."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from backends.errors import BackendError
from evaluation.samples import Sample, SheetNotChosen, parse_question_set, read_question_set

HEAD = ("id", "question", "reference_answer", "key_facts", "source", "tags", "cluster", "critical")


def workbook(**sheets: Sequence[Sequence[Any]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        date, money = book.add_format({"num_format": "dd.mm.yyyy"}), book.add_format({"num_format": "#,##0.00 [$€]"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, datetime.date):
                        sheet.write_datetime(row, column, cell, date)
                    elif isinstance(cell, float):
                        sheet.write_number(row, column, cell, money)
                    else:
                        sheet.write(row, column, cell)
    return out.getvalue()


def without_results(data: bytes) -> bytes:
    """As a program writes formulas that never works them out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as changed:
        for entry in archive.infolist():
            content = archive.read(entry)
            if "worksheets/" in entry.filename:
                content = re.sub(rb"(</f>)<v>0</v>", rb"\1", content)
            changed.writestr(entry, content)
    return out.getvalue()


def refused(name: str, content: bytes, sheet: str | None = None) -> str:
    with pytest.raises(BackendError) as fault:
        parse_question_set(name, content, sheet=sheet)
    return str(fault.value)


def test_every_column_is_read_and_numbers_and_dates_are_as_the_cells_show_them() -> None:
    data = workbook(
        Q=[
            ("Questions on prices",),
            HEAD,
            ("q1", "What is the fee?", 1250.5, "1,250.50|1250.50; fee", "a.pdf;b.md", "price; new", "c1", True),
            ("q2", "Since when?", datetime.date(2026, 3, 1)),
            (7, "How many?", 40),
        ]
    )
    told: list[str] = []
    assert parse_question_set("q.xlsx", data, told.append) == [
        Sample(
            "q1",
            "What is the fee?",
            "1,250.50 €",
            (("1,250.50", "1250.50"), ("fee",)),
            ("a.pdf", "b.md"),
            ("price", "new"),
            "c1",
            True,
        ),
        Sample("q2", "Since when?", "2026-03-01"),
        Sample("7", "How many?", "40"),
    ]
    assert told == ["q.xlsx: A row above the header is not read."]


def test_a_workbook_on_the_disk_and_columns_of_other_names(tmp_path: Path) -> None:
    file = tmp_path / "fragen.xlsx"
    file.write_bytes(workbook(T=[("Frage", "Antwort", "Note"), ("Wann?", "Um neun.", "x")]))
    told: list[str] = []
    assert read_question_set(file, told.append) == [Sample("1", "Wann?", "Um neun.")]
    assert told == [
        "fragen.xlsx: Columns are read under other names: Frage as question, Antwort as reference_answer.",
        "fragen.xlsx: The column Note is not read.",
    ]


def test_formulas_are_their_stored_results_and_those_without_one_are_named() -> None:
    rows = [("question", "reference_answer", "remark"), ("One?", "=1+0", "=2+0"), ("Two?", "two", "=3+0")]
    data = workbook(Q=rows)
    assert [one.reference_answer for one in parse_question_set("q.xlsx", data)] == ["0", "two"]  # as xlsxwriter stores
    told: list[str] = []
    assert parse_question_set("q.xlsx", without_results(data), told.append) == [Sample("2", "Two?", "two")]
    assert told[-1] == (
        "q.xlsx: row 2: It is not readable: its cell B2 holds a formula whose result was not stored (open the workbook "
        "in its program and save it again); it is left out."
    )


def test_a_row_that_cannot_be_read_is_left_out_and_named_and_the_others_are_asked() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.write_column(0, 0, ("question", "One?", "Two?", "Three?"))
        sheet.write_column(0, 1, ("reference_answer", "one", "", "three"))
        sheet.write_formula(2, 1, "=NA()", None, "#N/A")
    told: list[str] = []
    assert parse_question_set("q.xlsx", out.getvalue(), told.append) == [
        Sample("1", "One?", "one"),
        Sample("3", "Three?", "three"),
    ]
    assert told == ["q.xlsx: row 3: It is not readable: its cell B3 shows the error #N/A; it is left out."]
    told.clear()
    lines = b'{"question": "One?"}\nrubbish\n{"question": "Three?"}\n'
    assert [one.id for one in parse_question_set("q.jsonl", lines, told.append)] == ["1", "3"]
    assert told == ["q.jsonl: line 2: It is not JSON; it is left out."]
    table = b"question,reference_answer\nWho, you?,Me.\nOne?,one\n"
    assert [one.question for one in parse_question_set("q.csv", table)] == ["One?"]


def test_rows_that_are_left_out_are_named_before_other_notes_and_counted_where_they_are_many() -> None:
    told: list[str] = []
    lines = b'{"question": "", "answer": "lost"}\n' + b"rubbish\n" * 11 + b'{"question": "Last?"}\n'
    assert [one.question for one in parse_question_set("q.jsonl", lines, told.append)] == ["Last?"]
    assert told[0] == "q.jsonl: line 2: It is not JSON; it is left out."
    assert told[-1] == "q.jsonl: and 2 more notes on rows. In all, 11 cannot be read and are left out."


def test_an_error_in_every_row_is_a_refusal_that_names_them() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("question", "reference_answer"))
        for row in range(1, 13):
            sheet.write(row, 0, "Why?")
            sheet.write_formula(row, 1, "=NA()", None, "#N/A")
    said = refused("q.xlsx", out.getvalue())
    assert said.startswith("Row 2 of q.xlsx is not readable: its cell B2 shows the error #N/A. Row 3 is")
    assert said.endswith(
        "Row 11 is not readable: its cell B11 shows the error #N/A. So are 2 more rows. Mend or remove them."
    )


def test_one_sheet_with_questions_is_found_and_of_several_one_is_chosen() -> None:
    question = [("question",), ("One?",)]
    told: list[str] = []
    assert parse_question_set("q.xlsx", workbook(About=[("Made by", "Ann")], Q=question), told.append) == [
        Sample("1", "One?")
    ]
    assert told == ["q.xlsx: Its sheet Q is read, of 2."]
    several = workbook(A=question, B=[("question",), ("Two?",)], C=[("x",), ("y",)])
    with pytest.raises(SheetNotChosen) as fault:
        parse_question_set("q.xlsx", several)
    assert fault.value.sheets == ("A", "B")
    assert fault.value.cause == "q.xlsx has questions on 2 sheets: A and B."
    assert parse_question_set("q.xlsx", several, sheet="B") == [Sample("1", "Two?")]
    assert refused("q.xlsx", several, "D") == "q.xlsx has no sheet D. It has A, B and C."
    assert refused("q.xlsx", several, "C").startswith(
        "q.xlsx, sheet C has no questions. It has no column question. It has the column x."
    )
    assert refused("q.csv", b"question\nOne?\n", "A") == (
        "q.csv is no workbook, so it has no sheet A. Leave the sheet out."
    )


def test_what_is_hidden_is_left_out_and_named() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("Q")
        sheet.write_column(0, 0, ("question", "One?", "Two?"))
        sheet.set_row(1, None, None, {"hidden": True})
        book.add_worksheet("Old").hide()
    told: list[str] = []
    assert parse_question_set("q.xlsx", out.getvalue(), told.append) == [Sample("1", "Two?")]
    assert told == ["q.xlsx: Row 2 of the sheet Q is hidden and was left out."]


def test_columns_that_are_missing_or_there_twice_and_ids_that_are_taken() -> None:
    assert "It has no column question. It has the columns a and b." in refused(
        "q.xlsx", workbook(Q=[("a", "b"), (1, 2)])
    )
    twice = refused("q.xlsx", workbook(Q=[("question", "question"), ("One?", "Two?")]))
    assert "both fit as the question" in twice
    told: list[str] = []
    data = workbook(Q=[("id", "question"), ("a", "One?"), ("a", "Two?")])
    assert [one.id for one in parse_question_set("q.xlsx", data, told.append)] == ["a", "a-2"]
    assert told == ["q.xlsx: row 3: Its id a is taken already, so it is called a-2 here."]
    assert refused("q.xlsx", workbook(Q=[])) == (
        "q.xlsx has no questions. It has no columns. " + refused("q.csv", b"").partition("It has no columns. ")[2]
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("q.xlsx", b"question\nOne?\n", "q.xlsx was not read. The file is named XLSX but holds plain text."),
        ("q.xlsx", b"", "q.xlsx was not read. The file is empty (0 bytes)."),
        ("q.xlsx", b"\x00\x01\x02" * 50, "q.xlsx was not read. The XLSX file is damaged or cut short."),
        (
            "q.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "q.xlsx was not read. This XLSX file is protected by a password, or is an old Office file with a new name.",
        ),
        ("q.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "q.xls is an old Excel file. Save it as XLSX."),
        ("q.csv", workbook(Q=[("question",), ("One?",)])[:900], "q.csv was not read. The XLSX file is damaged"),
    ],
    ids=["text", "empty", "rubbish", "encrypted", "old", "cut short"],
)
def test_what_is_no_workbook_is_a_sentence(name: str, content: bytes, said: str) -> None:
    assert refused(name, content).startswith(said)


@pytest.mark.slow
def test_a_hundred_thousand_rows() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Q")
        sheet.write_row(0, 0, ("id", "question", "reference_answer"))
        for row in range(1, 100_001):
            sheet.write_row(row, 0, (row, f"What is number {row}?", "x"))
    found = parse_question_set("q.xlsx", out.getvalue())
    assert (len(found), found[-1]) == (100_000, Sample("100000", "What is number 100000?", "x"))
