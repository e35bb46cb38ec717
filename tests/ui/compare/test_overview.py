"""Which answers are marked as the best, and what is never marked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import altair as alt
import pytest
import vl_convert

from backends.base import Answer, BelowThreshold, Cost, Timings
from evaluation.references import Verdict
from ui.compare.overview import best, cost_chart, latency_chart, marks_of, table
from ui.shared.charts import INK


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


def test_what_is_below_what_is_shown_is_no_best_either() -> None:
    """0.2 and 0.7 ms both read < 1 ms."""

    def first_text(**seconds: float) -> dict[str, frozenset[str]]:
        return best([answer(name, 1.0, timings=Timings(ttft_s=ttft_s)) for name, ttft_s in seconds.items()])

    assert first_text(raw=0.0002, rag=0.0007) == {}
    assert first_text(raw=0.0002, rag=0.0007, paid_api=0.002) == {"ttft_s": {"raw", "rag"}}
    assert first_text(raw=0.0012, rag=0.0007) == {"ttft_s": {"rag"}}
    assert first_text(raw=0.9996, rag=1.0004, paid_api=2.0) == {"ttft_s": {"raw", "rag"}}  # 1 s both


def test_the_most_tokens_per_second_are_marked() -> None:
    marked = best([answer(name, 1.0, timings=Timings(tokens_per_s=speed)) for name, speed in (("a", 9.5), ("b", 30))])
    assert marked == {"tokens_per_s": {"b"}}


def test_more_answers_than_fit_beside_each_other_stand_below_each_other() -> None:
    few = [answer(f"paid_api:a-rather-long-name-{number}", 1.0, stand_in=number == 1) for number in range(2)]
    assert list(table(few, {}).columns) == [
        "Paid API \u00b7 a-rather-long-name-0",
        "Paid API \u00b7 a-rather-long-name-1 (stand-in)",
    ]
    many = table([*few, answer("raw", 0.5)], {"latency_s": frozenset({"raw"})})
    assert list(many.index)[-1] == "Raw model"
    assert list(many.columns)[:6] == ["Status", "Right", "Latency", "First text", "Cost", "Tokens/s"]
    assert many.loc["Raw model", "Latency"] == "\u2605 500 ms"


def test_a_stand_in_is_not_ranked_beside_real_answers() -> None:
    marked = best([answer("raw", 2.0), answer("rag", 3.0), answer("paid_api", 1.0, "0.001", stand_in=True)])
    assert marks_of("paid_api", marked) == frozenset()
    assert marks_of("raw", marked) == {"latency_s"}


def test_a_stand_in_wins_nothing_among_its_like_either() -> None:
    assert best([answer("raw", 2.0, stand_in=True), answer("rag", 1.0, stand_in=True)]) == {}


@pytest.mark.parametrize("status", ["truncated", "empty", "refused", "below_threshold", "error", "cancelled"])
def test_what_is_not_complete_is_not_ranked(status: str) -> None:
    assert best([answer("raw", 2.0), answer("rag", 0.1, status=status)]) == {}


def test_a_wrong_or_refused_answer_wins_nothing() -> None:
    answers = [answer("raw", 1.0), answer("fine_tuned", 2.0), answer("paid_api", 0.5), answer("rag", 3.0)]
    verdicts: dict[str, Verdict | None] = {"raw": "wrong", "fine_tuned": "right", "paid_api": "refused", "rag": "right"}
    assert best(answers, verdicts) == {"latency_s": {"fine_tuned"}}
    assert best(answers, dict.fromkeys(verdicts, "wrong")) == {}
    below = replace(answer("rag", 0.1, status="below_threshold"), below_threshold=BelowThreshold(0.01, 0.05))
    anyway = replace(below, status="ok")
    assert best([*answers[:3], anyway], verdicts | {"rag": None}) == {}
    assert best([*answers[:3], below], verdicts) == {"latency_s": {"rag"}}  # right: the documents do not say
    assert best([*answers[:3], below], verdicts | {"rag": "refused"}) == {}
    assert list(table(answers, {}, verdicts).loc["Right"]) == ["not right", "right", "refused", "right"]


def drawn(chart: alt.LayerChart, width: int = 500) -> str:
    spec = chart.to_dict() | {"width": width, "autosize": {"type": "fit", "contains": "padding"}}
    return vl_convert.vegalite_to_svg(spec)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("chart", [latency_chart, cost_chart])
def test_a_long_name_is_written_out_on_a_small_screen(chart: Callable[[list[Answer]], alt.LayerChart]) -> None:
    name = "a" * 32  # as long as a connection's name may be
    svg = drawn(chart([answer(f"paid_api:{name}", 2.0, stand_in=True), answer("raw", 1.0)]), width=440)
    assert f"Paid API \u00b7 {name} (stand-in)<" in svg


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_parts_of_latency_are_as_opaque_as_they_are_said_to_be() -> None:
    timings = Timings(latency_s=3.0, ttft_s=1.0, retrieval_s=0.5)
    chart = latency_chart([answer("rag", 3.0, timings=timings), answer("raw", 1.0)])
    legend = chart.to_dict()["layer"][0]["encoding"]["opacity"]["legend"]
    assert legend["symbolFillColor"] == legend["symbolStrokeColor"] == INK["light"]
    svg = drawn(chart)
    found = re.findall(r'<path aria-label="[^"]*approach: RAG; part: ([^;]+);[^>]*?(?: opacity="([\d.]+)")?/>', svg)
    assert found == [("retrieval", "0.35"), ("until the first text", "0.6"), ("writing", "1")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bars_of_two_answers_have_room_beside_each_other() -> None:
    """A bar is 22 pixels high, and Streamlit's theme takes 50 more of the whole chart's height than plain Vega here."""
    svg = drawn(latency_chart([answer("raw", 2.0), answer("rag", 1.0)]))
    places = [
        float(re.findall(rf"<text[^>]*translate\([-\d.]+,([-\d.]+)\)[^>]*>{name}<", svg)[0])
        for name in ("Raw model", "RAG")
    ]
    assert abs(places[1] - places[0]) > 55
