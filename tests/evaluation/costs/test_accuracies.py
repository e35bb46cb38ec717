"""Which runs there are to take right answers from; what cannot be read is no run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from evaluation.attribution import ARMS, Arm, Attribution, store_attribution
from evaluation.costs.right_answers import Accuracy, runs
from evaluation.judging import Share


def write(file: Path, date: str = "2026-11-22T22:59:23+00:00") -> Path:
    samples = [{"answers": {"raw": {"right": right}, "rag": {"right": True}}} for right in (True, False, False)]
    file.write_text(json.dumps({"date": date, "raw": {"quality": {"samples": samples}}}))
    return file


def test_the_benchmark_is_a_run(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, "raw", write(tmp_path / "latest.json"))
    assert run.title == "Benchmark of 22 Nov 2026, sample questions"
    note = "benchmark of 22 Nov 2026, sample questions"
    assert run.accuracies == {
        "raw": Accuracy(1, 3, "measured here", note),
        "rag": Accuracy(3, 3, "measured here", note),
    }


def test_what_another_writer_made_of_documents_does_not_count(tmp_path: Path) -> None:
    (run,) = runs(tmp_path, "paid_api:own", write(tmp_path / "latest.json"))
    assert list(run.accuracies) == ["raw"]


def test_a_benchmark_that_was_run_again_is_read_again(tmp_path: Path) -> None:
    file = write(tmp_path / "latest.json")
    runs(tmp_path, "raw", file)
    file.write_text(file.read_text().replace("2026-11-22", "2026-11-24") + " ")
    assert runs(tmp_path, "raw", file)[0].title.startswith("Benchmark of 24 Nov")


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"date": "x"}', '{"date": "2026-11-22", "raw": {}}'])
def test_without_a_usable_benchmark_there_is_no_run(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "latest.json"
    if text is not None:
        file.write_text(text)
    assert runs(tmp_path, "raw", file) == []


def attribute(data: Path) -> None:
    right = dict(zip(ARMS, (0, 4, 14, 12), strict=True))
    arms = {name: Arm(name, "m", Share(right[name], 20), None, 1.0, 20.0, 9, 9, None, 0) for name in ARMS}
    made = Attribution(
        adapter="doors",
        sha256="0" * 64,
        question_set="doors.csv",
        collection="handbook",
        passages=3,
        embedder="e",
        created=datetime(2026, 11, 23, 12, tzinfo=UTC),
        max_tokens=60,
        rows=(),
        left_out=0,
        arms=arms,
        techniques={},
        slices=(),
        seen=None,
        machine_usd_per_hour=Decimal(1),
        training_usd=None,
        answers_per_training=1,
    )
    store_attribution(data / "attributions" / "1", made)


@pytest.mark.parametrize(
    ("writer", "rag"), [("raw", {"rag": (4, 20)}), ("fine_tuned", {"rag": (12, 20)}), ("paid_api", {})]
)
def test_an_attribution_is_a_run_whose_documents_are_read_by_who_writes_now(
    tmp_path: Path, writer: str, rag: dict[str, tuple[int, int]]
) -> None:
    attribute(tmp_path)
    newest, benchmark = runs(tmp_path, writer, write(tmp_path / "latest.json"))
    assert newest.title == "Attribution of doors, 23 Nov 2026, doors.csv"
    found = {name: (one.right, one.asked) for name, one in newest.accuracies.items()}
    assert found == {"raw": (0, 20), "fine_tuned": (14, 20)} | rag
    assert benchmark.title.startswith("Benchmark")


def test_a_damaged_attribution_or_proof_is_no_run(tmp_path: Path) -> None:
    for place in ("attributions/1/attribution.json", "proofs/sha/1/proof.json"):
        file = tmp_path / place
        file.parent.mkdir(parents=True)
        file.write_text('{"adapter": 1')
    assert runs(tmp_path, "raw", tmp_path / "none.json") == []
