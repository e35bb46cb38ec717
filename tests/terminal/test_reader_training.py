"""`crossroads train --reading`: its record, what comes of the adapter, and what is refused."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backends.fine_tuned.adapters.card import read_card
from backends.rag import approach
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.settings import DEFAULT_EMBEDDER
from terminal.commands import app
from tests.backends.conftest import tiny_model  # noqa: F401 - a fixture
from tests.backends.rag.quick import QuickEmbedder
from tests.evaluation.reading_collection import PAIRS, filled, roomy

SMALL = ("--rank", "2", "--alpha", "4", "--batch", "4", "--precision", "float32")


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_model: Path) -> Iterator[None]:  # noqa: F811
    """The collection `shop`, a file of pairs about it, and a tiny base."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("CROSSROADS_RAW__MODEL", str(roomy(tiny_model, tmp_path / "base")))
    monkeypatch.setenv("CROSSROADS_RAG__MIN_SCORE", "-1")
    monkeypatch.setenv("CROSSROADS_RAG__SENTENCES", "2")
    monkeypatch.chdir(tmp_path)
    quick = QuickEmbedder()
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, tmp_path / "data"), quick)
    filled(tmp_path / "data", tmp_path / "documents", quick, "shop")
    (tmp_path / "shop.jsonl").write_text("".join(json.dumps(asdict(pair)) + "\n" for pair in PAIRS))
    yield
    close_stores(tmp_path / "data")
    open_database(tmp_path / "data").close()


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def record(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_reader_is_trained_named_as_one_and_compared_where_it_reads(tmp_path: Path) -> None:
    made = record("train", "shop.jsonl", "--reading", "--collection", "shop", "--held-out", "0.3", *SMALL)
    assert made["kind"] == "reading"
    assert made["reading"] | {"version": ""} == {
        "collection": "shop",
        "version": "",
        "sentences": 2,
        "examples": made["data"]["pairs"] + made["data"]["held_out"],
        "refusals": 2,
        "left_out": 1,
    }
    assert made["settings"]["epochs"] == 2
    assert made["held_out_score"]["question_set"] == "its held-out part, both with RAG"
    assert made["score"] == made["held_out_score"]
    words = shlex.split(made["command"])
    assert words[:4] == ["crossroads", "train", "shop.jsonl", "--reading"]
    assert {"--collection", "shop", "--unanswerable", "0.25", "rag.sentences=2", "rag.min_score=-1.0"} <= set(words)
    folder = tmp_path / "data" / "adapters" / "shop"
    assert read_card(folder)["reading"] == made["reading"]
    assert "it was taught no facts" in (folder / "README.md").read_text()

    compared = record("attribute", "--adapter", "shop", "--set", "rag.collection=shop", "--set", "max_tokens=8")
    assert list(compared["arms"]) == ["base_rag", "adapter_rag", "quoted"]
    assert set(compared["techniques"]) == {"adapter_besides", "over_quote"}
    assert compared["question_set"] == "its held-out part"
    assert compared["arms"]["adapter_rag"]["model"].startswith("reads with adapter shop: ")

    refused = run("prove", "shop")
    assert refused.exit_code == 1
    assert "shop was taught to read passages and no facts" in refused.stderr


def test_what_was_left_out_is_said_before_the_training_and_with_an_estimate() -> None:
    result = run("train", "shop.jsonl", "--reading", "--collection", "shop", "--estimate", *SMALL)
    assert result.exit_code == 0, result.stderr
    assert "5 questions with an answer in the sentences found, 2 without one." in result.stderr
    assert "1 pair left out: none of the sentences found holds its answer." in result.stderr
    assert " tokens/s in " in result.stdout


def test_options_of_reading_alone_are_wrong_usage() -> None:
    assert run("train", "shop.jsonl", "--collection", "shop").exit_code == 2
    assert run("train", "shop.jsonl", "--unanswerable", "0.1").exit_code == 2
    result = run("train", "shop.jsonl", "--reading", "--collection", "shop", "--unanswerable", "0.9")
    assert result.exit_code == 1
    assert "Choose one from 0 to 0.5." in result.stderr
