"""Which answers are marked as the best, and what is never marked."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
import vl_convert

from backends.base import Answer, Cost, Timings
from ui.overview import best, latency_chart, marks_of


def answer(approach: str, latency_s: float, usd: str | None = "0.01", **more: object) -> Answer:
    cost = Cost(None if usd is None else Decimal(usd), "test")
    values = {"status": "ok", "timings": Timings(latency_s=latency_s), "cost": cost} | more
    return Answer(approach, "model", "text", **values)  # type: ignore[arg-type]


def test_the_lowest_latency_and_cost_are_marked() -> None:
    marked = best([answer("raw", 2.0, "0.02"), answer("rag", 1.0, "0.03")])
    assert (marks_of("rag", marked), marks_of("raw", marked)) == ({"latency_s"}, {"cost_usd"})


def test_an_unknown_cost_wins_nothing_and_loses_nothing() -> None:
    assert "cost_usd" not in best([answer("raw", 2.0, None), answer("rag", 1.0)])


def test_what_reads_the_same_is_no_best() -> None:
    """2.031 and 2.034 s both read 2.03 s: a star on one of them could not be understood."""
    assert best([answer("raw", 2.031), answer("rag", 2.034)]) == {}
    marked = best([answer("raw", 2.031), answer("rag", 2.034), answer("paid_api", 2.1)])
    assert marked == {"latency_s": {"raw", "rag"}}


def test_a_stand_in_is_not_ranked_beside_real_answers() -> None:
    marked = best([answer("raw", 2.0), answer("rag", 3.0), answer("paid_api", 1.0, "0.001", stand_in=True)])
    assert marks_of("paid_api", marked) == frozenset()
    assert marks_of("raw", marked) == {"latency_s"}


def test_what_is_not_complete_is_not_ranked() -> None:
    assert best([answer("raw", 2.0), answer("rag", 0.1, status="truncated")]) == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bars_of_two_answers_have_room_beside_each_other() -> None:
    """A bar is 22 pixels high, and Streamlit's theme takes 50 more of the whole chart's height than plain Vega here."""
    spec = latency_chart([answer("raw", 2.0), answer("rag", 1.0)]).to_dict()
    svg = vl_convert.vegalite_to_svg(spec | {"width": 500, "autosize": {"type": "fit", "contains": "padding"}})
    places = [
        float(re.findall(rf"<text[^>]*translate\([-\d.]+,([-\d.]+)\)[^>]*>{name}<", svg)[0])
        for name in ("Raw model", "RAG")
    ]
    assert abs(places[1] - places[0]) > 55
