"""Tables of Word documents: every value stands under its head."""

from __future__ import annotations

from tests.backends.rag.documents.readers.word_files import cell, p, row, rows, text_of, warnings_of, word_file

DOWN, GOES_ON = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"


def wide(columns: int, more: str = "") -> str:
    return f'<w:gridSpan w:val="{columns}"/>{more}'


def test_cells_that_are_merged_over_rows_and_columns_are_repeated() -> None:
    data = word_file(
        rows(
            row(cell("Type", DOWN), cell("Load", wide(2))),
            row(cell("", GOES_ON), cell("min"), cell("max")),
            row(cell("A", DOWN), cell("1"), cell("2")),
            row(cell("", GOES_ON), cell("3"), cell("4")),
            row(cell("both", wide(2, DOWN)), cell("5")),
            row(cell("", wide(2, GOES_ON)), cell("6")),
        )
    )
    assert text_of(data) == (
        "| Type | Load | Load |\n| --- | --- | --- |\n| Type | min | max |\n| A | 1 | 2 |\n| A | 3 | 4 |\n"
        "| both | both | 5 |\n| both | both | 6 |"
    )


def test_a_row_that_begins_later_keeps_its_columns() -> None:
    data = word_file(
        rows(row(cell("a"), cell("b"), cell("c")), row(cell("x"), cell("y"), properties='<w:gridBefore w:val="1"/>'))
    )
    assert text_of(data) == "| a | b | c |\n| --- | --- | --- |\n|  | x | y |"


def test_a_cell_over_the_whole_width_stands_once() -> None:
    data = word_file(
        rows(row(cell("Prices", wide(2))), row(cell("item"), cell("price")), row(cell("kettle"), cell("49")))
    )
    assert text_of(data) == "Prices\n\n| item | price |\n| --- | --- |\n| kettle | 49 |"


def test_a_frame_of_one_cell_is_no_table_and_a_table_in_a_cell_stays_in_it() -> None:
    inner = rows(row(cell("n1"), cell("n2")), row(cell("n3"), cell("n4")))
    framed = word_file(rows(row(cell(p("First.") + p("Second.")))))
    assert text_of(framed) == "First.\n\nSecond."
    assert warnings_of(framed) == ()
    assert text_of(word_file(rows(row(cell("a"), cell(inner + p()))))) == "| a | n1, n2; n3, n4 |\n| --- | --- |"


def test_a_long_merged_cell_is_not_repeated() -> None:
    long = "word " * 200
    data = word_file(rows(row(cell(long, DOWN), cell("1")), row(cell("", GOES_ON), cell("2"))))
    assert text_of(data).count("word") == 200
    assert text_of(data).endswith("|  | 2 |")
