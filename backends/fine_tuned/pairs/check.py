"""What is in a file of pairs and what is wrong with it: every fault with its row, before anything is trained."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backends.errors import BackendError
from backends.fine_tuned.pairs.files import Pair, cleaned
from backends.fine_tuned.pairs.near_identical import normalised
from backends.question_files.reader import QuestionFile, Row, read_question_file
from backends.text import visible

Severity = Literal["error", "warning"]
"""`error`: something that was meant to be learned is lost. `warning`: nothing is lost, but it deserves a look."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a row, in a sentence that does not repeat its number; `row` is None for the whole file."""

    row: int | None
    sentence: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of the usable pairs, each with its question, answer and what the chat template adds to them.

    `median` and `longest` are of one pair; `in_answers` is the part of `total` that the loss counts.
    """

    total: int
    median: float
    longest: int
    in_answers: int


@dataclass(frozen=True, slots=True)
class PairReport:
    """`pairs` can be trained on as they are; `numbers` are their rows. `rows` counts those in which something stands.

    `encoding` and `layout` say in words how the file was read, "" where it could not be. `tokens` is None if nobody
    counted. Rows are numbered from 1 with the header and blank rows, as a spreadsheet shows them.
    """

    pairs: tuple[Pair, ...]
    numbers: tuple[int, ...]
    faults: tuple[RowFault, ...]
    encoding: str
    layout: str
    rows: int
    tokens: TokenCounts | None

    @property
    def errors(self) -> tuple[RowFault, ...]:
        """The faults that cost something."""
        return tuple(fault for fault in self.faults if fault.severity == "error")


def check_pairs(
    file: Path | bytes,
    name: str | None = None,
    count_tokens: Callable[[str], int] | None = None,
    window: int | None = None,
    template_tokens: int = 0,
) -> PairReport:
    """Read a file of pairs, or the bytes of an upload called `name`, and report on every row.

    `count_tokens` gives a text's tokens, `template_tokens` what a pair has besides (see `token_counts`), `window` the
    model's context in tokens; pairs that do not fit are left out. Never raises for what is in the file.
    Time grows with the number of rows (docs/measurements.md has it for 100,000).
    """
    name = name or (file.name if isinstance(file, Path) else "the upload")
    data = file if isinstance(file, bytes) else None
    try:
        if data == b"" or (isinstance(file, Path) and file.is_file() and not file.stat().st_size):
            raise BackendError(f"{name} is empty (0 bytes).", "Add rows with question and answer.")
        found = read_question_file(file, name)
    except BackendError as fault:
        return PairReport((), (), (RowFault(None, str(fault), "error"),), "", "", 0, None)
    check = _Check(count_tokens, window, template_tokens)
    check.faults += _file_faults(found)
    rows = list(found.rows)
    while rows and _empty(rows[-1]):  # spreadsheets write them below the table
        rows.pop()
    for row in rows:
        check.add_row(row)
    return check.report(name, _encoding(found), found.layout, sum(not _empty(row) for row in rows))


def check_reviewed(
    pairs: Sequence[Pair],
    count_tokens: Callable[[str], int] | None = None,
    window: int | None = None,
    template_tokens: int = 0,
) -> PairReport:
    """The same report on pairs that were drafted or edited on the page; the first is row 1."""
    check = _Check(count_tokens, window, template_tokens)
    for number, pair in enumerate(pairs, 1):
        check.add_row(Row(number, pair.question, pair.answer, pair.group, pair.generated, pair.source))
    return check.report("The table", "", "", len(pairs))


class _Check:
    """Goes through the rows once; keeps the usable pairs and the faults."""

    def __init__(self, count_tokens: Callable[[str], int] | None, window: int | None, template_tokens: int) -> None:
        self.faults: list[RowFault] = []
        self._count = count_tokens
        self._window = window
        self._template_tokens = template_tokens
        self._pairs: list[Pair] = []
        self._numbers: list[int] = []
        self._tokens: list[tuple[int, int]] = []
        self._seen: dict[tuple[str, str], int] = {}
        self._answered: dict[str, tuple[int, str]] = {}

    def add_row(self, row: Row) -> None:
        if problem := _unusable(row):
            self.faults.append(RowFault(row.number, *problem))
            return
        pair = cleaned(row)
        if not (pair.question and pair.answer):
            lacks = "question and no answer" if not (pair.question or pair.answer) else _lacking(pair)
            self._fault(row, f"It has no {lacks} that is text; it is left out.", "error")
            return
        if (first := self._seen.setdefault((pair.question, pair.answer), row.number)) != row.number:
            self._fault(row, f"The same pair as row {first}; it is used once.", "warning")
            return
        if self._fits(row, pair):
            self._find_warnings(row, pair)
            self._pairs.append(pair)
            self._numbers.append(row.number)

    def _fault(self, row: Row, sentence: str, severity: Severity) -> None:
        self.faults.append(RowFault(row.number, sentence, severity))

    def _fits(self, row: Row, pair: Pair) -> bool:
        if self._count is None:
            return True
        answer = self._count(pair.answer)
        total = self._count(pair.question) + answer + self._template_tokens
        if self._window is not None and total > self._window:
            sentence = f"It has {total:,} tokens, more than the context of {self._window:,}; it is left out."
            self._fault(row, sentence, "error")
            return False
        self._tokens.append((total, answer))
        return True

    def _find_warnings(self, row: Row, pair: Pair) -> None:
        """What does not keep a pair from being trained on."""
        for what, text, kept in (("question", row.question, pair.question), ("answer", row.answer, pair.answer)):
            if text.strip() != kept and visible(text) != text.replace("\r\n", "\n").replace("\r", "\n"):
                self._fault(row, f"Control characters were removed from the {what}.", "warning")
        for note in row.notes:
            self._fault(row, note, "warning")
        if row.misread:
            sentence = "It is not in the file's encoding; it was read as Windows-1252, which is a guess."
            self._fault(row, sentence, "warning")
        if "\ufffd" in pair.question or "\ufffd" in pair.answer:
            self._fault(row, "It holds \ufffd, the mark of a letter that was lost in a conversion.", "warning")
        answer = normalised(pair.answer)
        first, other = self._answered.setdefault(normalised(pair.question), (row.number, answer))
        if other != answer:
            self._fault(row, f"The same question as row {first}, with another answer.", "warning")

    def report(self, name: str, encoding: str, layout: str, rows: int) -> PairReport:
        if len(self._pairs) == 1:
            only = "There is only one pair, so nothing can be held out to measure what was learned."
            self.faults.append(RowFault(None, only, "warning"))
        elif not self._pairs and not any(fault.row is None for fault in self.errors()):
            nothing = f"{name} has no usable pairs. Add rows with question and answer."
            self.faults.append(RowFault(None, nothing, "error"))
        faults = tuple(sorted(self.faults, key=lambda fault: fault.row or 0))
        counts = _counts(self._tokens) if self._count and self._tokens else None
        return PairReport(tuple(self._pairs), tuple(self._numbers), faults, encoding, layout, rows, counts)

    def errors(self) -> Iterator[RowFault]:
        return (fault for fault in self.faults if fault.severity == "error")


def _unusable(row: Row) -> tuple[str, Severity] | None:
    if row.broken:
        return f"It is {row.broken}; it is left out.", "error"
    return ("It is empty.", "warning") if _empty(row) else None


def _empty(row: Row) -> bool:
    return not (row.broken or row.question.strip() or row.answer.strip())


def _lacking(pair: Pair) -> str:
    return "answer" if pair.question else "question"


def _counts(tokens: Sequence[tuple[int, int]]) -> TokenCounts:
    totals = [total for total, _ in tokens]
    return TokenCounts(sum(totals), statistics.median(totals), max(totals), sum(answer for _, answer in tokens))


def _encoding(found: QuestionFile) -> str:
    return f"{found.decoded.encoding} (guessed)" if found.decoded.guessed else found.decoded.encoding


def _file_faults(found: QuestionFile) -> Iterator[RowFault]:
    name, decoded = found.name, found.decoded
    if decoded.guessed:
        sentence = f"{name} was read as {decoded.encoding}, which is a guess. If letters look wrong, save it as UTF-8."
        yield RowFault(None, sentence, "warning")
    if decoded.mixed:
        misread = _rows([row.number for row in found.rows if row.misread])
        sentence = f"{name} mixes encodings: it is {decoded.encoding}, except for {misread}. Save it as UTF-8."
        yield RowFault(None, sentence, "warning")
    for sentence in found.notes:
        yield RowFault(None, sentence, "warning")
    if found.refusal:
        yield RowFault(None, str(found.refusal), "error")


def _rows(numbers: Sequence[int]) -> str:
    if not numbers:
        return "its header"
    shown = ", ".join(map(str, numbers[:10])) + (f" and {len(numbers) - 10:,} more" if len(numbers) > 10 else "")
    return f"row {shown}" if len(numbers) == 1 else f"rows {shown}"
