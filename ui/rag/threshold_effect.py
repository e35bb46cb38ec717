"""What the threshold refuses among the questions that were measured: a sentence, a chart and a table."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from evaluation.thresholds import BestScore, Refusals, curve, refusals
from ui.shared.charts import ink, readable
from ui.shared.text import escaped

_FALSELY, _RIGHTLY = "falsely: the documents answer it", "rightly: they do not"
_COLOURS = {_FALSELY: "#c2700a", _RIGHTLY: "#16825d"}
_HEIGHT = 320  # pixels


def show_threshold_effect(scores: Sequence[BestScore], in_force: float) -> None:
    """Draw it, with the threshold `in_force` marked; nothing where nothing was measured."""
    if not scores:
        return
    st.header("What the threshold refuses", anchor=False)
    st.markdown(escaped(effect(refusals(scores, in_force))))
    found = curve(scores, in_force)
    st.altair_chart(
        readable(refusal_chart(found, in_force, ink())),
        width="stretch",
        alt="Share of the questions that each threshold refuses, rightly and falsely",
    )
    with st.expander("Every threshold", icon=":material/table_rows:"):
        st.dataframe(refusal_table(found, in_force), hide_index=True, alt="What every threshold refuses")
        st.caption(
            "A question is refused if its best sentence scores less than the threshold and no passage holds a code of "
            "the question word for word."
        )


def effect(one: Refusals) -> str:
    """What a threshold refuses, in two sentences."""
    falsely = f"Threshold {one.threshold:g}: {one.falsely} of {one.answerable} questions with an answer are refused"
    if not one.unanswerable:
        return f"{falsely}. No question without an answer was measured: tag some with not_answered to see what helps."
    return f"{falsely}, and {one.rightly} of {one.unanswerable} without one."


def refusal_chart(found: Sequence[Refusals], in_force: float, ink: str) -> alt.LayerChart:
    """The shares that are refused over the threshold, as steps; the one in force is a line in `ink`."""
    rows = [
        {"threshold": one.threshold, "refused": kind, "share": count / asked, "questions": f"{count} of {asked}"}
        for one in found
        for kind, count, asked in ((_FALSELY, one.falsely, one.answerable), (_RIGHTLY, one.rightly, one.unanswerable))
        if asked
    ]
    x = alt.X("threshold:Q", title="threshold", scale=alt.Scale(domain=[0, 1]))
    lines = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(strokeWidth=3, point=alt.OverlayMarkDef(size=60))
        .encode(
            x=x,
            y=alt.Y("share:Q", title="refused", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color(
                "refused:N",
                scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
                legend=alt.Legend(orient="top", title=None, labelLimit=320),
            ),
            tooltip=["threshold:Q", "refused:N", "questions:N"],
        )
    )
    now = pd.DataFrame([{"threshold": in_force, "label": f"in force: {in_force:g}"}])
    rule = alt.Chart(now).mark_rule(strokeDash=[4, 4], color=ink).encode(x=x)
    label = alt.Chart(now).mark_text(align="left", dx=6, color=ink, fontSize=13)
    return (lines + rule + label.encode(x=x, y=alt.value(10), text="label:N")).properties(height=_HEIGHT)


def refusal_table(found: Sequence[Refusals], in_force: float) -> pd.DataFrame:
    """A row for each threshold, as shown text."""
    return pd.DataFrame(
        [
            {
                "Threshold": f"{one.threshold:g}" + (" (in force)" if one.threshold == in_force else ""),
                "Falsely refused": f"{one.falsely} of {one.answerable}",
                "Rightly refused": f"{one.rightly} of {one.unanswerable}",
            }
            for one in found
        ]
    )
