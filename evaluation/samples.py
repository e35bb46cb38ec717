"""Question sets: what to ask, the answer that is wanted, and what counts as right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.errors import BackendError
from backends.question_files.columns import QUESTIONS
from backends.question_files.reader import QuestionFile, Row, read_question_file
from backends.text import encodable

SAMPLE_QUESTIONS = Path(__file__).resolve().parents[1] / "sample_docs" / "questions.csv"
_MOST_ROW_NOTES = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with its reference. `key_facts`: groups that must all occur, each a tuple of alternatives."""

    id: str
    question: str
    reference_answer: str = ""
    key_facts: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def read_question_set(file: Path, tell: Callable[[str], object] | None = None) -> list[Sample]:
    """The samples of a file that names at least a question (`backends.question_files.columns` has the names).

    `tell` is called with a sentence on what was guessed, left out or not read. Raises `BackendError` naming what is
    missing.
    """
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV or JSONL file with a column question.")
    return parse_question_set(file.name, file.read_bytes(), tell)


def parse_question_set(name: str, content: bytes, tell: Callable[[str], object] | None = None) -> list[Sample]:
    """The samples of a file that was read already; `name` helps to tell its format. See `read_question_set`."""
    found = read_question_file(content, name, QUESTIONS)
    if found.refusal:
        why = found.refusal.cause.removeprefix(name).strip()
        raise BackendError(f"{name} has no questions.", f"It {why} {found.refusal.next_step}")
    rows = [row for row in found.rows if not row.blank]
    for row in rows:
        if row.broken:
            raise BackendError(f"{found.where(row.number)} is {row.broken}.", "Mend or remove it.")
    samples = list(_samples(rows))
    if not samples:
        raise BackendError(f"{name} has no questions.", "It needs a column question with at least one row.")
    if tell:
        for sentence in _reading_notes(found, rows):
            tell(f"{name}: {sentence}")
    return samples


def _reading_notes(found: QuestionFile, rows: Sequence[Row]) -> Iterator[str]:
    """What was guessed, left out or not read, in sentences."""
    yield from found.decoded.warnings
    yield from found.notes
    of_rows = [f"{found.unit.lower()} {row.number}: {note}" for row in rows for note in _row_notes(row)]
    yield from of_rows[:_MOST_ROW_NOTES]
    if (more := len(of_rows) - _MOST_ROW_NOTES) > 0:
        yield f"and {more:,} more notes on rows."


def _row_notes(row: Row) -> Iterator[str]:
    yield from row.notes
    if not row.question.strip() and (row.answer or row.key_facts or row.sources or row.tags):
        yield "It has no question; it is left out."


def _samples(rows: Sequence[Row]) -> Iterator[Sample]:
    for number, row in enumerate(rows, 1):
        if question := row.question.strip():
            yield Sample(
                id=encodable(row.id or str(number)),
                question=encodable(question),
                reference_answer=encodable(row.answer),
                key_facts=tuple(tuple(map(encodable, group)) for group in row.key_facts),
                sources=tuple(map(encodable, row.sources)),
                tags=tuple(map(encodable, row.tags)),
            )


def evenly(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples, in their order and evenly spread over the set: every part of it has its share."""
    count = min(max(most, 0), len(samples))
    return [samples[place * len(samples) // count] for place in range(count)]


def sample_evenly(samples: Sequence[Sample], most: int, name: str) -> tuple[list[Sample], str]:
    """The samples that `evenly` takes, and the set's name, which says so if they are not all."""
    some = evenly(samples, most)
    return some, name if len(some) == len(samples) else f"{len(some)} of {len(samples)} of {name}"
