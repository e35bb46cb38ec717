"""The judge of sentences, with the weights that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.errors import BackendError
from backends.rag.search import judge as judge_file
from backends.rag.search.judge import Judge, open_judge

QUESTION = "What does a ticket for a dog cost?"
TEXTS = (
    "harbour ferry fares: Animals: A dog travels for 3 euros.",
    "harbour ferry fares: Animals: Dogs stay on the open deck.",
    "harbour ferry fares: Bicycles: A bicycle travels for 7 euros.",
)


@pytest.fixture(scope="module")
def judge(model_data: Path) -> Judge:
    return open_judge(model_data, "cpu")


def test_the_sentence_that_answers_is_ahead_of_those_about_the_same_things(judge: Judge) -> None:
    odds = judge.odds(QUESTION, TEXTS)
    assert odds[0] == max(odds)
    assert odds[0] > 0 > odds[1]


def test_what_stands_beside_a_sentence_does_not_change_its_odds(judge: Judge) -> None:
    alone = [judge.odds(QUESTION, [text])[0] for text in TEXTS]
    assert judge.odds(QUESTION, TEXTS) == pytest.approx(alone, abs=1e-3)


def test_no_text_makes_it_fail(judge: Judge) -> None:
    assert judge.odds(QUESTION, []) == []
    odd = ["", " ", "\ud800", "word " * 50_000, "x" * 100_000]
    assert len(judge.odds("why " * 5_000, odd)) == len(odd)


def test_there_is_one_judge_for_a_data_folder(judge: Judge, model_data: Path) -> None:
    assert open_judge(model_data, "cpu") is judge
    assert judge.loaded


def test_missing_weights_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_file, "WEIGHTS", tmp_path / "none.safetensors")
    with pytest.raises(BackendError, match=r"judge of sentences cannot be loaded: .*rag\.judge to false"):
        Judge(tmp_path, "cpu").odds(QUESTION, TEXTS)


def test_damaged_weights_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.safetensors").write_bytes(judge_file.WEIGHTS.read_bytes()[:5_000])
    monkeypatch.setattr(judge_file, "WEIGHTS", tmp_path / "half.safetensors")
    with pytest.raises(BackendError, match="judge of sentences cannot be loaded"):
        Judge(tmp_path, "cpu").odds(QUESTION, TEXTS)
