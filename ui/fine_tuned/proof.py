"""The section Proof: base and adapter on the same questions, what was learned, and what was forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.adapters.catalogue import Adapter
from backends.registry import spec_of
from backends.settings import Settings
from evaluation.judging import Judged, Share, further_scorers, summary
from evaluation.proof import ADAPTER, BASE, AdapterProof, proof_key, read_proof, start_proof, stored_proofs
from evaluation.scorers import title_of
from evaluation.statistics import Estimate
from evaluation.verdicts import forgetting_verdict, points, proof_verdict, score_words, seen_words
from ui.fine_tuned.adapter_table import card_rows
from ui.fine_tuned.question_section import Questions, StartButton, question_section, stored_result
from ui.shared import numbers
from ui.shared.charts import ink
from ui.shared.errors import show_fault
from ui.shared.tables import literal_table, plain_frame
from ui.shared.text import escaped, plain

_COLOURS = {"Base": spec_of("raw").hex, "Adapter": spec_of("fine_tuned").hex}
_TICKS = [-1.0, -0.8, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
_ROW_HEIGHT = 34  # pixels


def proof_chart(proof: AdapterProof, ink: str) -> alt.LayerChart:
    """A point with its interval for base and adapter, by measure; `ink` is the colour of text."""
    frame = proof_frame(proof)
    y = alt.Y("measure:N", sort=list(dict.fromkeys(frame["measure"])), title=None, axis=alt.Axis(labelLimit=200))
    offset = alt.YOffset("arm:N", sort=list(_COLOURS))
    colour = alt.Color(
        "arm:N",
        scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
        legend=alt.Legend(orient="top", title=None, symbolOpacity=1),
    )
    tooltip = [alt.Tooltip("measure:N"), alt.Tooltip("arm:N"), alt.Tooltip("label:N", title="value and interval")]
    base = alt.Chart(frame).encode(y=y, yOffset=offset, tooltip=tooltip)
    scale = alt.Scale(domain=[min(0.0, float(frame["low"].min())), 1.05], nice=False)
    x = alt.X("low:Q", title="share, or cosine", scale=scale, axis=alt.Axis(format=".1f", values=_TICKS))
    bars = base.mark_rule(strokeWidth=3, opacity=0.45).encode(x=x, x2="high:Q", color=colour)
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(x="value:Q", color=colour)
    labels = base.mark_text(dy=-11, fontSize=12, color=ink).encode(x="value:Q", text="short:N")
    height = _ROW_HEIGHT * len(frame) + 130
    return (bars + dots + labels).properties(height=height)


def proof_frame(proof: AdapterProof) -> pd.DataFrame:
    """Measure, arm, value, the ends of the interval, and how they are written."""
    rows = [_chart_share("Right", "Base", proof.base), _chart_share("Right", "Adapter", proof.tuned)]
    for arm, estimate in (("Base", proof.base_semantic), ("Adapter", proof.tuned_semantic)):
        if estimate is not None:
            rows.append(_mean("Meaning", arm, estimate))
    if proof.forgetting is not None:
        kept = proof.forgetting.kept
        known = f"the {kept.questions} that it answers right were chosen"
        rows.append(("General", "Base", 1.0, 1.0, 1.0, "100 %", known))
        rows.append(_chart_share("General", "Adapter", kept))
    return pd.DataFrame(rows, columns=["measure", "arm", "value", "low", "high", "short", "label"])


_Row = tuple[str, str, float, float, float, str, str]


def _chart_share(measure: str, arm: str, share: Share) -> _Row:
    low, high = share.interval
    return measure, arm, share.value, low, high, f"{100 * share.value:.0f} %", str(share)


def _mean(measure: str, arm: str, mean: Estimate) -> _Row:
    return measure, arm, mean.value, mean.low, mean.high, f"{mean.value:.2f}", str(mean)


_ARMS = {"Base": BASE, "Adapter": ADAPTER}
RIGHT, WRONG = "\u2713", "\u2717"
_MARKS = {True: RIGHT, False: WRONG, None: numbers.UNKNOWN}
_VERDICTS = {
    True: ":material/check: right",
    False: ":material/close: wrong",
    None: ":material/question_mark: not scored",
}
_WIDTHS: dict[str, int] = {"Question": 300, "Reference": 280, "Base": 330, "Adapter": 330}
"""Of the columns of answer tables, in pixels: all four are seen at 1440."""

_CHART_WIDTH = 460  # pixels at least: two beside each other at 1440, below each other at 800


def show_proof(adapter: Adapter, proof: AdapterProof) -> None:
    """Draw it all."""
    st.markdown(f"## {escaped(proof_verdict(proof))}")
    _figures(proof)
    cells = st.grid(2, min_column_width=_CHART_WIDTH)
    with cells.cell():
        st.altair_chart(proof_chart(proof, ink()), alt=plain(proof_verdict(proof)))
        st.caption(
            "Points with their 95 % intervals. Right: the answer holds the facts of the reference. Meaning: cosine of "
            f"the embeddings of answer and reference ({escaped(proof.embedder)}); it does not see whether a number is "
            "right. General: the simple questions that the base answers right, before and after."
        )
    with cells.cell():
        _doubts(proof)
    if further_scorers(proof.rows):
        st.dataframe(score_table(proof.rows), hide_index=True, alt="Further scores of base and adapter")
    _flips(proof)
    _forgotten(proof)
    _card(adapter, proof)


def _figures(proof: AdapterProof) -> None:
    columns = st.columns(3)
    with columns[0]:
        _share("Base", proof.base)
    with columns[1]:
        _share("Adapter", proof.tuned)
    with columns[2]:
        estimate = proof.difference.estimate
        st.metric("Difference, points", points(estimate.value), border=True)
        st.caption(
            f"95 % interval {points(estimate.low)} to {points(estimate.high)}, paired by question; "
            f"{proof.difference.changed} questions changed"
        )


def _share(name: str, share: Share) -> None:
    low, high = share.interval
    st.metric(f"{name}, right", f"{100 * share.value:.0f} %", border=True)
    st.caption(f"{share.right} of {share.questions}, 95 % interval {100 * low:.0f}\u2013{100 * high:.0f} %")


def _doubts(proof: AdapterProof) -> None:
    """What to know before these figures are believed."""
    st.markdown(f":material/psychology_alt: {escaped(forgetting_verdict(proof))}")
    icon = ":material/warning:" if proof.seen is None or proof.seen.asked else ":material/verified_user:"
    st.markdown(f"{icon} {escaped(seen_words(proof.seen, len(proof.rows)))}")
    if (near := semantic_words(proof)) is not None:
        st.markdown(f":material/join_inner: {escaped(near)}")
    left = f" {proof.left_out} questions say nothing of what is right and were left out." if proof.left_out else ""
    st.caption(
        escaped(
            f"Questions: {proof.question_set}. {proof.base_model}, adapter {proof.adapter} (sha256 "
            f"{proof.sha256[:12]}), greedy, at most {proof.max_tokens} tokens, {proof.created:%Y-%m-%d %H:%M} "
            f"UTC.{left}"
        )
    )


def semantic_words(proof: AdapterProof) -> str | None:
    """The nearness in meaning of both, and the difference; None without references."""
    parts = (proof.base_semantic, proof.tuned_semantic, proof.semantic_difference)
    if any(part is None for part in parts):
        return None
    base, tuned, difference = (_cosine(part) for part in parts if part is not None)
    return f"Nearness in meaning to the reference: base {base}, adapter {tuned}; difference {difference}."


def _cosine(value: Estimate) -> str:
    return f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})".replace("-", "\u2212")


def _flips(proof: AdapterProof) -> None:
    to_right, to_wrong = f"To right ({len(proof.to_right)})", f"To wrong ({len(proof.to_wrong)})"
    both = f"All ({len(proof.rows)})"
    which = st.segmented_control(
        "Questions that changed", (to_right, to_wrong, both), default=to_right, required=True, key="flips"
    )
    rows = {to_right: proof.to_right, to_wrong: proof.to_wrong}.get(which or to_right, proof.rows)
    if not rows:
        st.caption("None.")
        return
    event = st.dataframe(
        answer_table(rows),
        hide_index=True,
        key="flip_table",
        column_config=_columns(),
        on_select="rerun",
        selection_mode="single-row",
        alt="Questions with the reference and both answers",
    )
    chosen = event.selection.rows
    _side_by_side(rows[chosen[0]] if chosen and chosen[0] < len(rows) else rows[0])


def answer_table(rows: Sequence[Judged]) -> pd.DataFrame:
    """One row per question: what was asked, wanted and answered, each with a mark for right and wrong.

    Further scorers have a column for each of the two answers.
    """
    columns = {
        "Question": [row.sample.question for row in rows],
        "Reference": [row.sample.reference_answer or numbers.UNKNOWN for row in rows],
    }
    columns |= {name: [_marked(row, arm) for row in rows] for name, arm in _ARMS.items()}
    for scorer in further_scorers(rows):
        for name, arm in _ARMS.items():
            columns[f"{title_of(scorer)}, {name.lower()}"] = [score_words(row.score(scorer, arm)) for row in rows]
    return plain_frame(columns)


def score_table(rows: Sequence[Judged]) -> pd.DataFrame:
    """One row per further scorer: what it gave base and adapter, with how many answers it left out."""
    names = further_scorers(rows)
    given = {name: [str(summary(rows, scorer, arm)) for scorer in names] for name, arm in _ARMS.items()}
    return plain_frame({"Score": [title_of(scorer) for scorer in names], **given})


def _columns() -> dict[str, Any]:
    return {name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()}


def _marked(row: Judged, arm: str) -> str:
    answer = row.answers[arm]
    text = answer.text.strip() or answer.error or "no answer"
    return f"{_MARKS[row.is_right(arm)]} {text}"


def _side_by_side(row: Judged) -> None:
    with st.container(border=True):
        st.markdown(f"**{escaped(row.sample.question)}**")
        st.caption(escaped(f"Wanted: {row.sample.reference_answer or row.sample.key_facts}"))
        for column, (name, arm) in zip(st.columns(2), _ARMS.items(), strict=True):
            with column:
                st.markdown(f"**{name}**, {_VERDICTS[row.is_right(arm)]}")
                st.text(plain(_marked(row, arm)[2:]))


def _forgotten(proof: AdapterProof) -> None:
    if proof.forgetting is None or not proof.forgetting.lost:
        return
    with st.expander(f"What was forgotten: {len(proof.forgetting.lost)} general questions"):
        st.dataframe(
            answer_table(proof.forgetting.lost),
            hide_index=True,
            column_config=_columns(),
            alt="General questions that the adapter gets wrong",
        )


def _card(adapter: Adapter, proof: AdapterProof) -> None:
    with st.expander("The adapter's card", icon=":material/badge:"):
        if not proof.amended:
            st.caption("A sample adapter's card is left as it is; the proof is kept in the data folder.")
        try:
            rows = dict(card_rows(read_card(adapter.folder)))
        except BackendError as fault:
            show_fault(fault)
            return
        if rows:
            literal_table(rows)
        else:
            st.caption("It has no card, so how it was made is unknown.")


def draw(current: Settings) -> None:
    """Draw the section."""
    start = StartButton(
        "prove",
        "Prove",
        ":material/fact_check:",
        "Base and adapter answer every question, and then some of general knowledge, to see what was forgotten.",
        _begin,
    )
    cancelled = "The answers so far are kept: prove with the same questions again to go on."
    adapter = question_section(current, "proof", proof_key(current.data), start, cancelled)
    if adapter is None:
        return
    files = stored_proofs(current.data, adapter.sha256)
    proof = stored_result(files, read_proof, "Proof", _title, "Nothing was proved of this adapter yet.")
    if proof is not None:
        show_proof(adapter, proof)


def _begin(current: Settings, adapter: Adapter, questions: Questions) -> None:
    start_proof(current, adapter.name, questions.samples, questions.name)


def _title(one: AdapterProof) -> str:
    return f"{one.created:%Y-%m-%d %H:%M} UTC, {one.question_set}"
