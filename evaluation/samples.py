"""Question sets: what to ask, the answer that is wanted, and what counts as right."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.decoding import decode
from backends.errors import BackendError
from backends.text import encodable

SAMPLE_QUESTIONS = Path(__file__).resolve().parents[1] / "sample_docs" / "questions.csv"


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
    """The samples of a CSV or JSONL file with at least a column `question`.

    `tell` is called with a sentence where its encoding had to be guessed. Raises `BackendError` naming what is missing.
    """
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV or JSONL file with a column question.")
    return parse_question_set(file.name, file.read_bytes(), tell)


def parse_question_set(name: str, content: bytes, tell: Callable[[str], object] | None = None) -> list[Sample]:
    """The samples of a CSV or JSONL file that was read already; `name` tells which of them it is.

    `tell` is called with a sentence where its encoding had to be guessed. Raises `BackendError` naming what is missing.
    """
    decoded = decode(content, name)
    text = decoded.clean_text
    try:
        samples = list(_samples(_jsonl(text) if name.lower().endswith(".jsonl") else _csv(text)))
    except (ValueError, RecursionError):
        raise BackendError(f"{name} has a line that is not JSON.", "Write one object per line.") from None
    except csv.Error as error:
        raise BackendError(f"{name} is not a readable CSV file ({error}).", "Save it as CSV again.") from None
    except TypeError as error:
        raise BackendError(f"{name}: {error}.", "Write one object per line, with a text question.") from None
    if not samples:
        raise BackendError(f"{name} has no questions.", "It needs a column question with at least one row.")
    if tell:
        for warning in decoded.warnings:
            tell(f"{name}: {warning}")
    return samples


def evenly(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples, in their order and evenly spread over the set: every part of it has its share."""
    count = min(max(most, 0), len(samples))
    return [samples[place * len(samples) // count] for place in range(count)]


def sample_evenly(samples: Sequence[Sample], most: int, name: str) -> tuple[list[Sample], str]:
    """The samples that `evenly` takes, and the set's name, which says so if they are not all."""
    some = evenly(samples, most)
    return some, name if len(some) == len(samples) else f"{len(some)} of {len(samples)} of {name}"


def _jsonl(text: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise TypeError(f"row {number} is not an object")
    return rows


def _csv(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _samples(rows: list[dict[str, Any]]) -> Iterator[Sample]:
    for number, row in enumerate(rows, 1):
        question = row.get("question") or ""
        if not isinstance(question, str):
            raise TypeError(f"the question of row {number} is not text")
        if question := question.strip():
            yield Sample(
                id=encodable(str(row.get("id") or number)),
                question=encodable(question),
                reference_answer=encodable(str(row.get("reference_answer") or "")),
                key_facts=tuple(tuple(_split(group, "|")) for group in _split(row.get("key_facts"), ";")),
                sources=tuple(_split(row.get("source"), ";")),
                tags=tuple(_split(row.get("tags"), ";")),
            )


def _split(value: object, separator: str) -> list[str]:
    """The parts of a text, or the members of a JSON list."""
    parts = value if isinstance(value, list) else str(value or "").split(separator)
    return [encodable(str(part)).strip() for part in parts if str(part).strip()]
