"""An attribution as charts: on the page, and as one picture for the meeting."""

from __future__ import annotations

import altair as alt
import pandas as pd

from evaluation.attribution_record import ADAPTER, BASE, BOTH, RAG, Attribution
from evaluation.verdicts import ARM_NAMES, TECHNIQUE_NAMES, points
from ui.approaches import look_of
from ui.chart_theme import INK

_BOTH_COLOUR = "#9b2c5e"
_COLOURS = {
    BASE: look_of("raw").hex,
    RAG: look_of("rag").hex,
    ADAPTER: look_of("fine_tuned").hex,
    BOTH: _BOTH_COLOUR,
}
_GAINS = {"rag": RAG, "adapter": ADAPTER, "both": BOTH, "interaction": ""}
"""The techniques that are drawn, and the arm whose colour each has."""

_NEUTRAL = "#5f6b7a"
_ROW_HEIGHT = 56  # pixels
_MEETING_WIDTH = 640


def arms_chart(found: Attribution, ink: str) -> alt.LayerChart:
    """Share of right answers of the four ways, each with its interval and its figure; `ink` is the colour of text."""
    frame = arms_frame(found)
    scale = alt.Scale(domain=[0, 100], nice=False)
    return _bars(frame, "right answers, %", scale, ink)


def gains_chart(found: Attribution, ink: str) -> alt.LayerChart:
    """What each technique bought, in points with its interval, to the left and right of 0."""
    frame = gains_frame(found)
    low, high = min(0.0, float(frame["low"].min())), max(0.0, float(frame["high"].max()))
    room = 0.08 * max(high - low, 10.0)
    scale = alt.Scale(domain=[low - room, high + room], nice=False)
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=ink, opacity=0.6).encode(x=alt.X("x:Q", scale=scale))
    return _bars(frame, "points", scale, ink) + zero


def arms_frame(found: Attribution) -> pd.DataFrame:
    """Per cent of right answers, the ends of the intervals, and the words beside each bar."""
    rows = []
    for name, arm in found.arms.items():
        low, high = arm.right.interval
        value = 100 * arm.right.value
        label = f"{value:.0f} %  ({100 * low:.0f}\u2013{100 * high:.0f})"
        rows.append((ARM_NAMES[name], value, 100 * low, 100 * high, label, _COLOURS[name]))
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "label", "colour"])


def gains_frame(found: Attribution) -> pd.DataFrame:
    """Points, the ends of the intervals, and the words beside each bar, which say so if it may be chance."""
    rows = []
    for name, arm in _GAINS.items():
        gain = found.techniques[name].gain
        one = gain.estimate
        chance = "" if gain.clear else ", may be chance"
        label = f"{points(one.value)}  ({points(one.low)} to {points(one.high)}{chance})"
        colour = _COLOURS.get(arm, _NEUTRAL)
        rows.append((TECHNIQUE_NAMES[name], 100 * one.value, 100 * one.low, 100 * one.high, label, colour))
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "label", "colour"])


def meeting_png(found: Attribution) -> bytes:
    """Both charts as one picture on white, twice the usual resolution."""
    import vl_convert

    return vl_convert.vegalite_to_png(meeting_chart(found).to_json(), scale=2)


def meeting_svg(found: Attribution) -> bytes:
    """The same as SVG."""
    import vl_convert

    return vl_convert.vegalite_to_svg(meeting_chart(found).to_json()).encode()


def meeting_chart(found: Attribution) -> alt.VConcatChart:
    """Both charts below each other, with titles that say what they show and on how many questions."""
    ink = INK["light"]
    of = f"{len(found.rows)} questions, adapter {found.adapter}, {found.passages} passages"
    above = arms_chart(found, ink).properties(width=_MEETING_WIDTH, title=f"Right answers on {of} (95 % intervals)")
    below = gains_chart(found, ink).properties(
        width=_MEETING_WIDTH, title="What each technique bought, points over the base (95 % intervals)"
    )
    return (above & below).configure(background="#ffffff").configure_title(anchor="start", color=ink)


def _bars(frame: pd.DataFrame, title: str, scale: alt.Scale, ink: str) -> alt.LayerChart:
    """Bars from 0 with their intervals, and the words above each, where they cover nothing."""
    y = alt.Y(
        "name:N", sort=list(frame["name"]), title=None, axis=alt.Axis(labelLimit=160), scale=alt.Scale(padding=0.45)
    )
    tooltip = [alt.Tooltip("name:N", title="which"), alt.Tooltip("label:N", title=title)]
    base = alt.Chart(frame).encode(y=y, tooltip=tooltip)
    bars = base.mark_bar(height=14).encode(
        x=alt.X("value:Q", title=title, scale=scale), color=alt.Color("colour:N", scale=None)
    )
    reach = base.mark_rule(strokeWidth=2, color=ink).encode(x="low:Q", x2="high:Q")
    labels = base.mark_text(dx=4, dy=-16, align="left", fontSize=12, color=ink).encode(
        x=alt.datum(float(scale.to_dict()["domain"][0])), text="label:N"
    )
    return (bars + reach + labels).properties(height=_ROW_HEIGHT * len(frame) + 70)
