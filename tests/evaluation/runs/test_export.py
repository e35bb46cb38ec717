"""Exports of a run: every cell with its question, scores and marks, and the log that inspect_ai reads."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs.export import export_cells
from evaluation.runs.marks import CellMark, set_mark
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, find_run
from evaluation.samples import Sample
from evaluation.scorers import Score
from tests.evaluation.runs.made_runs import begun, cell

SET = (
    Sample(
        "q1", "What colour?", "It is red.", (("red", "scarlet"), ("thing",)), ("a.md", "b.md"), ("x", "y"), "c1", True
    ),
    Sample("q/2", "How much?"),
)


@pytest.fixture
def run(sqlite_store: Store, sqlite_settings: Settings) -> Run:
    made = begun(sqlite_store, sqlite_settings, ("raw", "paid_api:own"), SET)
    right = {"right": Score(True), "chrf": Score(0.5), "judged": Score.failed("Judge off the menu: it said 'x'.")}
    add_cell(sqlite_store, made.id, cell("raw"), right)
    add_cell(sqlite_store, made.id, cell("raw", 1, text="", status="error", error="It broke."))
    add_cell(sqlite_store, made.id, cell("paid_api:own", text="It is"), {"right": Score(False)})
    set_mark(sqlite_store, made, ("raw", 0, 0), "ann", CellMark("right", True, "=Good"))
    set_mark(sqlite_store, made, ("raw", 0, 0), "bob", CellMark("wrong", False, "No."))
    return find_run(sqlite_store, made.id)


def of_raw(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = (row for row in rows if (row["question_id"], row["approach"]) == ("q1", "raw"))
    return found


def test_json_lines_have_question_and_marks_as_they_are(sqlite_store: Store, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    export_cells(sqlite_store, run, file)
    row = of_raw([json.loads(line) for line in file.read_text().splitlines()])
    assert row["reference_answer"] == "It is red."
    assert row["key_facts"] == [["red", "scarlet"], ["thing"]]
    assert (row["source"], row["tags"], row["cluster"], row["critical"]) == (["a.md", "b.md"], ["x", "y"], "c1", True)
    assert [(mark["verdict"], mark["star"], mark["comment"]) for mark in row["marks"]] == [
        ("right", True, "=Good"),
        ("wrong", False, "No."),
    ]
    assert "ann" not in file.read_text()  # who said it is nobody's business


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_count_marks_and_hold_lists_as_question_sets_do(
    sqlite_store: Store, run: Run, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"r.{ending}"
    export_cells(sqlite_store, run, file)
    if ending == "csv":
        row = of_raw(list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig")))))
        assert row["comments"] == "'=Good\nNo."
    else:
        row = of_raw(pyarrow.parquet.read_table(file).to_pylist())
        assert row["comments"] == "=Good\nNo."
    assert (row["key_facts"], row["source"], row["tags"]) == ("red | scarlet; thing", "a.md; b.md", "x; y")
    assert (row["cluster"], row["critical"]) == ("c1", "true")
    marks = ("marked_right", "marked_wrong", "marked_unclear", "stars")
    assert [int(row[name]) for name in marks] == [1, 1, 0, 1]


@pytest.mark.parametrize("ending", ["eval", "json"])
def test_the_log_of_inspect_ai(sqlite_store: Store, run: Run, tmp_path: Path, ending: str) -> None:
    """Its fields were read with inspect_ai 0.3.285 (docs/measurements.md)."""
    file = tmp_path / f"r.{ending}"
    export_cells(sqlite_store, run, file)
    if ending == "json":
        log = json.loads(file.read_text())
        samples = {one["id"]: one for one in log["samples"]}
    else:
        with zipfile.ZipFile(file) as archive:
            log = json.loads(archive.read("header.json"))
            names = [name for name in archive.namelist() if name.startswith("samples/")]
            samples = {one["id"]: one for one in (json.loads(archive.read(name)) for name in names)}
            assert "samples/raw/q/2_epoch_1.json" in names
            assert {"_journal/start.json", "summaries.json"} <= set(archive.namelist())
            assert len(json.loads(archive.read("summaries.json"))) == 3
    assert (log["version"], log["status"], log["eval"]["run_id"]) == (2, "cancelled", run.id)
    assert log["results"]["total_samples"] == 4
    assert log["results"]["completed_samples"] == 2
    (right,) = (one for one in log["results"]["scores"] if one["name"] == "right (raw)")
    assert right["metrics"]["mean"]["value"] == 1
    one = samples["raw/q1"]
    assert (one["epoch"], one["input"], one["target"]) == (1, "What colour?", "It is red.")
    assert one["output"]["choices"][0]["message"]["content"] == "It is red."
    assert {name: score["value"] for name, score in one["scores"].items()} == {"right": "C", "chrf": 0.5}
    assert one["metadata"]["unscored"] == {"judged": "Judge off the menu: it said 'x'."}
    assert one["model_usage"]["model of raw"] == {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    assert samples["paid_api:own/q1"]["scores"]["right"]["value"] == "I"
    failed = samples["raw/q/2"]
    assert failed["error"]["message"] == "It broke."
    assert failed["output"]["choices"] == []


def test_a_log_of_one_approach_calls_its_samples_as_the_set_does(
    sqlite_store: Store, sqlite_settings: Settings, tmp_path: Path
) -> None:
    made = begun(sqlite_store, sqlite_settings, ("raw",), SET[:1])
    add_cell(sqlite_store, made.id, cell("raw"), {"right": Score(True)})
    export_cells(sqlite_store, find_run(sqlite_store, made.id), tmp_path / "r.json")
    log = json.loads((tmp_path / "r.json").read_text())
    assert (log["status"], [one["id"] for one in log["samples"]]) == ("success", ["q1"])
    assert [one["name"] for one in log["results"]["scores"]] == ["right"]


def test_without_texts_the_export_has_none(sqlite_store: Store, sqlite_settings: Settings, tmp_path: Path) -> None:
    store = sqlite_settings.store.model_copy(update={"keep_texts": False})
    made = begun(sqlite_store, sqlite_settings.model_copy(update={"store": store}), ("raw",), SET[:1])
    add_cell(sqlite_store, made.id, cell("raw", keep_texts=False), {"right": Score(True)})
    for ending in ("jsonl", "json"):
        export_cells(sqlite_store, made, tmp_path / f"r.{ending}")
    row = json.loads((tmp_path / "r.jsonl").read_text())
    assert (row["question"], row["reference_answer"], row["text"]) == (None, None, None)
    (sample,) = json.loads((tmp_path / "r.json").read_text())["samples"]
    assert (sample["input"], sample["output"]["completion"]) == ("", "")
