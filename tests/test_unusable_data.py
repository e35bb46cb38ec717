"""Every command on a data folder that takes nothing: one sentence on standard error, exit status 1, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[1]
QUESTIONS = '{"question": "What colour is it?", "answer": "Blue."}\n{"question": "Who made it?", "answer": "Ann."}\n'


def crossroads(folder: Path, data: Path | str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "CROSSROADS_"))}
    return subprocess.run(
        [sys.executable, "-m", "crossroads", *words],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(HOME), "CROSSROADS_DATA": str(data)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "pairs.jsonl"
    written.write_text(QUESTIONS)
    return written


@pytest.mark.parametrize(
    "command",
    [
        "index FILE",
        "search hello",
        "train FILE",
        "train --resume",
        "prove brambleworth --questions FILE",
        "attribute FILE",
        "evaluate FILE",
        "runs list",
        "stand-in --port 0",
        "demo --headless",
    ],
)
def test_a_command_that_needs_the_folder_ends_with_the_cause(command: str, file: Path) -> None:
    data = file / "data"
    done = crossroads(file.parent, data, *(str(file) if word == "FILE" else word for word in command.split()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"The data folder {data} cannot be used: there is a file where a folder should be. "
        "Choose another data folder with CROSSROADS_DATA.\n"
    )


def test_connections_need_no_folder(tmp_path: Path) -> None:
    done = crossroads(tmp_path, "/dev/null", "connections", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["connections"][0]["approach"] == "paid_api"


@pytest.mark.parametrize("damage", ["/dev/null", "a folder in the ledger's place", "a damaged ledger"])
def test_the_answers_are_printed_all_the_same(damage: str, tmp_path: Path) -> None:
    data = Path(damage) if damage == "/dev/null" else tmp_path / "data"
    if damage == "a folder in the ledger's place":
        (data / "ledger.sqlite").mkdir(parents=True)
    elif damage == "a damaged ledger":
        data.mkdir()
        (data / "ledger.sqlite").write_bytes(b"no database" * 500)
    done = crossroads(tmp_path, data, "ask", "hello", "--json", CROSSROADS_SCRIPTED="true")
    answers = json.loads(done.stdout)["answers"]
    assert (done.returncode, [answer["status"] for answer in answers]) == (0, ["ok"] * 4)
    assert all(answer["text"] for answer in answers)
    assert done.stderr.rstrip().splitlines()[-1].startswith(("The ledger", "The store of answers"))
    assert "Traceback" not in done.stderr


def test_models_that_cannot_be_converted_are_said_in_their_columns(tmp_path: Path) -> None:
    done = crossroads(tmp_path, "/dev/null", "ask", "hello", "--json", "--approach", "raw", "--approach", "fine_tuned")
    answers = json.loads(done.stdout)["answers"]
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for answer in answers:
        assert answer["status"] == "error"
        assert "could not be written to /dev/null/models: Not a directory. Make 300 MB of room" in answer["error"]


def test_an_env_file_that_is_no_text_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    done = crossroads(tmp_path, tmp_path / "data", "connections")
    assert (done.returncode, done.stdout) == (2, "")
    assert "The file .env cannot be read: it is not UTF-8 text." in " ".join(done.stderr.replace("│", " ").split())
    assert "--set" not in done.stderr
    assert "Traceback" not in done.stderr
