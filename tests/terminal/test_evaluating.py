"""`crossroads evaluate` and `crossroads runs`: records, tables, files, exit statuses, going on, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from backends.errors import BackendError
from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER, load_settings
from backends.spend.pricing import source
from backends.store.database import Store
from evaluation.runs.records import find_run, set_scores, set_state
from evaluation.runs.tables import run_approaches, runs
from evaluation.scorers import Score
from terminal.commands import app
from tests.evaluation.answering import FixedEmbedder
from tests.evaluation.test_workbook_questions import workbook
from tests.terminal.test_stopping import running

HOME = Path(__file__).resolve().parents[2]
QUESTIONS = "id,question,key_facts,source\nq1,say red,red,a.md\nq2,say green,blue,a.md\nq3,=fail,red,b.md\n"


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), FixedEmbedder())
    (tmp_path / "questions.csv").write_text(QUESTIONS)


def run(*arguments: str, stdin: str | None = None) -> Result:
    """The program in this process. Whatever it does, it ends with a status and without a traceback."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def evaluated(*arguments: str) -> dict[str, Any]:
    result = run("evaluate", "questions.csv", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_record_has_what_the_contract_promises() -> None:
    found = evaluated("--approach", "raw", "--approach", "rag")
    assert {"run", "questions", "approaches", "differences"} <= found.keys()
    assert (found["questions"], found["complete"], found["baseline"]) == (3, True, "raw")
    raw = found["approaches"][0]
    promised = {
        "approach",
        "model",
        "cells",
        "failed",
        "scores",
        "latency_s",
        "ttft_s",
        "cost_usd",
        "cost_per_1000_usd",
    }
    assert promised <= raw.keys()
    assert (raw["approach"], raw["cells"], raw["failed"]) == ("raw", 3, 0)
    right = raw["scores"]["right"]
    assert (right["mean"], right["n"], right["scored"]) == (pytest.approx(1 / 3), 3, 3)
    assert 0 <= right["low"] < 1 / 3 < right["high"] <= 1
    assert raw["scores"]["semantic"] | {"clusters": 0} == {
        **dict.fromkeys(("mean", "low", "high")),
        **{"n": 0, "clusters": 0, "scored": 0, "not_applicable": 3, "failed": 0},
    }
    assert set(raw["latency_s"]) == {"p50", "p95"}
    assert re.fullmatch(r"0\.0000\d+", raw["cost_usd"])
    (difference,) = (one for one in found["differences"] if one["scorer"] == "right")
    assert {"approach", "baseline", "scorer", "mean", "low", "high", "n"} <= difference.keys()
    assert (difference["approach"], difference["baseline"], difference["mean"], difference["n"]) == ("rag", "raw", 0, 3)


def test_the_table_and_the_sentences() -> None:
    result = run("evaluate", "questions.csv", "--approach", "raw", "--approach", "paid_api", "--repeats", "2")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert re.split(" {2,}", lines[0].strip()) == [
        *("approach", "Right, 95 %", "latency p50", "p95", "first text", "USD/1,000", "USD/right", "failed", "missing"),
    ]
    assert lines[1].startswith("raw (stand-in)")
    assert re.search(r" 33 % \(\d+ to \d+\)  +< 0.001 s ", lines[1])
    assert lines[1].split()[-2:] == ["0", "0"]
    assert any(line.startswith("Paid API is right on as many of 3 questions as Raw model") for line in lines)
    rows = [re.split(" {2,}", line.strip()) for line in lines]
    place = rows.index(["score, 95 %", "raw", "paid_api"])
    assert [cell.partition(" (")[0] for cell in rows[place + 1]] == ["Refuses rightly", "100 %", "100 %"]
    without = "Meaning (cosine), Exact match, Token F1, chrF, Sources found (hit@k), Claims with support"
    assert f"{without}: 0 answers scored, 6 not applicable (raw, paid_api)." in lines
    said = result.stderr.splitlines()
    assert re.fullmatch(r"Run [0-9a-f-]+: 3 questions, 12 answers\.", said[0])
    assert any(line.startswith("paid_api: 6 answers to come, about $") for line in said)
    assert "12/12: raw 6/6, paid_api 6/6" in said


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_file_has_every_answer(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"answers.{ending}"
    evaluated("--approach", "raw", "--out", str(file))
    if ending == "jsonl":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        rights = [row["scores"]["right"] for row in rows]
    elif ending == "csv":
        rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))
        rights = [bool(float(row["score_right"])) for row in rows]
        assert rows[2]["question"] == "'=fail"  # a spreadsheet runs nothing of it
    else:
        rows = pyarrow.parquet.read_table(file).to_pylist()
        rights = [bool(row["score_right"]) for row in rows]
    assert [row["question_id"] for row in rows] == ["q1", "q2", "q3"]
    assert {(row["approach"], int(row["repeat"]), row["status"]) for row in rows} == {("raw", 0, "ok")}
    assert rows[0]["text"] == "raw heard: say red "
    assert rights == [True, False, False]
    assert {"latency_s", "ttft_s", "cost_usd"} <= rows[0].keys()


@pytest.mark.parametrize(
    ("limit", "strict", "status", "reason"),
    [
        ("raw:right:0.3", False, 0, ""),
        ("raw:right:0.4", False, 1, "raw is below 0.4 for right: the mean is 0.333."),
        ("raw:right:0.3", True, 1, "raw is below 0.3 for right: the lower end of the 95 % interval is 0.061."),
    ],
)
def test_what_is_below_a_limit_fails(limit: str, strict: bool, status: int, reason: str, tmp_path: Path) -> None:
    (tmp_path / "questions.csv").write_text(QUESTIONS.replace(",a.md", ",").replace(",b.md", ","))
    more = ["--strict"] if strict else []
    result = run("evaluate", "questions.csv", "--approach", "raw", "--fail-under", limit, *more)
    assert result.exit_code == status, result.stderr
    assert reason in result.stderr.splitlines() or not reason


def test_a_sheet_of_a_workbook_is_asked(tmp_path: Path) -> None:
    data = workbook(A=[("question", "key_facts"), ("say red", "red")], B=[("question",), ("say blue",), ("say it",)])
    (tmp_path / "q.xlsx").write_bytes(data)
    several = run("evaluate", "q.xlsx", "--approach", "raw")
    assert several.exit_code == 1
    assert several.stderr.splitlines()[-1] == (
        "q.xlsx has questions on 2 sheets: A and B. Choose one of them (--sheet NAME in the terminal), or keep only "
        "that one in the file."
    )
    chosen = run("evaluate", "q.xlsx", "--sheet", "A", "--approach", "raw", "--json")
    assert (chosen.exit_code, json.loads(chosen.stdout)["questions"]) == (0, 1)
    assert "q.xlsx: Its sheet A is read, of 2." in chosen.stderr.splitlines()
    assert "1 question, 1 answer." in chosen.stderr
    assert run("evaluate", "--resume", "latest", "--sheet", "A").exit_code == 2


def test_answers_that_cannot_be_written_hide_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise BackendError("There is no room for out.csv.", "Make room.")

    monkeypatch.setattr("evaluation.runs.export.export_cells", full)
    result = run("evaluate", "questions.csv", "--approach", "raw", "--json", "--out", "out.csv")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["complete"]) == (1, True)
    assert f"There is no room for out.csv. Give another --out to `crossroads evaluate --resume {found['run']}`." in (
        result.stderr.splitlines()
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate"], "Missing argument: a file of questions."),
        (["evaluate", "questions.csv", "--approach", "nobody"], "There is no approach 'nobody'"),
        (
            ["evaluate", "questions.csv", "--out", "answers.docx"],
            "Its name has to end in .csv, .jsonl, .parquet, .eval, .json.",
        ),
        (["evaluate", "questions.csv", "--fail-under", "raw:right"], "is not APPROACH:METRIC:VALUE"),
        (["evaluate", "questions.csv", "--fail-under", "raw:right:nan"], "is not APPROACH:METRIC:VALUE"),
        (["evaluate", "questions.csv", "--fail-under", "raw:right:inf"], "is not APPROACH:METRIC:VALUE"),
        (["evaluate", "questions.csv", "--fail-under", "raw:kindness:0"], "There is no metric 'kindness'; there are"),
        (["evaluate", "questions.csv", "--resume", ""], "It is empty. Give the id of a run, or latest."),
        (["evaluate", "questions.csv", "--out", "folder.csv"], "folder.csv is a folder. Give a file in it."),
        (["evaluate", "questions.csv", "--out", "questions.csv/a.csv"], "questions.csv is a file and no folder."),
        (
            ["evaluate", "questions.csv", "--approach", "raw", "--baseline", "rag"],
            "'rag' is not asked; the ids are raw.",
        ),
        (["evaluate", "questions.csv", "--fail-under", "nobody:right:1"], "'nobody' is not asked; the ids are raw, "),
        (["evaluate", "questions.csv", "--repeats", "0"], "Invalid value for '--repeats'"),
        (["evaluate", "--resume", "a", "--retry", "b"], "Give one of them."),
        (["evaluate", "--again", "a", "--retry", "b"], "Give one of them."),
        (["evaluate", "--resume", "a", "--approach", "raw"], "A run keeps its approaches."),
    ],
)
def test_wrong_usage_asks_nobody(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert run("runs").stdout == "There are no runs yet: `crossroads evaluate QUESTIONS` makes one.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "nothing.csv"], "There is no file nothing.csv."),
        (["evaluate", "empty.csv"], "empty.csv has no questions."),
        (["evaluate", "--resume", "latest"], "There is no run 'latest'."),
        (["runs", "show", "20"], "There is no run '20'."),
        (["runs", "delete", "20", "--yes"], "There is no run '20'."),
        (["runs", "list", "--set", "store.url=mysql://a:secret@b/c"], "The setting store.url is no address"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("question\n")
    result = run(*arguments)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert "secret" not in result.stderr


def test_rows_that_are_wrong_are_named_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "questions.csv").write_text("id,question\na,one\na,two\n,\nb,three\n")
    result = run("evaluate", "questions.csv", "--approach", "raw", "--out", "answers.jsonl")
    assert result.exit_code == 0
    assert "questions.csv: row 3: Its id a is taken already, so it is called a-2 here." in result.stderr.splitlines()
    ids = [json.loads(line)["question_id"] for line in Path("answers.jsonl").read_text().splitlines()]
    assert ids == ["a", "a-2", "b"]


def test_a_failed_answer_is_counted_and_can_be_asked_again() -> None:
    Path("questions.csv").write_text("question,key_facts\nsay red,red\nplease fail,red\n")
    found = evaluated("--approach", "raw")
    assert found["approaches"][0]["failed"] == 1
    again = run("evaluate", "--retry", found["run"], "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["approaches"][0]["failed"] == 1
    assert "raw: 1 answer to come" in again.stderr
    nothing = run("evaluate", "--resume", "latest", "--json")
    assert json.loads(nothing.stdout)["approaches"] == json.loads(again.stdout)["approaches"]
    assert "to come" not in nothing.stderr


def test_a_run_that_is_incomplete_fails_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "false")
    result = run("evaluate", "questions.csv", "--approach", "paid_api", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["complete"], found["approaches"][0]["missing"]) == (False, 3)
    said = result.stderr.splitlines()
    assert any(line.startswith("paid_api was given up: There is no API key") for line in said)
    assert said[-1] == f"3 of 3 answers are missing: `crossroads evaluate --resume {found['run']}`."
    assert f"{found['run']}  incomplete, 0 of 3 answers; questions.csv: paid_api" in run("runs").stdout


def test_another_file_of_questions_does_not_go_on() -> None:
    found = evaluated("--approach", "raw")
    Path("other.csv").write_text("question\nWhy?\n")
    result = run("evaluate", "other.csv", "--resume", found["run"])
    assert result.exit_code == 1
    assert f"other.csv has other questions than the run {found['run']}. Begin a new run." in result.stderr
    assert run("evaluate", "questions.csv", "--resume", found["run"]).exit_code == 0


def test_without_texts_a_run_is_scored_and_goes_on_with_its_file() -> None:
    keep = ("--set", "store.keep_texts=false")
    found = evaluated("--approach", "raw", "--out", "answers.jsonl", *keep)
    assert found["approaches"][0]["scores"]["right"]["mean"] == pytest.approx(1 / 3)
    rows = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert [(row["text"], row["question"], row["scores"]["right"]) for row in rows] == [
        (None, None, True),
        (None, None, False),
        (None, None, False),
    ]
    refused = run("evaluate", "--resume", found["run"])
    assert (refused.exit_code, "were not kept. Give the same file of questions again." in refused.stderr) == (1, True)
    assert run("evaluate", "questions.csv", "--resume", found["run"]).exit_code == 0


def test_runs_are_listed_shown_and_compared() -> None:
    first, second = (evaluated("--approach", "raw")["run"] for _ in range(2))
    listed = json.loads(run("runs", "list", "--json").stdout)["runs"]
    assert [one["run"] for one in listed] == sorted([first, second], reverse=True) or {first, second} == {
        one["run"] for one in listed
    }
    assert {(one["state"], one["cells"], one["failed"]) for one in listed} == {("done", 3, 0)}
    shown = run("runs", "show", first)
    assert shown.exit_code == 0
    assert f"Run {first}, done; began " in shown.stdout
    assert "Questions: questions.csv, 3 (sha256 " in shown.stdout
    record = json.loads(run("runs", "show", first, "--json").stdout)
    assert record["about"]["settings"]["scripted"] is True
    assert record["about"]["approaches"][0]["model"] == "scripted answers (raw)"
    compared = json.loads(run("runs", "compare", second, first, "--json").stdout)
    assert (compared["earlier"], compared["differences"][0]["mean"]) == (first, 0)
    assert "Raw model is right on as many of 3 questions as in the run" in run("runs", "compare", second, first).stdout
    with closing(Store(load_settings())) as store:
        set_state(store, first, "running")
        with store.claimed(first):
            assert f"{first}  running, 3 of 3 answers" in run("runs").stdout
    assert f"{first}  interrupted, 3 of 3 answers" in run("runs").stdout  # its process was killed


def test_a_run_is_repeated_and_what_changed_is_said() -> None:
    keep = ("--repeats", "2", "--set", "seed=7", "--set", "max_tokens=24")
    first = evaluated("--approach", "raw", "--approach", "rag", *keep)
    with closing(Store(load_settings())) as store:
        packages = find_run(store, first["run"]).packages | {"torch": "0.1"}
        with store.writing() as connection:
            connection.execute(runs.update().values(packages=packages, prices="genai-prices 0.0.1"))
            changed = run_approaches.c.approach == "rag"
            connection.execute(run_approaches.update().where(changed).values(model="another model"))
    result = run("evaluate", "--again", "latest", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["run"] != first["run"]
    assert found["again"]["run"] == first["run"]
    torch, prices = version("torch"), source()
    assert found["again"]["changed"] == [
        "rag: model was another model then and is scripted answers (rag) now.",
        f"Package: torch was 0.1 then and is {torch} now.",
        f"Prices: list was genai-prices 0.0.1 then and is {prices} now.",
    ]
    assert f"No longer the same. Package: torch was 0.1 then and is {torch} now." in result.stderr.splitlines()
    shown = json.loads(run("runs", "show", found["run"], "--json").stdout)["about"]
    assert (shown["seed"], shown["repeats"], shown["settings"]["max_tokens"], shown["cells"]) == (7, 2, 24, 12)
    assert shown["question_set"] == "questions.csv"
    unchanged = run("evaluate", "--again", found["run"])
    said = f"Weights, adapters, documents, packages, prices and machine are those of the run {found['run']}."
    assert said in unchanged.stderr.splitlines()
    refused = run("evaluate", "--again", found["run"], "--set", "max_tokens=9")
    assert (refused.exit_code, "so max_tokens cannot be set" in refused.stderr) == (1, True)


def test_a_judge_is_named_and_what_it_says_beside_the_menu_is_no_number() -> None:
    found = evaluated("--approach", "paid_api", "--set", "judge.connection=paid_api")
    judged = found["approaches"][0]["scores"]["judged"]
    assert (judged["mean"], judged["scored"], judged["failed"]) == (None, 0, 3)
    shown = run("runs", "show", found["run"])
    assert "The judge is a contestant itself (paid_api), and may favour its own answers." in shown.stdout.splitlines()
    assert "Right, says the judge: 0 answers scored, 3 scorer failed (paid_api)." in shown.stdout.splitlines()
    about = json.loads(run("runs", "show", found["run"], "--json").stdout)["about"]
    assert about["judge"]["contestants"] == ["paid_api"]
    assert "judge" not in about["settings"]


def test_a_deleted_run_can_be_brought_back_until_it_is_erased() -> None:
    first = evaluated("--approach", "raw")["run"]
    assert f"`crossroads runs undelete {first}` brings it back." in run("runs", "delete", first).stdout
    assert run("runs").stdout.startswith("There are no runs yet")
    assert f"{first}  done, 3 of 3 answers; questions.csv: raw; deleted 20" in run("runs", "list", "--deleted").stdout
    assert run("runs", "undelete", first).stdout == f"The run {first} is back.\n"
    assert run("runs", "delete", first).exit_code == 0
    assert run("runs", "delete", first, "--undo").stdout == f"The run {first} is back.\n"
    refused = run("runs", "delete", first, "--for-good", stdin="n\n")
    assert (refused.exit_code, run("runs").stdout[: len(first)]) == (1, first)
    assert run("runs", "delete", first).exit_code == 0
    assert run("runs", "delete", first, "--for-good", stdin="y\n").exit_code == 0
    assert run("runs", "list", "--deleted").stdout == "No run was deleted.\n"
    assert run("runs", "undelete", first).exit_code == 1


def test_a_critical_question_that_newly_fails_fails_the_command() -> None:
    Path("questions.csv").write_text("id,question,key_facts,critical\nq1,say red,red,yes\nq2,say green,green,no\n")
    first = evaluated("--approach", "raw")
    assert (first["approved_baseline"], first["newly_failing"]) == (None, [])
    assert run("runs", "approve", first["run"]).stdout == f"The run {first['run']} is the baseline of questions.csv.\n"
    assert "questions.csv: raw; approved baseline" in run("runs").stdout
    assert "It is the approved baseline of its question set." in run("runs", "show", first["run"]).stdout
    assert evaluated("--approach", "raw")["approved_baseline"] == first["run"]
    with closing(Store(load_settings())) as store:
        later = find_run(store, "latest")
        set_scores(store, later.id, {("raw", place, 0): {"right": Score(False)} for place in range(2)})
    failing = run("evaluate", "--resume", later.id, "--json")
    assert failing.exit_code == 1
    (one,) = json.loads(failing.stdout)["newly_failing"]
    assert one == {"approach": "raw", "question_id": "q1", "wrong": 1, "answers": 1}
    said = "The critical question q1 is not answered right any more by raw; it was in the approved baseline "
    assert f"{said}{first['run']}." in failing.stderr.splitlines()
    refused = run("runs", "approve", later.id, "--withdraw")
    assert (refused.exit_code, "is not the approved baseline" in refused.stderr) == (1, True)
    assert run("runs", "approve", first["run"], "--withdraw").stdout == "questions.csv has no baseline any more.\n"
    assert run("evaluate", "--resume", later.id).exit_code == 0


def test_ctrl_c_keeps_what_was_answered_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "questions.csv").write_text("question,key_facts\nsay red,red\nendless,red\n")
    arguments = ("evaluate", str(tmp_path / "questions.csv"), "--approach", "raw")
    environment = {"CROSSROADS_SCRIPTED": "true", "CROSSROADS_DATA": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"}
    with running(*arguments, "--set", "max_tokens=24", **environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Expected") or "to come" in line:
                break
        while "1 of 2 answers" not in run("runs", "list").stdout:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    id = json.loads(run("runs", "list", "--json").stdout)["runs"][0]["run"]
    assert err.splitlines()[-2:] == [
        f"What was answered is kept. Go on with `crossroads evaluate --resume {id}`.",
        "Stopped.",
    ]
    assert f"{id}  stopped, 1 of 2 answers" in run("runs", "list").stdout


def test_the_help_comes_without_the_database_libraries() -> None:
    script = (
        "import sys\nfrom terminal.commands import app\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'psycopg', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=HOME, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_key_is_in_the_store(tmp_path: Path) -> None:
    key = "sk-canary-0123456789"
    given = [f"connections.own.{name}={value}" for name, value in (("api_key", key), ("model", "m"))]
    given.append("connections.own.base_url=http://127.0.0.1:9/v1")
    options = [word for one in given for word in ("--set", one)]
    found = evaluated("--approach", "paid_api:own", *options)
    shown = run("runs", "show", found["run"], "--json")
    assert "http://127.0.0.1:9/v1" in shown.stdout
    written = [file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert any(b"http://127.0.0.1:9/v1" in content for content in written)
    assert not any(key.encode() in content for content in (*written, shown.stdout.encode()))


def test_how_long_it_takes_still_is_blank_as_long_as_it_is_not_known() -> None:
    from io import StringIO

    from rich.console import Console
    from rich.progress import Progress

    from terminal.shared import time_left

    now = 0.0
    column = time_left()
    bars = Progress(column, console=Console(file=StringIO()), get_time=lambda: now)
    task = bars.add_task("raw", total=10)
    assert str(column(bars.tasks[0])) == ""
    for now in (10.0, 20.0):
        bars.update(task, completed=now / 10)
    assert str(column(bars.tasks[0])) == "0:01:20"
