"""A comparison that anyone may look at while it runs: what its columns say at each moment."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

import backends
from backends.base import (
    Answer,
    Event,
    Loading,
    Note,
    Passage,
    Question,
    Queued,
    Reasoning,
    Retrieved,
    Retry,
    Started,
    TextDelta,
    Trace,
)
from backends.errors import BackendError
from backends.rag.evidence.answer import AnswerEvidence
from backends.run.live import Column, LiveComparison
from backends.settings import load_settings
from tests.scripted import PATIENCE_S, Gate, Scripted, finished

LANE = "live-test"
PASSAGE = Passage("handbook.md", 2, "c1", 0.8, 0, 4, "text")
ANSWER = Answer("rag", "new model", "Yes.", "ok", sources=(PASSAGE,), stand_in=True)
COLUMN = Column("rag", "model", since=0.0, detail="before", expected_s=9.0, text="so far")


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (Queued(("raw", "fine_tuned")), {"phase": "queued", "detail": "raw, fine_tuned"}),
        (Loading("weights", 4.0), {"phase": "loading", "detail": "weights", "expected_s": 4.0}),
        (Started(), {"phase": "working", "detail": "", "expected_s": None}),
        (Retry("busy"), {"detail": "busy"}),
        (Note("without usage"), {"detail": "without usage"}),
        (Retrieved((PASSAGE,)), {"sources": (PASSAGE,)}),
        (TextDelta(" and more"), {"phase": "writing", "detail": "", "text": "so far and more"}),
        (Trace("prompt", "p"), {}),
        (Reasoning(1.0), {"detail": "reasoning, before the answer"}),
        (finished(), {}),
        (
            ANSWER,
            {
                "phase": "done",
                "detail": "",
                "text": "Yes.",
                "sources": (PASSAGE,),
                "answer": ANSWER,
                "model": "new model",
                "stand_in": True,
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_column_after_an_event(event: Event, changes: dict[str, object]) -> None:
    after = COLUMN.updated(event)
    assert replace(after, since=0.0) == replace(COLUMN, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [Loading("weights"), Started()])
def test_a_phase_that_is_timed_begins_now(event: Event) -> None:
    assert COLUMN.updated(event).since > COLUMN.since


def test_columns_follow_the_comparison_and_keep_their_order() -> None:
    begun, end = Gate(), Gate()
    comparison = LiveComparison(
        [
            Scripted(TextDelta("Half"), begun, TextDelta(" and whole"), end, finished(2), approach="raw", lane=LANE),
            Scripted(TextDelta("Late"), finished(1), approach="rag", lane=LANE),
            Scripted(BackendError("No key.", "Set one."), approach="paid_api"),
        ],
        Question("q"),
    )
    assert begun.reached.wait(PATIENCE_S)
    assert (comparison.done, comparison.wait(0)) == (False, False)
    begun.opened.set()
    assert end.reached.wait(PATIENCE_S)
    assert [column.approach for column in comparison.columns] == ["raw", "rag", "paid_api"]
    assert comparison.columns[1].answer is None
    end.opened.set()
    assert comparison.wait(PATIENCE_S)
    assert comparison.done
    assert [(c.approach, c.phase, c.text, c.model) for c in comparison.columns] == [
        ("raw", "done", "Half and whole", "scripted answers (raw)"),
        ("rag", "done", "Late", "scripted answers (rag)"),
        ("paid_api", "done", "", "scripted answers (paid_api)"),
    ]
    assert [(a.approach, a.status, a.error) for a in comparison.answers] == [
        ("raw", "ok", None),
        ("rag", "ok", None),
        ("paid_api", "error", "No key. Set one."),
    ]


def test_before_anything_happened_a_column_waits() -> None:
    gate = Gate()
    comparison = LiveComparison([Scripted(finished(), loading=(gate,))], Question("q"))
    (column,) = comparison.columns
    assert (column.phase, column.model, column.text, column.answer) == ("waiting", "scripted answers (raw)", "", None)
    assert comparison.answers == ()
    gate.opened.set()
    assert comparison.wait(PATIENCE_S)


def test_stop_keeps_the_text_so_far_and_ends_every_column() -> None:
    begun = threading.Event()

    def endless(cancel: threading.Event) -> None:
        begun.set()
        assert cancel.wait(PATIENCE_S)

    comparison = LiveComparison(
        [
            Scripted(TextDelta("So far"), endless, finished(1, "cancelled"), approach="raw", lane=LANE),
            Scripted(TextDelta("never"), finished(1), approach="rag", lane=LANE),
        ],
        Question("q"),
    )
    assert begun.wait(PATIENCE_S)
    comparison.stop()
    assert comparison.wait(PATIENCE_S)
    assert [(a.approach, a.status, a.text, a.error) for a in comparison.answers] == [
        ("raw", "cancelled", "So far", "Stopped; the text is what had arrived."),
        ("rag", "cancelled", "", "Stopped before it began."),
    ]


def test_a_resumed_comparison_asks_some_again_and_keeps_the_others_in_their_places() -> None:
    first = LiveComparison(
        [Scripted(TextDelta("No"), finished(), approach="paid_api"), Scripted(finished(), approach="rag")],
        Question("q"),
    )
    assert first.wait(PATIENCE_S)
    told: list[str] = []
    again = LiveComparison(
        [Scripted(TextDelta("Yes"), finished(), approach="paid_api")],
        Question("q"),
        on_answer=lambda answer: told.append(answer.approach),
        finished=first.columns,
    )
    assert again.wait(PATIENCE_S)
    assert [(column.approach, column.text) for column in again.columns] == [("paid_api", "Yes"), ("rag", "")]
    assert again.columns[1] == first.columns[1]
    assert told == ["paid_api"]


def test_an_empty_question_is_done_with_a_sentence_in_every_column() -> None:
    comparison = LiveComparison([Scripted(approach="raw"), Scripted(approach="rag")], Question("  "))
    assert comparison.wait(PATIENCE_S)
    assert [answer.error for answer in comparison.answers] == ["The question is empty. Type a question first."] * 2


def test_a_held_comparison_asks_nothing_before_it_is_started() -> None:
    settings = load_settings({"scripted": True})
    comparison = LiveComparison([backends.make("raw", settings)], settings.question("held back"), hold=True)
    assert [column.phase for column in comparison.columns] == ["waiting"]
    assert not comparison.done
    comparison.start()
    comparison.start()
    assert comparison.wait(10)
    assert [answer.text for answer in comparison.answers] == ["raw heard: held back "]


def test_answers_are_compared_with_their_passages_before_it_is_done() -> None:
    passage = Passage("a.md", None, "c", 0.5, 0, 24, "The fee is 18% a month.")
    asked = [
        Scripted(Retrieved((passage,)), TextDelta("The fee is 18%. It is 19%."), finished(2), approach="rag"),
        Scripted(TextDelta("The fee is 18%."), finished(1), approach="paid_api"),
    ]
    comparison = LiveComparison(asked, Question("What is the fee?"))
    assert comparison.wait(PATIENCE_S)
    rag, paid = comparison.columns
    assert rag.checked is not None
    assert [one.verdict for one in rag.checked.sentences] == ["supported", "unsupported"]
    assert paid.checked == AnswerEvidence()
    resumed = LiveComparison([asked[1]], Question("What is the fee?"), finished=comparison.columns)
    assert resumed.wait(PATIENCE_S)
    assert resumed.columns[0].checked is rag.checked
