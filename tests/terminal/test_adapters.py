"""`crossroads prove` and `crossroads attribute`: records, sentences, exit statuses. Answers come from the script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backends.rag import approach
from backends.settings import DEFAULT_EMBEDDER
from terminal.commands import app
from tests.evaluation.answering import FixedEmbedder

QUESTIONS = "question,key_facts,reference_answer\nSay yes,yes,yes\nSay maybe,never,no\nSay something,,\n"


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CROSSROADS_SCRIPTED", "true")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), FixedEmbedder())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text(QUESTIONS)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_proof_as_a_record() -> None:
    result = run("prove", "brambleworth", "--questions", "mine.csv", "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert (record["adapter"], record["question_set"], record["left_out"]) == ("brambleworth", "mine.csv", 1)
    assert (record["base"]["right"], record["tuned"]["right"], record["base"]["questions"]) == (1, 1, 2)
    assert record["difference"]["clear"] is False
    assert record["questions"][0]["base"]["text"].strip() == "raw heard: Say yes"
    assert record["questions"][0]["adapter"]["text"].strip() == "fine_tuned heard: Say yes"
    assert record["training"] == {"pairs": 376, "leaked": {}, "facts_taught": 0}


def test_another_system_prompt_than_the_training_s_is_told() -> None:
    said = "It was trained with another system prompt than the one in force"
    for command in (("prove", "brambleworth", "--questions", "mine.csv"), ("attribute", "mine.csv")):
        assert said in run(*command, "--set", "system_prompt=Be brief.").stderr
        assert said not in run(*command).stderr


def test_a_proof_in_sentences() -> None:
    result = run("prove", "brambleworth", "--questions", "mine.csv", "--most", "1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "base 100 % (1 of 1; 95 % interval 21–100)"
    assert lines[2].startswith("On 1 question the difference may be chance: 0 points")


def test_what_cannot_be_proved_is_a_sentence_and_status_1() -> None:
    result = run("prove", "brambleworth")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "No held-out part is known of the adapter brambleworth. Give questions: `--questions FILE`."
    )
    assert run("prove", "nobody", "--questions", "mine.csv").exit_code == 1
    assert run("prove").exit_code == 2


def test_an_attribution_as_a_record() -> None:
    result = run("attribute", "mine.csv", "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert list(record["arms"]) == ["base", "base_rag", "adapter", "adapter_rag"]
    assert [arm["right"]["right"] for arm in record["arms"].values()] == [1, 1, 1, 1]
    assert record["techniques"]["rag"] | {"extra_s": 0} == {
        "value": 0.0,
        "low": pytest.approx(-0.693, abs=1e-3),
        "high": pytest.approx(0.693, abs=1e-3),
        "changed": 0,
        "clear": False,
        "extra_s": 0,
        "extra_usd_per_1000": "0.000000",
    }


def test_an_attribution_in_sentences() -> None:
    result = run("attribute", "mine.csv", "--adapter", "brambleworth", "--k", "2")
    assert result.exit_code == 0
    first, rag, *_ = result.stdout.splitlines()
    assert first == "Right answers on 2 questions: Base 50 %, Base + RAG 50 %, Adapter 50 %, Adapter + RAG 50 %."
    assert rag == "RAG alone made no difference that could not be chance: 0 points (95 % interval −69 to +69)."


def test_questions_that_are_not_there() -> None:
    result = run("attribute", "gone.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("There is no file gone.csv.")
