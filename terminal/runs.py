"""`crossroads runs`: list, show, compare, approve and delete evaluation runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from backends.errors import BackendError
from backends.storage.files import prepared
from terminal.evaluating import Baseline, RunId, held_against_baseline, print_result
from terminal.shared import Json, Set, say, settings_of

if TYPE_CHECKING:
    from backends.store.database import Store

runs_app = typer.Typer(help="List, show, compare, approve and delete evaluation runs.", invoke_without_command=True)


@contextmanager
def opened_store(set_: list[str] | None) -> Iterator[Store]:
    """The store in force, closed at the end. Raises `BackendError`."""
    from backends.store.database import Store

    settings = settings_of(set_)
    prepared(settings.data)
    with closing(Store(settings)) as store:
        yield store


def list_command(
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Those that were deleted, and can be brought back.")
    ] = False,
    set_: Set = None,
    json_: Json = False,
) -> None:
    """List the runs, the newest first."""
    from evaluation.runs.about import state_of
    from evaluation.runs.baseline import baselines_by_set
    from evaluation.runs.records import all_runs, counts
    from terminal.run_records import run_line, run_record

    with opened_store(set_) as store:
        found, approved = counts(store), set(baselines_by_set(store).values())
        rows = [(run, *found.get(run.id, (0, 0))) for run in all_runs(store, deleted)]
        states = [state_of(store, run, cells) for run, cells, _ in rows]
    if json_:
        records = [
            run_record(run, state, *more) | {"approved": run.id in approved}
            for (run, *more), state in zip(rows, states, strict=True)
        ]
        print(json.dumps({"runs": records}, indent=1))
        return
    for (run, cells, failed), state in zip(rows, states, strict=True):
        say(run_line(run, state, cells, failed, run.id in approved))
    if not rows:
        say("No run was deleted." if deleted else "There are no runs yet: `crossroads evaluate QUESTIONS` makes one.")


def show_command(run: RunId, baseline: Baseline = None, set_: Set = None, json_: Json = False) -> None:
    """Show what a run came to, and under which circumstances it was made."""
    from evaluation.runs.about import circumstances, state_of
    from evaluation.runs.records import find_run
    from evaluation.runs.results import results_of
    from terminal.run_records import further_lines, further_record, run_record

    with opened_store(set_) as store:
        found = find_run(store, run)
        result = results_of(store, found, baseline)
        approved, failing = held_against_baseline(store, found)
        further, lines = further_record(store, found), further_lines(store, found)
        cells = sum(one.cells for one in result.approaches)
        state = state_of(store, found, cells)
    failed = sum(one.failed for one in result.approaches)
    about = run_record(found, state, cells, failed) | {"settings": found.settings}
    print_result(result, json_, approved | further | {"about": about})
    if not json_:
        for line in (*lines, *failing, *circumstances(found, state)):
            say(line)
        if approved["approved_baseline"] == found.id:
            say("It is the approved baseline of its question set.")


Earlier = Annotated[str, typer.Argument(metavar="EARLIER", help="The run to compare it with, named likewise.")]


def compare_command(run: RunId, earlier: Earlier, set_: Set = None, json_: Json = False) -> None:
    """Compare each approach of a run with the same approach in an earlier one."""
    from evaluation.runs.records import find_run
    from evaluation.runs.results import compared, difference_words
    from terminal.run_records import approach_record, change_words, difference_record

    with opened_store(set_) as store:
        one, other = find_run(store, run), find_run(store, earlier)
        found = compared(store, one, other)
    if json_:
        records = [difference_record(difference) for difference in found.differences]
        both = [{"run": approach_record(now), "earlier": approach_record(then)} for now, then in found.approaches]
        record = {"run": one.id, "earlier": other.id, "differences": records, "approaches": both}
        print(json.dumps(record, indent=1))
        return
    for difference in found.differences:
        say(difference_words(difference))
    for now, then in found.approaches:
        say(change_words(now, then))


def delete_command(
    run: RunId,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back.")] = False,
    for_good: Annotated[bool, typer.Option("--for-good", help="Erase it now; also one that was deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --for-good: do not ask first.")] = False,
    set_: Set = None,
) -> None:
    """Delete a run with all its answers and scores; for 30 days it can be brought back."""
    from evaluation.runs.deletion import KEPT_DAYS, delete_run
    from evaluation.runs.records import find_run

    if undo and for_good:
        raise typer.BadParameter("Give one of the two.", param_hint="--undo and --for-good")
    if undo:
        undelete_command(run, set_)
        return
    if for_good:
        _erase(run, yes, set_)
        return
    with opened_store(set_) as store:
        found = find_run(store, run)
        delete_run(store, found)
    say(f"Deleted the run {found.id}. For {KEPT_DAYS} days `crossroads runs undelete {found.id}` brings it back.")


def _erase(run: str, yes: bool, set_: list[str] | None) -> None:
    from evaluation.runs.deletion import erase_run
    from evaluation.runs.records import all_runs, find_run

    with opened_store(set_) as store:
        gone = any(one.id.startswith(run) for one in all_runs(store, deleted=True))
        found = find_run(store, run, deleted=gone)
        if not yes:
            typer.confirm(
                f"Erase the run {found.id} with all its answers? This cannot be undone.", abort=True, err=True
            )
        erase_run(store, found)
    say(f"Erased the run {found.id}.")


def undelete_command(run: RunId, set_: Set = None) -> None:
    """Bring a deleted run back with all its answers and scores."""
    from evaluation.runs.deletion import restore_run
    from evaluation.runs.records import find_run

    with opened_store(set_) as store:
        found = find_run(store, run, deleted=True)
        restore_run(store, found)
    say(f"The run {found.id} is back.")


def approve_command(
    run: RunId,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Leave its question set without a baseline.")] = False,
    set_: Set = None,
) -> None:
    """Make a run the baseline of its question set: `evaluate` fails when a critical question newly fails against it."""
    from evaluation.runs.baseline import approve_baseline, baselines_by_set, withdraw_baseline
    from evaluation.runs.records import find_run

    with opened_store(set_) as store:
        found = find_run(store, run)
        before = baselines_by_set(store).get(found.set_hash)
        if withdraw:
            if before != found.id:
                raise BackendError(f"The run {found.id} is not the approved baseline.", "`crossroads runs` marks it.")
            withdraw_baseline(store, found.set_hash)
            say(f"{found.set_name} has no baseline any more.")
            return
        approve_baseline(store, found)
    instead = f", in place of {before}" if before and before != found.id else ""
    say(f"The run {found.id} is the baseline of {found.set_name}{instead}.")
