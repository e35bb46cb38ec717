"""`crossroads batch`: requests of the cells that are missing, and their answers back into the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER
from terminal.commands import app
from tests.evaluation.answering import FixedEmbedder

QUESTIONS = "id,question,key_facts\nq1,What colour is blood?,red\nq2,What colour is grass?,green\nq3,And coal?,black\n"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key and no stand-in, so that nothing of the paid API is asked and all of it is missing."""
    monkeypatch.setenv("CROSSROADS_PAID_API__STAND_IN", "false")
    monkeypatch.setenv("CROSSROADS_SYSTEM_PROMPT", "Be short.")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), FixedEmbedder())
    (tmp_path / "questions.csv").write_text(QUESTIONS)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def begun(*arguments: str) -> str:
    """The id of a run whose paid answers are missing."""
    result = run("batch", "begin", "questions.csv", "--approach", "paid_api", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def requests(file: str = "batch.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def returned(id: str, text: str = "It is red.", **message: object) -> dict[str, Any]:
    body = {
        "model": "gpt-4.1-mini-2025-04-14",
        "created": 1_790_000_000,
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    }
    return {"id": "x", "custom_id": id, "response": {"status_code": 200, "body": body}, "error": None}


def write(*lines: dict[str, Any], file: str = "output.jsonl") -> str:
    Path(file).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def cells(id: str) -> dict[tuple[str, int], dict[str, Any]]:
    """What the run holds, by question and repeat."""
    assert run("evaluate", "--resume", id, "--out", "cells.jsonl").exit_code in (0, 1)
    return {(one["question_id"], one["repeat"]): one for one in requests("cells.jsonl")}


def test_a_run_is_answered_by_a_batch() -> None:
    id = begun("--repeats", "2")
    assert run("batch", "export", id, "batch.jsonl").exit_code == 0
    asked = requests()
    assert [one["custom_id"] for one in asked] == [f"{id}/paid_api/{q}/{n}" for n in (0, 1) for q in (0, 1, 2)]
    assert {(one["method"], one["url"]) for one in asked} == {("POST", "/v1/chat/completions")}
    body = asked[3]["body"]
    assert body["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "What colour is blood?"},
    ]
    assert body["seed"] == asked[0]["body"]["seed"] + 1
    assert "stream" not in body
    assert "stream_options" not in body
    red, green, black, *again = [one["custom_id"] for one in asked]
    failed = {"custom_id": black, "response": {"status_code": 429, "body": {"error": {"message": "Too many."}}}}
    file = write(returned(green, "It is blue."), returned(red), failed, *(returned(one) for one in again))
    result = run("batch", "import", id, file)
    assert result.exit_code == 0, result.output
    assert f"5 answers were kept in the run {id}, and 1 failure." in result.stdout
    found = cells(id)
    assert [found[q, 0]["status"] for q in ("q1", "q2", "q3")] == ["ok", "ok", "error"]
    assert [found[q, 0]["scores"]["right"] for q in ("q1", "q2")] == [True, False]
    first = found["q1", 0]
    assert (first["latency_s"], first["ttft_s"]) == (None, None)  # a batch says nothing of that
    assert first["cost_usd"] == "0.00028"  # half of 1,000 in at $0.4 and 100 out at $1.6 a million
    shown = json.loads(run("runs", "show", id, "--json").stdout)["approaches"][0]
    assert (shown["cells"], shown["failed"], shown["latency_s"]) == (6, 1, {"p50": None, "p95": None})
    assert shown["model"] == "gpt-4.1-mini-2025-04-14 (batch)"

    assert run("batch", "export", id, "again.jsonl").exit_code == 0  # what failed, and nothing else
    assert [one["custom_id"] for one in requests("again.jsonl")] == [black]
    result = run("batch", "import", id, write(returned(black, "Black."), returned(red, "It is pink.")), "--json")
    assert json.loads(result.stdout) == {
        "run": id,
        "answered": 1,
        "failed": 0,
        "known": 1,
        "foreign": 0,
        "unreadable": [],
    }
    assert cells(id)["q1", 0]["text"] == "It is red."  # an answer stays
    refused = run("batch", "export", id, "more.jsonl")
    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (
        1,
        f"No answer of paid_api is missing in the run {id}. Nothing is exported.",
    )
    assert not Path("more.jsonl").exists()


def test_a_refusal_and_an_empty_answer_are_told_apart() -> None:
    id = begun()
    run("batch", "export", id, "batch.jsonl")
    red, green, black = (one["custom_id"] for one in requests())
    nothing = returned(black)
    nothing["response"]["body"]["choices"] = []
    lines = returned(red, "", refusal="I cannot."), returned(green, ""), nothing
    assert run("batch", "import", id, write(*lines)).exit_code == 0
    assert [one["status"] for one in cells(id).values()] == ["refused", "empty", "error"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([returned("other/paid_api/0/0")], "No line of output.jsonl is of the run"),
        ([returned("RUN/paid_api/0/0")] * 2, "stands in output.jsonl twice. Keep one of them."),
        ([{"custom_id": "RUN/paid_api/0/0", "body": {}}], "Record 1 of output.jsonl is no answer of a batch."),
        ([], "No line of output.jsonl is of the run"),
    ],
)
def test_an_output_that_is_none_of_the_run_is_refused(lines: list[dict[str, Any]], said: str) -> None:
    id = begun()
    own = [line | {"custom_id": line["custom_id"].replace("RUN", id)} for line in lines]
    result = run("batch", "import", id, write(*own))
    assert result.exit_code == 1
    assert said in result.stderr
    assert json.loads(run("runs", "show", id, "--json").stdout)["approaches"][0]["cells"] == 0


@pytest.mark.parametrize(
    "place",
    [
        *("paid_api/3/0", "paid_api/0/1", "raw/0/0", "paid_api/-1/0", "paid_api/\u0660/0", "paid_api/00/0", "x"),
        pytest.param(f"paid_api/{'9' * 5000}/0", id="5,000 digits"),
    ],
)
def test_a_line_of_no_cell_is_left_out_and_said(place: str) -> None:
    id = begun()
    result = run("batch", "import", id, write(returned(f"{id}/{place}"), returned(f"{id}/paid_api/0/0")))
    assert "1 answer was kept" in result.stdout
    assert "1 line is of no cell of this run and was left out." in result.stdout


def test_the_whole_lines_of_a_file_that_is_cut_short_are_kept() -> None:
    id = begun()
    lines = [
        json.dumps(returned(f"{id}/paid_api/{place}/0", "It is r\u00f6d."), ensure_ascii=False) for place in (0, 1, 2)
    ]
    whole = "\n".join(lines).encode()
    Path("output.jsonl").write_bytes(whole[: whole.rindex("\u00f6".encode()) + 1])  # within a letter
    result = run("batch", "import", id, "output.jsonl")
    assert result.exit_code == 0, result.output
    assert "2 answers were kept" in result.stdout
    assert "Line 3 of output.jsonl is not whole JSON, and was left out. The file is cut short." in result.stderr
    Path("output.jsonl").write_text("\n".join(["{broken", *lines]))
    found = json.loads(run("batch", "import", id, "output.jsonl", "--json").stdout)
    assert (found["answered"], found["known"]) == (1, 2)
    assert found["unreadable"] == ["Line 1 of output.jsonl is not whole JSON, and was left out."]
    Path("output.jsonl").write_text(lines[0][:40])
    assert "output.jsonl is not JSON" in run("batch", "import", id, "output.jsonl").stderr


def test_a_file_that_is_not_there_or_a_folder_has_its_own_sentence() -> None:
    id = begun()
    Path("folder").mkdir()
    for name, said in (
        ("none.jsonl", "There is no file none.jsonl. Give the output file of the batch."),
        ("folder", "folder is a folder. Give the output file of the batch in it."),
    ):
        result = run("batch", "import", id, name)
        assert result.exit_code == 1
        assert said in result.stderr.splitlines()


def test_what_is_not_asked_by_a_request_alone_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")
    run("evaluate", "questions.csv", "--approach", "rag", "--approach", "paid_api")
    id = json.loads(run("runs", "list", "--json").stdout)["runs"][0]["run"]
    several = run("batch", "export", id, "batch.jsonl")
    assert several.exit_code == 2
    assert "give one of rag, paid_api" in several.stderr
    assert run("batch", "export", "latest", "batch.jsonl", "--approach", "rag").exit_code == 1
    assert not Path("batch.jsonl").exists()


def test_no_run_is_begun_for_who_cannot_be_answered_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = run("batch", "begin", "questions.csv", "--approach", "paid_api", "--approach", "raw")
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1] == (
        "raw is not asked by a request to a server alone, so it cannot be answered in a batch. Take a paid API, or a "
        "fine-tuned model that a server answers for."
    )
    stood_in = run("batch", "begin", "questions.csv", "--approach", "paid_api", "--set", "paid_api.stand_in=true")
    assert stood_in.exit_code == 1
    assert "paid_api has no key, so a stand-in on this machine answers in its place" in stood_in.stderr
    assert json.loads(run("runs", "list", "--json").stdout)["runs"] == []
