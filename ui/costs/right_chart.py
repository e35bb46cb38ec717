"""What a right answer costs, as a chart with its intervals."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from evaluation.costs.right_answers import CostPerRight
from ui import numbers
from ui.chart_theme import readable
from ui.text import plain

_ROW = 46  # pixels


def right_chart(found: Mapping[str, CostPerRight], colours: Mapping[str, str], ink: str) -> alt.LayerChart:
    """A point and its 95 % interval for each approach, on a logarithmic axis; what has no point says why in words."""
    frame = pd.DataFrame([_row(name, one) for name, one in found.items()])
    y = alt.Y("approach:N", sort=list(found), title=None)
    colour = alt.Color("approach:N", scale=alt.Scale(domain=list(found), range=list(colours.values())), legend=None)
    x = alt.X(
        "usd:Q",
        title="USD for a right answer",
        scale=alt.Scale(type="log", padding=40),
        axis=alt.Axis(format="$.3~f", tickCount=6, labelOverlap=True),
    )
    base = alt.Chart(frame)
    rules = base.mark_rule(strokeWidth=4, opacity=0.4).encode(
        x=alt.X("low:Q", title="USD for a right answer"), x2="high:Q", y=y, color=colour
    )
    points = base.mark_point(filled=True, size=130, opacity=1).encode(x=x, y=y, color=colour)
    labels = base.mark_text(dy=-15, fontSize=14, color=ink).encode(x=x, y=y, text="label:N")
    words = base.mark_text(align="left", fontSize=14, color=ink, opacity=0.8).encode(
        x=alt.value(8), y=y, text="words:N"
    )
    return readable((rules + points + labels + words).properties(height=_ROW * len(found) + 60))


def _row(name: str, one: CostPerRight) -> dict[str, object]:
    drawn = one.usd is not None and one.usd > 0
    ends = {"usd": one.usd, "low": one.low, "high": one.high}
    return {
        "approach": name,
        **{end: float(value) if drawn and value is not None else None for end, value in ends.items()},
        "label": numbers.dollars(one.usd) if drawn else "",
        "words": "" if drawn else plain(one.why or numbers.dollars(one.usd)),
    }
