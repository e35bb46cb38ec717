"""The section Runs: what is being worked on, a new run, and every run so far with what can be done with it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import streamlit as st

from backends.errors import BackendError
from backends.registry import spec_of
from backends.store.database import Store
from evaluation.runs.about import circumstances, state_of
from evaluation.runs.background import find_work, forget_work
from evaluation.runs.baseline import approve_baseline, baselines_by_set, withdraw_baseline
from evaluation.runs.deletion import KEPT_DAYS, delete_run, restore_run
from evaluation.runs.export import export_cells
from evaluation.runs.model import Run
from evaluation.runs.records import Totals, all_runs, totals
from ui.evaluate.go_on import go_on_button
from ui.evaluate.page import RUN, Evaluation, open_run, opened_run, run_label
from ui.evaluate.running import draw_other, draw_works
from ui.evaluate.start import FORM, introduce, new_run_form
from ui.shared import numbers
from ui.shared.errors import keep_fault
from ui.shared.tables import plain_frame
from ui.shared.text import escaped

_TABLE, _DELETED = "evaluate_runs", "evaluate_deleted"
_ROW, _SHOWN_ROWS = 35, 10  # pixels, Streamlit's own; rows
_FILES = {
    "csv": ("CSV", "text/csv"),
    "jsonl": ("JSON lines", "application/jsonl"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
    "eval": ("Log of inspect_ai (.eval)", "application/zip"),
    "json": ("Log of inspect_ai (.json)", "application/json"),
}
"""By the ending of its name, what an export is called and its type."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run with what the list says of it."""

    run: Run
    state: str
    totals: Totals


def draw(page: Evaluation) -> None:
    """Draw the section."""
    listed = _listed(page.store)
    _bring_back(page.store)
    draw_works(page)
    for one in listed:
        if one.state == "running" and not _is_ours(one.run):
            draw_other(page, one.run)
    if not listed:
        introduce(page)
    label = "New run" if listed else "Or choose questions, who answers and how often"
    form = st.expander(label, icon=":material/add:", key=FORM, on_change="rerun")
    if form.open:
        with form:
            new_run_form(page)
    if listed:
        _table(listed, set(baselines_by_set(page.store).values()))
        shown = next((one for one in listed if opened_run() and one.run == page.run), None)
        if shown is not None:
            _one(page, shown)
        else:
            st.caption("Tick a run at the left to see how it was made, and what can be done with it.")


def _is_ours(run: Run) -> bool:
    work = find_work(run.id)
    return work is not None and work.phase != "ended"


def _listed(store: Store) -> list[ListedRun]:
    runs = all_runs(store)
    found = _totals(store, runs)
    rows = []
    for run in runs:
        own = found.get(run.id, Totals())
        rows.append(ListedRun(run, "in work" if _is_ours(run) else state_of(store, run, own.cells), own))
    return rows


def _totals(store: Store, runs: Sequence[Run]) -> dict[str, Totals]:
    """Those of runs that have ended are added up once for each browser session: cells may be many."""
    known: dict[tuple[str, datetime | None], Totals] = st.session_state.setdefault("evaluate_totals", {})
    new = [run for run in runs if run.state == "running" or (run.id, run.finished_at) not in known]
    found = totals(store, [run.id for run in new])
    for run in new:
        known[run.id, run.finished_at] = found.get(run.id, Totals())
    return {run.id: known[run.id, run.finished_at] for run in runs}


# --- the list -------------------------------------------------------------------------------------


def _table(listed: Sequence[ListedRun], approved: Collection[str]) -> None:
    """The runs, the newest first; `approved` are those that later ones are held against."""
    frame = plain_frame(
        {
            "When (UTC)": [f"{one.run.created_at:%Y-%m-%d %H:%M}" for one in listed],
            "Questions": [one.run.set_name for one in listed],
            "State": [f"{one.state}, baseline" if one.run.id in approved else one.state for one in listed],
            "Answers": [f"{one.totals.cells:,} of {one.run.cells:,}" for one in listed],
            "Failed": [numbers.count(one.totals.failed) for one in listed],
            "Cost": [_cost(one) for one in listed],
            "Approaches": [", ".join(spec_of(a.approach).name for a in one.run.approaches) for one in listed],
            "Run": [one.run.id for one in listed],
        }
    )
    ids = [one.run.id for one in listed]
    key = f"{_TABLE}:{','.join(ids)}"  # a tick belongs to a row: where the rows are others, the table is another one
    opened = opened_run()
    st.dataframe(
        frame,
        hide_index=True,
        key=key,
        on_select=partial(_choose, key, ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(opened)]}} if opened in ids else None,
        height=_ROW * (min(len(listed), _SHOWN_ROWS) + 1) + 3,
        column_config={  # all fit into a window of 800 pixels; in a wider one, each gets as much more
            "When (UTC)": st.column_config.TextColumn(width=115),
            "Questions": st.column_config.TextColumn(width=120),
            "State": st.column_config.TextColumn(width=70),
            "Answers": st.column_config.TextColumn(width=75),
            "Failed": st.column_config.TextColumn(width=55),
            "Cost": st.column_config.TextColumn(width=80),
            "Approaches": st.column_config.TextColumn(width=110),
            "Run": st.column_config.TextColumn(width=105),
        },
        alt="The runs, the newest first",
    )


def _cost(one: ListedRun) -> str:
    own = one.totals
    if not own.cells:
        return numbers.UNKNOWN
    if own.unpriced == own.cells:
        return "unknown"
    return numbers.dollars(own.usd) + (f" + {own.unpriced:,} unknown" if own.unpriced else "")


def _choose(key: str, ids: Sequence[str]) -> None:
    rows = st.session_state[key].selection.rows
    if rows and rows[0] < len(ids):
        st.query_params[RUN] = ids[rows[0]]
    else:
        st.query_params.pop(RUN, None)


# --- one run --------------------------------------------------------------------------------------


def _one(page: Evaluation, one: ListedRun) -> None:
    run, own = one.run, one.totals
    busy = one.state in ("running", "in work")
    with st.container(border=True):
        st.markdown(f"## {escaped(run.set_name)}, {run.created_at:%Y-%m-%d %H:%M} UTC", anchors=False)
        if one.state == "interrupted":
            st.caption(":material/power_off: Its process ended before it was done. What was answered is kept.")
        with st.container(horizontal=True):
            st.button(
                "Open its results", key="run_results", type="primary", icon=":material/leaderboard:",
                on_click=open_run, args=(run.id,),
            )  # fmt: skip
            go_on_button(page, run, "ask", run.cells - own.cells, place="run", disabled=busy)
            go_on_button(page, run, "retry", own.failed, place="run", disabled=busy)
            go_on_button(page, run, "score", own.cells, place="run", disabled=busy or not run.keeps_texts)
            _exports(page.store, run, own.cells)
            _approve(page, run, own.cells == run.cells)
            _delete(page, run, busy)
        st.caption("  \n".join(map(escaped, circumstances(run, one.state))))


def _exports(store: Store, run: Run, cells: int) -> None:
    with st.popover("Export", icon=":material/download:", disabled=not cells):
        for ending, (label, mime) in _FILES.items():
            st.download_button(
                label,
                data=partial(_exported, store, run, ending),
                file_name=f"run-{run.id}.{ending}",
                mime=mime,
                key=f"run_export:{ending}",
                on_click="ignore",
            )
        st.caption("Every answer with its scores, times and cost. In CSV, an apostrophe goes before formulas.")


def _exported(store: Store, run: Run, ending: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"run.{ending}"
        export_cells(store, run, file)
        return file.read_bytes()


def _delete(page: Evaluation, run: Run, busy: bool) -> None:
    st.button(
        "Delete",
        key="run_delete",
        icon=":material/delete:",
        on_click=_deleted,
        args=(page.store, run),
        disabled=busy,
        help=f"It can be brought back for {KEPT_DAYS} days.",
    )


def _deleted(store: Store, run: Run) -> None:
    try:
        delete_run(store, run)
    except BackendError as fault:
        keep_fault(fault)
        return
    forget_work(run.id)
    st.query_params.pop(RUN, None)
    st.session_state[_DELETED] = run.id


def _bring_back(store: Store) -> None:
    """The way back of the run that this browser session deleted last, and of all that can be brought back."""
    deleted = all_runs(store, deleted=True)
    last = next((run for run in deleted if run.id == st.session_state.get(_DELETED)), None)
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if last is not None:
            st.caption(f"The run of {escaped(last.set_name)} was deleted.", width="content")
            st.button("Undo", key="run_undo", icon=":material/undo:", on_click=_restored, args=(store, last))
        with st.popover(f"Deleted runs ({len(deleted):,})", icon=":material/restore_from_trash:", type="tertiary"):
            st.caption(f"A run can be brought back for {KEPT_DAYS} days after it was deleted.")
            labels = {run.id: run_label(run) for run in deleted}
            id = st.selectbox("Run", list(labels), format_func=labels.__getitem__, key="run_deleted")
            chosen = next(run for run in deleted if run.id == id)
            st.button(
                "Bring it back", key="run_restore", icon=":material/undo:", on_click=_restored, args=(store, chosen)
            )


def _restored(store: Store, run: Run) -> None:
    st.session_state.pop(_DELETED, None)
    try:
        restore_run(store, run)
    except BackendError as fault:
        keep_fault(fault)
        return
    st.query_params[RUN] = run.id


def _approve(page: Evaluation, run: Run, complete: bool) -> None:
    before = baselines_by_set(page.store).get(run.set_hash)
    approved = before == run.id
    st.button(
        "Approved baseline" if approved else _approve_words(before),
        key="run_approve",
        icon=":material/verified:",
        on_click=_approved,
        args=(page.store, run, approved),
        disabled=not complete,
        help="What later runs of the same questions are held against. Click again to withdraw it."
        if approved
        else "Later runs of the same questions are held against it; it needs every answer.",
    )


def _approve_words(before: str | None) -> str:
    return f"Approve in place of {escaped(before[-6:])}" if before else "Approve as baseline"


def _approved(store: Store, run: Run, withdraw: bool) -> None:
    try:
        if withdraw:
            withdraw_baseline(store, run.set_hash)
        else:
            approve_baseline(store, run)
    except BackendError as fault:
        keep_fault(fault)
