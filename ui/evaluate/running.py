"""Runs that are being worked on: progress by approach, pause, stop; and how those that have ended did so."""

from __future__ import annotations

import time

import streamlit as st

from backends.errors import BackendError
from backends.store.database import Store
from evaluation.durations import duration
from evaluation.runs.background import RunWork, find_work, works
from evaluation.runs.execution import ApproachProgress
from evaluation.runs.model import Run
from evaluation.runs.records import counts_by_approach, find_run
from ui.evaluate.go_on import WATCHED, go_on_button
from ui.evaluate.page import RESULTS, Evaluation, open_run
from ui.shared import numbers
from ui.shared.approaches import title_of
from ui.shared.errors import show_fault
from ui.shared.text import escaped

_REFRESH_S, _OTHERS_S = 1.0, 3.0
_SEEN = "evaluate_seen"
"""The state's key of the runs whose progress this browser session saw."""


def draw_works(page: Evaluation) -> None:
    """Draw every run that this process works on, and of those that were drawn before, which ended too early.

    The results open of one that this browser session started, once it is done.
    """
    seen: set[str] = st.session_state.setdefault(_SEEN, set())
    for work in works(page.store):
        run = work.run.id
        early = work.stopping or work.job.state.fault is not None
        if work.phase != "ended":
            seen.add(run)
            st.fragment(_watch, run_every=_REFRESH_S)(work)
        elif early and run in seen:
            _ended_early(page, work)
        elif not early and st.session_state.get(WATCHED) == run:
            del st.session_state[WATCHED]
            open_run(run, RESULTS)
            st.rerun()


# --- while it runs --------------------------------------------------------------------------------


def _watch(work: RunWork) -> None:
    if work.phase == "ended":  # drawn again at once: a last bar would take the place of what is there by then
        st.rerun()
    found = work.execution.progress
    with st.container(border=True):
        st.markdown(f"## {escaped(_title(work.run))}", anchors=False)
        st.progress(_share(work, found), escaped(_how_far(work, found)))
        for one in found if work.phase == "asking" else ():
            _approach(work, one)
        _buttons(work)


def _title(run: Run) -> str:
    times = f" \u00d7 {run.repeats}" if run.repeats > 1 else ""
    asked = f"{run.questions:,} question{'s' if run.questions != 1 else ''}"
    count = len(run.approaches)
    return f"{run.set_name}: {asked}{times} \u00d7 {count} approach{'es' if count != 1 else ''}"


def _share(work: RunWork, found: tuple[ApproachProgress, ...]) -> float:
    if work.phase == "scoring":
        state = work.job.state
        return min(state.done / state.total, 1.0) if state.total else 1.0
    total = sum(one.total for one in found)
    return sum(one.done for one in found) / total if total else 0.0


def _how_far(work: RunWork, found: tuple[ApproachProgress, ...]) -> str:
    spent = duration(time.monotonic() - work.job.state.started)
    if work.phase == "waiting":
        first = f"behind {' and '.join(map(_named, work.behind))}" if work.behind else "for its turn"
        return f"Waiting {first}: one run is worked on at a time"
    if work.phase == "scoring":
        return f"Scoring the answers \u00b7 {spent}"
    done, total = sum(one.done for one in found), sum(one.total for one in found)
    doing = "Stopping: what is being asked ends" if work.stopping else "Paused" if work.paused else ""
    left_s = work.all_left_s(found, time.monotonic())
    left = "" if left_s is None else f"about {duration(left_s)} left"
    return " \u00b7 ".join(filter(None, (doing, f"{done:,} of {total:,} answers", spent, left)))


def _named(run: str) -> str:
    """`the run 20261130-201500-3fa9c1 of colours.csv`."""
    work = find_work(run)
    return f"the run {run}" + (f" of {work.run.set_name}" if work is not None else "")


def _approach(work: RunWork, one: ApproachProgress) -> None:
    name, bar, button = st.columns([2, 6, 1.4], vertical_alignment="center")
    with name:
        st.markdown(title_of(one.approach))
    with bar:
        st.progress(one.done / one.total if one.total else 1.0, escaped(_words(work, one)))
    with button:
        if one.stopped or one.asked >= one.wanted:
            return
        key = f"evaluate_pause:{work.run.id}:{one.approach}"
        if one.paused and not work.paused:
            st.button("Go on", key=key, icon=":material/play_arrow:", on_click=work.go_on, args=(one.approach,))
        else:
            st.button(
                "Pause",
                key=key,
                icon=":material/pause:",
                on_click=work.pause,
                args=(one.approach,),
                disabled=work.paused or work.stopping,
            )


def _words(work: RunWork, one: ApproachProgress) -> str:
    """`7 of 10 · 1 failed · $0.0012 so far, about $0.0006 more · about 12 s left`."""
    if one.stopped:
        return f"{one.done:,} of {one.total:,} \u00b7 given up: {one.stopped}"
    parts = [f"{one.done:,} of {one.total:,}"]
    parts.append(f"{one.failed:,} failed" if one.failed else "")
    parts.append(_money(work, one))
    parts.append(f"waits for {one.waits}" if one.waits else "")
    left_s = work.left_s(one, time.monotonic())
    parts.append("paused" if one.paused else "" if left_s is None else f"about {duration(left_s)} left")
    return " \u00b7 ".join(filter(None, parts))


def _money(work: RunWork, one: ApproachProgress) -> str:
    if not one.asked:
        return ""
    unpriced = f"{one.unpriced:,} of unknown cost" if one.unpriced else ""
    so_far = f"{numbers.dollars(one.usd)} so far" if one.unpriced < one.asked else ""
    left = work.left_usd(one)
    more = f"about {numbers.dollars(left)} more" if left else ""
    return ", ".join(filter(None, (so_far, more, unpriced)))


def _buttons(work: RunWork) -> None:
    with st.container(horizontal=True):
        if work.phase == "asking":
            if work.paused:
                st.button(
                    "Go on with all",
                    key=f"evaluate_on:{work.run.id}",
                    icon=":material/play_arrow:",
                    on_click=work.go_on,
                )
            else:
                st.button(
                    "Pause all",
                    key=f"evaluate_pause:{work.run.id}",
                    icon=":material/pause:",
                    on_click=work.pause,
                    disabled=work.stopping,
                    help="What is being asked ends; nothing else is asked until it goes on.",
                )
        stopping = work.stopping and work.phase != "scoring"
        st.button(
            "Stopping" if stopping else "Stop",
            key=f"evaluate_stop:{work.run.id}",
            icon=":material/stop_circle:",
            on_click=work.stop,
            disabled=stopping,
            help="What was answered is kept and scored. The rest can be asked later.",
        )
    st.caption(
        f"Run {escaped(work.run.id)}. It goes on when this page is left or closed; its settings are those of its start."
    )


# --- afterwards -----------------------------------------------------------------------------------


def _ended_early(page: Evaluation, work: RunWork) -> None:
    state, run = work.job.state, find_run(page.store, work.run.id)
    cells = sum(count for count, _ in counts_by_approach(page.store, run.id).values())
    there = f"{cells:,} of {run.cells:,} answers are there"
    with st.container(border=True):
        if state.fault is not None:
            st.error(escaped(f"{_title(run)}: {state.fault} {there}."), icon=":material/error:")
        else:
            st.warning(escaped(f"{_title(run)}: stopped, {there}."), icon=":material/stop_circle:")
        with st.container(horizontal=True):
            go_on_button(page, run, "ask", run.cells - cells, place="early")
            st.button(
                "Open its results",
                key=f"evaluate_results:{run.id}",
                icon=":material/leaderboard:",
                on_click=open_run,
                args=(run.id,),
            )
            st.button("Hide this", key=f"evaluate_hide:{run.id}", type="tertiary", on_click=_hide, args=(run.id,))


def _hide(run: str) -> None:
    st.session_state[_SEEN].discard(run)


# --- runs of other processes ----------------------------------------------------------------------


def draw_other(page: Evaluation, run: Run) -> None:
    """Draw a run that another process works on: how far it is, without a button that it would not hear."""
    st.fragment(_watch_other, run_every=_OTHERS_S)(page.store, run)


def _watch_other(store: Store, run: Run) -> None:
    if not store.is_claimed(run.id):
        st.rerun()
    try:
        found = counts_by_approach(store, run.id)
    except BackendError as fault:
        show_fault(fault)
        return
    done = sum(count for count, _ in found.values())
    with st.container(border=True):
        st.progress(min(done / run.cells, 1.0), f"**{escaped(_title(run))}**")
        st.caption(
            f"Another process works on the run {escaped(run.id)}: {done:,} of {run.cells:,} answers. It is stopped "
            "where it was started. On this machine, times that are measured meanwhile are longer."
        )
