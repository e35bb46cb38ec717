"""Question sets: what to ask, the answer that is wanted, and what counts as right."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import BackendError

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


def read_question_set(file: Path) -> list[Sample]:
    """The samples of a CSV or JSONL file with at least a column `question`.

    Raises `BackendError` naming what is missing.
    """
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV or JSONL file with a column question.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = (
            [json.loads(line) for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else _csv(text)
        )
    except UnicodeDecodeError:
        raise BackendError(f"{file.name} is not UTF-8 text.", "Save it as UTF-8.") from None
    except ValueError:
        raise BackendError(f"{file.name} has a line that is not JSON.", "Write one object per line.") from None
    samples = list(_samples(rows))
    if not samples:
        raise BackendError(f"{file.name} has no questions.", "It needs a column question with at least one row.")
    return samples


def _csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(keepends=True)))


def _samples(rows: list[dict[str, Any]]) -> Iterator[Sample]:
    for number, row in enumerate(rows, 1):
        if question := (row.get("question") or "").strip():
            yield Sample(
                id=row.get("id") or str(number),
                question=question,
                reference_answer=row.get("reference_answer") or "",
                key_facts=tuple(tuple(_split(group, "|")) for group in _split(row.get("key_facts") or "", ";")),
                sources=tuple(_split(row.get("source") or "", ";")),
                tags=tuple(_split(row.get("tags") or "", ";")),
            )


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]
