"""The shapes in which other tools write questions and answers: what is read of each, and what is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends.errors import BackendError
from backends.question_files.columns import PAIRS, QUESTIONS, Kind, known_words
from backends.question_files.reader import QuestionFile, Row, read_question_file


def pairs(content: object, name: str = "pairs.jsonl", kind: Kind = PAIRS) -> QuestionFile:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return read_question_file(text.encode(), name, kind)


def said(content: object, name: str = "pairs.jsonl") -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Questions and answers, and the notes on the file."""
    found = pairs(content, name)
    assert found.refusal is None, found.refusal
    return [(row.question, row.answer) for row in found.rows if not row.broken], found.notes


def turn(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


def test_answers_that_are_numbers_or_truth_values_are_read_as_they_are_written() -> None:
    big = "123456789012345678901234567890"
    values = ["36", "true", "false", "12.5", "1e21", big, "-0.10", '"36"']
    found = pairs("\n".join(f'{{"question": "q", "answer": {value}}}' for value in values))
    assert [row.answer for row in found.rows] == [*values[:-1], "36"]
    none = pairs("\n".join(f'{{"question": "q", "answer": {value}}}' for value in ("null", "NaN", "-Infinity")))
    assert [(row.answer, row.broken) for row in none.rows] == [("", "")] * 3


def test_values_that_are_no_text_are_refused_by_name() -> None:
    lines = [
        {"question": "q", "answer": {"text": ["a"]}},
        {"question": 5, "answer": "b"},
        {"question": "q", "answer": ["a", "b"]},
    ]
    found = pairs("\n".join(map(json.dumps, lines)))
    assert [row.broken for row in found.rows] == [
        "not readable: its answer is an object, not text",
        "not readable: its question is a number, not text",
        "not readable: its answer is a list, not text",
    ]


@pytest.mark.parametrize("container", ["conversations", "messages", "Conversation", "dialogue"])
@pytest.mark.parametrize(
    ("role", "content", "user", "assistant"),
    [("from", "value", "human", "gpt"), ("role", "content", "user", "assistant"), ("Role", "x", "", "")],
)
def test_chats(container: str, role: str, content: str, user: str, assistant: str) -> None:
    chat = [{role: user, content: "q"}, {role: assistant, content: "a"}]
    (row,) = pairs({container: chat}).rows
    assert row == (Row(1, "q", "a") if user else Row(1, broken="not a chat of one user turn and one assistant turn"))


def test_parts_of_a_turn_are_joined_and_what_is_no_text_is_named() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, "c"]
    picture = [{"type": "image_url", "image_url": {"url": "x"}}]
    found = pairs(
        "\n".join(
            json.dumps({"messages": [turn("user", content), turn("assistant", "d")]})
            for content in (parts, picture, {"x": 1})
        )
    )
    assert [(row.question, row.broken) for row in found.rows] == [
        ("a\nb\nc", ""),
        ("", "a chat with a part that is not text (image_url)"),
        ("", "a chat with a turn that is not text"),
    ]


def test_turns_after_the_first_answer_and_a_system_turn_are_named() -> None:
    chat = [turn("system", "s"), turn("user", "q"), turn("assistant", "a"), turn("user", "r")]
    found = pairs({"id": 7, "conversations": chat})
    note = "Only its first question and answer are read, not the turn after them."
    assert found.rows == (Row(1, "q", "a", system=True, notes=(note,)),)
    assert found.notes == (
        "The column id is not read.",
        "A row has a system message, which is not used: every question gets the system prompt of the settings.",
    )


SHAPES: dict[str, tuple[object, list[tuple[str, str]], tuple[str, ...]]] = {
    "alpaca": ({"instruction": "i", "input": "n", "output": "o"}, [("i\n\nn", "o")], ()),
    "alpaca with other names": ({"instruction": "i", "input": "n", "response": "o"}, [("i\n\nn", "o")], ()),
    "dolly": (
        {"instruction": "i", "context": "c", "response": "r", "category": "qa"},
        [("i\n\nc", "r")],
        ("The column category is not read.",),
    ),
    "lists of messages": (
        {"prompt": [turn("user", "q")], "completion": [turn("assistant", "a")]},
        [("q", "a")],
        (),
    ),
    "preferences": (
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        [("q", "a")],
        ("The column rejected is not read.",),
    ),
    "preferences as messages": (
        {"prompt": [turn("user", "q")], "chosen": [turn("assistant", "a")], "rejected": [turn("assistant", "b")]},
        [("q", "a")],
        ("The column rejected is not read.",),
    ),
    "preferences as chats": (
        {
            "chosen": [turn("user", "q"), turn("assistant", "a")],
            "rejected": [turn("user", "q"), turn("assistant", "b")],
        },
        [("q", "a")],
        ("The column rejected is not read.",),
    ),
    "an unwanted answer": ({"prompt": "q", "completion": "a", "label": False}, [], ()),
    "a wanted answer": ({"prompt": "q", "completion": "a", "label": True}, [("q", "a")], ()),
    "Gemini": (
        {"contents": [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": "a"}]}]},
        [("q", "a")],
        (),
    ),
    "a system column": (
        {"system": "s", "Query": "q", "Response": "a"},
        [("q", "a")],
        ("A row has a system message, which is not used: every question gets the system prompt of the settings.",),
    ),
    "German": ({"Frage": "q", "Antwort": "a"}, [("q", "a")], ()),
    "promptfoo's column": (
        {"question": "q", "answer": "a", "__expected": "contains: a"},
        [("q", "a")],
        ("The column __expected is not read.",),
    ),
}


@pytest.mark.parametrize(("content", "expected", "notes"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_other_tools(content: object, expected: list[tuple[str, str]], notes: tuple[str, ...]) -> None:
    assert said(content) == (expected, notes)


ONE, TWO = {"question": "a", "answer": "b"}, {"question": "c", "answer": 4}
BOTH = [("a", "b"), ("c", "4")]
DOCUMENTS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "a list": ([ONE, TWO], "JSON list", ()),
    "data": (
        {"data": [ONE, TWO], "v": 1},
        "JSON list data",
        ("The document also holds v, beside data; that is not read.",),
    ),
    "rows of the Hub": (
        {"features": [{"name": "x"}], "rows": [{"row_idx": 0, "row": ONE}, {"row_idx": 1, "row": TWO}]},
        "JSON list rows",
        ("The document also holds features, beside rows; that is not read.",),
    ),
    "columns": ({"question": ["a", "c"], "answer": ["b", 4]}, "JSON columns", ()),
    "numbered columns": ({"question": {"0": "a", "1": "c"}, "answer": {"0": "b", "1": 4}}, "JSON columns", ()),
    "a table": ({"columns": ["question", "answer"], "data": [["a", "b"], ["c", 4]]}, "JSON table", ()),
    "objects": (f"{json.dumps(ONE, indent=1)}\n{json.dumps(TWO, indent=1)}\n", "JSON objects", ()),
    "a list over lines": (json.dumps([ONE, TWO], indent=1), "JSON list", ()),
    "lines": (f"\ufeff{json.dumps(ONE)}\r\n\r\n# a comment\r\n{json.dumps(TWO)}", "JSONL", ("A comment is not read.",)),
}


@pytest.mark.parametrize(("content", "layout", "notes"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_json_documents(content: Any, layout: str, notes: tuple[str, ...]) -> None:
    found = pairs(content, "pairs.json")
    assert [(row.question, row.answer) for row in found.rows if not row.blank] == BOTH
    assert (found.layout, found.notes) == (layout, notes)


def test_a_document_with_two_lists_says_so() -> None:
    with pytest.raises(BackendError, match=r"^x.json has more than one list of rows: train and test\. Keep the one "):
        pairs({"train": [ONE], "test": [TWO]}, "x.json")


def refusal(content: object, name: str = "x.jsonl", kind: Kind = PAIRS) -> str:
    return str(pairs(content, name, kind).refusal)


def test_two_columns_that_fit_are_named() -> None:
    both = "is ambiguous: the columns query and user both fit as the question. Keep one of them or call the right one "
    assert refusal("query;user;answer\na;b;c\n", "x.csv") == f"x.csv {both}question."
    assert refusal({"query": "a", "user": "b", "answer": "c"}) == f"x.jsonl {both}question."
    assert "the columns answer and Answer both fit" in refusal("question,answer,Answer\na,b,c\n", "x.csv")
    mixed = pairs('{"question": "a", "question": "b", "answer": "c"}\n{"question": "d", "answer": "e"}')
    assert [row.broken for row in mixed.rows] == ["ambiguous: question and question fit as the question", ""]
    known = said({"question": "a", "answer": "b", "prompt": "c", "response": "d"})
    assert known == ([("a", "b")], ("The columns prompt and response are not read.",))


def test_a_refusal_names_what_is_known() -> None:
    assert refusal({"text": "a"}) == (
        f"x.jsonl has no column answer and question. It has the column text. {known_words(PAIRS, chats=True)}"
    )
    for word in ("instruction", "completion", "messages with role", "conversations with from", "(ShareGPT)"):
        assert word in refusal({"text": "a"})
    assert "messages" not in refusal("text\na\n", "x.csv")
    assert "Tests of promptfoo" in refusal({"vars": {"question": "a"}, "assert": [{"type": "equals", "value": "b"}]})


def test_what_stands_above_a_table_and_between_its_rows() -> None:
    found = pairs("My questions;;\n\nQuestion;Answer;Topic\na;b;t\n# later\nc;d;\n", "x.csv")
    assert [(row.number, row.question, row.answer) for row in found.rows] == [(4, "a", "b"), (6, "c", "d")]
    assert found.notes == (
        "A row above the header is not read.",
        "A comment is not read.",
        "The column Topic is not read.",
    )
    commented = pairs("# made today\nquestion|answer\na|b\n# c|d\n", "x.csv")
    assert [(row.number, row.question) for row in commented.rows] == [(3, "a")]
    assert commented.notes == ("2 lines are comments, which are not read.",)
    assert [row.question for row in pairs("question,answer\n# of doors?,3\n", "x.csv").rows] == ["# of doors?"]


def test_a_table_of_one_column_is_cut_by_nothing() -> None:
    found = pairs("question\nWhat, exactly; is | it?\nWho?\n", "x.txt", QUESTIONS)
    assert [row.question for row in found.rows] == ["What, exactly; is | it?", "Who?"]
    assert found.layout == "CSV of one column"


def test_key_facts_as_text_and_as_lists() -> None:
    texts = ["a|b; c", '["a", "b c", 3]', "['a', \"b\"]", "[a; b]"]
    table = "question\tKey Facts\n" + "".join(f"q\t{text}\n" for text in texts)
    found = [row.key_facts for row in read_question_file(table.encode(), "x.tsv", QUESTIONS).rows]
    assert found == [(("a", "b"), ("c",)), (("a",), ("b c",), ("3",)), (("a",), ("b",)), (("[a",), ("b]",))]
    facts = {"question": "q", "must_contain": [["a", "b"], "c|d", 36, True, None], "tags": "x; y"}
    (row,) = pairs(facts, kind=QUESTIONS).rows
    assert (row.key_facts, row.tags) == ((("a", "b"), ("c", "d"), ("36",), ("true",)), ("x", "y"))


def test_what_is_right_goes_before_what_a_model_wrote() -> None:
    found = pairs({"user_input": "q", "response": "m", "reference": "r"}, kind=QUESTIONS)
    assert [(row.question, row.answer) for row in found.rows] == [("q", "r")]
    assert found.notes == ("The column response is not read.",)
    evals = pairs({"input": [turn("system", "s"), turn("user", "q")], "ideal": "a"}, kind=QUESTIONS)
    assert [(row.question, row.answer, row.system) for row in evals.rows] == [("q", "a", True)]
    several = pairs({"question": "q", "ideal": ["a", "b"]}, kind=QUESTIONS)
    assert several.rows == (Row(1, "q", notes=("Its answer is a list, which is not read.",)),)


@pytest.mark.parametrize("mark", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"masked": True}])
def test_a_reply_that_is_marked_as_not_to_be_learned_is_left_out(mark: dict[str, Any]) -> None:
    (row,) = pairs({"messages": [turn("user", "q"), turn("assistant", "a") | mark]}).rows
    assert row.broken.startswith("marked as an answer that is not wanted (")
    (row,) = pairs({"messages": [turn("user", "q") | mark, turn("assistant", "a") | {"weight": 1, "train": True}]}).rows
    assert (row.question, row.answer, row.broken) == ("q", "a", "")


def test_what_else_the_turns_hold_is_named() -> None:
    reply = turn("assistant", "a") | {"reasoning_content": "Hm.", "tool_calls": [], "name": "x"}
    (row,) = pairs({"messages": [turn("user", "q"), reply]}).rows
    assert row.notes == ("Its turns also hold reasoning_content, which is not read.",)


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.csv"])
def test_a_chat_that_is_spelled_out_in_a_cell_is_read(name: str) -> None:
    cell = json.dumps([turn("user", "q"), turn("assistant", 'a "b"')])
    doubled = cell.replace('"', '""')
    content = json.dumps({"messages": cell}) if name == "pairs.jsonl" else f'messages\n"{doubled}"\n'
    assert said(content, name) == ([("q", 'a "b"')], ())


@pytest.mark.parametrize("cell", ["hello", "[1, 2]", "[", "[]", '[{"role"'])
def test_a_cell_that_only_is_called_a_chat_is_no_chat(cell: str) -> None:
    doubled = cell.replace('"', '""')
    assert pairs(f'chat,x\n"{doubled}",1\n', "pairs.csv").refusal


def test_quotation_marks_after_a_backslash() -> None:
    text = 'question,answer\nq1,"a \\"quoted\\" b, C:\\temp"\nq2,"a ""b"" c"\n'
    rows = [("q1", 'a "quoted" b, C:\\temp'), ("q2", 'a "b" c')]
    note = 'Its quotation marks inside of cells are written as \\", as MySQL does, and are read so.'
    assert said(text, "pairs.csv") == (rows, (note,))
    windows = 'question,answer\nq1,"C:\\temp\\"\n'
    assert said(windows, "pairs.csv") == ([("q1", "C:\\temp\\")], ())


@pytest.mark.parametrize("kind", [PAIRS, QUESTIONS])
def test_question_and_answer_in_objects(kind: Kind) -> None:
    rows = [
        {"inputs": {"question": "q"}, "outputs": {"answer": "a"}},
        {"input": {"query": "q", "k": 3}, "expectedOutput": {"output": "a"}},
        {"inputs": {"question": "q", "query": "r"}, "outputs": {"answer": "a"}},
    ]
    found = pairs(rows, "runs.json", kind).rows
    assert [(row.question, row.answer) for row in found[:2]] == [("q", "a")] * 2
    assert found[1].notes == ("Its question also holds k, which is not read.",)
    assert found[2].broken == "not readable: its question is an object, not text"
