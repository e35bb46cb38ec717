"""Of any file: a sentence or rows, never more of them than stand there; and the same pairs in any format."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.errors import BackendError
from backends.question_files.columns import PAIRS, QUESTIONS, Kind
from backends.question_files.reader import read_question_file

NAMES = ("x.csv", "x.tsv", "x.jsonl", "x.ndjson", "x.json", "x.txt", "x")
QUICK = settings(max_examples=150, deadline=None, database=None, derandomize=True)

letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
texts = st.text(st.one_of(letters, st.sampled_from(" ,;\t|\"'#\n{}[]")), min_size=1, max_size=30).map(
    lambda text: f"x{text}x"
)
rows = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["question", "answer", "messages", "from", "value", "role", "content", "data", "rows", "row", "columns"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def check(data: bytes, name: str, kind: Kind, most: int) -> None:
    try:
        found = read_question_file(data, name, kind)
    except BackendError:
        return
    assert len(found.rows) <= most
    assert len({row.number for row in found.rows}) == len(found.rows)


@QUICK
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes(data: bytes) -> None:
    for name in NAMES:
        for kind in (PAIRS, QUESTIONS):
            check(data, name, kind, len(data) + 1)


@QUICK
@given(values, st.sampled_from(["question,answer\n", "sep=;\n", "#\n", ""]))
def test_any_json(value: object, above: str) -> None:
    text = json.dumps(value)
    for name in NAMES:
        for kind in (PAIRS, QUESTIONS):
            check(f"{above}{text}".encode(), name, kind, len(text) + 2)
            check(f"{text}\n{text}".encode(), name, kind, 2 * len(text) + 2)


def table(pairs: list[tuple[str, str]], separator: str, header: tuple[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *pairs])
    return stream.getvalue()


@QUICK
@given(rows)
def test_the_same_pairs_in_every_format(pairs: list[tuple[str, str]]) -> None:
    objects = [{"question": question, "answer": answer} for question, answer in pairs]
    chats = [
        {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}
        for question, answer in pairs
    ]
    lines = "\n".join(map(json.dumps, objects))
    files = {
        "x.jsonl": lines,
        "x.ndjson": "\n".join(map(json.dumps, chats)),
        "x.json": json.dumps(objects),
        "y.json": json.dumps({"data": objects}, indent=1, ensure_ascii=False),
        "z.json": json.dumps({"question": [one for one, _ in pairs], "answer": [two for _, two in pairs]}),
        "x.csv": table(pairs, ",", ("question", "answer")),
        "y.csv": table(pairs, ";", ("Frage", "ANTWORT ")),
        "x.tsv": table(pairs, "\t", ("Prompt", "completion")),
        "x.txt": table(pairs, "|", ("instruction", "Output")),
    }
    for name, text in files.items():
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            found = read_question_file(text.encode(encoding), name)
            read = [(row.question, row.answer) for row in found.rows if not row.blank]
            assert read == pairs, (name, encoding, found.layout)
            assert found.notes == ()
