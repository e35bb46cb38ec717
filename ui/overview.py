"""The comparison across columns: one table, two charts, the best of each measure marked with words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import pandas as pd
import streamlit as st

from backends.base import Answer
from ui import numbers
from ui.overview_charts import cost_chart, latency_chart, name_of

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


def best(answers: Sequence[Answer]) -> dict[str, frozenset[str]]:
    """Measure -> approaches with the best value among the complete answers. Where all are equal, none is marked.

    Values are equal if they are shown equal, as `2.03 s` or `< 1 ms`: nobody sees what else is between them. A
    stand-in is not ranked beside real ones: its numbers are not those of what it stands in for.
    """
    complete = [answer for answer in answers if answer.status == "ok"]
    complete = [answer for answer in complete if not answer.stand_in] or complete
    found: dict[str, frozenset[str]] = {}
    for measure, (value_of, shown, sign) in _RANKED.items():
        known = {one.approach: value for one in complete if (value := value_of(one)) is not None}
        read = {approach: shown(value) for approach, value in known.items()}
        if len(set(read.values())) > 1:
            top = read[min(known, key=lambda approach: sign * known[approach])]
            found[measure] = frozenset(approach for approach, text in read.items() if text == top)
    return found


def marks_of(approach: str, marked: dict[str, frozenset[str]]) -> frozenset[str]:
    """The measures in which `approach` was the best."""
    return frozenset(measure for measure, winners in marked.items() if approach in winners)


def table(answers: Sequence[Answer], marked: dict[str, frozenset[str]]) -> pd.DataFrame:
    """One row per measure, one column per approach, as shown text; the best of a row carries a star.

    Where their names have no room beside each other, approaches are rows instead.
    """
    rows: dict[str, dict[str, str]] = {}
    for answer in answers:
        timings, usage = answer.timings, answer.usage
        rows[name_of(answer)] = {
            "Status": answer.status,
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
    return shown if sum(len(name) + 3 for name in rows) <= _BESIDE else shown.T


def _known(rows: dict[str, dict[str, str]], row: str) -> bool:
    """Whether any column has a value in this row."""
    return any(column[row] != numbers.UNKNOWN for column in rows.values())


def _starred(value: str, approach: str, winners: frozenset[str] | None) -> str:
    return f"\u2605 {value}" if winners and approach in winners else value


def show(answers: Sequence[Answer], marked: dict[str, frozenset[str]]) -> None:
    """Table and charts under the columns."""
    grid = st.grid(2, min_column_width=_CHART)
    with grid.cell():
        st.subheader("Latency and what it is made of", anchor=False)
        st.altair_chart(latency_chart(answers), width="stretch", alt="Latency of each answer, by part")
    with grid.cell():
        st.subheader("Cost", anchor=False)
        st.altair_chart(cost_chart(answers), width="stretch", alt="Cost of 1,000 answers like each of these")
    st.subheader("Every number", anchor=False)
    st.caption(
        "\u2605 is the best among complete answers, on several where they read the same; a stand-in is not ranked. "
        "\u2014 is unknown or did not happen."
    )
    numbers_table = table(answers, marked)
    height = _ROW_HEIGHT * (len(numbers_table) + 1) + 3
    st.dataframe(numbers_table, width="stretch", height=height, alt="Every number of every answer")
