"""A file's bytes become records: rows of CSV, TSV and the like, lines of JSONL, items of a JSON document."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from backends.decoding import Decoded, decode, with_windows_1252
from backends.errors import BackendError
from backends.question_files.columns import has_chat, listed
from backends.storage import strict_json

SUFFIXES = ("csv", "tsv", "txt", "jsonl", "ndjson", "json")
"""What a file of questions may be called, for dialogues that choose one. Other names are read by their content."""

Unit = Literal["Row", "Line", "Item"]
"""What the number of a record counts: rows or lines with all that stands above them, or items of a list."""

_LINES = (".jsonl", ".ndjson", ".jsonlines", ".jl")
_JSON = frozenset({*_LINES, ".json"})
_TABLES = frozenset({".csv", ".tsv", ".tab"})
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_COMMENTS = ("#", "//")
_ABOVE = 10
"""So many rows may stand above the header: a title, a date."""

UNCLOSED = "not closed (a quotation mark opens a cell that never ends)"
"""What is wrong with the row that holds the rest of a file."""


@dataclass(frozen=True, slots=True)
class Record:
    """`names` and `cells` belong together; a name may stand there twice. Numbers are `strict_json.Number`.

    `broken` ends the sentence "The row is ..." where nothing can be read from it. `misread`: some bytes were not in
    the file's encoding. `blank`: nothing stands there, or a comment.
    """

    number: int
    names: tuple[str, ...] = ()
    cells: tuple[Any, ...] = ()
    broken: str = ""
    blank: bool = False
    misread: bool = False


class Unreadable(str):
    """A cell without a text to go by; `why` is what makes it so, and ends a sentence."""

    why = ""

    @classmethod
    def of(cls, text: str, why: str) -> Unreadable:
        """The cell that shows `text`."""
        cell = cls(text)
        cell.why = why
        return cell


@dataclass(frozen=True, slots=True)
class RecordFile:
    """`header` are the names of all records of a table, None where each record has its own. `notes` are sentences."""

    decoded: Decoded
    layout: str
    unit: Unit
    header: tuple[str, ...] | None
    records: tuple[Record, ...]
    notes: tuple[str, ...] = field(default=())


Fits = Callable[[tuple[str, ...]], bool]
"""Whether columns of these names are what is looked for."""


def read_records(data: bytes, name: str, fits: Fits) -> RecordFile:
    """What the file called `name` holds. `fits` tells the header from what stands above it, and finds the separator.

    Raises `BackendError` if it is no readable text, or a JSON document that holds more than one list.
    """
    decoded = decode(data, name)
    suffix = PurePath(name).suffix.lower()
    begins = decoded.text.lstrip("\ufeff \t\r\n")[:1]
    if suffix in _JSON or (suffix not in _TABLES and begins in ("{", "[") and begins):
        return _json(name, decoded, fits)
    return _table(decoded, fits)


# --- JSON ---------------------------------------------------------------------------------------


def _json(name: str, decoded: Decoded, fits: Fits) -> RecordFile:
    """Lines if the first line is a document of its own and not the only one, else one document."""
    text = with_windows_1252(decoded.text) if decoded.mixed else decoded.text
    first, _, more = text.lstrip().partition("\n")
    if more.strip() and (_parsed(first) or first.startswith(_COMMENTS)):
        return _lines(decoded)
    found = _parsed(text)
    flat = bool(found) and (not isinstance(found[0], dict | list) or _has_no_objects(found[0]))
    if not found or (flat and not more.strip()):
        return _lines(decoded)
    items, layout, notes = (found, "JSON objects", []) if len(found) > 1 else _items(name, found[0], fits)
    undecoded = _parsed(decoded.text) if decoded.mixed and len(found) == 1 else []
    decoded_items = _items(name, undecoded[0], fits)[0] if undecoded else items
    records = tuple(
        _record(number, item, misread=number <= len(decoded_items) and item != decoded_items[number - 1])
        for number, item in enumerate(items, 1)
    )
    return RecordFile(decoded, layout, "Line" if layout == "JSONL" else "Item", None, records, tuple(notes))


def _has_no_objects(document: Any) -> bool:
    return isinstance(document, list) and bool(document) and not any(isinstance(one, dict) for one in document)


def _parsed(text: str) -> list[Any]:
    """The JSON documents in a text, none if it is no JSON."""
    try:
        return strict_json.documents(text)
    except ValueError:
        return []


def _items(name: str, document: Any, fits: Fits) -> tuple[list[Any], str, list[str]]:
    """The items of a document, its layout in words, and sentences on what is left out."""
    if isinstance(document, list):
        return [_unwrapped(item) for item in document], "JSON list", []
    if not isinstance(document, dict):
        return [document], "JSON", []
    columns, rows = document.get("columns"), document.get("data")
    if has_chat(document):
        return [document], "JSONL", []
    if isinstance(columns, list) and isinstance(rows, list) and any(isinstance(row, list) for row in rows):
        return [_joined(columns, row) for row in rows], "JSON table", _beside(document, "columns", "data")
    if fits(tuple(document)):
        table = [] if name.lower().endswith(_LINES) else _by_row(document)
        return (table, "JSON columns", []) if table else ([document], "JSONL", [])
    lists = {key: list(map(_unwrapped, value)) for key, value in document.items() if _holds_objects(value)}
    known = {key: value for key, value in lists.items() if fits(tuple(value[0])) or has_chat(value[0])}
    lists = known or {key: value for key, value in lists.items() if name.lower().endswith(".json")}
    if len(lists) > 1 and not known:
        return [document], "JSON", []
    if len(lists) > 1:
        raise BackendError(
            f"{name} has more than one list of rows: {listed(lists)}.", "Keep the one that is wanted in the file."
        )
    for key, value in lists.items():
        return value, f"JSON list {key[:40]}", _beside(document, key)
    return [document], "JSONL", []


def _beside(document: Mapping[str, Any], *read: str) -> list[str]:
    others = [key for key in document if key not in read]
    return [f"The document also holds {listed(others)}, beside {read[-1][:40]}; that is not read."] if others else []


def _unwrapped(item: Any) -> Any:
    """A row as the dataset viewer of the Hub gives it: `{"row_idx": 0, "row": {...}, "truncated_cells": []}`."""
    if isinstance(item, dict) and isinstance(item.get("row"), dict) and "row_idx" in item:
        return item["row"]
    return item


def _joined(columns: Sequence[Any], row: Any) -> Any:
    fits = isinstance(row, list) and len(row) == len(columns)
    return dict(zip(map(str, columns), row, strict=True)) if fits else row


def _by_row(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a document that holds one list, or one object of numbered cells, for each column; else none."""
    parts = {key: list(value.values()) if isinstance(value, dict) else value for key, value in document.items()}
    if not parts or not all(isinstance(cells, list) and not _holds_objects(cells) for cells in parts.values()):
        return []
    lengths = {len(cells) for cells in parts.values()}
    keys = {tuple(value) for value in document.values() if isinstance(value, dict)}
    if len(lengths) != 1 or len(keys) > 1:
        return []
    return [dict(zip(parts, cells, strict=True)) for cells in zip(*parts.values(), strict=True)]


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _lines(decoded: Decoded) -> RecordFile:
    records, comments = [], 0
    for number, line in enumerate(decoded.text.split("\n"), 1):  # splitlines would cut at U+2028 inside of a text
        text = with_windows_1252(line) if decoded.mixed else line
        comment = text.lstrip().startswith(_COMMENTS)
        comments += comment
        if comment:
            continue
        if not text.strip("\ufeff \t\r\n\x0b\x0c"):
            records.append(Record(number, blank=True))
            continue
        found = _parsed(text)
        record = (
            _record(number, found[0], misread=text != line) if len(found) == 1 else Record(number, broken="not JSON")
        )
        records.append(record)
    return RecordFile(decoded, "JSONL", "Line", None, tuple(records), _comment_note(comments))


def _record(number: int, value: Any, misread: bool) -> Record:
    if not isinstance(value, dict):
        return Record(number, broken="not an object")
    names = value.names if isinstance(value, strict_json.Twice) else tuple(value)
    return Record(number, names, tuple(value[name] for name in names), misread=misread)


def _comment_note(comments: int) -> tuple[str, ...]:
    if not comments:
        return ()
    return (f"{comments:,} lines are comments, which are not read." if comments > 1 else "A comment is not read.",)


# --- tables -------------------------------------------------------------------------------------

_Row = tuple[int, list[str], str]
"""Row number, cells, and what is wrong with the row as CSV, or ""."""


def _table(decoded: Decoded, fits: Fits) -> RecordFile:
    separator = _separator(decoded.text, fits)
    text = _with_doubled_marks(decoded.text, separator)
    rows = list(_rows(text, separator))
    names, records, notes = _below_header(rows, fits, decoded.mixed)
    if records and text.count('"') % 2 and any(cell.count("\n") > 1 for cell in rows[-1][1]):
        records[-1] = Record(records[-1].number, broken=UNCLOSED)
    if text is not decoded.text:
        notes.append('Its quotation marks inside of cells are written as \\", as MySQL does, and are read so.')
    layout = f"CSV with {_SEPARATORS[separator]}" if len(names) > 1 else "CSV of one column"
    return RecordFile(decoded, layout, "Row", names, tuple(records), tuple(notes))


def records_of_sheet(rows: Sequence[tuple[int, Sequence[str]]], fits: Fits) -> RecordFile:
    """What the rows of a sheet hold, each with its number; a cell may be `Unreadable`."""
    widest = max((len(cells) for _, cells in rows), default=0)
    whole = [(number, [*cells, *[""] * (widest - len(cells))], "") for number, cells in rows]
    names, records, notes = _below_header(whole, fits, mixed=False)
    return RecordFile(Decoded("", ""), "XLSX", "Row", names, tuple(records), tuple(notes))


def _below_header(rows: Sequence[_Row], fits: Fits, mixed: bool) -> tuple[tuple[str, ...], list[Record], list[str]]:
    """The names of the columns, the records below them, and sentences on rows that are not read."""
    start, header, above = _header(rows, fits)
    names = tuple(with_windows_1252(cell).strip() for cell in header)
    comments = sum(1 for row in rows[: max(start - 1, 0)] if row[1] and row[1][0].lstrip().startswith("#"))
    commented, records = comments > 0, []
    for row in rows[start:]:
        comment = _is_comment(row[1], names, commented)
        comments += comment
        if not comment:
            records.append(_table_record(names, row, mixed))
    notes = [f"{above:,} rows above the header are not read." if above > 1 else "A row above the header is not read."]
    return names, records, [*(notes if above else ()), *_comment_note(comments)]


def _with_doubled_marks(text: str, separator: str) -> str:
    """The text with "" for every \\" if it is CSV only so; else the text itself."""
    if '\\"' not in text or _is_strict(text, separator):
        return text
    doubled = text.replace('\\"', '""')
    return doubled if _is_strict(doubled, separator) else text


def _is_strict(text: str, separator: str) -> bool:
    """Whether nothing but a separator or the end of the line stands behind a cell's closing mark."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _separator(text: str, fits: Fits) -> str:
    """The separator with which the header names known columns, the most of them; or else makes most columns of it."""
    headers = {separator: _header(_rows(text, separator), fits)[1] for separator in _SEPARATORS}
    named = [separator for separator, cells in headers.items() if fits(tuple(cells))]
    best = max(named or headers, key=lambda separator: len(headers[separator]))
    if len(headers[best]) > 1:
        return best
    return next((one for one in _SEPARATORS if all(len(row[1]) <= 1 for row in _rows(text, one))), best)


def _header(rows: Iterable[_Row], fits: Fits) -> tuple[int, list[str], int]:
    """How many rows stand before the records, the cells of the header, and how many rows above it are not read.

    The header is the first row that names what is looked for, or else the first that is neither blank nor Excel's
    `sep=;` nor a comment.
    """
    first: tuple[int, list[str], int] | None = None
    seen = 0
    for number, (_, cells, _) in enumerate(rows, 1):
        if not any(map(str.strip, cells)) or cells[0].strip().casefold().startswith("sep="):
            continue
        if fits(tuple(map(with_windows_1252, cells))):
            return number, cells, seen
        comment = cells[0].lstrip().startswith("#")
        first = first or (None if comment else (number, cells, 0))
        seen += not comment
        if seen > _ABOVE:
            break
    return first or (0, [], 0)


def _rows(text: str, separator: str) -> Iterator[_Row]:
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


def _is_comment(cells: Sequence[str], names: Sequence[str], commented: bool) -> bool:
    """Whether a row begins with # and has no second cell, or stands in a table whose head is commented so."""
    if not cells or not cells[0].lstrip().startswith("#"):
        return False
    return commented or (len(names) > 1 and not any(map(str.strip, cells[1:])))


def _table_record(names: tuple[str, ...], row: _Row, mixed: bool) -> Record:
    number, cells, broken = row
    if broken or not cells:
        return Record(number, broken=broken, blank=not broken)
    if any(map(str.strip, cells[len(names) :])):
        widths = f"{len(cells)} cells, not {len(names)}: a text with the separator in it needs quotation marks"
        return Record(number, broken=f"wider than the header ({widths})")
    whole = [with_windows_1252(cell) for cell in cells] if mixed else cells
    padded = [*whole, *[""] * (len(names) - len(whole))][: len(names)]
    return Record(number, names, tuple(padded), misread=whole != cells)
