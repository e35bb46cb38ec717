"""What people say of answers: kept, replaced, taken back, and how far a scorer agrees."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from backends.base import Question
from backends.errors import BackendError
from backends.run.lane import THIS_MACHINE
from backends.settings import Settings
from backends.store import database as store_module
from backends.store.database import Store
from evaluation.marks import LONGEST_NOTE, NOBODY, Mark, mark_answer, person
from evaluation.runs import records
from evaluation.runs.marks import (
    THUMBS,
    Agreement,
    CellMark,
    agreement,
    in_words,
    marks_by_cell,
    marks_of,
    set_mark,
    take_thumbs,
)
from evaluation.runs.records import add_cell, scores_of
from evaluation.runs.tables import runs
from tests.evaluation.answering import AnsweringBackend
from tests.evaluation.runs.made_runs import SAMPLES, answer, begun, cell, executed, filled

KEY = ("raw", 0, 0)


def said(store: Store, run: object) -> list[tuple[str, object, bool, str]]:
    return [(one.who, one.verdict, one.star, one.comment) for one in marks_of(store, run, KEY)]  # type: ignore[arg-type]


def test_a_mark_takes_the_place_of_the_same_persons_and_can_be_put_back(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    add_cell(store, run.id, cell())
    assert set_mark(store, run, KEY, "anna", CellMark("right", comment=" Good \x00 ")).says_nothing
    set_mark(store, run, KEY, "bert", CellMark("wrong", star=True))
    before = set_mark(store, run, KEY, "anna", CellMark("unclear"))
    assert sorted(said(store, run)) == [("anna", "unclear", False, ""), ("bert", "wrong", True, "")]
    assert (before.verdict, before.comment) == ("right", "Good \ufffd")
    set_mark(store, run, KEY, "anna", before)
    assert ("anna", "right", False, "Good \ufffd") in said(store, run)
    set_mark(store, run, KEY, "anna", CellMark())
    assert said(store, run) == [("bert", "wrong", True, "")]
    set_mark(store, run, KEY, "anna", CellMark(comment="x" * (LONGEST_NOTE + 1)))
    assert len(marks_of(store, run, KEY)[-1].comment) == LONGEST_NOTE


def test_a_mark_of_a_cell_that_is_not_there_is_refused(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    with pytest.raises(BackendError, match=r"This answer is not there any more.*Load the page again"):
        set_mark(store, run, KEY, "anna", CellMark("right"))
    assert said(store, run) == []


def test_a_browser_is_kept_by_its_hash_alone() -> None:
    assert person(None) == NOBODY
    assert person("") == NOBODY
    assert person("an id") == "5e92a53cfa80609c9bf3bdba331150edc48829efa2cb744f0938aa9f06e71ae0"


def test_agreement_is_over_marks_that_say_right_or_wrong(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    filled(store, run, "raw", [True, False, True, None, True])
    assert agreement(store, run, "right") == Agreement(0, 0, 0)
    given = [("right", 0), ("right", 1), ("right", 2), ("right", 3), ("unclear", 4)]
    for verdict, position in given:
        set_mark(store, run, ("raw", position, 0), "anna", CellMark(verdict))  # type: ignore[arg-type]
    set_mark(store, run, ("raw", 0, 0), "bert", CellMark("wrong"))
    set_mark(store, run, ("raw", 1, 0), "bert", CellMark(star=True))
    assert agreement(store, run, "right") == Agreement(agree=2, marks=4, constant=3)
    assert agreement(store, run, "semantic") == Agreement(0, 0, 0)


def test_several_marks_are_counted_in_words() -> None:
    several = [CellMark("right", True), CellMark("right", True, "yes"), CellMark("unclear")]
    assert in_words(several) == "2 right, 1 unclear, 2 stars, 1 comment"
    assert in_words([]) == ""


@pytest.mark.usefixtures("real_migrations")
def test_scores_of_a_store_from_before_stay_and_go_with_their_run(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before, closing(Store(settings)) as old:
        before.setattr(store_module, "HEAD", "0003")
        before.setattr(records, "_RUN_COLUMNS", tuple(one for one in records._RUN_COLUMNS if one != "throughput"))
        row = records._cell_row
        before.setattr(records, "_cell_row", lambda cell: {k: v for k, v in row(cell).items() if k != "untimed"})
        run = begun(old, settings)
        filled(old, run, "raw", [True, None, 0.5])
        known = list(scores_of(old, run.id))
    assert len(known) == 3
    assert sorted(scores_of(store, run.id), key=str) == sorted(known, key=str)
    set_mark(store, run, KEY, "anna", CellMark("right"))
    with store.writing() as connection:
        connection.execute(runs.delete())
    assert list(scores_of(store, run.id)) == []
    assert said(store, run) == []


def thumb(good: bool | None, text: str = "It is red.", note: str = "", **more: object) -> Mark:
    given = {"question": SAMPLES[0].question, "approach": "raw", "model": "m", "kind": "real"} | more
    return Mark(answer=text, good=good, note=note, at=datetime(2026, 12, 1, 9, 30, 15, 123000, UTC), **given)  # type: ignore[arg-type]


def test_thumbs_of_the_same_answers_become_marks_and_are_taken_back(store: Store, settings: Settings) -> None:
    run = begun(store, settings, repeats=2)
    for approach, position, repeat in (("raw", 0, 0), ("raw", 0, 1), ("rag", 0, 0), ("raw", 1, 0)):
        add_cell(store, run.id, cell(approach, position, repeat))
    set_mark(store, run, KEY, "anna", CellMark("right"))
    others = [
        thumb(True, "It is blue."),
        thumb(True, question="Another question?"),
        thumb(True, kind="stand-in"),
        thumb(True, approach="paid_api"),
    ]
    take_thumbs(store, run, [thumb(True), *others, thumb(False, note="no source")])  # the last one holds
    found = marks_by_cell(store, run)
    assert set(found) == {("raw", 0, 0), ("raw", 0, 1)}
    assert [(one.who, one.verdict, one.comment) for one in found[("raw", 0, 1)]] == [(THUMBS, "wrong", "no source")]
    assert sorted(said(store, run)) == [("anna", "right", False, ""), (THUMBS, "wrong", False, "no source")]
    take_thumbs(store, run, others)
    assert said(store, run) == [("anna", "right", False, "")]


def test_thumbs_that_are_the_same_write_nothing(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(store, settings)
    add_cell(store, run.id, cell())
    take_thumbs(store, run, [thumb(None, note="hm")])
    monkeypatch.setattr(store, "writing", lambda: pytest.fail("it wrote"))
    take_thumbs(store, run, [thumb(None, note="hm")])
    assert [(one.verdict, one.comment) for one in marks_of(store, run, KEY)] == [(None, "hm")]


def test_a_run_takes_the_thumbs_when_it_ends(store: Store, settings: Settings) -> None:
    question = Question(SAMPLES[0].question, run="asked")
    mark_answer(settings.data, question, answer("raw"), "real", False)
    run = begun(store, settings, ["raw"])
    executed(store, run, settings, {"raw": AnsweringBackend({SAMPLES[0].question: "It is red."}, lane=THIS_MACHINE)})
    assert [(one.who, one.verdict) for one in marks_of(store, run, KEY)] == [(THUMBS, "wrong")]
