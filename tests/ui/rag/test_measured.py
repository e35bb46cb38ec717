"""What was measured, as charts: every setting has its point with its interval, and its time by step."""

from __future__ import annotations

from typing import Any

from evaluation.retrieval import Latency
from evaluation.statistics import Estimate
from ui.rag.measurement_result import latency_chart, metric_chart

INK = "#123456"


def rows(chart: Any, layer: int) -> list[dict[str, Any]]:
    spec = chart.to_dict()
    found = spec["layer"][layer].get("data", spec.get("data"))
    return list(spec["datasets"][found["name"]])


def test_every_setting_has_its_value_and_interval() -> None:
    scores = {"Fused, 128/32": Estimate(0.9, 0.8, 1.0), "Dense, 128/32": Estimate(0.7, 0.6, 0.78)}
    chart = metric_chart(scores, "MRR", INK)
    assert [(row["setting"], row["value"], row["low"], row["high"], row["label"]) for row in rows(chart, 0)] == [
        ("Fused, 128/32", 0.9, 0.8, 1.0, "0.900"),
        ("Dense, 128/32", 0.7, 0.6, 0.78, "0.700"),
    ]
    bars, _, labels = chart.to_dict()["layer"]
    assert bars["encoding"]["y"]["sort"] == ["Fused, 128/32", "Dense, 128/32"]
    assert bars["encoding"]["x"]["title"] == "MRR"
    assert labels["mark"]["color"] == INK


def test_the_steps_of_a_search_add_up_to_its_bar() -> None:
    steps = {"embed": Latency(0.01, 0.02), "dense": Latency(0.004, 0.008), "total": Latency(0.015, 0.03)}
    chart = latency_chart({"Dense, 128/32": steps}, INK)
    assert [(row["step"], row["order"], row["ms"], row["p95"]) for row in rows(chart, 0)] == [
        ("turning the question into numbers", 0, 10.0, 20.0),
        ("dense", 1, 4.0, 8.0),
    ]
    (whole,) = rows(chart, 1)
    assert (whole["ms"], whole["label"]) == (14.0, "15 ms, p95 30 ms")
    scale = chart.to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["turning the question into numbers", "dense"]
