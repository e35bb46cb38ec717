"""Question sets: what to ask, the answer that is wanted, and what counts as right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.errors import BackendError
from backends.question_files import records
from backends.question_files.columns import QUESTIONS, assign, listed, plain
from backends.question_files.reader import QuestionFile, Row, fits, question_file, read_question_file
from backends.rag.documents.workbooks import SUFFIX, Sheet, is_workbook, read_workbook
from backends.text import counted, encodable

SAMPLE_QUESTIONS = Path(__file__).resolve().parents[1] / "sample_docs" / "questions.csv"
SUFFIXES = (*records.SUFFIXES, SUFFIX)
"""What a file of questions may be called, for dialogues that choose one."""

_MOST_ROW_NOTES = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with its reference. `key_facts`: groups that must all occur, each a tuple of alternatives.

    Questions of one `cluster` are not independent of each other (`evaluation.runs.model.cluster_of`). `critical`: no
    answer to it may become wrong.
    """

    id: str
    question: str
    reference_answer: str = ""
    key_facts: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cluster: str = ""
    critical: bool = False


class SheetNotChosen(BackendError):
    """A workbook in which more than one sheet has questions; `sheets` are their names."""

    def __init__(self, name: str, sheets: Sequence[str]) -> None:
        super().__init__(
            f"{name} has questions on {len(sheets):,} sheets: {listed(sheets)}.",
            "Choose one of them (--sheet NAME in the terminal), or keep only that one in the file.",
        )
        self.sheets = tuple(sheets)


def read_question_set(
    file: Path, tell: Callable[[str], object] | None = None, sheet: str | None = None
) -> list[Sample]:
    """The samples of a file that names at least a question (`backends.question_files.columns` has the names).

    A row that cannot be read is left out. `tell` is called with a sentence on what was guessed, left out or not read.
    `sheet` names one of a workbook. Raises `BackendError` naming what is missing, or each row where none can be read.
    """
    if file.is_dir():
        raise BackendError(f"{file} is a folder.", "Give a file of questions in it.")
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV, XLSX or JSONL file with a column question.")
    return parse_question_set(file.name, file.read_bytes(), tell, sheet)


def parse_question_set(
    name: str, content: bytes, tell: Callable[[str], object] | None = None, sheet: str | None = None
) -> list[Sample]:
    """The samples of a file that was read already; `name` helps to tell its format. See `read_question_set`.

    Raises `SheetNotChosen` for a workbook of which more than one sheet has questions, as long as `sheet` names none.
    """
    if is_workbook(name, content):
        found, told = _sheet_of_questions(name, read_workbook(name, content), sheet)
    elif sheet is not None:
        raise BackendError(f"{name} is no workbook, so it has no sheet {sheet[:40]}.", "Leave the sheet out.")
    else:
        found, told = read_question_file(content, name, QUESTIONS), ()
    if found.refusal:
        why = found.refusal.cause.removeprefix(found.name).strip()
        raise BackendError(f"{found.name} has no questions.", f"It {why} {found.refusal.next_step}")
    rows = [row for row in found.rows if not row.blank]
    if endless := [row for row in rows if row.broken == records.UNCLOSED]:
        raise _unreadable(found, endless)  # it holds the rest of the file: who knows how many rows
    ids = _ids(rows)
    samples = list(_samples(rows, ids))
    if not samples and (broken := [row for row in rows if row.broken]):
        raise _unreadable(found, broken)
    if not samples:
        raise BackendError(f"{found.name} has no questions.", "It needs a column question with at least one row.")
    if tell:
        for sentence in (*told, *_reading_notes(found, rows, ids)):
            tell(f"{name}: {sentence}")
    return samples


def _unreadable(found: QuestionFile, broken: Sequence[Row]) -> BackendError:
    """Each row that cannot be read, with its number; of many, the first."""
    first, *others = broken
    words = [f"{found.where(first.number)} is {first.broken}."]
    words += [f"{found.unit} {row.number} is {row.broken}." for row in others[: _MOST_ROW_NOTES - 1]]
    if (more := len(broken) - _MOST_ROW_NOTES) > 0:
        words.append(f"So {'is' if more == 1 else 'are'} {counted(more, f'more {found.unit.lower()}')}.")
    return BackendError(" ".join(words), "Mend or remove it." if len(broken) == 1 else "Mend or remove them.")


def _sheet_of_questions(name: str, sheets: Sequence[Sheet], wanted: str | None) -> tuple[QuestionFile, tuple[str, ...]]:
    """The sheet that has questions, or the one that is wanted, and sentences on how it was read."""
    known = [one.name for one in sheets]
    if wanted is not None and wanted not in known:
        raise BackendError(f"{name} has no sheet {wanted[:40]}.", f"It has {listed(known)}.")
    chosen = [one for one in sheets if wanted in (None, one.name)]
    read = [(one, _table(name if len(sheets) == 1 else f"{name}, sheet {one.name}", one)) for one in chosen]
    able = [(one, found) for one, found in read if found.understood]
    if len(able) > 1:
        raise SheetNotChosen(name, [one.name for one, _ in able])
    if not able:
        if len(read) != 1:
            raise BackendError(
                f"{name} has no questions.",
                f"None of its sheets ({listed(known)}) has a column question." if known else "It has no sheet to read.",
            )
        return read[0][1], ()
    ((sheet, found),) = able
    told = (f"Its sheet {sheet.name} is read, of {len(sheets):,}.",) if len(sheets) > 1 else ()
    return found, (*told, *sheet.warnings)


def _table(name: str, sheet: Sheet) -> QuestionFile:
    return question_file(name, records.records_of_sheet(sheet.rows, fits(QUESTIONS)), QUESTIONS)


def _reading_notes(found: QuestionFile, rows: Sequence[Row], ids: Sequence[str]) -> Iterator[str]:
    """What was guessed, left out or not read, in sentences."""
    yield from found.decoded.warnings
    taken = assign(found.columns, QUESTIONS).taken if found.unit == "Row" else {}
    named = {QUESTIONS.canonical.get(role, role): found.columns[place] for role, place in taken.items()}
    if other := [f"{name[:40]} as {role}" for role, name in named.items() if plain(name) != plain(role)]:
        yield f"Columns are read under other names: {', '.join(other)}."
    yield from found.notes
    of_rows = [
        f"{found.unit.lower()} {row.number}: {note}"
        for row, id in sorted(zip(rows, ids, strict=True), key=lambda one: not one[0].broken)  # what is lacking first
        for note in _row_notes(row, id)
    ]
    yield from of_rows[:_MOST_ROW_NOTES]
    if (more := len(of_rows) - _MOST_ROW_NOTES) > 0:
        left = sum(1 for row in rows if row.broken)
        yield f"and {more:,} more notes on rows." + (
            f" In all, {left:,} cannot be read and are left out." if left > 1 else ""
        )


def _row_notes(row: Row, id: str) -> Iterator[str]:
    if row.broken:
        yield f"It is {row.broken}; it is left out."
        return
    yield from row.notes
    if row.id and id != encodable(row.id):
        yield f"Its id {row.id[:40]} is taken already, so it is called {id[:40]} here."
    if not row.question.strip() and (row.answer or row.key_facts or row.sources or row.tags):
        yield "It has no question; it is left out."


def _ids(rows: Sequence[Row]) -> list[str]:
    """The id of each row: its own, or else its number; one that is taken already gets a number behind it."""
    wanted = [encodable(row.id or str(number)) for number, row in enumerate(rows, 1)]
    taken, last = set(wanted), dict.fromkeys(wanted, 0)
    ids = []
    for one in wanted:
        last[one] += 1
        id = one
        while last[one] > 1 and id in taken:
            id = f"{one}-{last[one]}"
            last[one] += id in taken
        taken.add(id)
        ids.append(id)
    return ids


def _samples(rows: Sequence[Row], ids: Sequence[str]) -> Iterator[Sample]:
    for row, id in zip(rows, ids, strict=True):
        if not row.broken and (question := row.question.strip()):
            yield Sample(
                id=id,
                question=encodable(question),
                reference_answer=encodable(row.answer),
                key_facts=tuple(tuple(map(encodable, group)) for group in row.key_facts),
                sources=tuple(map(encodable, row.sources)),
                tags=tuple(map(encodable, row.tags)),
                cluster=encodable(row.cluster),
                critical=row.critical,
            )


def evenly(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most so many of the samples, in their order and evenly spread over the set: every part of it has its share."""
    count = min(max(most, 0), len(samples))
    return [samples[place * len(samples) // count] for place in range(count)]


def sample_evenly(samples: Sequence[Sample], most: int, name: str) -> tuple[list[Sample], str]:
    """The samples that `evenly` takes, and the set's name, which says so if they are not all."""
    some = evenly(samples, most)
    return some, name if len(some) == len(samples) else f"{len(some)} of {len(samples)} of {name}"
