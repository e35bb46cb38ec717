"""How long chunks are, now and with other settings, as a chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt
import pandas as pd

NOW, THEN = "now", "with these settings"
_COLOURS = ("#8a8f9c", "#2a76e2")
_BARS = 16
_HEIGHT = 250  # pixels


def lengths_chart(now: Sequence[int], then: Sequence[int]) -> alt.LayerChart:
    """Chunks by their length in tokens: those in force as gray bars, the others as a blue outline before them."""
    longest = max([*now, *then, 1])
    step = max(1, -(-longest // _BARS))
    rows = [*_bins(NOW, now, step), *_bins(THEN, then, step)]
    frame = pd.DataFrame(rows, columns=["which", "low", "high", "chunks", "label"])
    end = longest + step
    return alt.LayerChart(layer=[_bars(frame, which, end) for which in (NOW, THEN)], height=_HEIGHT)


def _bars(frame: pd.DataFrame, which: str, end: int) -> alt.Chart:
    outlined = which == THEN
    return (
        alt.Chart(frame[frame["which"] == which])
        .mark_rect(
            fillOpacity=0.12 if outlined else 0.5,
            stroke=_COLOURS[1] if outlined else None,
            strokeWidth=2 if outlined else 0,
        )
        .encode(
            x=alt.X("low:Q", title="tokens in a chunk", scale=alt.Scale(domain=[0, end], nice=False)),
            x2="high:Q",
            y=alt.Y("chunks:Q", title="chunks"),
            y2=alt.Y2Datum(0),
            color=alt.Color(
                "which:N",
                scale=alt.Scale(domain=[NOW, THEN], range=list(_COLOURS)),
                legend=alt.Legend(orient="top", title=None, symbolType="square", symbolOpacity=1),
            ),
            tooltip=[alt.Tooltip("which:N", title=" "), alt.Tooltip("label:N", title="length"), "chunks:Q"],
        )
    )


def _bins(which: str, lengths: Sequence[int], step: int) -> list[dict[str, object]]:
    counts = Counter(length // step * step for length in lengths)
    return [
        {"which": which, "low": low, "high": low + step, "chunks": count, "label": f"{low} to {low + step - 1} tokens"}
        for low, count in sorted(counts.items())
    ]
