"""How many answers were right in the last benchmark run of this installation, by approach."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from evaluation.costs.right_answers import Accuracy

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "latest.json"
"""What `python -m benchmarks quality` writes."""


def benchmarked(file: Path = BENCHMARK) -> dict[str, Accuracy]:
    """Approach -> accuracy on the sample questions; empty without a readable result with answers in it."""
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
        day = datetime.fromisoformat(result["date"])
        samples = result["raw"]["quality"]["samples"]
        rights: dict[str, list[bool]] = {}
        for sample in samples:
            for approach, answer in sample["answers"].items():
                rights.setdefault(str(approach), []).append(answer["right"] is True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    note = f"the benchmark of {day.day} {day:%b %Y}, sample questions"
    return {name: Accuracy(sum(found), len(found), "measured here", note) for name, found in rights.items()}
