"""What an attribution found: sentences, the chart for the meeting, tables with seconds and dollars, and downloads."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pandas as pd
import streamlit as st

from evaluation.answer_table import answers_csv
from evaluation.attribution_record import Arm, Attribution
from evaluation.intervals import Estimate
from evaluation.judging import Gain
from evaluation.verdicts import ARM_NAMES, TECHNIQUE_NAMES, attribution_verdicts, points, seen_words
from ui import numbers
from ui.chart_theme import ink
from ui.fine_tuned.attribution_charts import gains_chart, meeting_chart, meeting_png, meeting_svg
from ui.tables import plain_frame
from ui.text import escaped, plain

MINUS = "\u2212"
_CHART_WIDTH = 460  # pixels at least: two beside each other at 1440, below each other at 800


def show_attribution(found: Attribution) -> None:
    """Draw it all."""
    first, *others = attribution_verdicts(found)
    st.markdown(f"##### {escaped(first)}")
    st.altair_chart(meeting_chart(found, ink()), alt=plain(first))
    cells = st.grid(2, min_column_width=_CHART_WIDTH)
    with cells.cell():
        for sentence in others:
            st.markdown(f"- {escaped(sentence)}")
    with cells.cell():
        st.caption("What each technique bought, in points over the base, with 95 % intervals")
        st.altair_chart(gains_chart(found, ink()), alt=plain(" ".join(others)))
    leaked = found.seen is None or found.seen.asked
    (st.warning if leaked else st.caption)(escaped(seen_words(found.seen, len(found.rows))))
    _downloads(found)
    st.dataframe(arm_table(found.arms), hide_index=True, alt="The four ways with their figures")
    st.dataframe(technique_table(found), hide_index=True, alt="What each technique bought and costs")
    if found.slices:
        st.dataframe(slice_table(found), hide_index=True, alt="Right answers and points by kind of question")
    st.caption(escaped(method_words(found)))


def _downloads(found: Attribution) -> None:
    name = plain(f"attribution-{found.adapter}-{found.created:%Y%m%d-%H%M}")
    with st.container(horizontal=True):
        for label, kind, mime, make in (
            ("Chart as PNG", "png", "image/png", lambda: meeting_png(found)),
            ("Chart as SVG", "svg", "image/svg+xml", lambda: meeting_svg(found)),
            ("All answers as CSV", "csv", "text/csv", lambda: answers_csv(found.rows)),
        ):
            st.download_button(
                label,
                data=make,
                file_name=f"{name}.{kind}",
                mime=mime,
                key=f"attribution_{kind}",
                icon=":material/download:",
                on_click="ignore",
            )


def arm_table(arms: Mapping[str, Arm]) -> pd.DataFrame:
    """One row per way of answering, as shown text; the best of each column has a star."""
    listed = list(arms.values())
    right = [arm.right.value for arm in listed]
    return pd.DataFrame(
        {
            "Way": [ARM_NAMES[arm.name] for arm in listed],
            "Right": [_star(arm.right.value == max(right)) + str(arm.right) for arm in listed],
            "Meaning (cosine)": [_interval(arm.semantic) for arm in listed],
            "Seconds, median": [numbers.seconds(arm.latency_p50_s) for arm in listed],
            "Seconds, all": [numbers.seconds(arm.latency_s) for arm in listed],
            "Tokens in": [numbers.count(arm.prompt_tokens) for arm in listed],
            "Tokens out": [numbers.count(arm.completion_tokens) for arm in listed],
            "USD per 1,000 answers": [numbers.dollars(arm.usd_per_1000) for arm in listed],
            "Failed": [str(arm.failed) for arm in listed],
        }
    )


def _star(best: bool) -> str:
    return "\u2605 " if best else ""


def technique_table(found: Attribution) -> pd.DataFrame:
    """One row per technique: points, seconds and dollars over what it is compared with."""
    listed = list(found.techniques.values())
    return pd.DataFrame(
        {
            "Technique": [TECHNIQUE_NAMES[one.name] for one in listed],
            "Points": [points_cell(one.gain) for one in listed],
            "Beyond chance": ["yes" if one.gain.clear else "open" for one in listed],
            "Extra seconds per answer": [_interval(one.seconds) for one in listed],
            "Extra USD per 1,000 answers": [extra_dollars(one.usd_per_1000) for one in listed],
        }
    )


def extra_dollars(value: Decimal | None) -> str:
    """A difference of dollars with its sign first: `+$0.106`, `−$0.0378`."""
    if not value:
        return numbers.dollars(value)
    return f"{'+' if value > 0 else MINUS}{numbers.dollars(abs(value))}"


def slice_table(found: Attribution) -> pd.DataFrame:
    """One row per kind of question: how many, what each way got right, and what each technique bought.

    `open`: it may be chance.
    """
    shown: dict[str, list[str]] = {
        "Questions": [part.name for part in found.slices],
        "Number": [str(part.questions) for part in found.slices],
    }
    for arm, name in ARM_NAMES.items():
        shown[name] = [f"{100 * part.right[arm].value:.0f} %" for part in found.slices]
    for technique in ("rag", "adapter", "both"):
        shown[f"{TECHNIQUE_NAMES[technique]}, points"] = [
            points_cell(part.gains[technique]) + ("" if part.gains[technique].clear else ", open")
            for part in found.slices
        ]
    return plain_frame(shown)


def points_cell(gain: Gain) -> str:
    """`+45 (+30 to +58)`."""
    estimate = gain.estimate
    return f"{points(estimate.value)} ({points(estimate.low)} to {points(estimate.high)})"


def _interval(value: Estimate | None) -> str:
    if value is None:
        return numbers.UNKNOWN
    shown = f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"
    return shown.replace("-0.00", "0.00").replace("-", "\u2212")


def method_words(found: Attribution) -> str:
    """How it was measured, and what the dollars are made of."""
    if found.training_usd_per_1000 is None:
        training = "What training cost is unknown, so the dollars of the adapter are without it."
    else:
        training = (
            f"Training cost {numbers.dollars(found.training_usd)}; spread over {found.answers_per_training:,} answers, "
            f"it is {numbers.dollars(found.training_usd_per_1000)} of each 1,000 answers of the adapter."
        )
    left = f" {found.left_out} questions say nothing of what is right and were left out." if found.left_out else ""
    return (
        f"Questions: {found.question_set}. Adapter {found.adapter} (sha256 {found.sha256[:12]}), collection "
        f"{found.collection}, {found.passages} passages, greedy, at most {found.max_tokens} tokens. Shares have Wilson "
        f"intervals; their differences adjusted Wald intervals of pairs (Bonett and Price 2012); seconds and nearness "
        f"bootstrap intervals over questions, 10,000 resamples. Dollars are seconds at "
        f"{found.machine_usd_per_hour} USD per hour, your assumption. {training}{left}"
    )
