"""The history of what was asked: kept as answers come, found by words and filters, opened as it was, brought back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from backends.base import Answer, Question
from backends.errors import BackendError
from backends.run.live import Column, LiveComparison
from backends.run.stored import to_json
from backends.store.database import Store
from evaluation import history
from evaluation.history import Wanted, annotate, asked, delete, found, keep_asked, models_asked, opened, restore
from evaluation.marks import LONGEST_NOTE
from evaluation.runs.records import stamp
from tests.evaluation.runs.made_runs import answer

TODAY = datetime.now(UTC).date()


def comparison(run: str, question: str, *answers: Answer) -> LiveComparison:
    columns = [Column(one.approach, one.model).updated(one) for one in answers]
    made = LiveComparison((), Question(question, "Be brief.", 77, 0.5, 3, run), finished=columns)
    made.wait()
    return made


def kept(store: Store, run: str, question: str = "What is red?", *answers: Answer, who: str = "me") -> LiveComparison:
    made = comparison(run, question, *(answers or (answer("raw"),)))
    keep_asked(store, "compare", who, made)
    return made


def ids(store: Store, **wanted: object) -> list[str]:
    return [one.id for one in found(store, Wanted(**wanted)).entries]  # type: ignore[arg-type]


def test_a_question_opens_as_it_was_answered(store: Store) -> None:
    made = kept(
        store, "one", "What is \x00 \ud800 red?", answer("rag", "It is \x00 red."), answer("raw", status="empty")
    )
    entry, again = opened(store, "one")
    assert again.answers == made.answers
    assert again.question == made.question
    assert again.question.run == "one"
    assert entry.columns == (("rag", "model of rag", "ok"), ("raw", "model of raw", "empty"))
    assert entry.question == "What is \ufffd \ufffd red?"
    assert entry.at.date() in (TODAY, TODAY - timedelta(days=1))


def test_nothing_is_kept_before_anybody_answered_and_more_takes_its_place(store: Store) -> None:
    waiting = Column("raw", "model of raw")
    made = LiveComparison((), Question("What?", run="one"), finished=[waiting])
    keep_asked(store, "compare", "me", made)
    assert found(store, Wanted()).count == 0
    kept(store, "one", "What?", answer("raw"))
    annotate(store, "one", star=True, note=" mine ")
    kept(store, "one", "What?", answer("raw"), answer("rag", "It is blue."))
    (entry,) = found(store, Wanted()).entries
    assert (entry.star, entry.note, [approach for approach, *_ in entry.columns]) == (True, "mine", ["rag", "raw"])
    assert ids(store, words="blue") == ["one"]


def test_words_and_filters_narrow_it_down(store: Store) -> None:
    kept(store, "a", "Was ist GRÜN an 100% davon?", answer("raw", "Ein Blatt_x."))
    kept(store, "b", "What is red?", answer("rag", status="refused"), answer("raw"), who="you")
    kept(store, "c", "What is blue?", replace(answer("paid_api:small"), model="small"))
    annotate(store, "c", star=True)
    assert ids(store) == ["c", "b", "a"]
    for wanted, expected in (
        ({"words": "grün"}, ["a"]),
        ({"words": "blatt_x"}, ["a"]),
        ({"words": "blattx"}, []),
        ({"words": "100%"}, ["a"]),
        ({"words": "1%0"}, []),
        ({"words": "what  RED?"}, ["b"]),
        ({"approaches": ["rag", "paid_api:small"]}, ["c", "b"]),
        ({"models": ["small"]}, ["c"]),
        ({"statuses": ["refused"]}, ["b"]),
        ({"starred": True}, ["c"]),
        ({"who": "me"}, ["c", "a"]),
        ({"since": TODAY - timedelta(days=1)}, ["c", "b", "a"]),
        ({"since": TODAY + timedelta(days=2)}, []),
        ({"until": date(2020, 1, 1)}, []),
        ({"until": TODAY + timedelta(days=1), "who": "you"}, ["b"]),
    ):
        assert ids(store, **wanted) == expected, wanted  # type: ignore[arg-type]
    assert models_asked(store) == ["model of rag", "model of raw", "small"]


def test_it_is_shown_in_pages(store: Store) -> None:
    for number in range(5):
        kept(store, f"run{number}")
    assert found(store, Wanted(), 0, 2).count == 5
    pages = [[one.id for one in found(store, Wanted(), first, 2).entries] for first in (0, 2, 4, 6)]
    assert pages == [["run4", "run3"], ["run2", "run1"], ["run0"], []]


def test_what_is_deleted_can_be_brought_back_for_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(store, "one")
    kept(store, "two")
    delete(store, "one")
    assert ids(store) == ["two"]
    with pytest.raises(BackendError, match="was deleted"):
        opened(store, "one")
    kept(store, "one", "What is red?", answer("rag"))  # an answer that came late
    assert ids(store) == ["two"]
    restore(store, "one")
    assert ids(store) == ["two", "one"]
    delete(store, "one")
    long_ago = stamp(datetime.now(UTC) - timedelta(days=history.KEPT_DAYS + 1))
    with store.writing() as connection:
        connection.execute(asked.update().where(asked.c.id == "one").values(deleted_at=long_ago))
    delete(store, "two")
    with pytest.raises(BackendError, match="deleted for good"):
        restore(store, "one")
    restore(store, "two")


def test_what_cannot_be_kept_or_read_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="is not in the history"):
        opened(store, "never")
    monkeypatch.setattr(history, "LARGEST", 500)
    with pytest.raises(BackendError, match="too large for the history"):
        kept(store, "one", "x" * 600)
    monkeypatch.undo()
    kept(store, "one")
    annotate(store, "one", note="n" * (LONGEST_NOTE + 5))
    assert len(found(store, Wanted()).entries[0].note) == LONGEST_NOTE
    for content in (b"no JSON", b"{}", to_json(Question("?"), ())[:-5]):
        with store.writing() as connection:
            connection.execute(asked.update().values(content=content))
        with pytest.raises(BackendError, match="cannot be read"):
            opened(store, "one")
