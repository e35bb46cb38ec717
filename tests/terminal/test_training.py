"""`crossroads train`: what it prints, how it is stopped and resumed, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.train.lock import training as right_to_train
from backends.fine_tuned.train.runs import runs
from evaluation import training
from terminal.commands import app
from tests.backends.conftest import tiny_model  # noqa: F401 - a fixture
from tests.backends.fine_tuned.small_training import PAIRS

HOME = Path(__file__).resolve().parents[2]
SMALL = ("--rank", "4", "--alpha", "8", "--epochs", "2", "--batch", "4", "--learning-rate", "0.01")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: Path) -> None:  # noqa: F811
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", str(tiny_model))
    monkeypatch.chdir(tmp_path)
    rows = [json.dumps({"question": pair.question, "answer": pair.answer, "group": pair.group}) for pair in PAIRS]
    (tmp_path / "doors.jsonl").write_text("\n".join(rows) + "\n")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["train", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def trained(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_the_record_of_a_training(tmp_path: Path, tiny_model: Path) -> None:  # noqa: F811
    record = trained("doors.jsonl", *SMALL, "--held-out", "0.2")
    folder = tmp_path / "data" / "adapters" / "doors"
    assert (record["name"], record["path"]) == ("doors", str(folder))
    assert record["steps"] == 8
    assert [step for step, _ in record["losses"]] == list(range(1, 9))
    assert [step for step, _ in record["held_out_losses"]] == [2, 4, 6, 8]
    assert record["held_out_score"]["questions"] == record["data"]["held_out"] == 4
    assert {"base", "adapter"} < set(record["held_out_score"])
    assert record["score"] == record["held_out_score"] | {"question_set": "its held-out part"}
    assert record["seconds"] > 0
    assert record["tokens_per_s"] > 0
    shown = {"name", "path", "losses", "held_out_losses", "held_out_score"}
    assert read_card(folder) == {name: value for name, value in record.items() if name not in shown}
    assert record["command"] == (
        "crossroads train doors.jsonl --name doors --epochs 2 --rank 4 --alpha 8 --batch 4 --learning-rate 0.01 "
        f"--held-out 0.2 --set raw.model={tiny_model}"
    )


def test_the_card_s_command_makes_the_same_adapter_again(tmp_path: Path) -> None:
    looks = ("--modules", "q_proj, v_proj", "--accumulate", "2", "--warmup", "0.5", "--precision", "float32")
    chosen = ("--set", "seed=3", "--set", "system_prompt=Be a pirate; say 'arr'.")
    first = trained("doors.jsonl", *SMALL, "--split-by", "phrasing", "--name", "one", *looks, *chosen)
    assert (first["settings"]["seed"], first["settings"]["accumulate"], first["settings"]["warmup"]) == (3, 2, 0.5)
    _, _, *arguments = shlex.split(first["command"])
    again = trained(*[argument.replace("one", "two") for argument in arguments])
    assert (again["name"], again["sha256"]) == ("two", first["sha256"])
    assert again["settings"] == first["settings"]


def test_a_last_pass_is_told_and_is_in_the_card_s_command(tmp_path: Path) -> None:
    result = run("doors.jsonl", *SMALL, "--held-out", "0.2", "--last-pass", "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert "other phrasings of them held out, to see whether the facts are found (a last pass" in result.stderr
    assert record["last_pass"]["pairs"] == 18
    assert "--last-pass" in shlex.split(record["command"])
    assert record["held_out_score"]["question_set"] == "its held-out part, which the last pass taught as well"


def test_every_option_reaches_the_training(tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text("question,key_facts\nWhat is the code of door 1?,11\n")
    options = ("--method", "last_layers", "--layers", "1", "--split-by", "group", "--sample", "15")
    places = ("--name", "gates", "--folder", str(tmp_path / "mine"), "--score", "asked.csv")
    record = trained("doors.jsonl", "--epochs", "1", "--held-out", "0.3", *options, *places)
    assert record["path"] == str(tmp_path / "mine" / "gates")
    assert (record["method"], record["settings"]["layers"]) == ("last_layers", 1)
    assert (record["settings"]["split_by"], record["settings"]["held_out_share"]) == ("group", 0.3)
    assert record["data"]["pairs"] + record["data"]["held_out"] == 15
    assert record["score"]["questions"] == 1
    assert record["score"]["question_set"] == "asked.csv"
    tagged = "question,key_facts,tags\nWhat is the code of door 1?,11,single_fact\nAnd of door 2?,2222,two_facts\n"
    (tmp_path / "asked.csv").write_text(tagged)
    record = trained("doors.jsonl", "--epochs", "1", "--held-out", "0", "--score", "asked.csv")
    assert record["score"]["questions"] == 1
    assert record["score"]["question_set"] == "the single facts of asked.csv"


def test_without_json_there_are_sentences() -> None:
    result = run("doors.jsonl", *SMALL, "--held-out", "0")
    assert result.exit_code == 0
    assert result.stdout.startswith("Trained ")
    assert "training on 18 pairs, none held out: 10 steps" in result.stderr
    assert "step 10 of 10, loss " in result.stderr


def test_what_deserves_a_look_is_named_before_training(tmp_path: Path) -> None:
    rows = (tmp_path / "doors.jsonl").read_text().splitlines()
    (tmp_path / "twice.jsonl").write_text("\n".join([*rows, rows[2]]) + "\n")
    result = run("twice.jsonl", *SMALL, "--held-out", "0", "--epochs", "1")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^row 19: The same pair as row 3; it is used once", result.stderr, re.MULTILINE), result.stderr
    assert "training on 18 pairs," in result.stderr


def test_a_question_set_that_is_not_there_is_told_before_anything_is_written_down(tmp_path: Path) -> None:
    result = run("doors.jsonl", *SMALL, "--score", "nowhere.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("There is no file nowhere.csv.")
    assert runs(tmp_path / "data") == []


def test_a_file_whose_name_cannot_be_an_adapter_s_gives_it_one_like_it(tmp_path: Path) -> None:
    (tmp_path / "doors.jsonl").rename(tmp_path / f"our doors (new) {'x' * 80}.jsonl")
    result = run(f"our doors (new) {'x' * 80}.jsonl", *SMALL, "--held-out", "0", "--epochs", "1", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["name"] == ("our-doors-new-" + "x" * 80)[:48]


def test_an_estimate_trains_nothing(tmp_path: Path) -> None:
    result = run("doors.jsonl", *SMALL, "--estimate", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["steps"], found["note"]) == (8, "")
    assert found["seconds"] > 0
    assert " tokens/s in " in run("doors.jsonl", *SMALL, "--estimate").stdout
    assert runs(tmp_path / "data") == []


def test_too_many_pairs_are_refused_with_what_they_would_take(tmp_path: Path) -> None:
    rows = [f'{{"question": "Code of door {n}?", "answer": "{n}."}}' for n in range(10_001)]
    (tmp_path / "many.jsonl").write_text("\n".join(rows))
    result = run("many.jsonl", "--epochs", "1")
    assert result.exit_code == 1
    assert "10,001 pairs are more than the 10,000 that are trained on at once; they would take about " in result.stderr
    assert result.stderr.endswith("Train on a part of them with --sample 10000.\n")


def test_ctrl_c_keeps_the_best_so_far_and_names_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, str(HOME / "crossroads.py"), "train"]
    arguments = ["doors.jsonl", *SMALL, "--epochs", "12", "--held-out", "0"]
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stderr is not None
        said = ""
        while not re.search(r"doing step [2-9]|step [1-9]\d* of", said):  # one is done, so there is something to keep
            assert process.poll() is None
            said += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    (one,) = runs(tmp_path / "data")
    assert process.returncode == 1
    assert "stopping; what was learned so far is kept" in said
    assert "Warning" not in said, "libraries' warnings are not for the user"
    kept = f"The adapter so far is {tmp_path / 'data' / 'adapters' / 'doors'}."
    assert f"{one.reason} {kept} Go on with `crossroads train --resume {one.id}`." in said
    assert (one.state, one.resumable) == ("stopped", True)
    assert read_card(tmp_path / "data" / "adapters" / "doors")["steps"] == one.step
    record = trained("--resume")
    assert (record["steps"], record["held_out_score"]) == (60, None)
    again = run("--resume", one.id)
    assert again.exit_code == 1
    assert again.stderr.startswith("The training of doors cannot be resumed. All 60 steps are done.")


def test_a_signal_that_comes_twice_stops_once_and_a_later_one_ends_at_once() -> None:
    now, said = 100.0, []
    with training.interruptible(said.append, lambda: now) as cancel:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        assert cancel.is_set()
        assert said == ["stopping; what was learned so far is kept"]
        now += 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_nothing_to_resume() -> None:
    result = run("--resume")
    assert result.exit_code == 1
    assert result.stderr == "There is no training to resume. Start one with `crossroads train PAIRS`.\n"


def test_a_setting_that_is_impossible_is_a_sentence() -> None:
    result = run("doors.jsonl", "--rank", "0")
    assert result.exit_code == 1
    assert result.stderr == "rank cannot be 0. Choose a value from 1 to 512.\n"


def test_a_second_training_at_once_is_refused_and_leaves_nothing_to_resume(tmp_path: Path) -> None:
    trained("doors.jsonl", *SMALL, "--held-out", "0")
    (first,) = runs(tmp_path / "data")
    with right_to_train(first.id, tmp_path / "data"):
        result = run("doors.jsonl", *SMALL, "--name", "second")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"doors is being trained: step {first.steps} of {first.steps}, in process {os.getpid()}." in result.stderr
    assert [one.name for one in runs(tmp_path / "data")] == ["doors"]
