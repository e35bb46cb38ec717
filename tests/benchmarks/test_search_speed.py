"""The benchmark of the search's speed runs, on few chunks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import search_speed
from benchmarks.bench import Bench


def test_every_step_is_measured_beside_a_bare_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_speed, "SIZES", (300,))
    monkeypatch.setattr(search_speed, "QUERIES", 12)
    said: list[str] = []
    outcome = search_speed.run(Bench(tmp_path, False, None, said.append))
    assert [figure.name for figure in outcome.figures] == [
        "300 chunks: search, fused, p50",
        "300 chunks: search, dense, p50",
        "300 chunks: search, fused, p95",
        "300 chunks: search, dense, p95",
        "300 chunks: step dense of a fused search",
        "300 chunks: step keyword of a fused search",
        "300 chunks: step fuse of a fused search",
        "300 chunks: keyword index built, once",
        "300 chunks: keyword index read from disk",
    ]
    fused = outcome.figures[0]
    assert len(fused.values) == len(fused.reference_values) == 12
    assert str(fused.goal) == "≤ 5 ms"
    assert set(outcome.raw) == {"300"}
    assert said == ["300 chunks: storing them", "300 chunks: 12 queries"]
