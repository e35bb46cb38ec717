"""The monthly cost by part and approach: as a table and as formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import MonthlyCost
from ui import numbers
from ui.approaches import look_of
from ui.costs.exports import monthly_file, save
from ui.costs.words import label
from ui.tables import literal_table
from ui.text import escaped, plain

SUM = "A month"
_MOST = 5  # approaches beside each other at 800 pixels


def table(costs: Sequence[MonthlyCost], inputs: Inputs) -> pd.DataFrame:
    """One row per part and one column per approach, as shown text; a part that an approach has not is left empty."""
    names = list(dict.fromkeys(part.name for cost in costs for part in cost.parts))
    shown: dict[str, list[str]] = {}
    for cost in costs:
        parts = {part.name: part.usd for part in cost.parts}
        cells = [numbers.dollars(parts[name]) if name in parts else "" for name in names]
        shown[label(cost.approach, inputs)] = [*cells, numbers.dollars(cost.usd), numbers.dollars(cost.per_answer)]
    return pd.DataFrame(shown, index=[*(name.capitalize() for name in names), SUM, "An answer"])


def beside(names: Sequence[str]) -> list[list[str]]:
    """The columns of each table: as many as a small screen has room for, and no table much narrower than another."""
    tables = math.ceil(len(names) / _MOST)
    each = math.ceil(len(names) / tables)
    return [list(names[start : start + each]) for start in range(0, len(names), each)]


def draw_table(costs: Sequence[MonthlyCost], inputs: Inputs) -> None:
    """Table, why something is unknown, formulas, download."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(f"{costs[0].questions:,} questions a month, by part", anchor=False, width="content")
        save(
            "crossroads-costs.csv",
            lambda: monthly_file(costs, inputs),
            button="CSV of the parts",
            what="Every part with its formula and every input with its origin.",
        )
    shown = table(costs, inputs)
    for some in beside([label(cost.approach, inputs) for cost in costs]):
        literal_table(shown[some], strong=(SUM,), border="horizontal")
    for cost in costs:
        if cost.usd is None:
            st.caption(escaped(f"{label(cost.approach, inputs)}: {cost.why}"))
    rented = [f"{label(cost.approach, inputs)} {cost.machines:,}" for cost in costs if cost.machines]
    if rented:
        st.caption(escaped(f"Machines rented: {', '.join(rented)}."))
    with st.expander("Formulas, with the numbers filled in"):
        for cost in costs:
            look = look_of(cost.approach)
            st.markdown(f":{look.colour}[{look.icon}] **{escaped(label(cost.approach, inputs))}**")
            for part in cost.parts:
                st.markdown(f"**{escaped(part.name.capitalize())}** = {escaped(part.formula)}")
                why = f" ({part.why})" if part.why else ""
                st.text(plain(f"= {part.numbers}\n= {numbers.dollars(part.usd)}{why}"))
