"""Documents with questions: the sample handbook, and those on which search and readers are chosen."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from backends.rag.approach import SAMPLE_DOCUMENTS
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set

HOME = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of documents and the file of the questions on them. With `half`, only the questions with that tag."""

    name: str
    documents: Path
    questions: Path
    half: str = ""

    @property
    def label(self) -> str:
        """The name, with the half."""
        return f"{self.name}, {self.half}" if self.half else self.name

    def samples(self) -> list[Sample]:
        """The questions. Raises `BackendError` if they cannot be read."""
        return [sample for sample in read_question_set(self.questions) if not self.half or self.half in sample.tags]


HANDBOOK = Corpus("handbook", SAMPLE_DOCUMENTS, SAMPLE_QUESTIONS)
FIELD = Corpus("field", HOME / "field" / "documents", HOME / "field" / "questions.csv")
CORPORA = {
    "handbook": HANDBOOK,
    "choose": replace(FIELD, half="choose"),
    "report": replace(FIELD, half="report"),
}
"""What can be measured on: the handbook, and the halves of the other one."""


def superseded_values(name: str) -> dict[str, tuple[str, ...]]:
    """For questions of a corpus that ask for the value in force: the old value, in its spellings, by id."""
    with (HOME / "superseded_values.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: tuple(row["superseded"].split("|")) for row in csv.DictReader(file) if row["corpus"] == name}
