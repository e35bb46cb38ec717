"""Question/answer pairs for training, from CSV or JSONL."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from backends.decoding import Decoded, decode, with_windows_1252
from backends.errors import BackendError
from backends.text import visible

COLUMNS = (("question", "answer"), ("prompt", "completion"), ("instruction", "output"), ("input", "output"))
"""Pairs of column names that are understood. Case and white space around a name do not count."""

_JSONL = frozenset({".jsonl", ".ndjson", ".json"})
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

_Record = tuple[int, list[str], str]
"""Row number, cells, and what is wrong with the row as CSV, or ""."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the file has it, texts not yet cleaned.

    `number` counts from 1 with the header and blank rows, as a spreadsheet or an editor shows it. `blank`: nothing
    stands there. `broken` ends the sentence "The row is ..." where there is no pair in it. `misread`: some bytes were
    not in the file's encoding. `system`: a chat with a system message, which is left out, since training puts the
    system prompt in force before every question.
    """

    number: int
    question: str = ""
    answer: str = ""
    group: str = ""
    generated: bool = False
    source: str = ""
    blank: bool = False
    broken: str = ""
    misread: bool = False
    system: bool = False


@dataclass(frozen=True, slots=True)
class PairFile:
    """What a file holds. `columns` are the names found; without `understood` there are no rows."""

    name: str
    decoded: Decoded
    layout: str
    columns: tuple[str, ...]
    understood: bool
    rows: tuple[Row, ...]


def read_pair_file(file: Path | bytes, name: str | None = None) -> PairFile:
    """The rows of a file, or of an upload's bytes under its `name`. Raises `BackendError` if it is no readable text."""
    if isinstance(file, bytes):
        data, name = file, name or "the upload"
    else:
        data, name = _content(file), name or file.name
    decoded = decode(data, name)
    suffix = PurePath(name).suffix.lower()
    if suffix == ".json" and decoded.text.lstrip().startswith("["):
        raise BackendError(f"{name} is one JSON list.", "Write one object per line (JSONL).")
    if suffix in _JSONL or (suffix != ".csv" and decoded.text.lstrip().startswith("{")):
        return _jsonl(name, decoded)
    return _csv(name, decoded)


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV or JSONL file with question and answer.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise BackendError(f"{file.name} could not be read ({error.strerror}).", "Check its permissions.") from None


def _understood(columns: Iterable[str]) -> tuple[str, str] | None:
    """The columns of question and answer among `columns`, or None."""
    names = set(columns)
    return next((known for known in COLUMNS if names.issuperset(known)), None)


def _plain(name: str) -> str:
    return name.strip().casefold()


def _pair_row(number: int, values: Mapping[str, object], misread: bool) -> Row:
    known = _understood(values) or COLUMNS[0]
    question, answer = _text(values.get(known[0])), _text(values.get(known[1]))
    if known[0] == "instruction" and (more := _text(values.get("input")).strip()):
        question = f"{question}\n\n{more}"
    return Row(
        number,
        question,
        answer,
        _text(values.get("group")).strip(),
        str(values.get("generated", "")).strip().casefold() in ("true", "1", "yes"),
        _text(values.get("source")).strip(),
        misread=misread,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


# --- JSONL --------------------------------------------------------------------------------------


def _jsonl(name: str, decoded: Decoded) -> PairFile:
    rows: list[Row] = []
    found: dict[str, None] = {}
    understood = False
    for number, line in enumerate(decoded.text.split("\n"), 1):  # splitlines would cut at U+2028 inside of a text
        text = with_windows_1252(line) if decoded.mixed else line
        row, values = _line(number, text, misread=text != line)
        rows.append(row)
        understood = understood or "messages" in values or _understood(values) is not None
        if len(found) < 50:
            found |= dict.fromkeys(values)
    understood = understood or not found
    return PairFile(name, decoded, "JSONL", tuple(found), understood, tuple(rows) if understood else ())


def _line(number: int, line: str, misread: bool) -> tuple[Row, dict[str, object]]:
    """The row, and the object that the line holds."""
    if not line.strip():
        return Row(number, blank=True), {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return Row(number, broken="not JSON"), {}
    if not isinstance(value, dict):
        return Row(number, broken="not an object"), {}
    values = {_plain(key): cell for key, cell in value.items()}
    if "messages" in values and _understood(values) is None:
        return _chat_row(number, values, misread), values
    return _pair_row(number, values, misread), values


def _chat_row(number: int, values: Mapping[str, object], misread: bool) -> Row:
    turns = values["messages"]
    if isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
        said = [turn for turn in turns if turn.get("role") != "system"]
        if [turn.get("role") for turn in said] == ["user", "assistant"]:
            texts = {"question": said[0].get("content"), "answer": said[1].get("content")}
            return replace(_pair_row(number, {**values, **texts}, misread), system=len(said) < len(turns))
    return Row(number, broken="not a chat of one user turn and one assistant turn")


# --- CSV ----------------------------------------------------------------------------------------


def _csv(name: str, decoded: Decoded) -> PairFile:
    separator = _separator(decoded.text)
    records = list(_records(decoded.text, separator))
    start, header = _header(records)
    columns = [_plain(with_windows_1252(cell)) for cell in header]
    understood = _understood(columns) is not None
    rows = [_csv_row(columns, record, decoded.mixed) for record in records[start:]] if understood else []
    if rows and decoded.text.count('"') % 2 and any(cell.count("\n") > 1 for cell in records[-1][1]):
        rows[-1] = Row(rows[-1].number, broken="not closed (a quotation mark opens a cell that never ends)")
    names = tuple(with_windows_1252(cell).strip() for cell in header)
    return PairFile(name, decoded, f"CSV with {_SEPARATORS[separator]}", names, understood, tuple(rows))


def _separator(text: str) -> str:
    """The separator with which the header names known columns, or else makes most columns of it."""
    headers = {separator: _header(_records(text, separator))[1] for separator in _SEPARATORS}
    named = (separator for separator, cells in headers.items() if _understood(map(_plain, cells)))
    return next(named, max(headers, key=lambda separator: len(headers[separator])))


def _header(records: Iterable[_Record]) -> tuple[int, list[str]]:
    """Where the rows begin, and the cells of the header: the first row that is neither blank nor Excel's `sep=;`."""
    for number, cells, _ in records:
        if any(map(str.strip, cells)) and not cells[0].strip().casefold().startswith("sep="):
            return number, cells
    return 0, []


def _records(text: str, separator: str) -> Iterator[_Record]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            yield number, [], f"not readable as CSV ({error})"


def _csv_row(columns: Sequence[str], record: _Record, mixed: bool) -> Row:
    number, cells, broken = record
    if broken or not cells:
        return Row(number, broken=broken, blank=not broken)
    if any(map(str.strip, cells[len(columns) :])):
        widths = f"{len(cells)} cells, not {len(columns)}: a text with the separator in it needs quotation marks"
        return Row(number, broken=f"wider than the header ({widths})")
    whole = [with_windows_1252(cell) for cell in cells] if mixed else cells
    return _pair_row(number, dict(zip(columns, whole, strict=False)), misread=whole != cells)


_NEXT_STEPS = {"not JSON": "Mend or remove that line.", "not an object": 'Write {"question": ..., "answer": ...}.'}


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing to learn: a question and the answer that is wanted.

    Pairs with the same `group` (not "") ask for the same thing in other words. `generated`: a model drafted it, from
    the chunk that `source` names.
    """

    question: str
    answer: str
    group: str = ""
    generated: bool = False
    source: str = ""


def read_pairs(file: Path) -> list[Pair]:
    """The pairs of a CSV or JSONL file (`pair_files` says which columns), every one of its rows.

    Raises `BackendError` naming the row of the first fault; `check_pairs` reports all of them, and what was guessed.
    """
    found = read_pair_file(file)
    if not any(found.columns) and all(row.blank for row in found.rows):
        raise BackendError(f"{found.name} is empty.", "Add rows with question and answer.")
    if not found.understood:
        missing = {"question", "answer"} - {column.casefold() for column in found.columns}
        where = "Every object" if found.layout == "JSONL" else "The header"
        raise BackendError(
            f"{found.name} has no column {' and '.join(sorted(missing))}.", f"{where} must name question and answer."
        )
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
    """sha256 over questions and answers, in order; the same whichever file format they came from."""
    text = "\n".join(json.dumps([pair.question, pair.answer]) for pair in pairs)
    return hashlib.sha256(text.encode()).hexdigest()


def _pair_text(text: str) -> str:
    if text.isprintable():  # as most are; nothing to clean, and many times faster to find out
        return text.strip()
    text = visible(text).strip()
    return text if any(character.isprintable() and not character.isspace() for character in text) else ""


def _pair(row: Row, found: PairFile) -> Pair:
    where = f"{'Line' if found.layout == 'JSONL' else 'Row'} {row.number} of {found.name}"
    if row.broken:
        raise BackendError(f"{where} is {row.broken}.", _NEXT_STEPS.get(row.broken, "Mend or remove that row."))
    pair = cleaned(row)
    if not (pair.question and pair.answer):
        raise BackendError(
            f"Row {row.number} of {found.name} has no question or no answer.", "Fill it in or remove it."
        )
    return pair
