"""Question files as people write them, and the sentence where they cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.errors import BackendError
from evaluation.samples import Sample, evenly, parse_question_set, read_question_set


def written(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_a_csv_with_every_column(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "questions.csv",
        "id,question,reference_answer,key_facts,source,tags\n"
        'q1,"How long, exactly?",30 days.,30 days|thirty days; unopened ,a.pdf;b.md,single_fact; superseded\n',
    )
    assert read_question_set(file) == [
        Sample(
            "q1",
            "How long, exactly?",
            "30 days.",
            (("30 days", "thirty days"), ("unopened",)),
            ("a.pdf", "b.md"),
            ("single_fact", "superseded"),
        )
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.csv", "question\nOne?\n\nTwo?\n"),
        ("q.csv", "\ufeffquestion\nOne?\nTwo?\n"),
        ("q.csv", "question\r\nOne?\r\n  Two?  \r\n"),
        ("q.jsonl", '{"question": "One?"}\n\n{"question": " Two? "}'),
    ],
    ids=["csv", "byte-order-mark", "windows", "jsonl"],
)
def test_a_question_alone_is_enough(tmp_path: Path, name: str, content: str) -> None:
    samples = read_question_set(written(tmp_path, name, content))
    assert [(sample.id, sample.question) for sample in samples] == [("1", "One?"), ("2", "Two?")]
    assert samples[0] == Sample("1", "One?")


def test_a_line_break_inside_a_quoted_question_stays(tmp_path: Path) -> None:
    (sample,) = read_question_set(written(tmp_path, "q.csv", 'question,id\n"One\ntwo?",x\n'))
    assert (sample.question, sample.id) == ("One\ntwo?", "x")


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b"], ids=ascii)
def test_a_separator_that_is_no_line_break_stays_in_its_question(tmp_path: Path, separator: str) -> None:
    question = f"One{separator}two?"
    (from_csv,) = read_question_set(written(tmp_path, "q.csv", f"question,id\n{question},x\n"))
    row = json.dumps({"question": question, "id": "x"}, ensure_ascii=False)
    (from_json,) = read_question_set(written(tmp_path, "q.jsonl", row + "\n"))
    assert from_csv == from_json == Sample("x", question)


def test_jsonl_values_that_are_not_text(tmp_path: Path) -> None:
    row = {"id": 7, "question": "One?", "source": ["a.pdf", "b.md"], "tags": ["single_fact"]}
    (sample,) = read_question_set(written(tmp_path, "q.jsonl", json.dumps(row)))
    assert sample == Sample("7", "One?", sources=("a.pdf", "b.md"), tags=("single_fact",))


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("q.csv", "", "q.csv has no questions."),
        ("q.csv", "remark\nWas?\n", "q.csv has no questions."),
        ("q.csv", "question\n \n", "q.csv has no questions."),
        ("q.jsonl", "", "q.jsonl has no questions."),
        ("q.jsonl", '{"question": null}', "q.jsonl has no questions."),
        ("q.jsonl", "not json\nnot json", "Line 1 of q.jsonl is not JSON. Line 2 is not JSON."),
        ("q.csv", b"question\nOne?\n\x00\x01\x02", "q.csv is not text."),
    ],
)
def test_an_unusable_file_is_a_sentence(tmp_path: Path, name: str, content: str | bytes, cause: str) -> None:
    with pytest.raises(BackendError) as refused:
        read_question_set(written(tmp_path, name, content))
    assert refused.value.cause == cause


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.jsonl", "[1, 2]"),
        ("q.jsonl", '"One?"'),
        ("q.jsonl", "null"),
        ("q.jsonl", '{"question": 5}'),
        ("q.jsonl", '{"question": ["One?"]}'),
        ("q.jsonl", "[" * 100_000),
        ("q.csv", "question\n" + "x" * 200_000 + "\n"),
    ],
    ids=["list", "text", "null", "number", "nested", "deep", "long"],
)
def test_rows_that_are_no_questions_are_a_sentence_that_names_the_file(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(BackendError) as refused:
        read_question_set(written(tmp_path, name, content))
    assert name in refused.value.cause


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BackendError) as refused:
        read_question_set(tmp_path / "missing.csv")
    assert refused.value.cause == f"There is no file {tmp_path / 'missing.csv'}."
    with pytest.raises(BackendError) as refused:
        read_question_set(tmp_path)
    assert refused.value.cause == f"{tmp_path} is a folder."


@pytest.mark.parametrize(
    ("most", "ids"), [(3, ["1", "4", "7"]), (4, ["1", "3", "5", "7"]), (9, list("123456789")), (20, list("123456789"))]
)
def test_some_questions_are_taken_evenly_from_all(most: int, ids: list[str]) -> None:
    samples = [Sample(str(number), "Why?") for number in range(1, 10)]
    assert [sample.id for sample in evenly(samples, most)] == ids
    assert evenly(samples, 0) == evenly([], most) == []


def test_a_half_of_a_character_is_replaced_as_no_result_could_hold_it():
    content = rb'{"id": "\ud800", "question": "a\ud800", "reference_answer": "\ud800", "tags": ["\ud800"]}'
    (found,) = parse_question_set("some.jsonl", content)
    assert (found.id, found.question, found.reference_answer, found.tags) == (
        "\ufffd",
        "a\ufffd",
        "\ufffd",
        ("\ufffd",),
    )


def test_a_quotation_mark_that_never_closes_refuses_the_file(tmp_path: Path) -> None:
    """It would be one row that is left out, and nobody would see how many questions are gone with it."""
    file = tmp_path / "asked.csv"
    file.write_text('question,answer\nOne?,1\nTwo?,"2\nThree?,3\nFour?,4\n')
    with pytest.raises(BackendError, match="is not closed"):
        read_question_set(file)
