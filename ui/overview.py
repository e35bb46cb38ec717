"""The comparison across columns: one table, two charts, the best of each row marked with words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

import altair as alt
import pandas as pd
import streamlit as st

from backends.base import Answer
from ui import numbers
from ui.approaches import look_of
from ui.chart_theme import ink

_AROUND, _LEGEND = 60, 56  # pixels that a chart's axis and its legend take of its height
_ROW_HEIGHT = 35  # pixels, Streamlit's own
_PARTS = (("retrieval", 0.35), ("until the first text", 0.6), ("writing", 1.0))
"""The parts of latency and how opaque they are drawn, in the approach's own colour."""


_SHOWN = Context(prec=3, rounding=ROUND_HALF_EVEN)
"""The digits of a number on the screen (`ui.numbers`)."""

_REASONING_ROWS = ("First reasoning", "Of which reasoning")
"""Left out where no model reasons."""


def _name(answer: Answer) -> str:
    """The approach's name, with the stand-in named wherever it shows."""
    return look_of(answer.approach).name + (" (stand-in)" if answer.stand_in else "")


def best(answers: Sequence[Answer]) -> dict[str, frozenset[str]]:
    """Measure -> approaches with the best value among the complete answers. Where all are equal, none is marked.

    Values are compared as they are shown, with three digits: nobody sees what else is between them. A stand-in is not
    ranked beside real ones: its numbers are not those of what it stands in for.
    """
    complete = [answer for answer in answers if answer.status == "ok"]
    complete = [answer for answer in complete if not answer.stand_in] or complete
    if len(complete) < 2:
        return {}
    low: dict[str, dict[str, float | Decimal | None]] = {
        "latency_s": {a.approach: a.timings.latency_s for a in complete},
        "ttft_s": {a.approach: a.timings.ttft_s for a in complete},
        "cost_usd": {a.approach: a.cost.usd for a in complete},
        "tokens_per_s": {a.approach: -a.timings.tokens_per_s if a.timings.tokens_per_s else None for a in complete},
    }
    found: dict[str, frozenset[str]] = {}
    for measure, values in low.items():
        known = {
            approach: _SHOWN.create_decimal(Decimal(value)) for approach, value in values.items() if value is not None
        }
        if len(known) > 1:
            least = min(known.values())
            if least == max(known.values()):
                continue
            found[measure] = frozenset(approach for approach, value in known.items() if value == least)
    return found


def marks_of(approach: str, marked: dict[str, frozenset[str]]) -> frozenset[str]:
    """The measures in which `approach` was the best."""
    return frozenset(measure for measure, winners in marked.items() if approach in winners)


def table(answers: Sequence[Answer], marked: dict[str, frozenset[str]]) -> pd.DataFrame:
    """One row per measure, one column per approach, as shown text; the best of a row carries a star."""
    rows: dict[str, dict[str, str]] = {}
    for answer in answers:
        timings, usage = answer.timings, answer.usage
        rows[_name(answer)] = {
            "Status": answer.status,
            "Latency": _starred(numbers.seconds(timings.latency_s), answer.approach, marked.get("latency_s")),
            "First reasoning": numbers.seconds(timings.first_reasoning_s),
            "First text": _starred(numbers.seconds(timings.ttft_s), answer.approach, marked.get("ttft_s")),
            "Retrieval (in latency)": numbers.seconds(timings.retrieval_s),
            "Queued (not in latency)": numbers.seconds(timings.queued_s),
            "Loading (not in latency)": numbers.seconds(timings.load_s),
            "Speed": _starred(numbers.rate(timings.tokens_per_s), answer.approach, marked.get("tokens_per_s")),
            "Prompt tokens": numbers.count(usage.prompt_tokens),
            "Completion tokens": numbers.count(usage.completion_tokens),
            "Of which reasoning": numbers.count(usage.reasoning_tokens),
            "Tokens counted by": usage.source or numbers.UNKNOWN,
            "Cost": _starred(numbers.dollars(answer.cost.usd), answer.approach, marked.get("cost_usd")),
        }
    return pd.DataFrame(rows).drop([row for row in _REASONING_ROWS if not _known(rows, row)])


def _known(rows: dict[str, dict[str, str]], row: str) -> bool:
    """Whether any column has a value in this row."""
    return any(column[row] != numbers.UNKNOWN for column in rows.values())


def _starred(value: str, approach: str, winners: frozenset[str] | None) -> str:
    return f"\u2605 {value}" if winners and approach in winners else value


def latency_chart(answers: Sequence[Answer]) -> alt.LayerChart:
    """Latency of each approach in seconds, split into its parts. Bars are answers; unknown has no bar."""
    rows = [
        {"approach": _name(a), "part": part, "order": order, "seconds": value}
        for a in answers
        for order, (part, value) in enumerate(_latency_parts(a))
        if value is not None
    ]
    totals = pd.DataFrame(
        [
            {
                "approach": _name(a),
                "label": numbers.seconds(a.timings.latency_s),
                "total": a.timings.latency_s or 0.0,
            }
            for a in answers
        ]
    )
    names = [_name(a) for a in answers]
    y = alt.Y("approach:N", sort=names, title=None)
    bars = (
        alt.Chart(pd.DataFrame(rows, columns=["approach", "part", "order", "seconds"]))
        .mark_bar(height=22, opacity=1)
        .encode(
            x=alt.X("seconds:Q", title="seconds", stack="zero"),
            y=y,
            color=alt.Color("approach:N", scale=_colours(answers), legend=None),
            opacity=alt.Opacity(
                "part:N",
                scale=alt.Scale(domain=[part for part, _ in _PARTS], range=[opacity for _, opacity in _PARTS]),
                legend=alt.Legend(orient="top", title=None),
            ),
            order="order:Q",
            tooltip=["approach:N", "part:N", alt.Tooltip("seconds:Q", format=".3f")],
        )
    )
    labels = alt.Chart(totals).mark_text(align="left", dx=5, color=ink()).encode(x="total:Q", y=y, text="label:N")
    return (bars + labels).properties(height=48 * max(len(names), 1) + _AROUND + _LEGEND)


def _colours(answers: Sequence[Answer]) -> alt.Scale:
    return alt.Scale(domain=[_name(a) for a in answers], range=[look_of(a.approach).hex for a in answers])


def _latency_parts(answer: Answer) -> list[tuple[str, float | None]]:
    timings = answer.timings
    retrieval, first, whole = timings.retrieval_s, timings.ttft_s, timings.latency_s
    if first is None:
        return [("retrieval", retrieval), ("until the first text", None if whole is None else whole - (retrieval or 0))]
    return [
        ("retrieval", retrieval),
        ("until the first text", first - (retrieval or 0)),
        ("writing", None if whole is None else whole - first),
    ]


def cost_chart(answers: Sequence[Answer]) -> alt.LayerChart:
    """Cost of each answer in US dollars, in the approach's colour; an unknown cost is written out, not drawn as 0."""
    frame = pd.DataFrame(
        [
            {
                "approach": _name(a),
                "usd": None if a.cost.usd is None else float(a.cost.usd) * 1000,
                "label": "unknown" if a.cost.usd is None else f"{numbers.dollars(a.cost.usd * 1000)}",
                "position": 0.0 if a.cost.usd is None else float(a.cost.usd) * 1000,
                "basis": a.cost.basis,
            }
            for a in answers
        ]
    )
    names = [_name(a) for a in answers]
    y = alt.Y("approach:N", sort=names, title=None)
    bars = (
        alt.Chart(frame)
        .mark_bar(height=22)
        .encode(
            x=alt.X("usd:Q", title="USD for 1,000 answers like this one"),
            y=y,
            color=alt.Color("approach:N", scale=_colours(answers), legend=None),
            tooltip=["approach:N", "label:N", "basis:N"],
        )
    )
    labels = alt.Chart(frame).mark_text(align="left", dx=5, color=ink()).encode(x="position:Q", y=y, text="label:N")
    return (bars + labels).properties(height=48 * max(len(names), 1) + _AROUND)


def show(answers: Sequence[Answer], marked: dict[str, frozenset[str]]) -> None:
    """Table and charts under the columns."""
    left, right = st.columns(2)
    with left:
        st.subheader("Latency and what it is made of", anchor=False)
        st.altair_chart(latency_chart(answers), width="stretch")
    with right:
        st.subheader("Cost", anchor=False)
        st.altair_chart(cost_chart(answers), width="stretch")
    st.subheader("Every number", anchor=False)
    st.caption(
        "\u2605 is the best of its row among complete answers; a stand-in is not ranked. "
        "\u2014 is unknown or did not happen."
    )
    numbers_table = table(answers, marked)
    st.dataframe(numbers_table, width="stretch", height=_ROW_HEIGHT * (len(numbers_table) + 1) + 3)
