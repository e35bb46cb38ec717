"""A comparison as text that can be kept: the question, and each column with its answer as it was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from backends.base import Answer, Cost, Question
from backends.rag.evidence.answer import AnswerEvidence
from backends.run.live import Column, LiveComparison

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter

GONE = "The app ended, or the page was left, before this was answered. Ask again."
_UNKNOWN = Cost(None, "not known: the app ended before the answer was there")


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column without what is only of this moment. `answer` is None as long as it was not there."""

    approach: str
    model: str
    stand_in: bool
    answer: Answer | None
    checked: AnswerEvidence | None


@dataclass(frozen=True, slots=True)
class StoredComparison:
    """A question with its columns, in their order."""

    __pydantic_config__: ClassVar[ConfigDict] = {"arbitrary_types_allowed": True}

    question: Question
    columns: tuple[StoredColumn, ...]


@cache
def _adapter() -> TypeAdapter[StoredComparison]:
    from pydantic import TypeAdapter

    return TypeAdapter(StoredComparison)


def to_json(question: Question, columns: Sequence[Column]) -> bytes:
    """The comparison as JSON. What a cap stopped can be asked again, but the cap is not raised from here."""
    stored = (
        StoredColumn(
            one.approach,
            one.model,
            one.stand_in,
            replace(one.answer, stopped_by=None) if one.answer else None,
            one.checked,
        )
        for one in columns
    )
    return json.dumps(_adapter().dump_python(StoredComparison(question, tuple(stored)), mode="json")).encode()


def from_json(content: bytes) -> LiveComparison:
    """The comparison as it was, finished. A column that had no answer yet says so.

    Raises `ValueError` for what is no comparison.
    """
    stored = _adapter().validate_python(json.loads(content))  # which takes half a character, as models may send it
    columns = tuple(_column(one) for one in stored.columns)
    found = LiveComparison((), stored.question, finished=columns)
    found.wait()  # what was not compared with its passages yet is so now; nothing is asked
    return found


def _column(one: StoredColumn) -> Column:
    answer = one.answer or Answer(
        one.approach, one.model, "", "cancelled", error=GONE, cost=_UNKNOWN, stand_in=one.stand_in
    )
    return replace(Column(one.approach, one.model, one.stand_in).updated(answer), checked=one.checked)
