"""A proof as a chart: base and adapter with their intervals, for each thing that was measured."""

from __future__ import annotations

import altair as alt
import pandas as pd

from evaluation.intervals import Estimate
from evaluation.judging import Share
from evaluation.proof_record import AdapterProof
from ui.approaches import look_of

_COLOURS = {"Base": look_of("raw").hex, "Adapter": look_of("fine_tuned").hex}
_TICKS = [-1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
_ROW_HEIGHT = 34  # pixels


def proof_chart(proof: AdapterProof, ink: str) -> alt.LayerChart:
    """A point with its interval for base and adapter, by measure; `ink` is the colour of text."""
    frame = proof_frame(proof)
    y = alt.Y("measure:N", sort=list(dict.fromkeys(frame["measure"])), title=None, axis=alt.Axis(labelLimit=200))
    offset = alt.YOffset("arm:N", sort=list(_COLOURS))
    colour = alt.Color(
        "arm:N",
        scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
        legend=alt.Legend(orient="top", title=None, symbolOpacity=1),
    )
    tooltip = [alt.Tooltip("measure:N"), alt.Tooltip("arm:N"), alt.Tooltip("label:N", title="value and interval")]
    base = alt.Chart(frame).encode(y=y, yOffset=offset, tooltip=tooltip)
    scale = alt.Scale(domain=[min(0.0, float(frame["low"].min())), 1.05], nice=False)
    x = alt.X("low:Q", title="share, or cosine", scale=scale, axis=alt.Axis(format=".1f", values=_TICKS))
    bars = base.mark_rule(strokeWidth=3, opacity=0.45).encode(x=x, x2="high:Q", color=colour)
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(x="value:Q", color=colour)
    labels = base.mark_text(dy=-11, fontSize=12, color=ink).encode(x="value:Q", text="short:N")
    height = _ROW_HEIGHT * len(frame) + 130
    return (bars + dots + labels).properties(height=height)


def proof_frame(proof: AdapterProof) -> pd.DataFrame:
    """Measure, arm, value, the ends of the interval, and how they are written."""
    rows = [_share("Right", "Base", proof.base), _share("Right", "Adapter", proof.tuned)]
    for arm, estimate in (("Base", proof.base_semantic), ("Adapter", proof.tuned_semantic)):
        if estimate is not None:
            rows.append(_mean("Meaning", arm, estimate))
    if proof.forgetting is not None:
        kept = proof.forgetting.kept
        known = f"the {kept.questions} that it answers right were chosen"
        rows.append(("General", "Base", 1.0, 1.0, 1.0, "100 %", known))
        rows.append(_share("General", "Adapter", kept))
    return pd.DataFrame(rows, columns=["measure", "arm", "value", "low", "high", "short", "label"])


_Row = tuple[str, str, float, float, float, str, str]


def _share(measure: str, arm: str, share: Share) -> _Row:
    low, high = share.interval
    return measure, arm, share.value, low, high, f"{100 * share.value:.0f} %", str(share)


def _mean(measure: str, arm: str, mean: Estimate) -> _Row:
    return measure, arm, mean.value, mean.low, mean.high, f"{mean.value:.2f}", str(mean)
