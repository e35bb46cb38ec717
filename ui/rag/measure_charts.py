"""How well and how fast each way of searching is, as charts."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from evaluation.intervals import Estimate
from evaluation.retrieval import Latency
from ui import numbers

_COLOUR = "#16825d"
_STEPS = {
    "embed": ("turning the question into numbers", "#2a76e2"),
    "dense": ("dense", "#16825d"),
    "keyword": ("keyword", "#c2700a"),
    "fuse": ("fusing", "#8446c9"),
    "rerank": ("reranking", "#d0126f"),
}
_ROW_HEIGHT = 42  # pixels


def metric_chart(scores: Mapping[str, Estimate], metric: str, ink: str) -> alt.LayerChart:
    """A point with its 95 % interval for each setting, in the order given; `ink` is the colour of text."""
    frame = pd.DataFrame(
        [
            {"setting": name, "value": one.value, "low": one.low, "high": one.high, "label": f"{one.value:.3f}"}
            for name, one in scores.items()
        ]
    )
    low = max(0.0, min(one.low for one in scores.values()) - 0.05)
    scale = alt.Scale(domain=[low, min(1.0, max(one.high for one in scores.values()) + 0.08)], nice=False)
    y = alt.Y("setting:N", sort=list(scores), title=None, axis=alt.Axis(labelLimit=200))
    tooltip = [
        alt.Tooltip("setting:N"),
        alt.Tooltip("value:Q", title=metric, format=".3f"),
        alt.Tooltip("low:Q", title="from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
    ]
    base = alt.Chart(frame)
    bars = base.mark_rule(strokeWidth=3, color=_COLOUR, opacity=0.45).encode(
        x=alt.X("low:Q", title=metric, scale=scale), x2="high:Q", y=y, tooltip=tooltip
    )
    points = base.mark_point(filled=True, size=110, color=_COLOUR, opacity=1).encode(x="value:Q", y=y, tooltip=tooltip)
    labels = base.mark_text(dy=-13, fontSize=12, color=ink).encode(x="value:Q", y=y, text="label:N")
    return (bars + points + labels).properties(height=_ROW_HEIGHT * len(scores) + 70)


def latency_chart(latencies: Mapping[str, Mapping[str, Latency]], ink: str) -> alt.LayerChart:
    """Median milliseconds of each step, stacked, with the 95th percentile of the whole written beside in `ink`."""
    rows = _latency_rows(latencies)
    frame = pd.DataFrame(rows, columns=["setting", "step", "order", "ms", "p95"])
    totals = [
        (
            name,
            sum(row[3] for row in rows if row[0] == name),
            f"{numbers.seconds(steps['total'].p50_s)}, p95 {numbers.seconds(steps['total'].p95_s)}",
        )
        for name, steps in latencies.items()
    ]
    used = {row[1] for row in rows}
    palette = [(words, colour) for words, colour in _STEPS.values() if words in used]
    widest = max(total for _, total, _ in totals)
    y = alt.Y("setting:N", sort=list(latencies), title=None, axis=alt.Axis(labelLimit=200))
    bars = (
        alt.Chart(frame)
        .mark_bar(height=18)
        .encode(
            x=alt.X("ms:Q", title="milliseconds", scale=alt.Scale(domain=[0, widest * 1.5], nice=False)),
            y=y,
            color=alt.Color(
                "step:N",
                scale=alt.Scale(domain=[words for words, _ in palette], range=[colour for _, colour in palette]),
                legend=alt.Legend(orient="bottom", title=None, columns=2, labelLimit=240),
            ),
            order="order:Q",
            tooltip=[
                "setting:N",
                "step:N",
                alt.Tooltip("ms:Q", title="median, ms", format=".3~g"),
                alt.Tooltip("p95:Q", title="p95, ms", format=".3~g"),
            ],
        )
    )
    whole = pd.DataFrame(totals, columns=["setting", "ms", "label"])
    labels = alt.Chart(whole).mark_text(align="left", dx=6, color=ink).encode(x="ms:Q", y=y, text="label:N")
    return (bars + labels).properties(height=_ROW_HEIGHT * len(latencies) + 120)


def _latency_rows(latencies: Mapping[str, Mapping[str, Latency]]) -> list[tuple[str, str, int, float, float]]:
    """Setting, step, its order, and its median and 95th percentile in milliseconds."""
    return [
        (name, words, order, steps[step].p50_s * 1000, steps[step].p95_s * 1000)
        for name, steps in latencies.items()
        for order, (step, (words, _)) in enumerate(_STEPS.items())
        if step in steps
    ]
