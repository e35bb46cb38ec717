"""An estimate in words."""

from __future__ import annotations

from decimal import Decimal

from backends.fine_tuned.train.estimate import Estimate
from ui.fine_tuned.train import estimate_sentences

ESTIMATE = Estimate(
    75.4, 1_230_000_000, 5_300_000_000, Decimal("0.00209"), "75 s at 0.10 USD/hour", 412.3, "bfloat16", 200, ""
)


def test_time_memory_and_cost_are_said() -> None:
    assert estimate_sentences(ESTIMATE) == [
        "About 75 s for 200 steps, 412 tokens/s in bfloat16. Memory 1.23 GB on top of the base, of 5.3 GB free.",
        "Cost $0.00209: 75 s at 0.10 USD/hour.",
    ]
