"""Rows of CSV and JSONL files: separators, column names, chats, and rows that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.question_files.reader import QuestionFile, Row, read_question_file


def csv_file(text: str) -> QuestionFile:
    return read_question_file(text.encode(), "pairs.csv")


def jsonl_file(*values: object) -> QuestionFile:
    return read_question_file("\n".join(json.dumps(value) for value in values).encode(), "pairs.jsonl")


@pytest.mark.parametrize(
    ("separator", "layout"), [(",", "CSV with commas"), (";", "CSV with semicolons"), ("\t", "CSV with tabs")]
)
def test_the_separator_is_found(separator: str, layout: str) -> None:
    found = csv_file(f'id{separator}question{separator}answer\n1{separator}"a, b; c\td"{separator}e\n')
    assert found.layout == layout
    assert found.columns == ("id", "question", "answer")
    assert found.rows == (Row(2, "a, b; c\td", "e"),)


@pytest.mark.parametrize(
    "header", ["question,answer", "Prompt , COMPLETION", "instruction,output", "input,output", "id,Answer,Question"]
)
def test_names_of_columns(header: str) -> None:
    cells = ["a", "b"] if len(header.split(",")) == 2 else ["7", "b", "a"]
    assert csv_file(f"{header}\n{','.join(cells)}\n").rows == (Row(2, "a", "b"),)


def test_an_instruction_keeps_its_input() -> None:
    rows = jsonl_file(
        {"instruction": "Translate.", "input": "Hund", "output": "dog"},
        {"instruction": "Greet.", "input": "", "output": "Hi."},
    ).rows
    assert [(row.question, row.answer) for row in rows] == [("Translate.\n\nHund", "dog"), ("Greet.", "Hi.")]


def test_optional_columns() -> None:
    text = "question,answer,group,generated,source\na,b,7,True,guide.pdf\nc,d,,,\n"
    assert csv_file(text).rows == (Row(2, "a", "b", "7", True, "guide.pdf"), Row(3, "c", "d"))
    drafted = {"question": "a", "answer": "b", "generated": True}
    assert jsonl_file(drafted).rows == (Row(1, "a", "b", generated=True),)


def test_chats_of_one_turn_each() -> None:
    user, assistant = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    system = {"role": "system", "content": "Be brief."}
    found = jsonl_file(
        {"messages": [user, assistant]},
        {"messages": [system, user, assistant]},
        {"messages": [user, assistant, user, assistant]},
        {"messages": [assistant, user]},
        {"messages": "a"},
        {"messages": [user, {"role": "assistant", "content": None}]},
    )
    no_chat = "not a chat of one user turn and one assistant turn"
    assert found.rows == (
        Row(1, "a", "b"),
        Row(2, "a", "b", system=True),
        Row(3, "a", "b", notes=("Only its first question and answer are read, not the 2 turns after them.",)),
        Row(4, broken=no_chat),
        Row(5, broken=no_chat),
        Row(6, "a", ""),
    )


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    found = csv_file('sep=;\n\nquestion;answer\n"two\nlines";x\n\n;\ny;z\n')
    assert [row.number for row in found.rows] == [4, 5, 6, 7]
    assert [row.blank for row in found.rows] == [False, True, False, False]
    assert found.rows[0].question == "two\nlines"


def test_unicode_line_separators_do_not_cut_a_row() -> None:
    text = "a\u2028b\x85c\x0cd"
    assert jsonl_file({"question": text, "answer": "x"}).rows == (Row(1, text, "x"),)
    raw = json.dumps({"question": text, "answer": "x"}, ensure_ascii=False).encode()
    assert read_question_file(raw, "pairs.jsonl").rows == (Row(1, text, "x"),)
    assert csv_file(f"question,answer\n{text},x\n").rows == (Row(2, text, "x"),)


def test_rows_that_are_no_rows() -> None:
    lines = b'{"question": "a", "answer": "b"}\r\n[1]\n{\n' + b"[" * 100_000 + b"\n"
    assert read_question_file(lines, "pairs.jsonl").rows == (
        Row(1, "a", "b"),
        Row(2, broken="not an object"),
        Row(3, broken="not JSON"),
        Row(4, broken="not JSON"),
        Row(5, blank=True),
    )
    wide = "wider than the header (3 cells, not 2: a text with the separator in it needs quotation marks)"
    assert csv_file("question,answer\nWho, you?,Me.\na,b,,\n").rows == (Row(2, broken=wide), Row(3, "a", "b"))


def test_a_cell_that_is_too_long_or_never_ends() -> None:
    rows = csv_file(f"question,answer\n{'x' * 140_000},b\nc,d\n").rows
    assert rows == (Row(2, broken="not readable as CSV (field larger than field limit (131072))"), Row(3, "c", "d"))
    rows = csv_file('question,answer\na,b\nc,"d\ne,f\ng,h\n').rows
    assert rows == (Row(2, "a", "b"), Row(3, broken="not closed (a quotation mark opens a cell that never ends)"))
    inches = 'question,answer\nHow wide?,5" or so\n"a\nb\nc",d\ne,f\n'
    assert [row.broken for row in csv_file(inches).rows] == ["", "", ""]


@pytest.mark.parametrize(
    ("name", "data", "columns"),
    [
        ("pairs.csv", b"question,remark\na,b\n", ("question", "remark")),
        ("pairs.csv", b"", ()),
        ("pairs.jsonl", b'{"x": "a"}\n{"x": "b", "y": "c"}\n', ("x", "y")),
    ],
)
def test_columns_that_are_not_understood(name: str, data: bytes, columns: tuple[str, ...]) -> None:
    found = read_question_file(data, name)
    assert (found.understood, found.columns, found.rows) == (False, columns, ())


def test_the_format_follows_the_name_and_then_the_content(tmp_path: Path) -> None:
    line = b'{"question": "a", "answer": "b"}\n'
    for name in ("x.jsonl", "x.ndjson", "x.json", "x.txt", "x"):
        assert read_question_file(line, name).layout == "JSONL"
    assert read_question_file(b"question\tanswer\na\tb\n", "x.tsv").rows == (Row(2, "a", "b"),)
    (tmp_path / "x.jsonl").write_bytes(line)
    assert read_question_file(tmp_path / "x.jsonl").name == "x.jsonl"
    listed = read_question_file(b'[{"question": "a", "answer": "b"}]', "x.json")
    assert (listed.layout, listed.rows) == ("JSON list", (Row(1, "a", "b"),))
