"""The comparison across columns: one table, two charts, the best of each measure marked with words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from backends.base import STATUS_WORDS, Answer
from backends.registry import spec_of
from evaluation.references import VERDICT_WORDS, Verdict
from ui.shared import numbers
from ui.shared.charts import ink, readable
from ui.shared.text import plain

_AROUND, _LEGEND = 60, 56  # pixels that a chart's axis and its legend take of its height
_ROW, _BAR, _NAME = 48, 16, -10  # pixels: an answer's share of the height, its bar, and its name above that
_ROOM = 1.18  # of the longest bar, for the number at its end
_TICKS = alt.Axis(tickCount=8)
_PARTS = {"retrieval": 0.35, "until the first text": 0.6, "writing": 1.0}
"""The parts of latency and how opaque they are drawn, in the approach's own colour."""


def name_of(answer: Answer) -> str:
    """The approach's name, with a stand-in and what was recorded named wherever it shows."""
    how = " (stand-in)" if answer.stand_in else " (recorded)" if answer.recorded else ""
    return spec_of(answer.approach).name + how


def latency_chart(answers: Sequence[Answer]) -> alt.LayerChart:
    """Latency of each approach in seconds, split into its parts. Bars are answers; unknown has no bar."""
    rows = [
        {"approach": name_of(a), "part": part, "order": order, "seconds": value}
        for a in answers
        for order, (part, value) in enumerate(_latency_parts(a))
        if value is not None
    ]
    totals = pd.DataFrame(
        [
            {
                "approach": name_of(a),
                "label": numbers.seconds(a.timings.latency_s),
                "total": a.timings.latency_s or 0.0,
            }
            for a in answers
        ]
    )
    names = [name_of(a) for a in answers]
    y = _rows(names)
    bars = (
        alt.Chart(pd.DataFrame(rows, columns=["approach", "part", "order", "seconds"]))
        .mark_bar(height=_BAR, yOffset=_BAR / 2, opacity=1)
        .encode(
            x=alt.X("seconds:Q", title="seconds", stack="zero", scale=_from_zero(totals["total"]), axis=_TICKS),
            y=y,
            color=alt.Color("approach:N", scale=_colours(answers), legend=None),
            opacity=alt.Opacity(
                "part:O",
                sort=list(_PARTS),
                scale=alt.Scale(type="ordinal", domain=list(_PARTS), range=list(_PARTS.values())),
                legend=alt.Legend(  # Vega's own colour would be black, on the dark page too
                    orient="top", title=None, symbolFillColor=ink(), symbolStrokeColor=ink()
                ),
            ),
            order="order:Q",
            tooltip=["approach:N", "part:N", alt.Tooltip("seconds:Q", format=".3f")],
        )
    )
    labels = _numbers(totals).encode(x="total:Q", y=y, text="label:N")
    return readable((bars + labels + _names(totals, y)).properties(height=_ROW * len(names) + _AROUND + _LEGEND))


def _rows(names: Sequence[str]) -> alt.Y:
    """A row for each answer. Its name stands above its bar, where any length has room."""
    return alt.Y("approach:N", sort=list(names), title=None, axis=None)


def _names(frame: pd.DataFrame, y: alt.Y) -> alt.Chart:
    text = alt.Chart(frame).mark_text(align="left", dy=_NAME, fontSize=14, color=ink())
    return text.encode(x=alt.value(2), y=y, text="approach:N")


def _numbers(frame: pd.DataFrame) -> alt.Chart:
    return alt.Chart(frame).mark_text(align="left", dx=5, dy=_BAR / 2, fontSize=14, color=ink())


def _from_zero(values: pd.Series) -> alt.Scale:
    """An axis on which the number at the end of the longest bar has room."""
    return alt.Scale(domain=[0, (float(values.max()) or 1.0) * _ROOM], nice=False)


def _colours(answers: Sequence[Answer]) -> alt.Scale:
    return alt.Scale(domain=[name_of(a) for a in answers], range=[spec_of(a.approach).hex for a in answers])


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
                "approach": name_of(a),
                "usd": None if a.cost.usd is None else float(a.cost.usd) * 1000,
                "label": "unknown" if a.cost.usd is None else f"{numbers.dollars(a.cost.usd * 1000)}",
                "position": 0.0 if a.cost.usd is None else float(a.cost.usd) * 1000,
                "basis": plain(a.cost.basis),
            }
            for a in answers
        ]
    )
    names = [name_of(a) for a in answers]
    y = _rows(names)
    bars = (
        alt.Chart(frame)
        .mark_bar(height=_BAR, yOffset=_BAR / 2)
        .encode(
            x=alt.X(
                "usd:Q",
                title="USD for 1,000 answers like this one",
                scale=_from_zero(frame["position"]),
                axis=_TICKS,
            ),
            y=y,
            color=alt.Color("approach:N", scale=_colours(answers), legend=None),
            tooltip=["approach:N", "label:N", "basis:N"],
        )
    )
    labels = _numbers(frame).encode(x="position:Q", y=y, text="label:N")
    return readable((bars + labels + _names(frame, y)).properties(height=_ROW * len(names) + _AROUND))


_CHART = 440  # pixels at least: two charts beside each other at 1440, below each other at 800
_BESIDE = 90  # characters of names that have room beside each other at 800 pixels, with 3 around each
_ROW_HEIGHT = 35  # pixels, Streamlit's own
_REASONING_ROWS = ("First reasoning", "Of which reasoning")
"""Left out where no model reasons."""

_Ranked = tuple[Callable[[Answer], float | Decimal | None], Callable[..., str], int]
_RANKED: dict[str, _Ranked] = {
    "latency_s": (lambda answer: answer.timings.latency_s, numbers.seconds, 1),
    "ttft_s": (lambda answer: answer.timings.ttft_s, numbers.seconds, 1),
    "cost_usd": (lambda answer: answer.cost.usd, numbers.dollars, 1),
    "tokens_per_s": (lambda answer: answer.timings.tokens_per_s, numbers.figure, -1),
}
"""Measure -> its value, how that is shown, and 1 if less is better, else -1."""


def best(answers: Sequence[Answer], verdicts: Mapping[str, Verdict | None] | None = None) -> dict[str, frozenset[str]]:
    """Measure -> approaches with the best value among the answers that may win. Where all are equal, none is marked.

    Those are complete and neither wrong nor refused: the best of wrong answers is no advice. Where nothing in the
    documents was good enough, an answer wins only if it is right, as it may be that they do not say. A stand-in wins
    nothing, since its numbers are not those of what it stands in for; nor does what was recorded, which was measured
    another time and another way. Values are equal if they are shown equal, as `2.03 s` or `< 1 ms`: nobody sees what
    else is between them.
    """
    stands = verdicts or {}
    complete = [answer for answer in answers if _may_win(answer, stands.get(answer.approach))]
    found: dict[str, frozenset[str]] = {}
    for measure, (value_of, shown, sign) in _RANKED.items():
        known = {one.approach: value for one in complete if (value := value_of(one)) is not None}
        read = {approach: shown(value) for approach, value in known.items()}
        if len(set(read.values())) > 1:
            top = read[min(known, key=lambda approach: sign * known[approach])]
            found[measure] = frozenset(approach for approach, text in read.items() if text == top)
    return found


def _may_win(answer: Answer, verdict: Verdict | None) -> bool:
    if answer.stand_in or answer.recorded is not None or verdict not in ("right", None):
        return False
    well_founded = answer.status == "ok" and answer.below_threshold is None
    return well_founded or (answer.status in ("ok", "below_threshold") and verdict == "right")


def marks_of(approach: str, marked: dict[str, frozenset[str]]) -> frozenset[str]:
    """The measures in which `approach` was the best."""
    return frozenset(measure for measure, winners in marked.items() if approach in winners)


def table(
    answers: Sequence[Answer], marked: dict[str, frozenset[str]], verdicts: Mapping[str, Verdict | None] | None = None
) -> pd.DataFrame:
    """One row per measure, one column per approach, as shown text; the best of a row carries a star.

    Where their names have no room beside each other, approaches are rows instead.
    """
    rows: dict[str, dict[str, str]] = {}
    for answer in answers:
        timings, usage = answer.timings, answer.usage
        rows[name_of(answer)] = {
            "Status": STATUS_WORDS[answer.status],
            "Right": _stands((verdicts or {}).get(answer.approach)),
            "Latency": _starred(numbers.seconds(timings.latency_s), answer.approach, marked.get("latency_s")),
            "First reasoning": numbers.seconds(timings.first_reasoning_s),
            "First text": _starred(numbers.seconds(timings.ttft_s), answer.approach, marked.get("ttft_s")),
            "Cost": _starred(numbers.dollars(answer.cost.usd), answer.approach, marked.get("cost_usd")),
            "Tokens/s": _starred(numbers.figure(timings.tokens_per_s), answer.approach, marked.get("tokens_per_s")),
            "Prompt tokens": numbers.count(usage.prompt_tokens),
            "Completion tokens": numbers.count(usage.completion_tokens),
            "Of which reasoning": numbers.count(usage.reasoning_tokens),
            "Tokens counted by": usage.source or numbers.UNKNOWN,
            "Retrieval (in latency)": numbers.seconds(timings.retrieval_s),
            "Queued (not in latency)": numbers.seconds(timings.queued_s),
            "Loading (not in latency)": numbers.seconds(timings.load_s),
        }
    shown = pd.DataFrame(rows).drop([row for row in _REASONING_ROWS if not _known(rows, row)])
    shown = shown.rename_axis(index="Measure", columns="Approach")
    return shown if sum(len(name) + 3 for name in rows) <= _BESIDE else shown.T


def _stands(verdict: Verdict | None) -> str:
    return VERDICT_WORDS[verdict] if verdict else numbers.UNKNOWN


def _known(rows: dict[str, dict[str, str]], row: str) -> bool:
    """Whether any column has a value in this row."""
    return any(column[row] != numbers.UNKNOWN for column in rows.values())


def _starred(value: str, approach: str, winners: frozenset[str] | None) -> str:
    return f"\u2605 {value}" if winners and approach in winners else value


def show(answers: Sequence[Answer], verdicts: Mapping[str, Verdict | None], marked: dict[str, frozenset[str]]) -> None:
    """Table and charts under the columns."""
    grid = st.grid(2, min_column_width=_CHART)
    with grid.cell():
        st.header("Latency and what it is made of", anchor=False)
        st.altair_chart(latency_chart(answers), width="stretch", alt="Latency of each answer, by part")
    with grid.cell():
        st.header("Cost", anchor=False)
        st.altair_chart(cost_chart(answers), width="stretch", alt="Cost of 1,000 answers like each of these")
    st.header("Every number", anchor=False)
    st.caption(
        "\u2605 is the best number among complete answers that are not known to be wrong, on several where they read "
        "the same; a stand-in wins none. \u2014 is unknown or did not happen."
    )
    numbers_table = table(answers, marked, verdicts)
    height = _ROW_HEIGHT * (len(numbers_table) + 1) + 3
    st.dataframe(numbers_table, width="stretch", height=height, alt="Every number of every answer")
