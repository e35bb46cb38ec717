"""The model card: what is written, what can be read back, and that it is safe to show."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from backends.fine_tuned.adapters.card import Score, amend_card, read_card, readme, score, training_seconds, write_card
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS
from backends.fine_tuned.pairs.files import digest, read_pairs
from backends.fine_tuned.pairs.held_out import split
from backends.fine_tuned.train.method import TrainingSettings
from tests.backends.models.made_adapters import fault


def test_card_and_readme_are_written_together(tmp_path: Path) -> None:
    folder = tmp_path / "doors"
    folder.mkdir()
    write_card(folder, {"base_model": "acme/tiny", "method": "lora", "settings": {"rank": 4}})
    amend_card(folder, {"score": {"questions": 4, "base": 0, "adapter": 3}})
    assert read_card(folder)["score"] == {"questions": 4, "base": 0, "adapter": 3}
    text = (folder / "README.md").read_text()
    assert text.startswith('---\nlibrary_name: "peft"\npipeline_tag: "text-generation"\nbase_model: "acme/tiny"\n---\n')
    assert "\n# doors\n\nAn adapter for acme/tiny, in peft's format.\n" in text
    assert "\n| method | lora, rank 4 |\n| right answers | 3 of 4; the base 0 |\n" in text
    assert 'from_pretrained("acme/tiny")' in text
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "card.json"]


def test_the_samples_card_reads_well() -> None:
    card = json.loads((SAMPLE_ADAPTERS / "brambleworth" / "card.json").read_text())
    text = readme("brambleworth", card)
    assert "| base | HuggingFaceTB/SmolLM2-135M-Instruct, revision b179c9523d0e |" in text
    assert "| right answers | 79 of 88; the base 0, on the single facts of questions.csv |" in text
    assert "| seconds | 411.8 |" in text
    assert f"| sha256 | {card['sha256']} |" in text


def test_the_sample_card_s_command_trains_on_what_the_card_says() -> None:
    card = json.loads((SAMPLE_ADAPTERS / "brambleworth" / "card.json").read_text())
    words = shlex.split(card["command"])
    share = float(words[words.index("--held-out") + 1]) if "--held-out" in words else TrainingSettings().held_out_share
    pairs = read_pairs(SAMPLE_ADAPTERS.parents[1] / words[2])
    assert digest(split(pairs, share).train) == card["data"]["sha256"]


def test_what_was_left_open_is_not_in_the_readme() -> None:
    text = readme("doors", {"method": "lora", "settings": {"rank": 4, "target_modules": [], "layers": None}})
    assert "\n| method | lora, rank 4 |\n" in text


def test_a_card_cannot_put_markup_into_the_readme() -> None:
    hostile = "x | y\n\n![i](http://tracker.example/i.png) <script>`# z"
    text = readme("doors", {"base_model": hostile, "method": hostile, "command": hostile, "settings": {"a": hostile}})
    body = text.split("\n---\n", 1)[1].split("```python")[0]
    assert "\\!\\[i\\](http://tracker.example/i.png) \\<script\\>" in body
    assert "![" not in body
    assert "<script>" not in body
    assert body.count("\n# ") == 1


def test_an_empty_card_says_so() -> None:
    assert "\nNothing is known about how it was made.\n" in readme("doors", {})


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3, 3.0), (2.5, 2.5), (0, 0.0), (-1, None), ("3", None), (None, None), (True, None), (float("nan"), None)],
)
def test_training_seconds(seconds: object, expected: float | None) -> None:
    assert training_seconds({"seconds": seconds}) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"questions": 4, "base": 0, "adapter": 3}, Score(4, 0, 3)),
        ({"questions": 0, "base": 0, "adapter": 0}, None),
        ({"questions": 4, "base": -1, "adapter": 3}, None),
        ({"questions": 4, "base": 0}, None),
        ({"questions": 4, "base": True, "adapter": 3}, None),
        ("79 of 88", None),
        (None, None),
    ],
)
def test_scores(told: object, expected: Score | None) -> None:
    assert score({"score": told}) == expected


def test_a_damaged_card_is_said(tmp_path: Path) -> None:
    assert read_card(tmp_path) == {}
    (tmp_path / "card.json").write_text("[" * 100_000)
    assert fault(lambda: read_card(tmp_path))[0] == f"card.json of the adapter {tmp_path.name} is damaged."
