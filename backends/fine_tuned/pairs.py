"""Question/answer pairs for training, from CSV or JSONL."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.base import BackendError
from backends.questions import visible


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing to learn: a question and the answer that is wanted."""

    question: str
    answer: str


def read_pairs(file: Path) -> list[Pair]:
    """The pairs of a CSV (columns question, answer) or JSONL file.

    Raises `BackendError` naming the row of the first fault.
    """
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV or JSONL file with question and answer.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BackendError(f"{file.name} is not UTF-8 text.", "Save it as UTF-8.") from None
    rows = _jsonl(text, file.name) if file.suffix == ".jsonl" else _csv(text, file.name)
    pairs = [_pair(number, row, file.name) for number, row in rows]
    if not pairs:
        raise BackendError(f"{file.name} has no pairs.", "Add rows with question and answer.")
    return pairs


def digest(pairs: list[Pair]) -> str:
    """sha256 over the pairs, in order; the same whichever file format they came from."""
    text = "\n".join(json.dumps([pair.question, pair.answer]) for pair in pairs)
    return hashlib.sha256(text.encode()).hexdigest()


def _jsonl(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise BackendError(f"Line {number} of {name} is not JSON.", "Mend or remove that line.") from None
        if not isinstance(row, dict):
            raise BackendError(f"Line {number} of {name} is not an object.", 'Write {"question": ..., "answer": ...}.')
        yield number, row


def _csv(text: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(text.splitlines(keepends=True))
    missing = {"question", "answer"} - set(reader.fieldnames or ())
    if missing:
        raise BackendError(
            f"{name} has no column {' and '.join(sorted(missing))}.", "The header must name question and answer."
        )
    yield from enumerate(reader, 2)


def _pair(number: int, row: dict[str, str], name: str) -> Pair:
    values = [row.get("question"), row.get("answer")]
    texts = [visible(value).strip() if isinstance(value, str) else "" for value in values]
    if not all(texts):
        raise BackendError(f"Row {number} of {name} has no question or no answer.", "Fill it in or remove it.")
    return Pair(*texts)
