"""What a proof found: two figures and their difference, a chart, the questions that flipped, and what was forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from backends.base import BackendError
from backends.fine_tuned.card import read_card
from backends.fine_tuned.catalogue import Adapter
from evaluation.intervals import Estimate
from evaluation.judging import Judged, Share
from evaluation.proof_record import ADAPTER, BASE, AdapterProof
from evaluation.verdicts import forgetting_verdict, points, proof_verdict, seen_words
from ui import numbers
from ui.chart_theme import ink
from ui.fine_tuned.adapter_table import card_rows
from ui.fine_tuned.proof_charts import proof_chart
from ui.tables import literal_table, plain_frame
from ui.text import escaped, plain

RIGHT, WRONG = "\u2713", "\u2717"
_WIDTHS: dict[str, int] = {"Question": 300, "Reference": 280, "Base": 330, "Adapter": 330}
"""Of the columns of answer tables, in pixels: all four are seen at 1440."""

_CHART_WIDTH = 460  # pixels at least: two beside each other at 1440, below each other at 800


def show_proof(adapter: Adapter, proof: AdapterProof) -> None:
    """Draw it all."""
    st.markdown(f"##### {escaped(proof_verdict(proof))}")
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
    """One row per question: what was asked, wanted and answered, each with a mark for right and wrong."""
    return plain_frame(
        {
            "Question": [row.sample.question for row in rows],
            "Reference": [row.sample.reference_answer or numbers.UNKNOWN for row in rows],
            "Base": [_marked(row, BASE) for row in rows],
            "Adapter": [_marked(row, ADAPTER) for row in rows],
        }
    )


def _columns() -> dict[str, Any]:
    return {name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()}


def _marked(row: Judged, arm: str) -> str:
    answer = row.answers[arm]
    text = answer.text.strip() or answer.error or "no answer"
    return f"{RIGHT if row.right[arm] else WRONG} {text}"


def _side_by_side(row: Judged) -> None:
    with st.container(border=True):
        st.markdown(f"**{escaped(row.sample.question)}**")
        st.caption(escaped(f"Wanted: {row.sample.reference_answer or row.sample.key_facts}"))
        for column, (name, arm) in zip(st.columns(2), (("Base", BASE), ("Adapter", ADAPTER)), strict=True):
            with column:
                verdict = ":material/check: right" if row.right[arm] else ":material/close: wrong"
                st.markdown(f"**{name}**, {verdict}")
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
            st.error(escaped(f"{fault.cause} {fault.next_step}"), icon=":material/error:")
            return
        if rows:
            literal_table(rows)
        else:
            st.caption("It has no card, so how it was made is unknown.")
