"""A comparison as it is kept: every answer comes back as it was measured, and nothing is asked again."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backends.base import Answer, Attempt, Cost, Draft, Passage, Question, Recorded, Timings, Trace, Usage
from backends.rag.evidence.answer import check
from backends.run.live import Column
from backends.run.stored import GONE, from_json, to_json

ASKED = Question("What does the repair cost?", "Be brief.", 90, 0.5, 7, "run-1")
PASSAGE = Passage("terms.pdf", 2, "terms.pdf#4", 0.81, 40, 75, "The repair of an Ember One costs 95 pounds.", "Repairs")
WHOLE = Answer(
    "rag",
    "small model (4 bit)",
    "The repair costs 95 pounds [1].",
    "truncated",
    finish_reason="length",
    error="The token limit was reached.",
    timings=Timings(0.1, 1.25, None, 0.0625, None, 0.3, 1.1 + 2.2, 41.7),
    usage=Usage(120, 9, 3, None, "server", "flex"),
    cost=Cost(Decimal("0.000012300"), "list price of 2026-11-01"),
    sources=(PASSAGE,),
    notes=("a note",),
    traces=(Trace("prompt", "a\nprompt"),),
    attempts=(Attempt(1, 0.0, 0.5, "busy", 429, 1.5, Usage(1, 2), Cost(None, "unknown")),),
    stand_in=True,
    draft=Draft("first", "why", 0.7),
    recorded=Recorded(datetime(2026, 11, 2, 10, tzinfo=UTC), "answers.jsonl", Timings(latency_s=2.0)),
)


def column(answer: Answer) -> Column:
    checked = check(answer, ASKED.text)
    return Column(answer.approach, answer.model, answer.stand_in, "done", answer=answer, checked=checked)


def test_an_answer_comes_back_as_it_was() -> None:
    again = from_json(to_json(ASKED, (column(WHOLE),)))
    assert again.done
    assert (again.question, again.question.run) == (ASKED, "run-1")
    (found,) = again.columns
    assert found.answer == WHOLE
    assert found.checked == column(WHOLE).checked
    assert (found.phase, found.text, found.sources, found.stand_in) == ("done", WHOLE.text, WHOLE.sources, True)
    assert isinstance(WHOLE.cost.usd, Decimal)
    assert str(found.answer.cost.usd) == "0.000012300"


def test_a_column_that_had_no_answer_yet_says_so_and_claims_no_cost() -> None:
    again = from_json(to_json(ASKED, (column(WHOLE), Column("raw", "a model", phase="writing", text="The re"))))
    answer = again.columns[1].answer
    assert answer is not None
    assert (answer.status, answer.text, answer.error) == ("cancelled", "", GONE)
    assert answer.cost.usd is None
    assert answer.timings == Timings()


def test_what_was_not_compared_with_its_passages_yet_is_so_now() -> None:
    unchecked = Column("rag", "a model", phase="done", answer=WHOLE)
    (found,) = from_json(to_json(ASKED, (unchecked,))).columns
    assert found.checked == column(WHOLE).checked


def test_text_of_any_kind_is_kept() -> None:
    odd = Answer("raw", "m", "half \ud83d a character \x00 and \u202e more", "ok")
    (found,) = from_json(to_json(ASKED, (column(odd),))).columns
    assert found.text == odd.text


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b'{"question": {"text": 3}, "columns": []}', b"\xff"])
def test_what_is_no_comparison_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(content)
