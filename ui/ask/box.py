"""The question box: type or click a sample, choose who takes part, ask, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import backends
from backends.base import Backend
from backends.errors import BackendError
from backends.fine_tuned.train import job as training_job
from backends.fine_tuned.train.events import StepRecord
from backends.fine_tuned.train.lock import holder
from backends.fine_tuned.train.runs import Run, find_run, history
from backends.registry import spec_of
from backends.run.ask import prepare_question
from backends.run.jobs import Job, JobState
from backends.settings import Settings
from backends.spend import budget
from backends.spend.ledger import ExpectedCost
from evaluation.durations import duration
from ui.costs.ledger_fault import unrecorded_once
from ui.resources import ask, live, settings
from ui.shared import numbers
from ui.shared.approaches import option_of
from ui.shared.numbers import job_left_s, run_left_s
from ui.shared.text import escaped

_WIDTH = 292  # pixels: four beside each other at 1440, two at 800
_NAME = 20  # characters of a name that always have room beside an amount; it stands below a longer one
_UNTYPED = "type a question"


def expected_costs(approaches: Sequence[str], text: str) -> dict[str, ExpectedCost | None]:
    """What `text` is expected to cost by approach; None as long as nothing is typed."""
    found = prepare_question(settings(), approaches, text).expected if text.strip() else {}
    return {approach: found.get(approach) for approach in approaches}


def show_expected(place: DeltaGenerator, costs: Mapping[str, ExpectedCost | None]) -> None:
    """One amount for each approach, with how far off such amounts were so far; the calculation on hover.

    It has its lines before anything is typed, so that what is below never moves; only a long reason for not knowing
    takes more. `place` holds one thing, which a later call replaces.
    """
    with place.container(gap=None):
        st.caption("Expected cost, before it is asked")
        with st.container(horizontal=True, gap="small"):
            for approach, one in costs.items():
                _cell(approach, one)


def _cell(approach: str, one: ExpectedCost | None) -> None:
    look, error = spec_of(approach), one.error if one else _UNTYPED
    amount = numbers.dollars(one.cost.usd) if one else numbers.UNKNOWN
    parts = " " if len(look.name) <= _NAME else "  \n"
    with st.container(width=_WIDTH, gap=None):
        st.markdown(
            f":{look.colour}[{look.icon}] {escaped(look.name)}:{parts}**{escaped(amount)}**",
            help=escaped(one.cost.basis) if one else None,
        )
        st.caption(escaped(error))


_REFRESH_S = 2.0


def training_notice(current: Settings) -> None:
    """Draw it while a training runs, in this process or in another one on the same data folder."""
    if (job := training_job.running()) is not None:
        st.fragment(_watch, run_every=_REFRESH_S)(job)
    elif _other_training(current) is not None:
        st.fragment(_watch_other_training, run_every=_REFRESH_S)(current)


def _watch(job: Job) -> None:
    if not job.state.running:
        st.rerun()
    st.caption(f":material/model_training: {escaped(notice(job.state, time.monotonic()))}")


def notice(state: JobState, now: float) -> str:
    """`Training doors: step 12 of 60, for 40 s so far, about 3 min left. Your question is ...`"""
    how_far = f"step {state.done} of {state.total}" if state.total else state.detail or "starting"
    spent = duration(now - state.started)
    left = job_left_s(state, now)
    still = "" if left is None else f", about {duration(left)} left"
    return f"{state.what}: {how_far}, for {spent} so far{still}. Your question is answered between its steps."


def _other_training(current: Settings) -> Run | None:
    trains = holder(current.data)
    try:
        return find_run(trains.run, current.data) if trains else None
    except BackendError:  # it ended in this very moment
        return None


def _watch_other_training(current: Settings) -> None:
    run = _other_training(current)
    if run is None:
        st.rerun()
    left_s = run_left_s(run, [one for one in history(run) if isinstance(one, StepRecord)])
    st.caption(f":material/model_training: {escaped(other_training_notice(run, left_s))}")


def other_training_notice(run: Run, left_s: float | None) -> str:
    """`Another program trains doors on this machine: step 12 of 60, about 3 min of work left. ...`"""
    still = "" if left_s is None else f", about {duration(left_s)} of work left"
    return (
        f"Another program trains {run.name} on this machine: step {run.step} of {run.steps}{still}. "
        "It takes no turns with your questions, so models on this machine answer more slowly until it ends."
    )


SAMPLES = (
    "What is the fixed price for repairing an Ember One outside the warranty?",
    "What restocking fee is charged today on an opened espresso machine that has no fault?",
    "Which firm operates the shuttle between the three sites?",
    "What is the capital of France?",
)
"""A fact of the handbook, one that its superseded version contradicts, one that it does not say, and one that
every model knows: together they show what each approach is good for."""


def _chosen(page: str, approaches: Sequence[str]) -> list[str]:
    return st.session_state.get(f"chosen:{page}") or list(approaches)


def _ask_typed(page: str, approaches: Sequence[str]) -> None:
    ask(page, _chosen(page, approaches), st.session_state[f"question:{page}"])


def _ask_sample(page: str, approaches: Sequence[str]) -> None:
    sample = st.session_state[f"sample:{page}"]
    st.session_state[f"sample:{page}"] = None
    st.session_state[f"question:{page}"] = sample
    ask(page, _chosen(page, approaches), sample)


def _stop(page: str) -> None:
    if running := live(page):
        running.stop()


def ask_box(page: str, approaches: Sequence[str], *, choose: bool = False) -> Callable[[], None]:
    """Draw the box. Asking happens in callbacks, so a click in mid-stream never asks twice.

    It is no form, so that what is typed is known when the box is left, and its expected cost shows before it is asked.
    Call what is returned once answers are there: it draws anew what they changed, which is what was spent today and
    what the question is expected to cost, and says if they were not recorded.
    """

    def draw_costs() -> None:
        _draw_spent(spent, page, approaches)
        show_expected(before, expected_costs(_chosen(page, approaches), typed or ""))
        unrecorded_once(settings())

    training_notice(settings())
    with st.container(border=True):
        typed = st.text_area(
            "Your question", height=80, key=f"question:{page}", placeholder="Ask something, or click a sample below."
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Ask",
                key=f"ask:{page}",
                type="primary",
                icon=":material/send:",
                on_click=_ask_typed,
                args=(page, approaches),
                shortcut="Ctrl+Enter",
            )
            if choose:
                _who_takes_part(page, approaches)
            spent = st.empty()
        first = expected_costs(_chosen(page, approaches), typed or "")  # nothing is empty while this is computed
        before = st.empty()
        show_expected(before, first)
    _samples(page, approaches)
    _draw_spent(spent, page, approaches)
    return draw_costs


def _draw_spent(place: DeltaGenerator, page: str, approaches: Sequence[str]) -> None:
    current = settings()
    with place:
        spent_today(current, [backends.make(approach, current) for approach in _chosen(page, approaches)])


def spent_today(current: Settings, asked: Sequence[Backend]) -> None:
    """What was spent today, in one line, if somebody may charge for an answer of these; nothing otherwise."""
    if any(backend.may_be_charged for backend in asked):
        st.caption(escaped(budget.today_in_words(current.data, current.budget)), width="content")


def _samples(page: str, approaches: Sequence[str]) -> None:
    st.pills(
        "Or click a sample question",
        SAMPLES,
        key=f"sample:{page}",
        on_change=_ask_sample,
        args=(page, approaches),
        wrap=True,
    )


def _who_takes_part(page: str, approaches: Sequence[str]) -> None:
    st.pills(
        "Who takes part",
        approaches,
        selection_mode="multi",
        default=list(approaches),
        format_func=lambda approach: option_of(approach),
        key=f"chosen:{page}",
        label_visibility="collapsed",
        wrap=True,
    )


def stop_button(page: str) -> DeltaGenerator:
    """A stop button while the page's comparison runs; call `.empty()` on what is returned once it is done."""
    place = st.empty()
    running = live(page)
    if running and not running.done:
        place.button("Stop", key=f"stop:{page}", icon=":material/stop_circle:", on_click=_stop, args=(page,))
    return place
