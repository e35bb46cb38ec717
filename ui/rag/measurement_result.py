"""What was measured of the search: the best setting in one sentence, a table, charts, and taking a setting over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import altair as alt
import pandas as pd
import streamlit as st

from backends.errors import BackendError
from backends.rag.store import jobs
from backends.rag.store.index import CollectionInfo, Index
from backends.settings import Settings
from evaluation.retrieval import METRICS, Latency, Scores
from evaluation.retrieval_runs import METRIC, Lead, Measurement, Row, SearchSetting
from evaluation.statistics import Estimate
from ui.rag.hits import MODE_LABELS, STEPS
from ui.rag.threshold_effect import show_threshold_effect
from ui.resources import override
from ui.shared import numbers
from ui.shared.charts import ink
from ui.shared.errors import keep_fault
from ui.shared.text import escaped, plain

_COLOUR = "#16825d"
_STEPS = {
    "embed": ("turning the question into numbers", "#2a76e2"),
    "dense": ("dense", "#16825d"),
    "keyword": ("keyword", "#c2700a"),
    "fuse": ("fusing", "#8446c9"),
    "sentences": ("reading sentences", "#0e7c86"),
    "judge": ("judging sentences", "#6b7280"),
    "rerank": ("reranking", "#d0126f"),
}
_ROW_HEIGHT = 42  # pixels


def metric_chart(scores: Mapping[str, Estimate], metric: str, ink: str) -> alt.LayerChart:
    """A point with its 95 % interval for each setting, in the order given; `ink` is the colour of text."""
    frame = pd.DataFrame(
        [
            {"setting": name, "value": one.value, "low": one.low, "high": one.high, "label": f"{one.value:.3f}"}
            for name, one in scores.items()
        ]
    )
    low = max(0.0, min(one.low for one in scores.values()) - 0.05)
    scale = alt.Scale(domain=[low, min(1.0, max(one.high for one in scores.values()) + 0.08)], nice=False)
    y = alt.Y("setting:N", sort=list(scores), title=None, axis=alt.Axis(labelLimit=200))
    tooltip = [
        alt.Tooltip("setting:N"),
        alt.Tooltip("value:Q", title=metric, format=".3f"),
        alt.Tooltip("low:Q", title="from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
    ]
    base = alt.Chart(frame)
    bars = base.mark_rule(strokeWidth=3, color=_COLOUR, opacity=0.45).encode(
        x=alt.X("low:Q", title=metric, scale=scale), x2="high:Q", y=y, tooltip=tooltip
    )
    points = base.mark_point(filled=True, size=110, color=_COLOUR, opacity=1).encode(x="value:Q", y=y, tooltip=tooltip)
    labels = base.mark_text(dy=-13, fontSize=12, color=ink).encode(x="value:Q", y=y, text="label:N")
    return (bars + points + labels).properties(height=_ROW_HEIGHT * len(scores) + 70)


def latency_chart(latencies: Mapping[str, Mapping[str, Latency]], ink: str) -> alt.LayerChart:
    """Median milliseconds of each step, stacked, with the 95th percentile of the whole written beside in `ink`."""
    rows = _latency_rows(latencies)
    frame = pd.DataFrame(map(asdict, rows))
    totals = [
        (
            name,
            sum(row.ms for row in rows if row.setting == name),
            f"{numbers.seconds(steps['total'].p50_s)}, p95 {numbers.seconds(steps['total'].p95_s)}",
        )
        for name, steps in latencies.items()
    ]
    used = {row.step for row in rows}
    palette = [(words, colour) for words, colour in _STEPS.values() if words in used]
    widest = max(total for _, total, _ in totals)
    y = alt.Y("setting:N", sort=list(latencies), title=None, axis=alt.Axis(labelLimit=200))
    bars = (
        alt.Chart(frame)
        .mark_bar(height=18)
        .encode(
            x=alt.X("ms:Q", title="milliseconds", scale=alt.Scale(domain=[0, widest * 1.5], nice=False)),
            y=y,
            color=alt.Color(
                "step:N",
                scale=alt.Scale(domain=[words for words, _ in palette], range=[colour for _, colour in palette]),
                legend=alt.Legend(orient="bottom", title=None, columns=2, labelLimit=240),
            ),
            order="order:Q",
            tooltip=[
                "setting:N",
                "step:N",
                alt.Tooltip("ms:Q", title="median, ms", format=".3~g"),
                alt.Tooltip("p95:Q", title="p95, ms", format=".3~g"),
            ],
        )
    )
    whole = pd.DataFrame(totals, columns=["setting", "ms", "label"])
    labels = alt.Chart(whole).mark_text(align="left", dx=6, color=ink).encode(x="ms:Q", y=y, text="label:N")
    return (bars + labels).properties(height=_ROW_HEIGHT * len(latencies) + 120)


@dataclass(frozen=True, slots=True)
class _StepTime:
    """One step of the search with one setting: its place among the steps, median and 95th percentile in ms."""

    setting: str
    step: str
    order: int
    ms: float
    p95: float


def _latency_rows(latencies: Mapping[str, Mapping[str, Latency]]) -> list[_StepTime]:
    return [
        _StepTime(name, words, order, steps[step].p50_s * 1000, steps[step].p95_s * 1000)
        for name, steps in latencies.items()
        for order, (step, (words, _)) in enumerate(_STEPS.items())
        if step in steps
    ]


_PASSAGE, _DOCUMENT = "the passage with the facts", "a passage of the right document"
_ROW = 35  # pixels, Streamlit's own
_CHART_WIDTH = 460  # pixels at least: two beside each other at 1440, below each other at 800


def show_measurement(
    current: Settings, index: Index, info: CollectionInfo, made: Measurement, busy: bool = False
) -> None:
    """Draw it all. While documents are written (`busy`), no setting can be taken over."""
    st.markdown(f"## {escaped(headline(made))}")
    st.markdown(escaped(over_in_force(made)))
    rows = made.rows
    judge = _PASSAGE
    if any(row.report.by_fact for row in rows):
        judge = (
            st.segmented_control(
                "What counts as found", (_PASSAGE, _DOCUMENT), default=_PASSAGE, required=True, key="judge"
            )
            or _PASSAGE
        )
    by_fact = judge == _PASSAGE
    chosen = _table(made, by_fact)
    _setting_choice(current, index, info, made, chosen, busy)
    charts = st.grid(2, min_column_width=_CHART_WIDTH)
    with charts.cell():
        metric = st.selectbox("Metric", METRICS, METRICS.index(METRIC), key="metric", width=180)
        found = {name_of(row.setting): scores_of(row, by_fact).metrics.get(metric) for row in rows}
        scores = {name: value for name, value in found.items() if value is not None}
        st.altair_chart(metric_chart(scores, metric, ink()), alt=f"{metric} of every setting with its 95 % interval")
    with charts.cell():
        st.caption("Time for one search, by step: median, and what 95 % stay below")
        latencies = {name_of(row.setting): row.report.latency for row in rows}
        st.altair_chart(latency_chart(latencies, ink()), alt="Median time of every step of the search")
    show_threshold_effect(made.scores, current.rag.min_score)
    with st.expander("Time of every step", icon=":material/timer:"):
        st.dataframe(step_times(made), hide_index=True, alt="Time of every step for every setting")
        st.caption("The median and, behind it, what 95 % of the searches stay below.")
    _left_out(made)


def name_of(setting: SearchSetting) -> str:
    """A setting in words: `Fused, 128/32`."""
    return f"{MODE_LABELS[setting.mode].name}, {setting.chunk_tokens}/{setting.overlap_tokens}"


def scores_of(row: Row, by_fact: bool) -> Scores:
    """What a row scored by passage or by document."""
    return row.report.by_fact if by_fact and row.report.by_fact else row.report.by_document


def headline(made: Measurement) -> str:
    """Which setting is best, and by how much."""
    lead = made.lead
    start = f"{name_of(lead.best.setting)} is best: {METRIC} {_interval(lead.value)}."
    if lead.other is None or lead.ahead is None:
        return start
    chance = "" if lead.clear else ", which may be chance"
    return f"{start} The next is {name_of(lead.other.setting)}, {_behind(lead.ahead)} behind{chance}."


def over_in_force(made: Measurement) -> str:
    """How the best compares with what is in force."""
    over: Lead | None = made.over_in_force
    asked = f"Measured on {made.questions - _dropped(made)} questions."
    if over is None or over.other is None or over.ahead is None:
        return f"{asked} It was in force already."
    chance = "" if over.clear else ", which may be chance"
    return f"{asked} In force then was {name_of(over.other.setting)}, {_behind(over.ahead)} behind the best{chance}."


def _dropped(made: Measurement) -> int:
    return sum(not why.startswith("judged by document only") for why in made.left_out.values())


def _interval(value: Estimate) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _behind(value: Estimate) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})".replace("-", "\u2212")


def _table(made: Measurement, by_fact: bool) -> Row | None:
    """Draw the table; the row that is chosen in it."""
    event = st.dataframe(
        table(made, by_fact),
        hide_index=True,
        key="measured",
        on_select="rerun",
        selection_mode="single-row",
        height=_ROW * (len(made.rows) + 1) + 3,
        alt="Every setting with its metrics and times",
    )
    st.caption(
        "Means with their 95 % bootstrap intervals; \u2605 is the best of its column. hit@k: the share of questions "
        "for which the first k passages hold everything. MRR: 1 / rank of the first right one. nDCG@10: how far up "
        "the right ones are."
    )
    chosen = event.selection.rows
    return made.rows[chosen[0]] if chosen and chosen[0] < len(made.rows) else None


def table(made: Measurement, by_fact: bool) -> pd.DataFrame:
    """One row per setting, as shown text."""
    shown: dict[str, list[str]] = {"Setting": [name_of(row.setting) for row in made.rows]}
    for metric in METRICS:
        values = [scores_of(row, by_fact).metrics.get(metric) for row in made.rows]
        best = max((round(value.value, 3) for value in values if value), default=None)
        shown[metric] = [_cell(value, best, share=metric.startswith("hit")) for value in values]
    for name, attribute in (("Time p50", "p50_s"), ("p95", "p95_s")):
        seconds = [getattr(row.report.latency["total"], attribute) for row in made.rows]
        shown[name] = [("\u2605 " if one == min(seconds) else "") + numbers.seconds(one) for one in seconds]
    return pd.DataFrame(shown)


def step_times(made: Measurement) -> pd.DataFrame:
    """One row per setting with the median and the 95th percentile of every step, as shown text."""
    steps = {step: None for row in made.rows for step in row.report.latency}
    shown: dict[str, list[str]] = {"Setting": [name_of(row.setting) for row in made.rows]}
    for step in steps:
        found = [row.report.latency.get(step) for row in made.rows]
        shown[STEPS.get(step, step)] = [
            f"{numbers.seconds(one.p50_s)} ({numbers.seconds(one.p95_s)})" if one else numbers.UNKNOWN for one in found
        ]
    return pd.DataFrame(shown)


def _cell(value: Estimate | None, best: float | None, *, share: bool) -> str:
    if value is None:
        return numbers.UNKNOWN
    star = "\u2605 " if round(value.value, 3) == best else ""
    if share:
        return f"{star}{100 * value.value:.0f} % ({100 * value.low:.0f}\u2013{100 * value.high:.0f})"
    return f"{star}{value.value:.3f} ({value.low:.2f}\u2013{value.high:.2f})"


def _setting_choice(
    current: Settings, index: Index, info: CollectionInfo, made: Measurement, chosen: Row | None, busy: bool
) -> None:
    """Offer the row that is chosen, or the best one where it is clearly better than what was in force."""
    setting = (chosen or made.lead.best).setting
    in_force = SearchSetting(current.rag.mode, info.chunk_tokens, info.overlap_tokens)
    cut_anew = (setting.chunk_tokens, setting.overlap_tokens) != (info.chunk_tokens, info.overlap_tokens)
    if chosen is None and made.gain is None and setting != in_force:
        st.markdown("Nothing is clearly better than what was in force. Select a row to take another setting anyway.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Use this setting",
            key="use_setting",
            type="primary",
            icon=":material/check:",
            on_click=_use,
            args=(current, index, setting, cut_anew),
            disabled=busy or setting == in_force,
        )
        words = f"**{escaped(name_of(setting))}**"
        if setting == in_force:
            words += " is in force. Select a row to take another one."
        elif cut_anew:
            words += ": the collection is cut and embedded anew, while the present chunks go on answering."
        else:
            words += ": used by every question from now on, in this browser session."
        st.markdown(words, width="content")


def _use(current: Settings, index: Index, setting: SearchSetting, cut_anew: bool) -> None:
    override("rag.mode", setting.mode)
    if cut_anew:
        try:
            jobs.rechunk(index, current.data, setting.chunk_tokens, setting.overlap_tokens)
        except BackendError as fault:
            keep_fault(fault)


def _left_out(made: Measurement) -> None:
    if not made.left_out:
        return
    reasons = Counter(made.left_out.values())
    with st.expander(f"{len(made.left_out)} of {made.questions} questions were not judged in full"):
        for reason, count in reasons.most_common(20):
            st.text(plain(f"{count} \u00d7 {reason}"))
