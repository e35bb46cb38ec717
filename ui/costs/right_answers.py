"""What a right answer costs: the cost of an answer over the share of right ones, with what is uncertain about it."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd
import streamlit as st

from backends.registry import spec_of
from evaluation.costs.inputs import Inputs
from evaluation.costs.monthly import monthly
from evaluation.costs.right_answers import FORMULA, Accuracy, AnsweredRun, CostPerRight, cost_per_right, runs
from ui.costs.exports import right_answers_file
from ui.costs.sentences import ANSWER, line_label
from ui.resources import settings
from ui.shared import numbers
from ui.shared.charts import ink, readable
from ui.shared.downloads import heading_with_download
from ui.shared.tables import literal_table
from ui.shared.text import escaped, plain

_ROW = 46  # pixels


def right_chart(found: Mapping[str, CostPerRight], colours: Mapping[str, str], ink: str) -> alt.LayerChart:
    """A point and its 95 % interval for each approach, on a logarithmic axis; what has no point says why in words."""
    frame = pd.DataFrame([_row(name, one) for name, one in found.items()])
    y = alt.Y("approach:N", sort=list(found), title=None)
    colour = alt.Color("approach:N", scale=alt.Scale(domain=list(found), range=list(colours.values())), legend=None)
    x = alt.X(
        "usd:Q",
        title="USD for a right answer",
        scale=alt.Scale(type="log", padding=40),
        axis=alt.Axis(format="$.3~f", tickCount=6, labelOverlap=True),
    )
    base = alt.Chart(frame)
    rules = base.mark_rule(strokeWidth=4, opacity=0.4).encode(
        x=alt.X("low:Q", title="USD for a right answer"), x2="high:Q", y=y, color=colour
    )
    points = base.mark_point(filled=True, size=130, opacity=1).encode(x=x, y=y, color=colour)
    labels = base.mark_text(dy=-15, fontSize=14, color=ink).encode(x=x, y=y, text="label:N")
    words = base.mark_text(align="left", fontSize=14, color=ink, opacity=0.8).encode(
        x=alt.value(8), y=y, text="words:N"
    )
    return readable((rules + points + labels + words).properties(height=_ROW * len(found) + 60))


def _row(name: str, one: CostPerRight) -> dict[str, object]:
    drawn = one.usd is not None and one.usd > 0
    ends = {"usd": one.usd, "low": one.low, "high": one.high}
    return {
        "approach": name,
        **{end: float(value) if drawn and value is not None else None for end, value in ends.items()},
        "label": numbers.dollars(one.usd) if drawn else "",
        "words": "" if drawn else plain(one.why or numbers.dollars(one.usd)),
    }


_NOBODY = "no question is asked"  # why an answer has no cost although the month's is known
_TYPED, _RUN = "cost_accuracies", "cost_run"


def draw(inputs: Inputs) -> None:
    """Accuracies to look at and change, then cost per right answer as chart and table."""
    above = st.container()
    st.caption(
        f"{FORMULA}. The interval comes from the accuracy (Wilson, 95 %); the cost is that of an answer at "
        f"{int(inputs.exact('questions')):,} questions a month."
    )
    chosen = _chosen_run()
    accuracies = _accuracies(inputs, chosen)
    if not accuracies:
        st.info(
            "Nothing is known about how many answers are right. Type it above, or measure it: Proof or Attribution on "
            "the Fine-tuned page, or `python -m benchmarks quality`.",
            icon=":material/rule:",
        )
    costs = {profile.approach: monthly(profile.approach, inputs) for profile in inputs.profiles}
    found = {
        approach: cost_per_right(cost.per_answer, accuracies.get(approach), cost.why or _NOBODY)
        for approach, cost in costs.items()
    }
    with above:
        heading_with_download(
            "## An answer that is wrong is not cheap.",
            "crossroads-right-answers.csv",
            lambda: right_answers_file(found, costs, accuracies, inputs),
            what="What a right answer costs with its interval, how many were right, and every input with its origin.",
        )
    names = {line_label(approach, inputs): one for approach, one in found.items()}
    colours = {line_label(approach, inputs): spec_of(approach).hex for approach in found}
    if accuracies:
        st.altair_chart(right_chart(names, colours, ink()), width="stretch", alt="Cost of a right answer per approach")
    rows = {
        line_label(approach, inputs): {
            "Right answers": right_text(accuracies.get(approach)),
            ANSWER: numbers.dollars(costs[approach].per_answer),
            "A right answer": cost_text(one),
        }
        for approach, one in found.items()
    }
    literal_table(pd.DataFrame.from_dict(rows, orient="index").rename_axis("Approach"), border="horizontal")


def right_text(accuracy: Accuracy | None) -> str:
    """`72 % (91 of 126; 64-79)`, or that it is unknown."""
    if accuracy is None:
        return "unknown"
    low, high = accuracy.interval
    share = float(accuracy.share)
    return f"{100 * share:.0f} % ({accuracy.right} of {accuracy.asked}; {100 * low:.0f}\u2013{100 * high:.0f})"


def cost_text(one: CostPerRight) -> str:
    """The cost with its interval, or why there is none."""
    if one.usd is None and one.low is not None:
        return f"{one.why}; at least {numbers.dollars(one.low)}"
    if one.usd is None:
        return f"unknown: {one.why}"
    return f"{numbers.dollars(one.usd)} ({numbers.dollars(one.low)} to {numbers.dollars(one.high)})"


def _chosen_run() -> AnsweredRun | None:
    """The run whose answers count; None if there is none yet."""
    current = settings()
    found = runs(current.data, current.rag.generator)
    if not found:
        return None
    titles = [run.title for run in found]
    title = st.selectbox(
        "Right answers as counted in", titles, key=_RUN, format_func=plain, help="The newest run is on top."
    )
    return next((run for run in found if run.title == title), found[0])


def _accuracies(inputs: Inputs, run: AnsweredRun | None) -> dict[str, Accuracy]:
    """Those of the run, with what was typed in their place."""
    typed: dict[str, tuple[int, int]] = st.session_state.setdefault(_TYPED, {})
    in_force = dict(run.accuracies) if run else {}
    for approach, (right, asked) in typed.items():
        in_force[approach] = Accuracy(right, asked, "your assumption")
    with st.container(horizontal=True):
        for profile in inputs.profiles:
            with st.container(border=True, width=198):
                _accuracy(profile.approach, line_label(profile.approach, inputs), in_force.get(profile.approach))
    st.button("Reset to the counts", key="reset_accuracies", on_click=typed.clear, disabled=not typed, type="tertiary")
    return in_force


def _accuracy(approach: str, name: str, found: Accuracy | None) -> None:
    keys = [f"accuracy:{approach}:{part}" for part in ("right", "asked")]
    look = spec_of(approach)
    st.markdown(f":{look.colour}[{look.icon} **{escaped(name)}**]")
    st.session_state[keys[0]] = found.right if found else None
    st.session_state[keys[1]] = found.asked if found else None
    for key, what in zip(keys, ("right answers", "of questions"), strict=True):
        st.number_input(
            what,
            min_value=0 if what == "right answers" else 1,
            max_value=10**6,
            value=None,
            step=1,
            key=key,
            placeholder="unknown",
            on_change=_typed,
            args=(approach, keys),
        )
    if found is None:
        st.caption("unknown: not counted")
    else:
        st.caption(escaped(f"{found.origin}{': ' if found.note else ''}{found.note}"))


def _typed(approach: str, keys: list[str]) -> None:
    right, asked = (st.session_state[key] for key in keys)
    typed: dict[str, tuple[int, int]] = st.session_state.setdefault(_TYPED, {})
    if right is None and asked is None:
        typed.pop(approach, None)
    else:
        asked = asked or max(100, right or 0)
        typed[approach] = (min(right or 0, asked), asked)
