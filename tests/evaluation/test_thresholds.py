"""What a threshold refuses: rightly, falsely, and never what holds a code word for word."""

from __future__ import annotations

from evaluation.thresholds import THRESHOLDS, BestScore, Refusals, curve, refusals

SCORES = (
    BestScore("answered in its words", 0.9, True),
    BestScore("answered in others", 0.04, True),
    BestScore("E4?", 0.01, True, by_code=True),
    BestScore("nobody says", 0.03, False),
    BestScore("a close miss", 0.5, False),
    BestScore("nothing is found", None, False),
)


def test_what_one_threshold_refuses() -> None:
    assert refusals(SCORES, 0.05) == Refusals(0.05, falsely=1, answerable=3, rightly=2, unanswerable=3)
    assert refusals(SCORES, 0.04) == Refusals(0.04, falsely=0, answerable=3, rightly=2, unanswerable=3)
    assert refusals((), 0.5) == Refusals(0.5, 0, 0, 0, 0)


def test_the_curve_has_the_threshold_in_force() -> None:
    found = curve(SCORES, 0.045)
    assert [one.threshold for one in found] == sorted({*THRESHOLDS, 0.045})
    assert [one.falsely for one in found] == sorted(one.falsely for one in found)
    assert [one.rightly for one in found] == sorted(one.rightly for one in found)
    assert len(curve(SCORES, 0.05)) == len(THRESHOLDS)
