"""Question sets, pairs and adapters in a folder are recognised by their content, and not taken for documents."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.rag.documents.data_files import left_out, what_it_holds
from backends.rag.documents.files import Document, Rejected, find_files, read_documents
from backends.rag.store.index import Index

NEVER = threading.Event()


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "id,question,reference_answer,key_facts\n1,Why?,Because,b\n", "a question set"),
        ("b.tsv", "Question\tKey Facts\nWhy?\tb\n", "a question set"),
        ("c.csv", "sep=;\nid;question\n1;Why?\n", "a question set"),
        ("d.jsonl", '{"question": "Why?", "ground_truth": "b"}\n', "a question set"),
        ("e.csv", "\ufeffQuestion;Answer\nWhy?;Because\n", "training pairs"),
        ("f.jsonl", '{"messages": []}\n{"messages": []}\n', "training pairs"),
        ("g.ndjson", '\n{"instruction": "a", "input": "", "output": "b"}\n', "training pairs"),
        ("h.json", '[\n {"conversations": [{"from": "human", "value": "a"}]}]', "training pairs"),
        ("i.csv", "item,price,question\nK2,4,1\n", ""),
        ("j.csv", "", ""),
        ("k.jsonl", "{not json}\n", ""),
        ("l.jsonl", '{"name": "K2"}\n', ""),
        ("m.json", '{"question": "a", "answer": "b"}', ""),
        ("n.md", "question,answer\n", ""),
        ("o.jsonl", "[" * 60_000, ""),
        ("p.csv", '"' + "x" * 200_000, ""),
    ],
)
def test_what_a_file_holds(name: str, text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    found = what_it_holds(tmp_path / name, name)
    assert found.startswith(what) if what else found == ""


def test_an_encoding_does_not_hide_it(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig", "utf-16-le", "utf-32-be", "cp1252"):
        (tmp_path / "a.csv").write_bytes("question,answer\nWhy?,Größe\n".encode(encoding))
        assert what_it_holds(tmp_path / "a.csv", "a.csv") == "training pairs (columns question, answer)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "adapters" / "mine").mkdir(parents=True)
    (tmp_path / "manual.md").write_text("# Manual\n\nReturn it within 30 days.\n")
    (tmp_path / "README.md").write_text("# Data\n\n`asked.csv` has the questions.\n")
    (tmp_path / "asked.csv").write_text("id,question,key_facts\n1,How long?,30 days\n")
    (tmp_path / "taught.jsonl").write_text(json.dumps({"question": "How long?", "answer": "30 days."}) + "\n")
    (tmp_path / "adapters" / "mine" / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (tmp_path / "adapters" / "mine" / "card.json").write_text('{"name": "mine"}')
    return tmp_path


def test_a_folder_has_them_named(folder: Path) -> None:
    found = {source.name: source.left_out for source in find_files([folder])}
    assert found == {
        "manual.md": "",
        "README.md": "the description of asked.csv",
        "asked.csv": "a question set (columns id, question, key_facts)",
        "taught.jsonl": "training pairs (columns question, answer)",
        "adapters/mine/adapter_config.json": "part of the adapter mine",
        "adapters/mine/card.json": "part of the adapter mine",
    }
    read = list(read_documents([folder], 25, NEVER))
    assert [one.name for one in read if isinstance(one, Document)] == ["manual.md"]
    (pairs,) = [one for one in read if isinstance(one, Rejected) and one.name == "taught.jsonl"]
    assert pairs.cause == "These are training pairs (columns question, answer), not a document."


def test_a_readme_of_documents_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("About the manual.")
    (tmp_path / "asked.csv").write_text("question,key_facts\nWhy?,b\n")
    assert list(left_out(sorted(tmp_path.iterdir()))) == [tmp_path / "asked.csv"]


def test_a_file_that_is_named_itself_is_indexed_with_a_note(folder: Path) -> None:
    (one,) = read_documents([folder / "asked.csv"], 25, NEVER)
    assert isinstance(one, Document)
    assert one.warnings == (
        "It looks like a question set (columns id, question, key_facts): answers may repeat it. It was indexed because "
        "it was named.",
    )
    both = find_files([folder, folder / "asked.csv"])
    assert [source.left_out for source in both if source.name == "asked.csv"] == [""]


def test_the_index_says_what_it_left_out(index: Index, folder: Path) -> None:
    states = {step.file: step for step in index.add([folder], NEVER) if step.file}
    assert [name for name, step in states.items() if step.state == "indexed"] == ["manual.md"]
    assert states["asked.csv"].state == "left out"
    assert states["asked.csv"].next_step == "To index it all the same, give the file itself."
    assert [one.name for one in index.documents()] == ["manual.md"]
    list(index.add([folder / "asked.csv"], NEVER))
    again = {step.file: step for step in index.add([folder], NEVER) if step.file}
    assert again["asked.csv"].next_step.endswith("It is in the collection from before: delete it there.")


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([".csv", ".tsv", ".jsonl", ".json", ".ndjson"]))
def test_it_never_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes, extension: str) -> None:
    file = tmp_path_factory.mktemp("odd") / f"a{extension}"
    file.write_bytes(data)
    what_it_holds(file, file.name)
