"""The terminal contract: fields, order, exit statuses, and what goes to which stream. Answers come from the script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from typer.testing import CliRunner, Result

from backends.spend.ledger import entries
from terminal.commands import app
from tests.backends.openai_server import STOP, USAGE, sse, text_chunk

HOME = Path(__file__).resolve().parents[1]
APPROACHES = ["raw", "fine_tuned", "paid_api", "rag"]
PROMISED = {
    "approach",
    "model",
    "text",
    "status",
    "finish_reason",
    "error",
    "queued_s",
    "load_s",
    "retrieval_s",
    "ttft_s",
    "latency_s",
    "tokens_per_s",
    "usage",
    "cost_usd",
    "cost_basis",
    "sources",
}
ADDED = {"first_reasoning_s", "service_tier", "stand_in", "retry_s", "notes", "evidence", "evidence_note", "attempts"}
ADDED |= {"draft", "expected_cost_usd", "expected_cost_basis", "recorded", "below_threshold", "conflicts"}
DURATIONS = ["queued_s", "load_s", "retrieval_s", "ttft_s", "latency_s", "tokens_per_s"]
EMPTY = "The question is empty. Type a question first."


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """The program in this process. Whatever it does, it ends with a status and without a traceback."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def asked(*arguments: str, stdin: str | bytes | None = None) -> tuple[int, dict[str, Any]]:
    result = run("ask", *arguments, "--json", stdin=stdin)
    document: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, document


def program(*arguments: str | bytes, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The program as a process of its own."""
    finished = subprocess.run(
        [sys.executable, HOME / "crossroads.py", *arguments],
        input=stdin,
        capture_output=True,
        timeout=300,
        env=os.environ | environment,
        check=False,
    )
    assert b"Traceback" not in finished.stderr + finished.stdout
    return finished


def column(answers: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [answer[name] for answer in answers]


# --- ask ----------------------------------------------------------------------------------------


def test_ask_prints_one_object_with_the_promised_fields() -> None:
    status, document = asked("hello there")
    assert status == 0
    assert set(document) == {"question", "asked_at", "answers"}
    assert document["asked_at"].endswith("+00:00")
    assert document["question"] == "hello there"
    assert column(document["answers"], "approach") == APPROACHES
    for answer in document["answers"]:
        assert set(answer) == PROMISED | ADDED
        name = answer["approach"]
        assert answer["model"] == f"scripted answers ({name})"
        assert answer["text"] == f"{name} heard: hello there "
        assert (answer["status"], answer["finish_reason"], answer["error"]) == ("ok", "stop", None)
        assert answer["usage"] == {
            "prompt_tokens": 2,
            "completion_tokens": 4,
            "cached_tokens": None,
            "reasoning_tokens": None,
            "source": "tokenizer",
        }
        assert (answer["cost_usd"], answer["cost_basis"]) == ("0.000004", "scripted: 1 USD per million tokens")
        assert answer["stand_in"] is True
        assert answer["retry_s"] is None
        measured = [duration for duration in DURATIONS if answer[duration] is not None]
        assert measured == [duration for duration in DURATIONS if duration != "retrieval_s" or name == "rag"]
        assert all(answer[duration] >= 0 for duration in measured)
        assert answer["ttft_s"] <= answer["latency_s"]


def test_only_rag_has_sources_and_they_carry_the_promised_fields() -> None:
    _, document = asked("hello")
    *others, rag = document["answers"]
    assert column(others, "sources") == [[], [], []]
    text = "A scripted passage for: hello"
    assert rag["sources"] == [
        {
            "document": "script.md",
            "page": None,
            "chunk_id": "script-1",
            "score": 0.9,
            "start": 0,
            "end": len(text),
            "text": text,
            "superseded": None,
        }
    ]


def test_only_rag_has_evidence_for_its_sentences() -> None:
    _, document = asked("hello big wide world. Really?")
    *others, rag = document["answers"]
    assert column(others, "evidence") == [[], [], []]
    claim, question = rag["evidence"]
    assert rag["text"][claim["start"] : claim["end"]] == "rag heard: hello big wide world."
    assert rag["text"][question["start"] : question["end"]] == "Really?"
    fields = {"start", "end", "supported", "passages", "disagreement", "checked_own_citation"}
    assert set(claim) == set(question) == fields
    assert (claim["supported"], claim["passages"], claim["checked_own_citation"]) == (False, [], None)
    assert (question["supported"], question["passages"]) == (None, [])


@pytest.mark.parametrize(
    ("chosen", "answering"),
    [
        (["raw"], ["raw"]),
        (["rag", "raw"], ["rag", "raw"]),
        (["paid_api", "fine_tuned", "paid_api"], ["paid_api", "fine_tuned"]),
        (["rag", "paid_api", "fine_tuned", "raw"], ["rag", "paid_api", "fine_tuned", "raw"]),
    ],
)
def test_answers_come_in_the_order_asked_for(chosen: list[str], answering: list[str]) -> None:
    status, document = asked("hello", *(part for name in chosen for part in ("--approach", name)))
    assert (status, column(document["answers"], "approach")) == (0, answering)


@pytest.mark.parametrize(
    ("question", "status", "exit_code", "texts", "error"),
    [
        ("please fail", "error", 1, False, "The script says to fail. Ask without the word fail."),
        (
            "please cut",
            "truncated",
            0,
            True,
            "The stream ended without saying why; the answer may be incomplete. Ask again.",
        ),
        ("say nothing", "empty", 1, False, "The model answered with nothing. Ask again or rephrase the question."),
        ("", "error", 1, False, EMPTY),
        (" \n\t ", "error", 1, False, EMPTY),
    ],
)
def test_every_way_to_end(question: str, status: str, exit_code: int, texts: bool, error: str) -> None:
    code, document = asked(question)
    assert code == exit_code
    assert document["question"] == question
    assert column(document["answers"], "approach") == APPROACHES
    assert column(document["answers"], "status") == [status] * 4
    assert column(document["answers"], "error") == [error] * 4
    assert [bool(text) for text in column(document["answers"], "text")] == [texts] * 4


def test_a_failed_answer_has_no_numbers_that_were_not_measured() -> None:
    _, document = asked("please fail", "--approach", "raw")
    (answer,) = document["answers"]
    assert (answer["cost_usd"], answer["ttft_s"], answer["tokens_per_s"]) == (None, None, None)
    assert set(answer["usage"].values()) == {None}


@pytest.mark.parametrize("question", ["please fail", ""])
def test_stand_ins_are_labelled_when_they_fail_too(question: str) -> None:
    _, document = asked(question)
    assert column(document["answers"], "stand_in") == [True] * 4


def test_settings_reach_the_answer() -> None:
    result = run("ask", "hello", "--approach", "raw", "--set", "system_prompt=Be brief = be good.", "--set", "rag.k=2")
    assert result.exit_code == 0


def test_a_setting_can_be_given_on_the_line_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSROADS_SCRIPTED")
    status, document = asked("hello", "--set", "scripted=true")
    assert (status, column(document["answers"], "stand_in")) == (0, [True] * 4)


def test_people_read_text_and_numbers() -> None:
    result = run("ask", "hello [bold]you[/bold] :smile:", "--approach", "raw")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "",
        "== raw \u00b7 scripted answers (raw) \u00b7 STAND-IN",
        "raw heard: hello [bold]you[/bold] :smile:",
    ]
    assert lines[3].endswith("cost $0.000005 (scripted: 1 USD per million tokens)")


def test_an_answer_cannot_steer_the_terminal(httpserver: HTTPServer) -> None:
    hostile = "safe\x1b]0;owned\x07 \x1b[31mred\x9b2J \u202eend"
    httpserver.expect_request("/v1/chat/completions").respond_with_response(sse(text_chunk(hostile), STOP, USAGE))
    settings = {
        "scripted": "false",
        "paid_api.base_url": httpserver.url_for("/v1"),
        "paid_api.api_key": "key-0123456789",
    }
    result = run(
        "ask", "hello", "--approach", "paid_api", *(f"--set={name}={value}" for name, value in settings.items())
    )
    assert result.exit_code == 0
    assert "safe]0;owned [31mred2J end" in result.stdout
    assert not set(result.output) & set("\x1b\x07\x9b\u202e")


def test_people_read_why_it_failed() -> None:
    result = run("ask", "fail", "--approach", "rag")
    assert result.exit_code == 1
    assert "[failed] The script says to fail. Ask without the word fail." in result.stdout
    assert "cost unknown (scripted: no usage)" in result.stdout


def test_every_answer_is_recorded(tmp_path: Path) -> None:
    asked("hello there", "--set", f"data={tmp_path}")
    asked("please fail", "--approach", "raw", "--set", f"data={tmp_path}")
    recorded = [(entry.approach, entry.status, entry.kind) for entry in entries(tmp_path)]
    assert sorted(recorded[:4]) == sorted((approach, "ok", "scripted") for approach in APPROACHES)
    assert recorded[4:] == [("raw", "error", "scripted")]


def test_a_damaged_ledger_is_told_and_stops_no_answer(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 1000)
    result = run("ask", "hello", "--approach", "raw", "--set", f"data={tmp_path}")
    assert result.exit_code == 0
    assert "raw heard: hello" in result.stdout
    assert result.stderr.count("The ledger ledger.sqlite is damaged, so answers are not recorded.") == 1


def test_progress_goes_to_standard_error_only() -> None:
    result = run("ask", "hello", "--approach", "raw", "--approach", "paid_api", "--json")
    json.loads(result.stdout)
    assert "raw: reading the script\n" in result.stderr
    assert "paid_api: done in " in result.stderr
    assert "reading the script" not in result.stdout


def test_a_question_from_standard_input() -> None:
    status, document = asked("-", "--approach", "raw", stdin="hello\nthere\n")
    assert (status, document["question"]) == (0, "hello\nthere\n")
    assert document["answers"][0]["text"] == "raw heard: hello there "


def test_nothing_on_standard_input_is_an_empty_question() -> None:
    status, document = asked("-", stdin=b"")
    assert (status, column(document["answers"], "error")) == (1, [EMPTY] * 4)


def test_bytes_that_are_no_text() -> None:
    status, document = asked("-", "--approach", "raw", stdin=b"caf\xe9 \x00 \xff")
    assert (status, document["question"]) == (0, "caf\ufffd \x00 \ufffd")
    assert document["answers"][0]["text"] == "raw heard: caf\ufffd \ufffd "


def test_half_of_a_surrogate_pair_is_shown_as_a_replacement() -> None:
    status, document = asked("a \ud800 b", "--approach", "raw")
    assert (status, document["question"]) == (0, "a \ufffd b")
    assert document["answers"][0]["text"] == "raw heard: a \ufffd b "
    assert "raw heard: a \ufffd b" in run("ask", "a \udfff b", "--approach", "raw").stdout


# --- wrong usage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ask"], "Missing argument"),
        (
            ["ask", "hello", "--approach", "gpt"],
            "There is no approach 'gpt'; the ids are raw, fine_tuned, paid_api, rag.",
        ),
        (["ask", "hello", "--approach", ""], "There is no approach ''"),
        (["ask", "hello", "--set", "max_token=5"], "There is no setting called 'max_token'. Did you mean max_tokens?"),
        (["ask", "hello", "--set", "max_tokens"], "'max_tokens' is not KEY=VALUE."),
        (["ask", "hello", "--set", "=5"], "There is no setting called ''."),
        (["ask", "hello", "--set", "max_tokens=0"], "The setting max_tokens was refused"),
        (["ask", "hello", "--set", "temperature=hot"], "The setting temperature was refused"),
        (["ask", "hello", "--nonsense"], "No such option"),
        (["nonsense"], "No such command"),
        (["index"], "Missing argument"),
        (["index", ".", "--set", "rag.kk=5"], "Did you mean rag.k?"),
        (["search"], "Give a question or --queries FILE, one of the two."),
        (["search", "hello", "--queries", "file.txt"], "Give a question or --queries FILE, one of the two."),
        (["search", "hello", "--k", "0"], "Input should be "),
        (["train"], "Missing argument"),
        (["train", "pairs.csv", "--method", "full"], "There is no method 'full'"),
        (["train", "pairs.csv", "--set", "nonsense=1"], "There is no setting called 'nonsense'."),
        (["stand-in", "--port", "99999"], "Input should be "),
        (["stand-in", "--set", "max_tokens"], "'max_tokens' is not KEY=VALUE."),
        (["demo", "--port", "0"], "Input should be "),
        (["demo", "--set", "nonsense=1"], "There is no setting called 'nonsense'."),
    ],
    ids=str,
)
def test_wrong_usage_is_status_2_and_a_sentence(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr


def test_a_wrong_setting_in_the_environment_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_MAX_TOKENS", "many")
    result = run("ask", "hello")
    assert result.exit_code == 2
    assert "The setting max_tokens was refused" in result.stderr


def test_a_section_in_the_environment_that_is_no_section_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_RAW", "gpt2")
    result = run("ask", "hello")
    assert result.exit_code == 2
    assert "raw" in result.stderr


# --- the job failed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["search", "--queries", "missing.txt"],
            "missing.txt could not be read (FileNotFoundError). Give a UTF-8 text file.",
        ),
        (["train", "missing.csv"], "missing.csv"),
    ],
    ids=str,
)
def test_a_failed_job_is_status_1_and_a_sentence(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert sentence in result.stderr


# --- as a process -------------------------------------------------------------------------------


def test_the_program_asks_and_writes_nothing_but_json(tmp_path: Path) -> None:
    finished = program("ask", "hello", "--json")
    assert finished.returncode == 0
    assert column(json.loads(finished.stdout)["answers"], "text") == [f"{name} heard: hello " for name in APPROACHES]
    there = {file.name for file in tmp_path.rglob("*")}
    assert there - {"evaluations.sqlite-wal", "evaluations.sqlite-shm"} == {
        *("data", "evaluations.sqlite", "evaluations.lock")
    }


def test_a_megabyte_from_standard_input_is_refused_in_every_column() -> None:
    finished = program("ask", "-", "--json", stdin=b"x" * 1_000_000)
    assert finished.returncode == 1
    document = json.loads(finished.stdout)
    assert len(document["question"]) == 1_000_000
    sentence = "The question has 1,000,000 characters; the limit is 100,000."
    assert [error.startswith(sentence) for error in column(document["answers"], "error")] == [True] * 4


def test_an_argument_that_is_no_text() -> None:
    finished = program("ask", b"caf\xe9 \xed\xa0\x80", "--approach", "raw", "--json")
    assert finished.returncode == 0
    document = json.loads(finished.stdout)
    assert document["answers"][0]["text"].startswith("raw heard: caf\ufffd ")
    document["question"].encode("utf-8")


def test_a_terminal_that_cannot_show_the_answer() -> None:
    finished = program("ask", "caf\u00e9 \U0001f600", "--approach", "raw", PYTHONIOENCODING="ascii")
    assert finished.returncode == 0
    assert b"raw heard: caf\\xe9 \\U0001f600" in finished.stdout


def test_help_names_every_command() -> None:
    finished = program("--help")
    assert finished.returncode == 0
    for command in ("ask", "index", "search", "train", "stand-in", "demo"):
        assert command.encode() in finished.stdout
