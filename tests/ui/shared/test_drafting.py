"""What came of a drafting, in words: how many pairs, what was dropped, and what it cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backends.fine_tuned.pairs.drafts import DraftProgress
from backends.run.jobs import JobState
from ui.shared.drafting import summary


@pytest.mark.parametrize(
    ("usd", "unpriced", "told"),
    [
        (Decimal("0.002"), 0, "Cost $0.002."),
        (Decimal("0.002"), 1, "Cost at least $0.002."),
        (None, 2, "Its cost is unknown: no price is known."),
    ],
)
def test_the_cost_of_drafts_is_told_also_where_it_is_unknown(usd: Decimal | None, unpriced: int, told: str) -> None:
    last = DraftProgress(2, 2, 1, "done", 3, {"duplicate": 2}, usd, unpriced, "no price is known")
    words = summary(JobState("Drafting pairs", 0.0, results=(last,)))
    assert words == f"3 pairs from 2 of 2 chunks; dropped: 2 duplicate. {told}"
