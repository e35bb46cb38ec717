"""A training, as it goes on and after it ended: progress, losses, the same few questions at each look, notes."""

from __future__ import annotations

import difflib
import itertools
import re
import time
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from backends.fine_tuned.pairs.near_identical import normalised
from backends.fine_tuned.train import job as job_of_training
from backends.fine_tuned.train.events import LiveAnswer, LiveAnswers, StepRecord, TrainingNote, TrainingResult
from backends.run.jobs import Job, JobState
from evaluation.durations import duration
from ui.shared import numbers
from ui.shared.charts import ink
from ui.shared.jobs import share
from ui.shared.numbers import job_left_s
from ui.shared.text import escaped

LEGEND = ":green-background[as in the wanted answer] \u00b7 **new since the round before**"

_INSIDE = re.compile(r"\w(?:.*\w)?", re.DOTALL)
_MOST_WORDS = 200
"""Words that are compared: the work grows with the third power of their number."""


def is_wanted_answer(answer: str, reference: str) -> bool:
    """Whether an answer is the wanted one, but for case, white space and marks at its ends."""
    return normalised(answer) == normalised(reference)


def with_changes_marked(text: str, reference: str, previous: str | None) -> str:
    """`text` as Markdown: words that stand in `reference`, in its order, on green; words not in `previous` in bold.

    `previous` is None for the first round, in which nothing is new.
    """
    words = text.split()
    if not words:
        return "*nothing*"
    wanted = _matching(words, reference.split())
    kept = set(range(len(words))) if previous is None else _matching(words, previous.split())
    parts = []
    for (green, old), run in itertools.groupby(range(len(words)), key=lambda at: (at in wanted, at in kept)):
        part = escaped(" ".join(words[at] for at in run))
        part = part if old else f"**{part}**"
        parts.append(f":green-background[{part}]" if green else part)
    if max(len(words), len(reference.split()), len((previous or "").split())) > _MOST_WORDS:
        parts.append(f"*(only the first {_MOST_WORDS} words are compared)*")
    return " ".join(parts)


def _matching(words: Sequence[str], others: Sequence[str]) -> set[int]:
    """Positions of `words` that are also in `others`, in the same order."""
    one, other = ([_plain(word) for word in some[:_MOST_WORDS]] for some in (words, others))
    matcher = difflib.SequenceMatcher(None, one, other, False)
    return {block.a + offset for block in matcher.get_matching_blocks() for offset in range(block.size)}


def _plain(word: str) -> str:
    inside = _INSIDE.search(word)
    return inside[0].casefold() if inside else word


HEIGHT = 340  # pixels
TRAINING, HELD_OUT = "training pairs", "held-out pairs"

_COLOURS = {TRAINING: "#8fa3c7", HELD_OUT: "#c2700a"}


def lowest_step(records: Sequence[StepRecord]) -> StepRecord | None:
    """The step with the lowest held-out loss, the first of equals; None where nothing was held out."""
    measured = [record for record in records if record.held_out_loss is not None]
    return min(measured, key=lambda record: record.held_out_loss or 0.0, default=None)


def loss_rows(records: Sequence[StepRecord]) -> pd.DataFrame:
    """One row per measured loss; `label` stands at the lowest held-out one only."""
    lowest = lowest_step(records)
    rows = [(record.step, TRAINING, record.loss, "") for record in records]
    rows += [
        (record.step, HELD_OUT, record.held_out_loss, _label(record) if record is lowest else "")
        for record in records
        if record.held_out_loss is not None
    ]
    return pd.DataFrame(rows, columns=["step", "of", "loss", "label"]).astype(
        {"step": "int64", "of": "str", "loss": "float64", "label": "str"}
    )


def _label(record: StepRecord) -> str:
    return f"\u2605 lowest: step {record.step}, {record.held_out_loss:.3g}"


def loss_spec(steps: int, ink: str) -> dict[str, Any]:
    """The chart without its data, which the browser then updates in place; `ink` is the colour of text.

    `steps` in all, so that the axis does not move while the training goes on.
    """
    line = alt.Chart().encode(
        x=alt.X(
            "step:Q",
            title="step",
            scale=alt.Scale(domain=[0, max(steps, 1)], nice=False),
            axis=alt.Axis(tickCount=10, tickMinStep=1),
        ),
        y=alt.Y("loss:Q", title="loss (nats per answer token)", scale=alt.Scale(zero=True)),
        color=alt.Color(
            "of:N",
            scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())),
            legend=alt.Legend(orient="top", title=None),
        ),
        tooltip=[alt.Tooltip("of:N", title="of"), "step:Q", alt.Tooltip("loss:Q", format=".3g")],
    )
    held_out = f"datum.of == '{HELD_OUT}'"
    marked = line.transform_filter("datum.label != ''")
    chart = alt.layer(
        line.mark_line(strokeWidth=2),
        line.transform_filter(held_out).mark_point(filled=True, size=60, opacity=1),
        marked.mark_rule(strokeDash=[4, 4], opacity=0.7).encode(y=alt.Y()),
        marked.mark_text(align="left", dx=8, dy=-12, fontSize=13).encode(text="label:N", color=alt.value(ink)),
    )
    spec: dict[str, Any] = chart.properties(height=HEIGHT).to_dict(validate=False)
    spec.pop("datasets", None)  # Altair's stand-in for no data, which would take the place of ours
    for layer in spec["layer"]:
        layer.pop("data", None)
    return spec


_REFRESH_S, _PICTURES_S = 1.0, 3.0
_RECENT = 10
"""Steps over which the speed is shown: one alone jumps with the length of its pairs."""

_QUESTIONS, _ANSWERS_WIDTH, _ANSWERS_HEIGHT = 3, 300, 330
_NOTES_SHOWN = 8


EXPECTED = "training_expected"
"""The session's key of what was said of a training's time before its start, by the id of the run."""

_FIRST_STEPS = 2


def watch(job: Job, past: Sequence[TrainingResult]) -> None:
    """Draw a training that runs; bar, chart and answers keep moving, and the page is drawn again at its end.

    `past`: what its log says, of the time before it was resumed.
    """
    with st.container(border=True):
        st.fragment(_how_far, run_every=_REFRESH_S)(job)
        st.fragment(_what_it_learned, run_every=_PICTURES_S)(job, past)


def _how_far(job: Job) -> None:
    state = job.state
    if not state.running:
        st.rerun()
    st.progress(share(state), f"**{escaped(state.what)}**")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        expected = st.session_state.get(EXPECTED, {}).get(job_of_training.run_id(job), "")
        st.caption(escaped(status_line(state, time.monotonic(), expected)), width="content")
        st.button(
            "Stopping" if state.cancelled else "Stop",
            key="stop_training",
            icon=":material/stop_circle:",
            on_click=job.cancel,
            disabled=state.cancelled,
            help="What was learned so far is kept as an adapter, and the training can be resumed.",
        )


def _what_it_learned(job: Job, past: Sequence[TrainingResult]) -> None:
    state = job.state
    draw_progress(with_past(past, state.results), state.total, no_losses_yet(state))


def no_losses_yet(state: JobState) -> str:
    """What stands in place of the losses before the first step: what is being done, or that there will be none."""
    if state.fault is not None:
        return "There are no losses: it ended before the first step."
    if not state.running or state.cancelled:
        return f"There are no losses: it {'is being' if state.running else 'was'} stopped before the first step."
    doing = state.detail or "starting"
    return f"Now: {doing}. {_LOSSES_LATER}"


def with_past(past: Sequence[TrainingResult], results: Sequence[object]) -> list[object]:
    """What was said from the first step on: by the log until a job's own results begin, then by those."""
    kinds = (StepRecord, LiveAnswers, TrainingNote)
    first = min((one.step for one in results if isinstance(one, kinds)), default=None)
    earlier = [one for one in past if isinstance(one, kinds) and (first is None or one.step < first)]
    return [*earlier, *results]


_LOSSES_LATER = "The losses are drawn here from the first step on."


def draw_progress(results: Sequence[object], steps: int, without_losses: str = _LOSSES_LATER) -> None:
    """Draw losses, answers and notes; the space for them is there before they are, with a sentence in it."""
    records = [one for one in results if isinstance(one, StepRecord)]
    with st.container(height=HEIGHT + 20, border=False):
        if records:
            st.vega_lite_chart(
                loss_rows(records), loss_spec(steps, ink()), alt="Loss by step, of training and held-out pairs"
            )
        else:
            st.caption(escaped(without_losses))
    rounds = [one for one in results if isinstance(one, LiveAnswers)]
    if rounds or not records:  # the base answers before the first step, or nobody ever does
        _answers(rounds)
    notes = [one for one in results if isinstance(one, TrainingNote)]
    for note in notes[-_NOTES_SHOWN:]:
        st.caption(f":material/info: step {note.step}: {escaped(note.sentence)}")


def _answers(rounds: Sequence[LiveAnswers]) -> None:
    if not rounds:
        st.markdown("**What it answers**: the same three questions, again and again")
        st.caption(LEGEND)
        with st.grid(_QUESTIONS, min_column_width=_ANSWERS_WIDTH):
            for _ in range(_QUESTIONS):
                st.container(border=True, height=_ANSWERS_HEIGHT)
        return
    held_out = "held-out questions, which are never trained on" if rounds[-1].held_out else "questions of the training"
    st.markdown(f"**What it answers**: {held_out}")
    st.caption(LEGEND)
    questions = rounds[0].answers
    with st.grid(len(questions), min_column_width=_ANSWERS_WIDTH):
        for at, question in enumerate(questions):
            with st.container(border=True, height=_ANSWERS_HEIGHT):
                st.markdown(f"**{escaped(question.question)}**")
                st.markdown(f":gray[:material/flag: wanted: {escaped(question.reference)}]")
                _rounds_of([(one.step, one.answers[at]) for one in rounds if at < len(one.answers)])


def _rounds_of(said: Sequence[tuple[int, LiveAnswer]]) -> None:
    """One question's answers, newest first; those that did not change are one line."""
    lines = []
    previous: str | None = None
    for step, answer in said:
        badge = " :green-badge[:material/check: as wanted]" if is_wanted_answer(answer.text, answer.reference) else ""
        when = "the base" if step == 0 else f"step {step}"
        if previous is not None and is_wanted_answer(answer.text, previous):
            lines.append(f":gray[{when}: as before]{badge}")
        else:
            lines.append(f":gray[{when}]{badge}  \n{with_changes_marked(answer.text, answer.reference, previous)}")
        previous = answer.text
    st.markdown("\n\n".join(reversed(lines)))


def status_line(state: JobState, now: float, expected: str = "") -> str:
    """Steps, speed, time so far and time left: `step 12 of 60 · 410 tokens/s · 24 s, about 2 min left`.

    Before the second step nothing is known of the pace: then `expected` stands there, what was said before the start,
    or that it is not known yet.
    """
    records = [one for one in state.results if isinstance(one, StepRecord)]
    spent = now - state.started
    words = f"step {state.done} of {state.total}" if state.total else ""
    doing = "" if state.detail.casefold() in (words, state.what.casefold()) else state.detail
    parts = [words, doing, speed(records), duration(spent)]
    left = job_left_s(state, now)
    text = " \u00b7 ".join(part for part in parts if part)
    if left is not None:
        return f"{text}, about {duration(left)} left"
    if not state.running or state.cancelled or len(records) >= _FIRST_STEPS:
        return text
    return f"{text}, {expected or 'time left not known before the second step'}"


def speed(records: Sequence[StepRecord]) -> str:
    """Tokens per second over the last steps, padding not counted; "" before the first."""
    recent = records[-_RECENT:]
    seconds = sum(record.seconds for record in recent)
    return numbers.rate(sum(record.tokens for record in recent) / seconds) if seconds else ""
