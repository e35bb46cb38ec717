"""Question sets that people saved: edited in place until a run has used them, deleted and brought back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from backends.errors import BackendError
from backends.settings import Settings
from backends.store.database import Store
from evaluation.runs import saved_sets
from evaluation.runs.deletion import erase_run
from evaluation.runs.model import content_hash
from evaluation.runs.saved_sets import all_saved, delete_set, open_set, restore_set, save_set
from evaluation.runs.tables import question_sets
from evaluation.samples import Sample
from tests.evaluation.runs.made_runs import SAMPLES, begun

CHANGED = (replace(SAMPLES[0], question="What colour is it?"), *SAMPLES[1:])


def kept_sets(store: Store) -> int:
    with store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(question_sets)) or 0


def test_a_set_is_edited_in_place_until_a_run_has_used_it(store: Store, settings: Settings) -> None:
    first = save_set(store, " Colours ", SAMPLES)
    assert (first.name, first.newest.number, first.newest.questions, first.newest.runs) == ("Colours", 1, 6, 0)
    assert open_set(store, first.newest) == list(SAMPLES)
    edited = save_set(store, "Colours", CHANGED, first.id)
    assert [one.number for one in edited.versions] == [1]
    assert kept_sets(store) == 1
    run = begun(store, settings, samples=CHANGED)
    assert all_saved(store)[0].newest.runs == 1
    again = save_set(store, "Colours", SAMPLES, first.id)
    assert [(one.number, one.runs) for one in again.versions] == [(1, 1), (2, 0)]
    assert open_set(store, again.versions[0]) == list(CHANGED)
    assert save_set(store, "Other name", SAMPLES, first.id).versions == again.versions
    erase_run(store, run)
    assert open_set(store, all_saved(store)[0].versions[0]) == list(CHANGED)


def test_what_is_opened_is_what_was_saved_to_the_hash(sqlite_store: Store) -> None:
    odd = (replace(SAMPLES[0], cluster="0.md"), Sample("b", "Why?", cluster="c"), Sample("c", "When?", critical=True))
    for samples in (odd, odd[1:], SAMPLES):
        saved = save_set(sqlite_store, "odd", samples)
        assert content_hash(open_set(sqlite_store, saved.newest)) == saved.newest.set_hash


def test_a_deleted_set_can_be_brought_back_until_it_is_erased(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = save_set(sqlite_store, "one", SAMPLES), save_set(sqlite_store, "two", CHANGED)
    delete_set(sqlite_store, one.id)
    assert [saved.name for saved in all_saved(sqlite_store)] == ["two"]
    with pytest.raises(BackendError, match="deleted in the meantime"):
        save_set(sqlite_store, "one", CHANGED, one.id)
    restore_set(sqlite_store, one.id)
    assert all_saved(sqlite_store) == [one, two]
    delete_set(sqlite_store, one.id)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=31)

    monkeypatch.setattr(saved_sets, "datetime", Later)
    delete_set(sqlite_store, two.id)
    restore_set(sqlite_store, one.id)
    restore_set(sqlite_store, two.id)
    monkeypatch.undo()
    assert [saved.name for saved in all_saved(sqlite_store)] == ["two"]
    assert kept_sets(sqlite_store) == 1


def test_a_set_needs_a_name_and_questions(sqlite_store: Store) -> None:
    for name, samples in ((" ", SAMPLES), ("empty", ())):
        with pytest.raises(BackendError, match="was not saved"):
            save_set(sqlite_store, name, samples)
    assert all_saved(sqlite_store) == []
