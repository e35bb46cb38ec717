"""Question/answer pairs for training, from any file that `backends.question_files` reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.errors import BackendError
from backends.question_files.reader import QuestionFile, Row, read_question_file
from backends.text import visible

_NEXT_STEPS = {"not JSON": "Mend or remove that line.", "not an object": 'Write {"question": ..., "answer": ...}.'}


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing to learn: a question and the answer that is wanted.

    Pairs with the same `group` (not "") ask for the same thing in other words. `generated`: a model drafted it, from
    the chunk that `source` names. `prompt` is what the model is asked in place of the bare question, "" for that: for
    an example of reading, the question with passages.
    """

    question: str
    answer: str
    group: str = ""
    generated: bool = False
    source: str = ""
    prompt: str = ""

    @property
    def asked(self) -> str:
        """What the model is asked."""
        return self.prompt or self.question


def read_pairs(file: Path) -> list[Pair]:
    """The pairs of a file (`backends.question_files.columns` has the names of its columns), every one of its rows.

    Raises `BackendError` naming the row of the first fault; `check_pairs` reports all of them, and what was guessed.
    """
    found = read_question_file(file)
    if not any(found.columns) and all(row.blank for row in found.rows):
        raise BackendError(f"{found.name} is empty.", "Add rows with question and answer.")
    if found.refusal:
        raise found.refusal
    pairs = [_pair(row, found) for row in found.rows if not row.blank]
    if not pairs:
        raise BackendError(f"{found.name} has no pairs.", "Add rows with question and answer.")
    return pairs


def cleaned(row: Row) -> Pair:
    """The pair of a row, without control characters or surrounding white space; a text that shows nothing is ""."""
    return Pair(
        _pair_text(row.question), _pair_text(row.answer), _pair_text(row.group), row.generated, _pair_text(row.source)
    )


def check_enough(pairs: int) -> None:
    """Raises `BackendError` for fewer pairs than a training takes."""
    if pairs < 2:
        counted = "1 pair is" if pairs == 1 else f"{pairs} pairs are"
        raise BackendError(f"{counted} too few to learn from.", "Give at least 2, better 20 or more.")


def digest(pairs: Sequence[Pair]) -> str:
    """sha256 over what is asked and answered, in order; the same whichever file format they came from."""
    text = "\n".join(json.dumps([pair.asked, pair.answer]) for pair in pairs)
    return hashlib.sha256(text.encode()).hexdigest()


def _pair_text(text: str) -> str:
    if text.isprintable():  # as most are; nothing to clean, and many times faster to find out
        return text.strip()
    text = visible(text).strip()
    return text if any(character.isprintable() and not character.isspace() for character in text) else ""


def _pair(row: Row, found: QuestionFile) -> Pair:
    where = found.where(row.number)
    if row.broken:
        raise BackendError(f"{where} is {row.broken}.", _NEXT_STEPS.get(row.broken, "Mend or remove that row."))
    pair = cleaned(row)
    if not (pair.question and pair.answer):
        raise BackendError(f"{where} has no question or no answer.", "Fill it in or remove it.")
    return pair
