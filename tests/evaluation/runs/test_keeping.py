"""Runs deleted, brought back and erased, and runs approved as the baseline that later ones are held against."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from backends.errors import BackendError
from backends.settings import Settings
from backends.store import database as store_module
from backends.store.database import HEAD, VERSION_TABLE, Store
from backends.store.tables import metadata
from evaluation.runs.baseline import (
    approve_baseline,
    baseline_of,
    baselines_by_set,
    newly_failing,
    newly_failing_words,
    withdraw_baseline,
)
from evaluation.runs.deletion import delete_run, erase_expired, erase_run, restore_run
from evaluation.runs.model import Run
from evaluation.runs.records import add_cell, all_runs, find_run
from evaluation.scorers import Score
from tests.evaluation.runs.made_runs import SAMPLES, begun, cell, kept

CRITICAL = tuple(replace(one, critical=place < 2) for place, one in enumerate(SAMPLES[:3]))


def whole(store: Store, settings: Settings, rights: dict[str, list[bool]], repeats: int = 1) -> Run:
    """A run of the critical questions of which everything was asked: by approach, what was right, repeat by repeat."""
    run = begun(store, settings, tuple(rights), CRITICAL, repeats)
    for approach, values in rights.items():
        for place, value in enumerate(values):
            repeat, position = divmod(place, len(CRITICAL))
            add_cell(store, run.id, cell(approach, position, repeat), {"right": Score(value)})
    return run


def test_a_deleted_run_is_in_no_list_and_comes_back_as_it_was(store: Store, settings: Settings) -> None:
    run = whole(store, settings, {"raw": [True, True, True]})
    before = kept(store, run)
    delete_run(store, run)
    assert all_runs(store) == []
    (gone,) = all_runs(store, deleted=True)
    assert (gone.id, gone.deleted_at is not None) == (run.id, True)
    with pytest.raises(BackendError) as fault:
        find_run(store, run.id[:-2])
    assert str(fault.value) == f"The run {run.id} was deleted. `crossroads runs undelete {run.id}` brings it back."
    restore_run(store, find_run(store, "latest", deleted=True))
    assert (all_runs(store), kept(store, run)) == ([run], before)
    with pytest.raises(BackendError, match=f"No run {run.id!r} was deleted"):
        find_run(store, run.id, deleted=True)


def test_erasing_a_run_leaves_nothing_of_it(store: Store, settings: Settings) -> None:
    run, other = (whole(store, settings, {"raw": [True, True, True]}) for _ in range(2))
    approve_baseline(store, run)
    erase_run(store, run)
    assert [one.id for one in all_runs(store)] == [other.id]
    assert (len(kept(store, other)), baselines_by_set(store)) == (3, {})
    with pytest.raises(BackendError, match="was deleted for good"):
        restore_run(store, run)
    approve_baseline(store, other)
    erase_run(store, other)
    with store.reading() as connection:
        assert [table.name for table in metadata.sorted_tables if connection.execute(select(table)).first()] == []


def test_what_was_deleted_long_ago_is_erased(sqlite_store: Store, sqlite_settings: Settings) -> None:
    first, second = begun(sqlite_store, sqlite_settings), begun(sqlite_store, sqlite_settings)
    delete_run(sqlite_store, first)
    now = datetime.now(UTC)
    erase_expired(sqlite_store, now + timedelta(days=29))
    assert [one.id for one in all_runs(sqlite_store, deleted=True)] == [first.id]
    with sqlite_store.claimed(first.id):  # somebody else erases it
        erase_expired(sqlite_store, now + timedelta(days=31))
    erase_expired(sqlite_store, now + timedelta(days=31))
    assert (all_runs(sqlite_store, deleted=True), [one.id for one in all_runs(sqlite_store)]) == ([], [second.id])


@pytest.mark.parametrize("remove", [delete_run, erase_run])
def test_a_run_that_is_worked_on_is_not_deleted(store: Store, settings: Settings, remove: object) -> None:
    run = begun(store, settings)
    refused = pytest.raises(BackendError, match="is being worked on")
    with closing(Store(settings)) as other, other.claimed(run.id), refused:
        remove(store, run)  # type: ignore[operator]
    assert all_runs(store) == [run]


def test_one_run_of_a_question_set_is_its_baseline(store: Store, settings: Settings) -> None:
    first, second = (whole(store, settings, {"raw": [True, True, True]}) for _ in range(2))
    other = begun(store, settings, ("raw",))
    assert baseline_of(store, first.set_hash) is None
    approve_baseline(store, first)
    approve_baseline(store, second)
    assert baseline_of(store, first.set_hash) == second
    assert baseline_of(store, other.set_hash) is None
    with pytest.raises(BackendError, match=f"6 of 6 answers of the run {other.id} are missing, so it is no baseline"):
        approve_baseline(store, other)
    delete_run(store, second)
    assert baseline_of(store, first.set_hash) is None
    restore_run(store, second)
    assert baselines_by_set(store) == {first.set_hash: second.id}
    withdraw_baseline(store, first.set_hash)
    assert baseline_of(store, first.set_hash) is None


def test_a_critical_question_newly_fails(store: Store, settings: Settings) -> None:
    baseline = whole(store, settings, {"raw": [True, False, True], "rag": [True, True, True]})
    run = whole(store, settings, {"raw": [False, False, False], "rag": [True, False, True]})
    found = newly_failing(store, run, baseline)  # the third question is not critical, the second never was right
    assert [(one.approach, one.id, one.wrong, one.answers) for one in found] == [
        ("raw", "q0", 1, 1),
        ("rag", "q1", 1, 1),
    ]
    assert newly_failing_words(found, baseline)[0] == (
        "The critical question q0 is not answered right any more by raw; "
        f"it was in the approved baseline {baseline.id}."
    )
    assert newly_failing(store, baseline, baseline) == []


def test_one_wrong_repeat_of_a_critical_question_is_a_failure(sqlite_store: Store, sqlite_settings: Settings) -> None:
    baseline = whole(sqlite_store, sqlite_settings, {"raw": [True] * 3 + [True, False, True]}, repeats=2)
    run = whole(sqlite_store, sqlite_settings, {"raw": [True] * 3 + [False, False, True]}, repeats=2)
    found = newly_failing(sqlite_store, run, baseline)
    assert [(one.id, one.wrong, one.answers) for one in found] == [("q0", 1, 2)]
    assert "by raw (1 of 2 answers); it was" in newly_failing_words(found, baseline)[0]


@pytest.mark.usefixtures("real_migrations")
def test_a_store_from_before_is_brought_up_to_date(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before, closing(Store(settings)) as old:
        before.setattr(store_module, "HEAD", "0001")
        with old.writing() as connection:
            connection.execute(text("INSERT INTO question_sets VALUES ('h', 'a set', 0, '2026-11-01')"))
    with store.reading() as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == HEAD
        assert connection.scalar(text("SELECT name FROM question_sets")) == "a set"
