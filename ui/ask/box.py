"""The question box: type or click a sample, choose who takes part, ask, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

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
from backends.spend.ledger import PAST_ERROR, ExpectedCost
from evaluation.durations import duration
from evaluation.suggestions import suggestions
from ui.ask.bar import fold
from ui.costs.ledger_fault import unrecorded_once
from ui.resources import ask, settings
from ui.shared import numbers
from ui.shared.approaches import option_of
from ui.shared.numbers import job_left_s, run_left_s
from ui.shared.tables import literal_table
from ui.shared.text import escaped


def expected_costs(approaches: Sequence[str], text: str) -> dict[str, ExpectedCost | None]:
    """What `text` is expected to cost by approach; None as long as nothing is typed."""
    found = prepare_question(settings(), approaches, text).expected if text.strip() else {}
    return {approach: found.get(approach) for approach in approaches}


def show_expected(place: DeltaGenerator, costs: Mapping[str, ExpectedCost | None]) -> None:
    """One line: an amount for each approach, with a word on how right such amounts were so far; the rest on demand.

    The line is there before anything is typed. `place` holds one thing, which a later call replaces.
    """
    with place.container(horizontal=True, vertical_alignment="center", gap="small"):
        if not all(costs.values()):
            st.caption("Expected cost: type a question.", width="content")
            return
        known = {approach: one for approach, one in costs.items() if one}
        amounts = " \u00b7 ".join(_amounts(known))
        st.caption(f"Expected cost: {amounts}", width="content")
        with st.popover("How it is computed", type="tertiary"):
            literal_table([_computed(*item) for item in known.items()])
            words = ", ".join(f"{word} ({meaning})" for word, meaning in PAST_ERROR.items())
            st.caption(escaped(f"How far off past estimates were: {words}."))
            st.caption(
                "These are of this one question: *longest answer* is what it comes to at the answer length that is "
                "allowed, until this model has answered here; *mean answer* and *mean time* go by its past answers. "
                "Costs reckons with the mean answer of a whole month, and shows as an assumption what nobody measured."
            )


def _amounts(known: Mapping[str, ExpectedCost]) -> Iterator[str]:
    """`Raw model $0.0000254, RAG $0.000031 (mean time, close)`, `Paid API $0.0002 (longest answer, untested)`

    What is the same of several stands behind them once, so that all is one line.
    """
    groups: dict[str, list[str]] = {}
    for approach, one in known.items():
        word = "" if one.cost.usd is None else f" ({escaped(one.goes_by)}, {escaped(one.past_error)})"
        amount = "unknown" if one.cost.usd is None else numbers.dollars(one.cost.usd)
        groups.setdefault(word, []).append(f"{escaped(spec_of(approach).name)} **{escaped(amount)}**")
    yield from (", ".join(amounts) + word for word, amounts in groups.items())


def _computed(approach: str, one: ExpectedCost) -> dict[str, str]:
    return {
        "Approach": spec_of(approach).name,
        "Expected": numbers.dollars(one.cost.usd),
        "How": one.cost.basis,
        "Past error": one.error,
    }


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


def chosen(page: str, approaches: Sequence[str]) -> list[str]:
    """Who takes part on `page`."""
    chosen = st.session_state.get(f"chosen:{page}") or _chosen_before(page, approaches)
    return [one for one in approaches if one in chosen]  # in their order, however they were switched off and on


def _chosen_before(page: str, approaches: Sequence[str]) -> list[str]:
    """Who took part before the page was loaded again; everybody where that is not known."""
    before = st.session_state.get(f"kept_choice:{page}", ())
    return [one for one in approaches if one in before] or list(approaches)


def _ask_typed(page: str, approaches: Sequence[str]) -> None:
    """Ask what is in the box; nothing is asked where it is empty, and the answers so far stay."""
    text = st.session_state[f"question:{page}"]
    if text.strip():
        ask(page, chosen(page, approaches), text)
        fold(page)
    else:
        st.session_state[f"empty:{page}"] = True


def _keep_typed(page: str) -> None:
    """Remember what is in the box and was not asked, by page, for a reload (`ui.kept`)."""
    st.session_state.setdefault("typed_questions", {})[page] = st.session_state[f"question:{page}"]


def _sample_key(page: str) -> str:
    """The key of the samples, another one after each that was taken.

    The browser holds what was chosen until the run of the page is over, and would choose it again on *Edit* before.
    """
    taken = st.session_state.get(f"samples_taken:{page}", 0)
    return f"sample:{page}:{taken}" if taken else f"sample:{page}"


def _ask_sample(page: str, approaches: Sequence[str]) -> None:
    sample = st.session_state[_sample_key(page)]
    st.session_state[f"samples_taken:{page}"] = st.session_state.get(f"samples_taken:{page}", 0) + 1
    st.session_state[f"question:{page}"] = sample
    ask(page, chosen(page, approaches), sample)
    fold(page)


def ask_box(page: str, approaches: Sequence[str], *, choose: bool = False) -> Callable[[], None]:
    """Draw the box. Asking happens in callbacks, so a click in mid-stream never asks twice.

    It is no form, so that what is typed is known when the box is left, and its expected cost shows before it is asked.
    Call what is returned once answers are there: it draws anew what they changed, which is what was spent today and
    what the question is expected to cost, and says if they were not recorded.
    """

    def draw_costs() -> None:
        draw_spent(spent, page, approaches)
        show_expected(before, expected_costs(chosen(page, approaches), typed or ""))
        unrecorded_once(settings())

    training_notice(settings())
    with st.container(border=True):
        typed = st.text_area(
            "Your question",
            height=80,
            key=f"question:{page}",
            placeholder="Ask something, or click a sample below.",
            on_change=_keep_typed,
            args=(page,),
            persist_state="session",
        )
        if st.session_state.pop(f"empty:{page}", False):
            st.warning("The question is empty. Type a question first.", icon=":material/edit:")
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
        first = expected_costs(chosen(page, approaches), typed or "")  # nothing is empty while this is computed
        before = st.empty()
        show_expected(before, first)
    _samples(page, approaches)
    draw_spent(spent, page, approaches)
    return draw_costs


def draw_spent(place: DeltaGenerator, page: str, approaches: Sequence[str]) -> None:
    """Draw in `place` what was spent today, where somebody may charge for those who are chosen."""
    current = settings()
    with place:
        spent_today(current, [backends.make(approach, current) for approach in chosen(page, approaches)])


def spent_today(current: Settings, asked: Sequence[Backend]) -> None:
    """What was spent today, in one line, if somebody may charge for an answer of these; nothing otherwise."""
    if any(backend.may_be_charged for backend in asked):
        st.caption(escaped(budget.today_in_words(current, current.budget)), width="content")


def _samples(page: str, approaches: Sequence[str]) -> None:
    """What is worth asking with the collection and the adapter in force, each with what it is for."""
    found = {one.question: one for one in suggestions(settings())}
    if not found:
        return
    drafted = any(one.drafted for one in found.values())
    st.pills(
        "Or click a question drafted from your documents" if drafted else "Or click a sample question",
        list(found),
        format_func=lambda question: f"**{escaped(found[question].name)}:** {escaped(question)}",
        key=_sample_key(page),
        on_change=_ask_sample,
        args=(page, approaches),
        wrap=True,
    )


def _who_takes_part(page: str, approaches: Sequence[str]) -> None:
    st.pills(
        "Who takes part",
        approaches,
        selection_mode="multi",
        default=_chosen_before(page, approaches),
        format_func=lambda approach: option_of(approach),
        key=f"chosen:{page}",
        label_visibility="collapsed",
        wrap=True,
        persist_state="session",
    )
