"""What if an input turns out otherwise: the change of the monthly cost, and of the break-even point."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from backends.registry import spec_of
from evaluation.costs.break_even import BreakEven, break_even, break_evens
from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import MonthlyCost, monthly
from evaluation.costs.sensitivity import Effect, sensitivity
from ui.costs.exports import what_if_file
from ui.costs.sentences import line_label, rounded_count, unknown_cost
from ui.shared import numbers
from ui.shared.charts import ink, readable
from ui.shared.downloads import heading_with_download
from ui.shared.tables import literal_table
from ui.shared.text import escaped

_ROW = 34  # pixels
_ROOM = 0.2  # of the axis, which a number takes at 800 pixels
_CHEAPER = "Cheaper than the paid model"


def draw(inputs: Inputs) -> None:
    """Choose an approach; its monthly cost after every change, and when it breaks even then."""
    effects = sensitivity(inputs)
    names = [profile.approach for profile in inputs.profiles]
    approach = st.segmented_control(
        "Approach",
        names,
        default=names[0],
        required=True,
        key="what_if",
        format_func=lambda name: escaped(line_label(name, inputs)),
        label_visibility="collapsed",
        wrap=True,
    )
    chosen = str(approach or names[0])
    now = monthly(chosen, inputs)
    if now.usd is None:
        st.info(escaped(unknown_cost(now, inputs)), icon=":material/help:")
        return
    name = line_label(chosen, inputs)
    heading_with_download(
        f"## {escaped(f'{name}: {numbers.dollars(now.usd)}')} a month now. What changes that most?",
        "crossroads-what-if.csv",
        lambda: what_if_file(effects, [monthly(name, inputs) for name in names], break_evens(inputs), inputs),
        what="Every approach after every change, and every input with its origin.",
    )
    st.altair_chart(
        tornado(effects, now, spec_of(chosen).hex, ink()), width="stretch", alt="Monthly cost after each change"
    )
    literal_table(table(effects, now, inputs), border="horizontal", hide_index=True)


def tornado(effects: Sequence[Effect], now: MonthlyCost, colour: str, ink: str) -> alt.LayerChart:
    """A bar from the present cost to that after each change, the largest first; none for what changes nothing."""
    assert now.usd is not None, "an unknown cost has no bars"
    rows = [
        {
            "change": effect.name,
            "from": float(now.usd),
            "to": float(cost),
            "label": numbers.dollars(cost),
            "size": abs(float(cost - now.usd)),
        }
        for effect in effects
        if (cost := effect.costs[now.approach].usd) is not None
    ]
    moved = [row for row in rows if row["size"]] or rows
    frame = pd.DataFrame(moved).sort_values("size", ascending=False, kind="stable")
    y = alt.Y("change:N", sort=list(frame["change"]), title=None, axis=alt.Axis(labelLimit=260))
    largest = max([*frame["to"], float(now.usd)])
    scale = alt.Scale(domain=[0, (largest or 1) * 1.18], nice=False)
    base = alt.Chart(frame)
    bars = base.mark_bar(height=18, color=colour, opacity=0.75).encode(
        x=alt.X("from:Q", title="USD a month", scale=scale), x2="to:Q", y=y
    )
    ends = base.mark_tick(thickness=3, size=22, color=colour, opacity=1).encode(x=alt.X("to:Q", scale=scale), y=y)
    before = (frame["to"] < frame["from"]) & (frame["to"] > largest * _ROOM)  # its number has room before the bar
    after = frame[~before].assign(at=frame[["from", "to"]].max(axis=1))
    left = alt.Chart(frame[before]).mark_text(align="right", dx=-6, fontSize=14, color=ink)
    right = alt.Chart(after).mark_text(align="left", dx=6, fontSize=14, color=ink)
    ends_of = ((left, alt.X("to:Q", scale=scale)), (right, alt.X("at:Q", scale=scale)))
    labels = [text.encode(x=x, y=y, text="label:N") for text, x in ends_of]
    rule = (
        alt.Chart(pd.DataFrame([{"now": float(now.usd)}]))
        .mark_rule(color=ink, strokeDash=[4, 4])
        .encode(x=alt.X("now:Q", scale=scale))
    )
    chart = alt.LayerChart(layer=[bars, ends, *labels, rule])
    return readable(chart.properties(height=_ROW * len(frame) + 60))


def table(effects: Sequence[Effect], now: MonthlyCost, inputs: Inputs) -> pd.DataFrame:
    """One row per change: what a month costs then, by how much that differs, and the break-even with the paid model."""
    rows = [
        {
            "What if": effect.name,
            "A month": numbers.dollars(effect.costs[now.approach].usd),
            "Change": _signed(effect, now.approach),
            **_break_even(effect.break_evens, now.approach),
        }
        for effect in effects
    ]
    first = {"What if": "as it is", "A month": numbers.dollars(now.usd), "Change": ""}
    if not inputs.profile(now.approach).paid:
        first[_CHEAPER] = break_even_cell(break_even(now.approach, inputs))
    return pd.DataFrame([first, *rows])


def _signed(effect: Effect, approach: str) -> str:
    difference = effect.difference[approach]
    if difference is None:
        return numbers.UNKNOWN
    sign = "+" if difference > 0 else "\u2212" if difference < 0 else ""
    return f"{sign}{numbers.dollars(abs(difference))}"


def _break_even(found: Sequence[BreakEven], approach: str) -> dict[str, str]:
    own = next((one for one in found if one.approach == approach), None)
    return {} if own is None else {_CHEAPER: break_even_cell(own)}


def break_even_cell(one: BreakEven) -> str:
    """A break-even in a cell."""
    if one.kind == "from" and one.lasting:
        return f"from {rounded_count(one.lasting)} on"
    return {"always": "always", "never": "never"}.get(one.kind, "unknown")
