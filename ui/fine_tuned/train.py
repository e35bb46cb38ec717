"""The section Train: choose how, see what it takes, start, watch it learn, and take what came of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal

import streamlit as st

from backends.errors import BackendError
from backends.fine_tuned.adapters.card import Reading, is_reader, read_card
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.train import job
from backends.fine_tuned.train import job as training_job
from backends.fine_tuned.train.estimate import Estimate, estimate
from backends.fine_tuned.train.events import LiveAnswers, StepRecord, Trained, TrainingResult
from backends.fine_tuned.train.loop import step_count
from backends.fine_tuned.train.method import TrainingSettings, check
from backends.fine_tuned.train.runs import Run, discard, history, runs
from backends.fine_tuned.train.training import MOST_PAIRS, new_run, sample_pairs
from backends.run import jobs
from backends.run.jobs import Job
from backends.settings import Settings
from evaluation.durations import duration
from ui.fine_tuned import chosen_pairs
from ui.fine_tuned.adapter_detail import use_button
from ui.fine_tuned.adapter_table import card_rows
from ui.fine_tuned.pair_tables import split_words
from ui.fine_tuned.reading import reading_examples
from ui.fine_tuned.split_choice import explained, split_boxes, split_in_force
from ui.fine_tuned.training_form import OVER_EVERYTHING, training_form
from ui.fine_tuned.training_view import EXPECTED, draw_progress, no_losses_yet, watch, with_past
from ui.shared import numbers
from ui.shared.errors import keep_fault, show_kept_fault
from ui.shared.file_table import size
from ui.shared.jobs import hidden, hide_button, job_view, show_again
from ui.shared.numbers import run_left_s
from ui.shared.sections import open_section, section_button
from ui.shared.tables import literal_table
from ui.shared.text import escaped

UNFINISHED = ("stopped", "interrupted", "failed")

_BADGES = {
    "stopped": ":orange-badge[:material/stop_circle: stopped]",
    "interrupted": ":red-badge[:material/power_off: interrupted]",
    "failed": ":red-badge[:material/error: failed]",
}
_SHOWN = 5


def show_unfinished(current: Settings, found: list[Run], busy: bool) -> None:
    """Draw them, newest first."""
    left = [run for run in found if run.state in UNFINISHED]
    if not left:
        return
    with st.container(border=True):
        st.markdown("## :material/history: Unfinished trainings")
        for run in left[:_SHOWN]:
            _run(current, run, busy)
        if len(left) > _SHOWN:
            st.caption(f"and {len(left) - _SHOWN} more")


def _run(current: Settings, run: Run, busy: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            st.markdown(
                f"**{escaped(run.name)}** {_BADGES[run.state]} at step {run.step} of {run.steps} \u00b7 "
                f"{run.pairs:,} pairs \u00b7 {run.created:%-d %b %Y, %H:%M} UTC"
            )
            if run.reason:
                st.caption(escaped(run.reason))
        st.button(
            "Resume",
            key=f"resume:{run.id}",
            icon=":material/play_arrow:",
            on_click=_resume,
            args=(current, run),
            disabled=busy or not run.resumable,
            help=None if run.resumable else "It would fail again in the same way. Start a new one.",
        )
        with st.popover("Discard", icon=":material/delete:"):
            st.markdown("Its pairs, log and state are removed. An adapter that came of it stays.")
            st.button(
                "Discard for good", key=f"discard:{run.id}", type="primary", on_click=_discard, args=(current, run)
            )


def _resume(current: Settings, run: Run) -> None:
    try:
        job.start(current, run)
    except BackendError as fault:
        keep_fault(fault)


def _discard(current: Settings, run: Run) -> None:
    try:
        discard(run.id, current.data)
    except BackendError as fault:
        keep_fault(fault)


_ASKED = "estimate_asked"


def estimate_key(current: Settings) -> str:
    """The key of the job that measures; there is one at a time."""
    return f"estimate {current.data.resolve()}"


def estimate_button(current: Settings, pairs: Sequence[Pair], training: TrainingSettings, busy: bool) -> None:
    """Draw the button."""
    job = jobs.find(estimate_key(current))
    st.button(
        "Estimate",
        key="estimate",
        icon=":material/timer:",
        on_click=_start_estimate,
        args=(current, tuple(pairs), training),
        disabled=busy or not pairs or (job is not None and job.state.running),
        help="Measures a few steps on this machine, which takes some seconds.",
    )


def _start_estimate(current: Settings, pairs: Sequence[Pair], training: TrainingSettings) -> None:
    try:
        check(training)
        jobs.start(estimate_key(current), "Estimating", lambda cancel: estimate(current, pairs, training, cancel))
    except BackendError as fault:
        keep_fault(fault)
    else:
        st.session_state[_ASKED] = (tuple(pairs), training)


def show_estimate(current: Settings, pairs: Sequence[Pair], training: TrainingSettings) -> None:
    """Draw what this session asked for: its progress, or what came of it."""
    job = jobs.find(estimate_key(current))
    if job is not None and job.state.running:  # also after the page was loaded again
        st.session_state.setdefault(_ASKED, ())
    asked: Hashable | None = st.session_state.get(_ASKED)
    if job is None or asked is None:
        return
    found = [result for result in job.state.results if isinstance(result, Estimate)]
    if not found:
        job_view(job, "estimate", cancelled="Nothing was measured.")
        return
    for sentence in estimate_sentences(found[-1]):
        st.markdown(escaped(sentence))
    if found[-1].note:
        st.warning(escaped(found[-1].note), icon=":material/warning:")
    if asked != (tuple(pairs), training):
        st.caption(":material/history: Pairs or settings have changed since this was measured.")


def estimate_sentences(one: Estimate) -> list[str]:
    """Time, memory and cost in words."""
    cost = f"Cost {numbers.dollars(one.cost_usd)}: {one.cost_basis}."
    reason = f" ({one.precision_reason})" if one.precision_reason else ""
    return [
        f"About {duration(one.seconds)} for {one.steps:,} steps, {numbers.rate(one.tokens_per_s)} in "
        f"{one.precision}{reason}. Memory {size(one.peak_bytes)} on top of the base, of {size(one.free_bytes)} free.",
        cost if one.cost_usd is not None else f"Cost unknown: {one.cost_basis}.",
    ]


Kind = Literal["facts", "reading"]
_KINDS: dict[Kind, str] = {"facts": "The answers, as facts", "reading": "Reading what RAG finds"}
_SAMPLE = "train_sample"
_REFRESH_S = 3.0


def draw(current: Settings) -> None:
    """Draw the section."""
    show_kept_fault()
    job = jobs.find(training_job.KEY)
    found = runs(current.data)
    other_run = next((run for run in found if run.state == "running"), None) if training_job.running() is None else None
    if job is not None and job.state.running:
        watch(job, _past(job, found))
    elif job is not None and not hidden(job, "training"):
        _ended(job, current, _past(job, found))
    if other_run is not None:
        st.fragment(_other_process, run_every=_REFRESH_S)(current, other_run.id)
    busy = other_run is not None or (job is not None and job.state.running)
    _prepare(current, busy, found)
    show_unfinished(current, found, busy)


def _other_process(current: Settings, id: str) -> None:
    """A training of another process on the same data folder, as it writes down how far it is."""
    run = next((run for run in runs(current.data) if run.id == id and run.state == "running"), None)
    if run is None:
        st.rerun()
    past = history(run)
    left = run_left_s(run, [one for one in past if isinstance(one, StepRecord)])
    still = "" if left is None else f", about {duration(left)} of work left"
    st.info(
        f"**{escaped(run.name)}** is being trained by another program on this data folder: step {run.step} of "
        f"{run.steps}{still}. One training at a time.",
        icon=":material/model_training:",
    )
    draw_progress(past, run.steps)


def _prepare(current: Settings, busy: bool, past: Sequence[Run]) -> None:
    now = chosen_pairs.chosen()
    report = chosen_pairs.report(now, current) if now else None
    if now is None or report is None or not report.pairs:
        _no_pairs()
        return
    count = "1 pair" if len(report.pairs) == 1 else f"{len(report.pairs):,} pairs"
    title = f":material/model_training: Train on {count}: {escaped(now.source[:120])}"
    with st.expander("Prepare the next one") if busy else st.container(border=True):
        st.markdown(f"## {title}")
        reads = _kind() == "reading"
        pairs = _sampled(report.pairs, split_in_force(current).seed)
        made_from: Reading | None = None
        if reads:
            if (examples := reading_examples(current, pairs)) is None:
                return
            pairs, made_from = examples.pairs, examples.made_from
        else:
            _held_out(current, pairs)
        name, training = training_form(current, now.source, len(pairs), reads)
        expected = _expected(current, pairs, training, past)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Start training",
                key="start_training",
                type="primary",
                icon=":material/play_arrow:",
                on_click=_start,
                args=(current, pairs, name, training, now.source, made_from, expected),
                disabled=busy or not name,
            )
            estimate_button(current, pairs, training, busy)
            st.caption(
                "One training at a time. Questions asked meanwhile are answered between its steps.", width="content"
            )
        st.caption(
            f":material/schedule: {escaped(expected[:1].upper() + expected[1:])}."
            if expected
            else ":material/schedule: How long it takes is not known: no training like it has run here. *Estimate* "
            "measures it in some seconds."
        )
        show_estimate(current, pairs, training)


def _expected(current: Settings, pairs: Sequence[Pair], training: TrainingSettings, past: Sequence[Run]) -> str:
    """How long a training takes and what that is taken from; "" if nothing is known.

    From what *Estimate* measured for it, or from the steps of the last finished training of the same base, method and
    batch.
    """
    job = jobs.find(estimate_key(current))
    if job is not None and st.session_state.get(_ASKED) == (tuple(pairs), training):
        measured = [one for one in job.state.results if isinstance(one, Estimate)]
        if measured:
            return f"about {duration(measured[-1].seconds)} in all, by the estimate"
    parts = chosen_pairs.split_of(tuple(pairs), training.held_out_share, training.split_by, training.seed)
    steps = step_count(training, len(parts.train), len(parts.held_out))
    for run in past:
        same = (run.base_model, run.settings.method, run.settings.batch)
        if run.state == "finished" and same == (current.raw.model, training.method, training.batch):
            records = [one for one in history(run) if isinstance(one, StepRecord)]
            if records:
                pace = sum(one.seconds for one in records) / len(records)
                return f"about {duration(pace * steps)} for {steps:,} steps, at the pace of the training {run.name}"
    return ""


def _held_out(current: Settings, pairs: Sequence[Pair]) -> None:
    """What is kept out of the training, what that tells, and whether it is learned in the end."""
    chosen = split_in_force(current)
    split = chosen_pairs.split_of(tuple(pairs), chosen.share, chosen.by, chosen.seed)
    st.markdown(split_words(split))
    st.caption(explained(chosen))
    with st.expander("Hold out something else, or learn it too in the end", icon=":material/lock:"):
        split_boxes(current)
        st.toggle(
            "Last pass over everything",
            key=OVER_EVERYTHING,
            persist_state="session",
            help="At the end, the state that is kept goes once more over all pairs, the held-out ones too. What was "
            "measured of these before no longer tests the adapter; its card says so.",
        )


def _kind() -> Kind:
    """Draw what is taught; returns it."""
    kind = st.segmented_control(
        "What is taught",
        list(_KINDS),
        default="facts",
        format_func=_KINDS.__getitem__,
        required=True,
        key="train_kind",
        persist_state="session",
    )
    return kind or "facts"


def _no_pairs() -> None:
    with st.container(border=True):
        st.markdown("## :material/model_training: Nothing to train on yet")
        st.markdown("Choose pairs first: the sample, a file of yours, or drafts from your documents.")
        with st.container(horizontal=True):
            section_button("Choose pairs", "Pairs", key="to_pairs", icon=":material/dataset:")
            st.button(
                "Take the sample pairs",
                key="sample_pairs",
                icon=":material/auto_stories:",
                on_click=chosen_pairs.load_sample,
            )


def _sampled(pairs: tuple[Pair, ...], seed: int) -> Sequence[Pair]:
    if len(pairs) <= MOST_PAIRS:
        return pairs
    st.warning(
        f"{len(pairs):,} pairs are more than the {MOST_PAIRS:,} that can be trained on. Whole groups are drawn.",
        icon=":material/warning:",
    )
    size = st.number_input(
        "Pairs in the sample",
        2,
        MOST_PAIRS,
        min(2_000, MOST_PAIRS),
        100,
        key=_SAMPLE,
        width=200,
        persist_state="session",
    )
    return tuple(sample_pairs(pairs, int(size), seed))


def _start(
    current: Settings,
    pairs: Sequence[Pair],
    name: str,
    training: TrainingSettings,
    source: str,
    made_from: Reading | None,
    expected: str,
) -> None:
    run: Run | None = None
    try:
        run = new_run(current, pairs, name, training, source, reading=made_from)
        training_job.start(current, run)
    except BackendError as fault:
        keep_fault(fault)
        if run is not None:
            discard(run.id, current.data)
    else:
        st.session_state.setdefault(EXPECTED, {})[run.id] = expected
        show_again("training")


def _past(job: Job, found: Sequence[Run]) -> Sequence[TrainingResult]:
    """The log of the training that a job carries out, which may have begun in an earlier one."""
    run = next((run for run in found if run.id == training_job.run_id(job)), None)
    return history(run) if run is not None else ()


def _ended(job: Job, current: Settings, past: Sequence[TrainingResult]) -> None:
    """What came of it."""
    state = job.state
    made = next((one for one in reversed(state.results) if isinstance(one, Trained)), None)
    with st.container(border=True):
        if state.fault is not None:
            st.error(escaped(f"{state.what}: {state.fault}"), icon=":material/error:")
        elif made is not None:
            st.success(escaped(f"{made.name}: {made.reason}"), icon=":material/check_circle:")
        else:
            st.warning(escaped(f"{state.what}: stopped before the first step."), icon=":material/stop_circle:")
        with st.container(horizontal=True):
            if made is not None:
                reads = _reads(made)
                use_button(current, made.name, "use_trained", reads=reads)
                st.button(
                    "Compare it" if reads else "See the proof",
                    key="to_proof",
                    icon=":material/fact_check:",
                    on_click=_to_proof,
                    args=(made.name, reads),
                )
            hide_button(job, "training")
        if made is not None:
            _card(made)
        shown = with_past(past, state.results)
        if any(isinstance(one, StepRecord | LiveAnswers) for one in shown):
            draw_progress(shown, state.total, no_losses_yet(state))


def _card(made: Trained) -> None:
    try:
        rows = dict(card_rows(read_card(made.folder)))
    except BackendError:
        return  # it was deleted or replaced since
    shown = ("Taught", "Data", "Steps", "Held-out loss", "Last pass", "Training loss at the end", "Trained for", "Cost")
    literal_table({name: rows[name] for name in shown if name in rows})


def _reads(made: Trained) -> bool:
    try:
        return is_reader(read_card(made.folder))
    except BackendError:
        return False  # it was deleted or replaced since


def _to_proof(name: str, reads: bool) -> None:
    st.session_state["attribution_adapter" if reads else "proof_adapter"] = name
    open_section("Attribution" if reads else "Proof")
