"""Which approach to take: needs, prices of wrong answers and of waiting, break-even, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from backends.base import Cost, Timings
from backends.settings import Settings, load_settings
from backends.store.database import Store
from evaluation.decision import Decision, Needs, decide, decision_words, leaves_house
from evaluation.judging import RIGHT
from evaluation.runs.columns import read_run
from evaluation.runs.records import add_cell
from evaluation.runs.results import result_of
from evaluation.samples import Sample
from evaluation.scorers import Score
from tests.evaluation.runs.made_runs import begun, cell

COUNT = 40
SAMPLES = tuple(Sample(f"q{place}", f"Question {place}?", "It is red.", (("red",),)) for place in range(COUNT))


@pytest.fixture
def current(tmp_path: Path) -> Settings:
    return load_settings({"data": str(tmp_path / "data")})


@pytest.fixture
def store(current: Settings) -> Iterator[Store]:
    with closing(Store(current)) as opened:
        yield opened


def _decided(store: Store, current: Settings, made: Mapping[str, Mapping[str, Any]], needs: Needs) -> Decision:
    """`made`: by approach how many are right (the first ones), USD, seconds and whether a stand-in answered."""
    run = begun(store, current, tuple(made), SAMPLES)
    for approach, one in made.items():
        for position in range(COUNT):
            usd = one.get("usd")
            more = {
                "cost": Cost(None if usd is None else Decimal(usd), "tried"),
                "timings": Timings(latency_s=one.get("s", 1.0), ttft_s=one.get("s", 1.0)),
                "stand_in": one.get("stand_in", False),
            }
            add_cell(store, run.id, cell(approach, position, **more), {RIGHT: Score(position < one["right"])})
    reading = read_run(store, run, (RIGHT,))
    return decide(reading, result_of(reading), needs)


CHEAP = {"raw": {"right": 10, "usd": "0.0001"}, "rag": {"right": 36, "usd": "0.002"}}


def test_the_price_of_a_wrong_answer_decides_and_break_even_is_where_both_cost_the_same(
    store: Store, current: Settings
) -> None:
    cheap = _decided(store, current, CHEAP, Needs(usd_per_wrong=0.0))
    dear = _decided(store, current, CHEAP, Needs(usd_per_wrong=0.05))
    assert [one.approach for one in cheap.candidates] == ["raw", "rag"]
    assert [one.approach for one in dear.candidates] == ["rag", "raw"]
    # raw: 0.1 + 1000 x 0.75 w; rag: 2 + 1000 x 0.1 w; the same at w = 1.9 / 650
    for found in (cheap, dear):
        assert found.gaps[0].break_even == pytest.approx(1.9 / 650)
    assert (cheap.gaps[0].below, dear.gaps[0].below) == (False, True)
    assert dear.candidates[0].total is not None
    assert dear.candidates[0].total.value == pytest.approx(2 + 1000 * 0.1 * 0.05)
    assert dear.gaps[0].split == 26
    assert dear.gaps[0].clear
    words = decision_words(dear)
    assert words[0] == "Take RAG."
    assert any("Raw model would win if a wrong answer cost less than $0.00292" in one for one in words)
    near = _decided(store, current, CHEAP, Needs(usd_per_wrong=1.9 / 650))
    assert near.gaps[0].usd.value == pytest.approx(0.0, abs=1e-9)


def test_waiting_has_its_price(store: Store, current: Settings) -> None:
    made = {"raw": {"right": 20, "usd": "0.001", "s": 1.0}, "rag": {"right": 20, "usd": "0.0009", "s": 11.0}}
    assert _decided(store, current, made, Needs()).candidates[0].approach == "rag"
    found = _decided(store, current, made, Needs(usd_per_hour=36.0))
    assert found.candidates[0].approach == "raw"
    assert found.candidates[0].waiting == pytest.approx(10.0)
    assert found.gaps[0].break_even is None


def test_what_the_evidence_does_not_separate_is_said(store: Store, current: Settings) -> None:
    made = {"raw": {"right": 20, "usd": "0.001"}, "rag": {"right": 21, "usd": "0.001"}}
    words = decision_words(_decided(store, current, made, Needs(usd_per_wrong=1.0)))
    assert words[0] == "The evidence does not separate RAG from Raw model."


def test_needs_are_met_failed_or_not_sure_by_the_interval(store: Store, current: Settings) -> None:
    found = _decided(store, current, CHEAP, Needs(right=0.5, usd_per_month=5.0, questions_per_month=10_000))
    by_name = {one.approach: {check.what: check.standing for check in one.checks} for one in found.candidates}
    assert by_name["rag"] == {"At most $5.00 a month": "fails", "At least 50 % right": "meets"}
    assert by_name["raw"] == {"At most $5.00 a month": "meets", "At least 50 % right": "fails"}
    assert found.first is None
    assert decision_words(found) == ["No approach can be recommended: every approach fails a need."]
    close = _decided(store, current, CHEAP, Needs(right=0.88))
    assert {one.approach: one.checks[0].standing for one in close.candidates} == {"raw": "fails", "rag": "unsure"}
    assert any(one.startswith("Not sure: at least 88 % right") for one in decision_words(close))
    quick = _decided(store, current, {"raw": {"right": 9, "usd": "0.1", "s": 3.0}}, Needs(first_text_s=2.0))
    assert quick.candidates[0].checks[0].standing == "fails"


def test_what_is_not_known_is_never_a_number(store: Store, current: Settings) -> None:
    made = {
        "raw": {"right": 20, "usd": "0.001"},
        "rag": {"right": 40, "usd": None},
        "paid_api": {"right": 40, "usd": "0", "stand_in": True},
    }
    found = _decided(store, current, made, Needs(usd_per_wrong=1.0, usd_per_month=100.0))
    by_name = {one.approach: one for one in found.candidates}
    assert found.first is not None
    assert found.first.approach == "raw"
    assert (by_name["rag"].total, by_name["paid_api"].total) == (None, None)
    assert by_name["rag"].checks[0].standing == "unknown"
    words = decision_words(found)
    assert "RAG cannot be compared: its cost is unknown." in words
    assert "Paid API cannot be compared: a stand-in answered." in words


@pytest.mark.parametrize(
    ("settings", "approach", "leaves"),
    [
        ({}, "raw", ""),
        ({"paid_api": {"base_url": None, "provider": None}}, "paid_api", "questions go to the provider"),
        ({"paid_api": {"base_url": None}, "scripted": True}, "paid_api", ""),
        ({"paid_api": {"base_url": "http://127.0.0.1:1/v1"}}, "paid_api", ""),
        (
            {"connections": {"x": {"base_url": "https://api.x.example/v1"}}},
            "paid_api:x",
            "questions go to api.x.example",
        ),
        (
            {"connections": {"x": {"base_url": "http://10.0.0.7/v1"}}},
            "paid_api:x",
            "questions go to 10.0.0.7, within a private network",
        ),
        ({"fine_tuned": {"base_url": None}}, "fine_tuned", ""),
        ({"fine_tuned": {"base_url": "https://gpu.example/v1"}}, "fine_tuned", "questions go to gpu.example"),
        ({"rag": {"generator": "raw"}}, "rag", ""),
        ({"rag": {"generator": "paid_api"}, "paid_api": {}}, "rag", "questions go to the provider"),
        ({"rag": {"chroma_url": "https://c.example"}}, "rag", "documents and questions go to c.example"),
        ({}, "somebody_elses", None),
    ],
)
def test_where_questions_go(settings: dict[str, Any], approach: str, leaves: str | None) -> None:
    assert leaves_house(settings, approach) == leaves
    if approach == "paid_api":
        assert leaves_house(settings, approach, stand_in=True) == ""
