"""The section that decides: what a month costs, as curves, and from when on what is cheaper."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from backends.registry import spec_of
from evaluation.costs.break_even import BreakEven, break_evens
from evaluation.costs.curve import Curve
from evaluation.costs.inputs import Inputs, UnknownValue
from evaluation.costs.monthly import MonthlyCost, curve, monthly
from ui.costs.exports import break_even_file, monthly_file
from ui.costs.monthly_chart import HEIGHT, monthly_chart
from ui.costs.sentences import ANSWER, break_even_sentence, cheapest_sentence, line_label, price_step
from ui.shared import numbers
from ui.shared.charts import ink, legible, theme
from ui.shared.downloads import download_button, heading_with_download
from ui.shared.tables import literal_table
from ui.shared.text import escaped, plain

SUM = "A month"
_MOST = 5  # approaches beside each other at 800 pixels


def table(costs: Sequence[MonthlyCost], inputs: Inputs) -> pd.DataFrame:
    """One row per part and one column per approach, as shown text; a part that an approach has not is left empty."""
    names = list(dict.fromkeys(part.name for cost in costs for part in cost.parts))
    shown: dict[str, list[str]] = {}
    for cost in costs:
        parts = {part.name: part.usd for part in cost.parts}
        cells = [numbers.dollars(parts[name]) if name in parts else "" for name in names]
        shown[line_label(cost.approach, inputs)] = [*cells, numbers.dollars(cost.usd), numbers.dollars(cost.per_answer)]
    index = pd.Index([*(name.capitalize() for name in names), SUM, ANSWER], name="Part")
    return pd.DataFrame(shown, index=index)


def table_columns(names: Sequence[str]) -> list[list[str]]:
    """The columns of each table: as many as a small screen has room for, and no table much narrower than another."""
    tables = math.ceil(len(names) / _MOST)
    each = math.ceil(len(names) / tables)
    return [list(names[start : start + each]) for start in range(0, len(names), each)]


def draw_table(costs: Sequence[MonthlyCost], inputs: Inputs) -> None:
    """Table, why something is unknown, formulas, download."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(f"{costs[0].questions:,} questions a month, by part", anchor=False, width="content")
        download_button(
            "crossroads-costs.csv",
            lambda: monthly_file(costs, inputs),
            button="CSV of the parts",
            what="Every part with its formula and every input with its origin.",
        )
    shown = table(costs, inputs)
    for some in table_columns([line_label(cost.approach, inputs) for cost in costs]):
        literal_table(shown[some], strong=(SUM,), border="horizontal")
    st.caption(
        "An answer (mean): the month divided by its answers, with the mean tokens and seconds of the inputs. Compare "
        "says what one question is expected to cost, which is more where it reckons with the longest answer."
    )
    for cost in costs:
        if cost.usd is None:
            st.caption(escaped(f"{line_label(cost.approach, inputs)}: {cost.why}"))
    rented = [f"{line_label(cost.approach, inputs)} {cost.machines:,}" for cost in costs if cost.machines]
    if rented:
        st.caption(escaped(f"Machines rented: {', '.join(rented)}."))
    with st.expander("Formulas, with the numbers filled in"):
        for cost in costs:
            look = spec_of(cost.approach)
            st.markdown(f":{look.colour}[{look.icon}] **{escaped(line_label(cost.approach, inputs))}**")
            for part in cost.parts:
                st.markdown(f"**{escaped(part.name.capitalize())}** = {escaped(part.formula)}")
                why = f" ({part.why})" if part.why else ""
                st.text(plain(f"= {part.numbers}\n= {numbers.dollars(part.usd)}{why}"))


def draw(inputs: Inputs) -> None:
    """Sentences, chart, table."""
    costs = [monthly(profile.approach, inputs) for profile in inputs.profiles]
    found = break_evens(inputs)
    curves = known_curves(inputs)
    heading_with_download(
        f"## {escaped(cheapest_sentence(costs, inputs))}",
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
        names = {line_label(approach, inputs): one for approach, one in curves.items()}
        colours = {line_label(approach, inputs): spec_of(approach).hex for approach in curves}
        text_colours = {name: legible(colour, theme()) for name, colour in colours.items()}
        with st.container(height=HEIGHT + 20, border=False):  # so that nothing moves when the chart arrives
            st.altair_chart(
                monthly_chart(names, colours, marks(found, inputs), costs[0].questions, ink(), text_colours),
                width="stretch",
                alt="Monthly cost of every approach over the number of questions a month, with break-even points",
            )
    draw_table(costs, inputs)


def known_curves(inputs: Inputs) -> dict[str, Curve]:
    """The curve of every approach whose cost is known."""
    found: dict[str, Curve] = {}
    for profile in inputs.profiles:
        try:
            found[profile.approach] = curve(profile.approach, inputs)
        except UnknownValue:
            continue
    return found


def marks(found: Sequence[BreakEven], inputs: Inputs) -> dict[str, int]:
    """The break-even points to draw, by the name at the line's end."""
    return {line_label(one.approach, inputs): one.lasting for one in found if one.kind == "from" and one.lasting}
