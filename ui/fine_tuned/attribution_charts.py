"""An attribution as charts: on the page, and as one picture for the meeting."""

from __future__ import annotations

import altair as alt
import pandas as pd

from evaluation.attribution_record import ADAPTER, BASE, BOTH, RAG, Attribution
from evaluation.verdicts import ARM_NAMES, TECHNIQUE_NAMES, points
from ui import numbers
from ui.approaches import look_of
from ui.chart_theme import INK
from ui.text import plain

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
_MEETING_WIDTH, _MEETING_ROW = 1000, 96  # pixels


def gains_chart(found: Attribution, ink: str) -> alt.LayerChart:
    """What each technique bought, in points with its interval, to the left and right of 0."""
    frame = gains_frame(found)
    low, high = min(0.0, float(frame["low"].min())), max(0.0, float(frame["high"].max()))
    room = 0.08 * max(high - low, 10.0)
    scale = alt.Scale(domain=[low - room, high + room], nice=False)
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=ink, opacity=0.6).encode(x=alt.X("x:Q", scale=scale))
    return _bars(frame, "points", scale, ink) + zero


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
    """The meeting's chart as a picture on white, twice the usual resolution."""
    import vl_convert

    return vl_convert.vegalite_to_png(_on_white(found).to_json(), scale=2)


def meeting_svg(found: Attribution) -> bytes:
    """The same as SVG."""
    import vl_convert

    return vl_convert.vegalite_to_svg(_on_white(found).to_json()).encode()


def _on_white(found: Attribution) -> alt.LayerChart:
    ink = INK["light"]
    of = (
        f"{len(found.rows)} questions, adapter {plain(found.adapter)}, {found.passages} passages; lines: 95 % intervals"
    )
    title = alt.Title(
        "Right answers, and what each technique bought", subtitle=of, fontSize=24, subtitleFontSize=16, offset=16
    )
    chart = meeting_chart(found, ink).properties(width=_MEETING_WIDTH, title=title)
    chart = chart.configure(background="#ffffff").configure_view(stroke=None)
    return chart.configure_title(anchor="start", color=ink, subtitleColor=ink)


def meeting_chart(found: Attribution, ink: str) -> alt.LayerChart:
    """The four ways as thick bars with their share in large figures, and below each what it bought and what it costs.

    Made to be read from the back of a room; `ink` is the colour of text.
    """
    frame = meeting_frame(found)
    axis = alt.Axis(
        labelFontSize=20, labelColor=ink, labelLimit=240, labelPadding=12, labelOffset=-14, ticks=False, domain=False
    )
    y = alt.Y("name:N", sort=list(frame["name"]), title=None, axis=axis)
    scale = alt.Scale(domain=[0, 112], nice=False)  # room for the figure of a bar that is full
    x = alt.X("value:Q", title=None, scale=scale, axis=None)
    base = alt.Chart(frame).encode(y=y, tooltip=[alt.Tooltip("name:N", title="way"), alt.Tooltip("bought:N")])
    bars = base.mark_bar(height=40, yOffset=-14).encode(x=x, color=alt.Color("colour:N", scale=None))
    reach = base.mark_rule(strokeWidth=3, color=ink, yOffset=-14).encode(x="low:Q", x2="high:Q")
    shares = base.mark_text(align="left", dx=10, dy=-14, fontSize=30, fontWeight="bold", color=ink).encode(
        x=alt.X("high:Q", scale=scale), text="share:N"
    )
    words = base.mark_text(align="left", dx=2, dy=24, fontSize=17, color=ink).encode(
        x=alt.datum(0, scale=scale), text="bought:N"
    )
    return (bars + reach + shares + words).properties(height=_MEETING_ROW * len(frame))


def meeting_frame(found: Attribution) -> pd.DataFrame:
    """Per cent of right answers with its interval, and in words what was bought, seconds and dollars."""
    rows = []
    for name, arm in found.arms.items():
        low, high = arm.right.interval
        costs = f"{numbers.seconds(arm.latency_p50_s)} an answer, {numbers.dollars(arm.usd_per_1000)} for 1,000"
        value = 100 * arm.right.value
        bought = f"{_bought(found, name)} \u00b7 {costs}"
        rows.append((ARM_NAMES[name], value, 100 * low, 100 * high, f"{value:.0f} %", bought, _COLOURS[name]))
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "share", "bought", "colour"])


def _bought(found: Attribution, arm: str) -> str:
    technique = next((name for name, drawn in _GAINS.items() if drawn == arm), None)
    if technique is None:
        return "as it is"
    gain = found.techniques[technique].gain
    one, chance = gain.estimate, "" if gain.clear else ", may be chance"
    unit = "point" if abs(round(100 * one.value)) == 1 else "points"
    return f"{points(one.value)} {unit} ({points(one.low)} to {points(one.high)}{chance})"


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
