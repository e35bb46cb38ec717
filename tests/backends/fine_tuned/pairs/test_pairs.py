"""The strict reader: every row, or the first fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Pair, digest, read_pairs
from backends.question_files.columns import PAIRS, known_words

FAULTS = {
    "no answer column": (
        "pairs.csv",
        b"question,remark\na,b\n",
        "pairs.csv has no column answer.",
        f"It has the columns question and remark. {known_words(PAIRS, chats=False)}",
    ),
    "no columns": (
        "pairs.csv",
        b"a,b\n1,2\n",
        "pairs.csv has no column answer and question.",
        f"It has the columns a and b. {known_words(PAIRS, chats=False)}",
    ),
    "empty cell": (
        "pairs.csv",
        b"question,answer\na,b\nc, \n",
        "Row 3 of pairs.csv has no question or no answer.",
        "Fill it in or remove it.",
    ),
    "short row": (
        "pairs.csv",
        b"question,answer\nalone\n",
        "Row 2 of pairs.csv has no question or no answer.",
        "Fill it in or remove it.",
    ),
    "not JSON": (
        "pairs.jsonl",
        b'{"question": "a", "answer": "b"}\n\n{"question": "a"\n',
        "Line 3 of pairs.jsonl is not JSON.",
        "Mend or remove that line.",
    ),
    "not an object": (
        "pairs.jsonl",
        b'["a", "b"]\n',
        "Line 1 of pairs.jsonl is not an object.",
        'Write {"question": ..., "answer": ...}.',
    ),
    "not text": (
        "pairs.jsonl",
        b'{"question": "a", "answer": {"value": 5}}\n',
        "Line 1 of pairs.jsonl is not readable: its answer is an object, not text.",
        "Mend or remove that row.",
    ),
    "binary": ("pairs.csv", b"question,answer\n\x00\x01\x02", "pairs.csv is not text.", "Save it as UTF-8 text."),
    "empty JSONL": ("pairs.jsonl", b"\n", "pairs.jsonl is empty.", "Add rows with question and answer."),
    "header only": (
        "pairs.csv",
        b"question,answer\n",
        "pairs.csv has no pairs.",
        "Add rows with question and answer.",
    ),
    "empty CSV": ("pairs.csv", b"", "pairs.csv is empty.", "Add rows with question and answer."),
    "only blank lines": ("pairs.jsonl", b"\n \n", "pairs.jsonl is empty.", "Add rows with question and answer."),
    "no JSON at all": ("pairs.jsonl", b"hello\n", "Line 1 of pairs.jsonl is not JSON.", "Mend or remove that line."),
    "too many cells": (
        "pairs.csv",
        b"question,answer\nWho, you?,Me.\n",
        "Row 2 of pairs.csv is wider than the header (3 cells, not 2: a text with the separator in it needs quotation "
        "marks).",
        "Mend or remove that row.",
    ),
    "only zero width": (
        "pairs.csv",
        "question,answer\n\u200b\u200d,b\n".encode(),
        "Row 2 of pairs.csv has no question or no answer.",
        "Fill it in or remove it.",
    ),
    "other keys": (
        "pairs.jsonl",
        b'{"question": "a", "remark": "b"}\n',
        "pairs.jsonl has no column answer.",
        f"It has the columns question and remark. {known_words(PAIRS, chats=True)}",
    ),
    "a longer chat": (
        "pairs.jsonl",
        b'{"messages": [{"role": "user", "content": "a"}]}\n',
        "Line 1 of pairs.jsonl is not a chat of one user turn and one assistant turn.",
        "Mend or remove that row.",
    ),
}


@pytest.mark.parametrize(("name", "content", "cause", "next_step"), FAULTS.values(), ids=FAULTS)
def test_faults(tmp_path: Path, name: str, content: bytes, cause: str, next_step: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BackendError) as caught:
        read_pairs(tmp_path / name)
    assert (caught.value.cause, caught.value.next_step) == (cause, next_step)


def test_what_the_bytes_prove_is_read_and_so_is_what_is_guessed(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_bytes("question;answer\nOù?;Là.\n".encode("utf-16"))
    assert read_pairs(file) == [Pair("Où?", "Là.")]
    file.write_bytes("question;answer\nOù?;Là.\n".encode("utf-16-le"))
    assert read_pairs(file) == [Pair("Où?", "Là.")]
    file.write_bytes("question,answer\nOù?,Là.\n".encode() + b"caf\xe9,b\n")
    assert read_pairs(file) == [Pair("Où?", "Là."), Pair("café", "b")]


def test_texts_are_cleaned_and_marks_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text(
        'question,answer,group,generated,source\n"a\x00\u202e ","one\r\ntwo",g ,yes,x.pdf\n',
        encoding="utf-8",
        newline="",
    )
    assert read_pairs(file) == [Pair("a", "one\ntwo", "g", generated=True, source="x.pdf")]


def test_the_digest_is_of_questions_and_answers() -> None:
    plain = [Pair("a", "b"), Pair("c", "d")]
    assert digest(plain) == digest((Pair("a", "b", "g", True, "x.pdf"), Pair("c", "d")))
    assert digest(plain) == "0f50179d900d72aae2a1d53821ef1d53c21464b37856be4a2a7a1a411d8835f3"
    assert digest(plain) != digest(plain[::-1])


def test_csv_and_jsonl_give_the_same_pairs(tmp_path: Path) -> None:
    table, lines = tmp_path / "pairs.csv", tmp_path / "pairs.jsonl"
    table.write_text('\ufeffid,question,answer\n1,"Who, you?"," Me.\n"\n2,Où?,Là.\n', encoding="utf-8")
    lines.write_text(
        '{"question": "Who, you?", "answer": "Me."}\n\n{"answer": "L\\u00e0.", "question": "Où?"}\n', encoding="utf-8"
    )
    pairs = [Pair("Who, you?", "Me."), Pair("Où?", "Là.")]
    assert read_pairs(table) == read_pairs(lines) == pairs
    assert digest(pairs) != digest(pairs[::-1])


def test_a_missing_file_of_pairs(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        read_pairs(tmp_path / "none.csv")
    assert (caught.value.cause, caught.value.next_step) == (
        f"There is no file {tmp_path / 'none.csv'}.",
        "Give a CSV or JSONL file with question and answer.",
    )
