"""A new run: which questions, who answers, how often, what that is expected to cost and at most, and Start."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from backends.errors import BackendError
from backends.registry import approaches, make, spec_of
from backends.settings import JudgeSettings, Settings
from backends.storage.files import prepared
from evaluation.durations import duration
from evaluation.runs.background import start_work, works
from evaluation.runs.estimate import RunEstimate, estimate_run
from evaluation.runs.identity import new_run
from evaluation.runs.records import add_run
from evaluation.samples import Sample
from ui.evaluate.caps import choose_cap, first_cap, with_cap
from ui.evaluate.go_on import WATCHED
from ui.evaluate.judging import choose_judge
from ui.evaluate.page import RUNS, Evaluation, open_run
from ui.evaluate.questions import QUICK, choose_questions, quick_questions
from ui.shared import numbers
from ui.shared.approaches import option_of
from ui.shared.errors import keep_fault
from ui.shared.tables import literal_table
from ui.shared.text import escaped

FORM = "evaluate_new"
"""The state's key of the form: open or not."""

_ESTIMATE = "evaluate_estimate"


def introduce(page: Evaluation) -> None:
    """What a run is for, and the button that fills the page."""
    able = answerable(page.settings)
    with st.container(border=True):
        st.markdown("## :material/checklist: No run yet")
        st.markdown(
            "One question convinces nobody. A run puts a whole question set to the approaches that you choose, keeps "
            "every answer, and says who is right on how many questions, how sure that is, how fast and at what cost. "
            "It goes on in the background, can be stopped and resumed, and stays here to be looked at and compared."
        )
        names = ", ".join(escaped(spec_of(one).name) for one in able)
        st.button(
            f"Run {QUICK} sample questions",
            key="evaluate_quick",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start_quick,
            args=(page, able),
            disabled=not able,
        )
        st.caption(f"Asked are those that can answer here: {names}." if able else "Nobody can answer here yet.")


def answerable(current: Settings) -> list[str]:
    """The approaches that nothing keeps from answering, as far as that is known."""
    return [one for one in approaches(current) if not _hindrance(current, one)]


def _hindrance(current: Settings, approach: str) -> str:
    try:
        make(approach, current).check_answerable()
    except BackendError as fault:
        return str(fault)
    return ""


def new_run_form(page: Evaluation) -> None:
    """Draw the form: the questions, whose tables need the whole width, then what else is chosen at the left, and what
    that comes to at the right."""
    part = choose_questions(page)
    left, right = st.columns([3, 2], gap="large")
    with left:
        chosen = _approaches(page.settings)
        judge = choose_judge(page.settings, chosen)
    current = page.settings.model_copy(update={"judge": judge})
    with right:
        repeats, seed = _how_often(page.settings)
        throughput = _for_throughput()
        if part is None or not chosen:
            st.button("Start", key="evaluate_start", type="primary", icon=":material/play_arrow:", disabled=True)
            st.caption("Choose questions." if part is None else "Choose who answers.")
            return
        samples, name = part
        estimate = _estimate(current, samples, chosen, repeats, throughput)
        _show_estimate(estimate)
        cap = choose_cap(current, estimate, "evaluate_cap")
        st.button(
            "Start",
            key="evaluate_start",
            type="primary",
            icon=":material/play_arrow:",
            on_click=start,
            args=(page, samples, name, chosen, repeats, seed, cap, judge, throughput),
        )


def _approaches(current: Settings) -> list[str]:
    known = approaches(current)
    hindered = {one: why for one in known if (why := _hindrance(current, one))}
    chosen = st.pills(
        "Who answers",
        known,
        selection_mode="multi",
        default=[one for one in known if one not in hindered],
        format_func=option_of,
        key="evaluate_approaches",
        wrap=True,
        persist_state="session",
    )
    for one in known:
        if one in hindered:
            st.caption(f":material/pending: {escaped(spec_of(one).name)}: {escaped(hindered[one])}")
    return [one for one in known if one in chosen]


def _how_often(current: Settings) -> tuple[int, int]:
    with st.container(horizontal=True):
        repeats = st.number_input(
            "Times each is asked",
            1,
            100,
            1,
            key="evaluate_repeats",
            width=150,
            persist_state="session",
            help="More than once shows how much answers vary. With temperature 0 most models say the same again.",
        )
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            current.seed,
            key="evaluate_seed",
            width=150,
            persist_state="session",
            help="The first time; each further time has the next one.",
        )
    return int(repeats), int(seed)


def _for_throughput() -> bool:
    """Whether models of this machine answer many questions at once; else one after another, each timed."""
    fair, fast = "Fair timing", "Throughput"
    chosen = st.segmented_control(
        "Models of this machine",
        [fair, fast],
        default=fair,
        required=True,
        key="evaluate_timing",
        persist_state="session",
        help="Fair timing asks one question at a time, so that every answer has its own time. Throughput asks many at "
        "once: faster, and their latency is unknown.",
    )
    return chosen == fast


# --- what it comes to -----------------------------------------------------------------------------


def _estimate(
    current: Settings, samples: Sequence[Sample], chosen: Sequence[str], repeats: int, throughput: bool = False
) -> RunEstimate:
    """Worked out once for each choice, and anew after every run."""
    ended = sum(one.phase == "ended" for one in works())
    key = (current, tuple(samples), tuple(chosen), repeats, throughput, ended)
    held = st.session_state.get(_ESTIMATE)
    if held is None or held[0] != key:
        found = estimate_run(current, samples, dict.fromkeys(chosen, len(samples) * repeats), throughput)
        held = st.session_state[_ESTIMATE] = (key, found)
    estimate: RunEstimate = held[1]
    return estimate


def _show_estimate(estimate: RunEstimate) -> None:
    literal_table(
        [
            {
                "Approach": "Judge" if one is estimate.judge else spec_of(one.approach).name,
                "Answers": numbers.count(one.cells),
                "Expected cost": numbers.dollars(one.usd),
                "Time": numbers.UNKNOWN if one.seconds is None else duration(one.seconds),
            }
            for one in estimate.parts
        ]
    )
    took = "How long it takes is not known yet." if estimate.seconds is None else f"About {duration(estimate.seconds)}."
    st.caption(f"Expected, by earlier answers. {took}")
    for one in estimate.parts:
        if one.usd is None and one.why:
            st.caption(f":material/help: {escaped(spec_of(one.approach).name)}, cost unknown: {escaped(one.why)}")


# --- start ----------------------------------------------------------------------------------------


def _start_quick(page: Evaluation, able: Sequence[str]) -> None:
    samples, name = quick_questions()
    cap = first_cap(page.settings, _estimate(page.settings, samples, able, 1))
    start(page, samples, name, able, 1, page.settings.seed, cap)


def start(
    page: Evaluation,
    samples: Sequence[Sample],
    name: str,
    chosen: Sequence[str],
    repeats: int,
    seed: int,
    cap: Decimal | None,
    judge: JudgeSettings | None = None,
    throughput: bool = False,
) -> None:
    """Keep a new run and work on it; without `judge` with that of the settings. For callbacks."""
    current = with_cap(page.settings, cap).model_copy(update={"seed": seed, "judge": judge or page.settings.judge})
    try:
        prepared(current.data)
        run = new_run(current, samples, name, chosen, repeats, throughput)
        add_run(page.store, run, samples)
        start_work(page.store, run, current, samples)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.session_state[WATCHED] = run.id
    st.session_state[FORM] = False
    open_run(run.id, RUNS)
