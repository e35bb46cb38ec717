"""The section that decides: what a month costs, as curves, and from when on what is cheaper."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from evaluation.costs.break_even import BreakEven, break_evens
from evaluation.costs.curve import Curve
from evaluation.costs.inputs import Inputs, Unknown
from evaluation.costs.monthly import curve, monthly
from ui.approaches import look_of
from ui.chart_theme import ink, legible, theme
from ui.costs.exports import break_even_file, headed
from ui.costs.monthly_chart import HEIGHT, monthly_chart
from ui.costs.monthly_table import draw_table
from ui.costs.words import break_even_sentence, cheapest_sentence, label, price_step
from ui.text import escaped


def draw(inputs: Inputs) -> None:
    """Sentences, chart, table."""
    costs = [monthly(way.approach, inputs) for way in inputs.ways]
    found = break_evens(inputs)
    curves = known_curves(inputs)
    headed(
        f"#### {escaped(cheapest_sentence(costs, inputs))}",
        "crossroads-break-even.csv",
        lambda: break_even_file(found, curves, inputs),
        button="CSV of the curves",
        what="The break-even points, the curves, and every input with its origin.",
    )
    st.markdown("\n".join(f"- {escaped(break_even_sentence(one, inputs))}" for one in found))
    if step := price_step(inputs):
        st.markdown(f":material/edit: {escaped(step)}")
    if any(one.first != one.lasting for one in found):
        st.caption("Now and then: each further machine costs at once, and fills up slowly.")
    if curves:
        names = {label(approach, inputs): one for approach, one in curves.items()}
        colours = {label(approach, inputs): look_of(approach).hex for approach in curves}
        words = {name: legible(colour, theme()) for name, colour in colours.items()}
        with st.container(height=HEIGHT + 20, border=False):  # so that nothing moves when the chart arrives
            st.altair_chart(
                monthly_chart(names, colours, marks(found, inputs), costs[0].questions, ink(), words),
                width="stretch",
                alt="Monthly cost of every approach over the number of questions a month, with break-even points",
            )
    draw_table(costs, inputs)


def known_curves(inputs: Inputs) -> dict[str, Curve]:
    """The curve of every approach whose cost is known."""
    found: dict[str, Curve] = {}
    for way in inputs.ways:
        try:
            found[way.approach] = curve(way.approach, inputs)
        except Unknown:
            continue
    return found


def marks(found: Sequence[BreakEven], inputs: Inputs) -> dict[str, int]:
    """The break-even points to draw, by the name at the line's end."""
    return {label(one.approach, inputs): one.lasting for one in found if one.kind == "from" and one.lasting}
