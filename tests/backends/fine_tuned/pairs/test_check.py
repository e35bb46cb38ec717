"""The report on a file of pairs: every fault with its row, what is kept, tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.fine_tuned.pairs.check import PairReport, RowFault, TokenCounts, check_pairs, check_reviewed
from backends.fine_tuned.pairs.files import Pair
from backends.question_files.columns import PAIRS, known_words


def words(text: str) -> int:
    return len(text.split())


def found(report: PairReport) -> list[tuple[int | None, str, str]]:
    return [(fault.row, fault.severity, fault.sentence) for fault in report.faults]


def check(text: str, name: str = "pairs.csv") -> PairReport:
    return check_pairs(text.encode(), name)


def test_a_file_without_faults(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("question;answer\na?;b\nc?;d\n;\n\n", encoding="utf-8")  # spreadsheets leave such rows below
    pairs = (Pair("a?", "b"), Pair("c?", "d"))
    assert check_pairs(file) == PairReport(pairs, (2, 3), (), "UTF-8", "CSV with semicolons", 2, None)
    assert check_pairs(file.read_bytes(), "pairs.csv") == check_pairs(file)


def test_every_row_that_cannot_be_used_is_named() -> None:
    report = check("question,answer\na,b\n\n,\nc,\n,d\nWho, you?,Me.\ne,f\n")
    wide = "wider than the header (3 cells, not 2: a text with the separator in it needs quotation marks)"
    assert found(report) == [
        (3, "warning", "It is empty."),
        (4, "warning", "It is empty."),
        (5, "error", "It has no answer that is text; it is left out."),
        (6, "error", "It has no question that is text; it is left out."),
        (7, "error", f"It is {wide}; it is left out."),
    ]
    assert report.errors == report.faults[2:]
    assert (report.pairs, report.numbers, report.rows) == ((Pair("a", "b"), Pair("e", "f")), (2, 8), 5)


def test_lines_that_are_no_pairs() -> None:
    lines = [
        '{"question": "a", "answer": "b"}',
        "{",
        "[]",
        '{"question": "a", "answer": {"text": 4}}',
        '{"question": "c"}',
    ]
    report = check("\n".join([*lines, '{"prompt": "e", "completion": "f"}']), "pairs.jsonl")
    assert found(report) == [
        (2, "error", "It is not JSON; it is left out."),
        (3, "error", "It is not an object; it is left out."),
        (4, "error", "It is not readable: its answer is an object, not text; it is left out."),
        (5, "error", "It has no answer that is text; it is left out."),
    ]
    assert report.pairs == (Pair("a", "b"), Pair("e", "f"))
    assert check('{"question": "\\u200b", "answer": "\\u200b"}\n', "x.jsonl").faults[1] == RowFault(
        1, "It has no question and no answer that is text; it is left out.", "error"
    )


def test_duplicates_are_kept_once_and_conflicts_are_shown() -> None:
    rows = ["Who?,Me.", "When?,Now.", " Who? ,Me.", "who,You.", "Who?,me", "WHEN?,now", "Who?,You."]
    report = check("question,answer\n" + "\n".join(rows))
    assert found(report) == [
        (4, "warning", "The same pair as row 2; it is used once."),
        (5, "warning", "The same question as row 2, with another answer."),
        (8, "warning", "The same question as row 2, with another answer."),
    ]
    assert report.numbers == (2, 3, 5, 6, 7, 8)


def test_tokens_and_pairs_that_do_not_fit() -> None:
    text = "question,answer\na b c,d\ne,f g h\ni j k l,m n o p q\nr,s\n"
    report = check_pairs(text.encode(), "pairs.csv", words, window=10, template_tokens=4)
    assert found(report) == [(4, "error", "It has 13 tokens, more than the context of 10; it is left out.")]
    assert report.tokens == TokenCounts(total=8 + 8 + 6, median=8, longest=8, in_answers=1 + 3 + 1)
    assert report.numbers == (2, 3, 5)
    unlimited = check_pairs(text.encode(), "pairs.csv", words)
    assert (unlimited.faults, unlimited.tokens) == ((), TokenCounts(4 + 4 + 9 + 2, 4, 9, 10))


def test_control_characters_are_removed_and_line_ends_are_not_faults() -> None:
    report = check('question,answer\n"a\x00b","c\r\nd"\ne,\u202ef\u200e\n')
    assert report.pairs == (Pair("ab", "c\nd"), Pair("e", "f"))
    assert found(report) == [
        (2, "warning", "Control characters were removed from the question."),
        (3, "warning", "Control characters were removed from the answer."),
    ]


def test_a_guessed_encoding_is_said() -> None:
    report = check_pairs("question,answer\nOù?,Là.\né,à\n".encode("cp1252"), "pairs.csv")
    assert report.pairs == (Pair("Où?", "Là."), Pair("é", "à"))
    assert report.encoding == "Windows-1252 (guessed)"
    guess = "pairs.csv was read as Windows-1252, which is a guess. If letters look wrong, save it as UTF-8."
    assert found(report) == [(None, "warning", guess)]


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.jsonl"])
def test_mixed_encodings_name_their_rows(name: str) -> None:
    rows = [("Où est la clé?", "Là."), ("Qui a gagné?", "Moi, à Paris."), ("Quand?", "Hier \x81.")]
    if name == "pairs.csv":
        lines = ["question;answer", *(";".join(row) for row in rows)]
    else:
        lines = ["", *(json.dumps({"question": q, "answer": a}, ensure_ascii=False) for q, a in rows)]
    data = b"\n".join(line.encode("latin-1" if number > 1 else "utf-8") for number, line in enumerate(lines))
    report = check_pairs(data, name)
    assert report.pairs == (Pair(*rows[0]), Pair(*rows[1]), Pair("Quand?", "Hier \ufffd."))
    assert report.encoding == "UTF-8"
    misread = "It is not in the file's encoding; it was read as Windows-1252, which is a guess."
    assert [fault for fault in found(report) if fault[0] != 1] == [
        (None, "warning", f"{name} mixes encodings: it is UTF-8, except for rows 3, 4. Save it as UTF-8."),
        (3, "warning", misread),
        (4, "warning", misread),
        (4, "warning", "It holds \ufffd, the mark of a letter that was lost in a conversion."),
    ]


KNOWN = known_words(PAIRS, chats=False)

FILES = {
    "no bytes": ("pairs.csv", b"", "pairs.csv is empty (0 bytes). Add rows with question and answer."),
    "header only": (
        "pairs.csv",
        b"question,answer\n",
        "pairs.csv has no usable pairs. Add rows with question and answer.",
    ),
    "blank lines": ("pairs.jsonl", b"\n\n", "pairs.jsonl has no usable pairs. Add rows with question and answer."),
    "wrong columns": (
        "pairs.csv",
        b"id,Question,remark\n1,a,b\n",
        f"pairs.csv has no column answer. It has the columns id, Question and remark. {KNOWN}",
    ),
    "one column": (
        "pairs.csv",
        b"text\na\n",
        f"pairs.csv has no column answer and question. It has the column text. {KNOWN}",
    ),
    "white space": ("pairs.csv", b" \n\n", f"pairs.csv has no columns. {KNOWN}"),
    "wrong keys": (
        "pairs.jsonl",
        b'{"x": "a", "y": "b"}\n',
        f"pairs.jsonl has no column answer and question. It has the columns x and y. {known_words(PAIRS, chats=True)}",
    ),
    "workbook": (
        "pairs.csv",
        b"PK\x03\x04",
        "pairs.csv is a workbook or a zip archive, not text. Export it as CSV (UTF-8).",
    ),
}


@pytest.mark.parametrize(("name", "data", "sentence"), FILES.values(), ids=FILES)
def test_files_without_pairs(name: str, data: bytes, sentence: str) -> None:
    report = check_pairs(data, name)
    assert found(report) == [(None, "error", sentence)]
    assert (report.pairs, report.rows, report.tokens) == ((), 0, None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    report = check_pairs(tmp_path / "none.csv")
    missing = f"There is no file {tmp_path / 'none.csv'}. Give a CSV or JSONL file with question and answer."
    assert found(report) == [(None, "error", missing)]


def test_one_pair_is_a_warning() -> None:
    report = check("question,answer\na,b\n")
    only = "There is only one pair, so nothing can be held out to measure what was learned."
    assert (report.pairs, found(report)) == ((Pair("a", "b"),), [(None, "warning", only)])


def test_system_messages_are_not_dropped_in_silence() -> None:
    chat = [{"role": role, "content": role} for role in ("system", "user", "assistant")]
    lines = [json.dumps({"messages": chat}), json.dumps({"question": "a", "answer": "b"})]
    unused = "A row has a system message, which is not used: every question gets the system prompt of the settings."
    report = check("\n".join(lines), "pairs.jsonl")
    assert report.pairs == (Pair("user", "assistant"), Pair("a", "b"))
    assert found(report) == [(None, "warning", unused)]


def test_what_was_edited_on_the_page_is_checked_the_same_way() -> None:
    drafted = Pair("Who?", "Me.", generated=True, source="guide.pdf, page 2")
    report = check_reviewed([drafted, Pair("Who?", "Me."), Pair("When?", ""), Pair("", "")], words, 8)
    assert (report.pairs, report.numbers, report.rows) == ((drafted,), (1,), 4)
    assert report.tokens == TokenCounts(2, 2, 2, 1)
    assert found(report)[1:] == [
        (2, "warning", "The same pair as row 1; it is used once."),
        (3, "error", "It has no answer that is text; it is left out."),
        (4, "warning", "It is empty."),
    ]


def test_many_rows() -> None:
    """So many that comparing every row with every other one would not end within the patience of a test run."""
    lines = [f"What is the code of door {n // 2}?,It is {n % 2}{n // 3}." for n in range(20_000)]
    report = check_pairs("\n".join(["question,answer", *lines, lines[0]]).encode(), "pairs.csv", words, 100)
    assert (len(report.pairs), report.rows) == (20_000, 20_001)
    assert len(report.faults) == 10_000 + 1  # every second row has another answer, and the last one is there twice
    assert report.tokens == TokenCounts(20_000 * 10, 10, 10, 20_000 * 3)
