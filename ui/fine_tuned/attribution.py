"""The section Attribution: what RAG, the adapter and both together bought on one question set."""

from __future__ import annotations

from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from backends.fine_tuned.adapters.catalogue import Adapter
from backends.registry import spec_of
from backends.settings import Settings
from evaluation.attribution import (
    ADAPTER,
    BASE,
    BOTH,
    QUOTED,
    RAG,
    Attribution,
    answers_csv,
    attribution_key,
    read_attribution,
    start_attribution,
    stored_attributions,
)
from evaluation.judging import Gain, further_scorers, summary
from evaluation.scorers import title_of
from evaluation.statistics import Estimate
from evaluation.verdicts import ARM_NAMES, TECHNIQUE_NAMES, attribution_verdicts, points, seen_words
from ui.fine_tuned.question_section import Questions, StartButton, question_section, stored_result
from ui.shared import numbers
from ui.shared.charts import INK, ink, on_white
from ui.shared.tables import plain_frame
from ui.shared.text import escaped, plain

_BOTH_COLOUR = "#9b2c5e"
_NEUTRAL = "#5f6b7a"
_COLOURS = {
    BASE: spec_of("raw").hex,
    RAG: spec_of("rag").hex,
    ADAPTER: spec_of("fine_tuned").hex,
    BOTH: _BOTH_COLOUR,
    QUOTED: _NEUTRAL,
}
_GAINS = {"rag": RAG, "adapter": ADAPTER, "both": BOTH, "interaction": ""}
_READER_GAINS = {"adapter_besides": BOTH, "over_quote": QUOTED}
"""The techniques that are drawn, and the arm whose colour each has; of a reader, these."""

_ROW_HEIGHT = 56  # pixels
_MEETING_WIDTH, _MEETING_ROW = 1000, 96  # pixels


def is_reading(found: Attribution) -> bool:
    """Whether it compares ways of reading, for an adapter that was taught to read."""
    return QUOTED in found.arms


def gains_chart(found: Attribution, ink: str) -> alt.LayerChart:
    """What each technique bought, in points with its interval, to the left and right of 0."""
    frame = gains_frame(found)
    low, high = min(0.0, float(frame["low"].min())), max(0.0, float(frame["high"].max()))
    room = 0.08 * max(high - low, 10.0)
    scale = alt.Scale(domain=[low - room, high + room], nice=False)
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(color=ink, opacity=0.6).encode(x=alt.X("x:Q", scale=scale))
    return _bars(frame, "points", scale, ink) + zero


def gains_frame(found: Attribution) -> pd.DataFrame:
    """Points, the ends of the intervals, and the words beside each bar, which say so if it is not clear."""
    rows = []
    for name, arm in (_READER_GAINS if is_reading(found) else _GAINS).items():
        gain = found.techniques[name].gain
        one = gain.estimate
        chance = f", {gain.doubt}" if gain.doubt else ""
        label = f"{points(one.value)}  ({points(one.low)} to {points(one.high)}{chance})"
        colour = _COLOURS.get(arm, _NEUTRAL)
        rows.append((TECHNIQUE_NAMES[name], 100 * one.value, 100 * one.low, 100 * one.high, label, colour))
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "label", "colour"])


def meeting_png(found: Attribution) -> bytes:
    """The meeting's chart as a picture on white, twice the usual resolution."""
    import vl_convert

    return vl_convert.vegalite_to_png(_on_white(found).to_json(), scale=2)


def meeting_svg(found: Attribution) -> bytes:
    """The same as SVG."""
    import vl_convert

    return vl_convert.vegalite_to_svg(_on_white(found).to_json()).encode()


def _on_white(found: Attribution) -> alt.LayerChart:
    subtitle = (
        f"{len(found.rows)} questions, adapter {plain(found.adapter)}"
        f"{'' if is_reading(found) else f', {found.passages} passages'}; lines: 95 % intervals"
    )
    bought = "what reading with the adapter bought" if is_reading(found) else "what each technique bought"
    return on_white(meeting_chart(found, INK["light"]), f"Right answers, and {bought}", subtitle, _MEETING_WIDTH)


def meeting_chart(found: Attribution, ink: str) -> alt.LayerChart:
    """The ways as thick bars with their share in large figures, and below each what it bought and what it costs.

    Made to be read from the back of a room; `ink` is the colour of text.
    """
    frame = meeting_frame(found)
    axis = alt.Axis(
        labelFontSize=20, labelColor=ink, labelLimit=240, labelPadding=12, labelOffset=-14, ticks=False, domain=False
    )
    y = alt.Y("name:N", sort=list(frame["name"]), title=None, axis=axis)
    scale = alt.Scale(domain=[0, 112], nice=False)  # room for the figure of a bar that is full
    x = alt.X("value:Q", title=None, scale=scale, axis=None)
    base = alt.Chart(frame).encode(y=y, tooltip=[alt.Tooltip("name:N", title="way"), alt.Tooltip("bought:N")])
    bars = base.mark_bar(height=40, yOffset=-14).encode(x=x, color=alt.Color("colour:N", scale=None))
    reach = base.mark_rule(strokeWidth=3, color=ink, yOffset=-14).encode(x="low:Q", x2="high:Q")
    shares = base.mark_text(align="left", dx=10, dy=-14, fontSize=30, fontWeight="bold", color=ink).encode(
        x=alt.X("high:Q", scale=scale), text="share:N"
    )
    words = base.mark_text(align="left", dx=2, dy=24, fontSize=17, color=ink).encode(
        x=alt.datum(0, scale=scale), text="bought:N"
    )
    return (bars + reach + shares + words).properties(height=_MEETING_ROW * len(frame))


def meeting_frame(found: Attribution) -> pd.DataFrame:
    """Per cent of right answers with its interval, and in words what was bought, seconds and dollars."""
    rows = []
    for name, arm in found.arms.items():
        low, high = arm.right.interval
        costs = f"{numbers.seconds(arm.latency_p50_s)} an answer, {numbers.dollars(arm.usd_per_1000)} for 1,000"
        value = 100 * arm.right.value
        bought = f"{_bought(found, name)} \u00b7 {costs}"
        rows.append((ARM_NAMES[name], value, 100 * low, 100 * high, f"{value:.0f} %", bought, _COLOURS[name]))
    return pd.DataFrame(rows, columns=["name", "value", "low", "high", "share", "bought", "colour"])


def _bought(found: Attribution, arm: str) -> str:
    if is_reading(found):
        technique = "adapter_besides" if arm == BOTH else None
    else:
        technique = next((name for name, drawn in _GAINS.items() if drawn == arm), None)
    if technique is None:
        return "as it is"
    gain = found.techniques[technique].gain
    one, chance = gain.estimate, f", {gain.doubt}" if gain.doubt else ""
    unit = "point" if abs(round(100 * one.value)) == 1 else "points"
    return f"{points(one.value)} {unit} ({points(one.low)} to {points(one.high)}{chance})"


def _bars(frame: pd.DataFrame, title: str, scale: alt.Scale, ink: str) -> alt.LayerChart:
    """Bars from 0 with their intervals, and the words above each, where they cover nothing."""
    y = alt.Y(
        "name:N", sort=list(frame["name"]), title=None, axis=alt.Axis(labelLimit=160), scale=alt.Scale(padding=0.45)
    )
    tooltip = [alt.Tooltip("name:N", title="which"), alt.Tooltip("label:N", title=title)]
    base = alt.Chart(frame).encode(y=y, tooltip=tooltip)
    bars = base.mark_bar(height=14).encode(
        x=alt.X("value:Q", title=title, scale=scale), color=alt.Color("colour:N", scale=None)
    )
    reach = base.mark_rule(strokeWidth=2, color=ink).encode(x="low:Q", x2="high:Q")
    labels = base.mark_text(dx=4, dy=-16, align="left", fontSize=12, color=ink).encode(
        x=alt.datum(float(scale.to_dict()["domain"][0])), text="label:N"
    )
    return (bars + reach + labels).properties(height=_ROW_HEIGHT * len(frame) + 70)


MINUS = "\u2212"
_CHART_WIDTH = 460  # pixels at least: two beside each other at 1440, below each other at 800


def show_attribution(found: Attribution) -> None:
    """Draw it all."""
    first, *others = attribution_verdicts(found)
    st.markdown(f"## {escaped(first)}")
    st.altair_chart(meeting_chart(found, ink()), alt=plain(first))
    cells = st.grid(2, min_column_width=_CHART_WIDTH)
    with cells.cell():
        for sentence in others:
            st.markdown(f"- {escaped(sentence)}")
    with cells.cell():
        over = "What the adapter bought" if is_reading(found) else "What each technique bought, in points over the base"
        st.caption(f"{over}, with 95 % intervals")
        st.altair_chart(gains_chart(found, ink()), alt=plain(" ".join(others)))
    leaked = found.seen is None or found.seen.asked
    (st.warning if leaked else st.caption)(escaped(seen_words(found.seen, len(found.rows))))
    _downloads(found)
    st.dataframe(arm_table(found), hide_index=True, alt="The ways with their figures")
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


def arm_table(found: Attribution) -> pd.DataFrame:
    """One row per way of answering, as shown text; the best share of right answers has a star.

    Further scorers have a column each, with how many answers they left out.
    """
    listed = list(found.arms.values())
    right = [arm.right.value for arm in listed]
    further = {
        title_of(name): [str(summary(found.rows, name, arm.name)) for arm in listed]
        for name in further_scorers(found.rows)
    }
    return plain_frame(
        {
            "Way": [ARM_NAMES[arm.name] for arm in listed],
            "Right": [_star(arm.right.value == max(right)) + str(arm.right) for arm in listed],
            "Meaning (cosine)": [_interval(arm.semantic) for arm in listed],
            **further,
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
    for arm in found.arms:
        shown[ARM_NAMES[arm]] = [f"{100 * part.right[arm].value:.0f} %" for part in found.slices]
    for technique in _READER_GAINS if is_reading(found) else ("rag", "adapter", "both"):
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
        f"{found.collection}, {_read_words(found)}, greedy, at most {found.max_tokens} tokens. Shares have Wilson "
        f"intervals; their differences adjusted Wald intervals of pairs (Bonett and Price 2012); seconds and nearness "
        f"bootstrap intervals over questions, 10,000 resamples. Dollars are seconds at "
        f"{found.machine_usd_per_hour} USD per hour, as assumed in the settings. {training}{left}"
    )


def _read_words(found: Attribution) -> str:
    """What the writers got to read."""
    return "sentences as the reader was taught with" if is_reading(found) else f"{found.passages} passages"


_PASSAGES = "attribution_passages"


def draw(current: Settings) -> None:
    """Draw the section."""
    start = StartButton(
        "attribute",
        "Find out what bought what",
        ":material/account_tree:",
        "Base, base with RAG, adapter, and adapter with RAG answer every question, in turn. An adapter that was taught "
        "to read answers with RAG alone, beside the base with RAG and the quote.",
        _begin,
    )
    cancelled = "The answers so far are kept: start with the same questions again to go on."
    if question_section(current, "attribution", attribution_key(current.data), start, cancelled, _passages) is None:
        return
    files = stored_attributions(current.data)
    found = stored_result(files, read_attribution, "Attribution", _title, "Nothing was attributed yet.")
    if found is not None:
        show_attribution(found)


def _passages(current: Settings) -> None:
    st.number_input("Passages for an answer", 1, 50, current.rag.k, key=_PASSAGES)
    st.caption(f"From the collection **{escaped(current.rag.collection)}**.")


def _begin(current: Settings, adapter: Adapter, questions: Questions) -> None:
    start_attribution(current, adapter.name, questions.samples, questions.name, int(st.session_state[_PASSAGES]))


def _title(one: Attribution) -> str:
    return f"{one.created:%Y-%m-%d %H:%M} UTC, {one.adapter}, {one.question_set}"
