"""What exports say of each cell: the cell, its question, its scores, and what people said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backends.store.database import Store
from evaluation.runs.marks import CellMark, marks_by_cell
from evaluation.runs.model import Cell, Run
from evaluation.runs.records import cells_of, kept_questions, scores_of
from evaluation.samples import Sample
from evaluation.scorers import Score


@dataclass(frozen=True, slots=True)
class Exported:
    """A cell with its question, whose texts are empty where they were not kept."""

    cell: Cell
    sample: Sample
    scores: Mapping[str, Score]
    marks: tuple[CellMark, ...]


def exported(store: Store, run: Run) -> Iterator[Exported]:
    """Every cell of a run. Raises `BackendError`."""
    samples, marked = kept_questions(store, run), marks_by_cell(store, run)
    scored: dict[tuple[str, int, int], dict[str, Score]] = {}
    for key, scorer, score in scores_of(store, run.id):
        scored.setdefault(key, {})[scorer] = score
    for cell in cells_of(store, run.id):
        key = cell.approach, cell.position, cell.repeat
        yield Exported(cell, samples[cell.position], scored.get(key, {}), tuple(marked.get(key, ())))


def mark_record(mark: CellMark) -> dict[str, Any]:
    """What one person said, without who it was."""
    said = {"verdict": mark.verdict, "star": mark.star, "comment": mark.comment}
    return said | {"at": mark.at and mark.at.isoformat()}
