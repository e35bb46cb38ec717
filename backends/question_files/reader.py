"""The one reader of files of questions: pairs to train on, and sets to ask.

The same content is read alike whichever format it was written in. What stands in the file and is not read is named:
columns, turns of a chat, system messages, comments, rows above the header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backends.decoding import Decoded
from backends.errors import BackendError
from backends.question_files import chats
from backends.question_files.columns import (
    PAIRS,
    Columns,
    Kind,
    Role,
    assign,
    inner_name,
    known_words,
    listed,
    rival_words,
)
from backends.question_files.records import Fits, Record, RecordFile, Unit, Unreadable, read_records
from backends.storage import strict_json

_MOST_NAMES = 50
_QUOTED = re.compile(r"""'[^'\\]*+'|"[^"\\]*+\"""")
_LITERAL = 10_000
"""Characters of a cell that is read as a list; a longer one is a text."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the file has it, texts not yet cleaned.

    `number` is what a spreadsheet or an editor shows: it counts from 1 with the header and blank rows; in a JSON list
    it counts items. `blank`: nothing stands there. `broken` ends the sentence "The row is ..." where nothing can be
    read from it. `misread`: some bytes were not in the file's encoding. `system`: it has a system message, which is
    left out, since the system prompt in force goes before every question. `notes` are sentences on what was not read.
    `key_facts`, `sources`, `tags`, `cluster` and `critical` are read from question sets, `group`, `generated` and
    `source` from pairs.
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
    notes: tuple[str, ...] = ()
    id: str = ""
    key_facts: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cluster: str = ""
    critical: bool = False


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """What a file holds. `columns` are the names found; without `understood` there are no rows.

    `rivals`: sentences on columns of which more than one fits. `notes`: sentences on what was not read. `unit` is what
    the rows' numbers count.
    """

    name: str
    decoded: Decoded
    layout: str
    columns: tuple[str, ...]
    understood: bool
    rows: tuple[Row, ...]
    kind: Kind = PAIRS
    unit: Unit = "Row"
    rivals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def refusal(self) -> BackendError | None:
        """Why nothing was read, and what would be; None where the file was understood."""
        if self.understood:
            return None
        known = known_words(self.kind, chats=self.unit != "Row")
        if not any(self.columns):
            return BackendError(f"{self.name} has no columns.", known)
        columns = assign(self.columns, self.kind)
        if self.rivals and all(role in columns.taken or role in columns.rivals for role in self.kind.wanted):
            sentence, _, step = self.rivals[0].rpartition(". ")
            return BackendError(f"{self.name} is ambiguous: {sentence[0].lower()}{sentence[1:]}.", step)
        missing = " and ".join(sorted(role for role in self.kind.wanted if role not in columns.taken))
        there = f"It has the column{'s' * (len(self.columns) > 1)} {listed(self.columns)}."
        if "vars" in self.columns:
            there += " Tests of promptfoo (vars and assert) are not read: give each variable a column of its own."
        return BackendError(f"{self.name} has no column {missing}.", f"{there} {known}")

    def where(self, number: int) -> str:
        """`Row 3 of pairs.csv`."""
        return f"{self.unit} {number} of {self.name}"


def read_question_file(file: Path | bytes, name: str | None = None, kind: Kind = PAIRS) -> QuestionFile:
    """The rows of a file, or of an upload's bytes under its `name`. Raises `BackendError` if it is no readable text."""
    if isinstance(file, bytes):
        data, name = file, name or "the upload"
    else:
        data, name = _content(file), name or file.name
    return question_file(name, read_records(data, name, fits(kind)), kind)


def fits(kind: Kind) -> Fits:
    """What tells the header of a file of this kind."""
    return lambda names: assign(names, kind).nearly(kind)


def question_file(name: str, found: RecordFile, kind: Kind = PAIRS) -> QuestionFile:
    """The rows of records that were read already."""
    reading = _Reading(kind, found.header)
    rows = tuple(map(reading.row, found.records))
    understood = (
        reading.understood or not reading.names if found.header is None else reading.has_header() or reading.understood
    )
    notes = (*found.notes, *reading.notes()) if understood else ()
    columns = found.header if found.header is not None else tuple(reading.names)
    rivals = tuple(reading.rivals) if not understood else ()
    return QuestionFile(
        *(name, found.decoded, found.layout, columns, understood, rows if understood else ()),
        *(kind, found.unit, rivals, notes),
    )


def _content(file: Path) -> bytes:
    if file.is_dir():
        raise BackendError(f"{file} is a folder.", "Give a CSV or JSONL file in it.")
    if not file.is_file():
        raise BackendError(f"There is no file {file}.", "Give a CSV or JSONL file with question and answer.")
    try:
        return file.read_bytes()
    except OSError as error:
        raise BackendError(f"{file.name} could not be read ({error.strerror}).", "Check its permissions.") from None


@dataclass
class _Reading:
    """Goes through the records once, and remembers what was not read. `header` is None where each has its own names."""

    kind: Kind
    header: tuple[str, ...] | None
    understood: bool = False
    names: dict[str, None] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    rivals: dict[str, None] = field(default_factory=dict)
    systems: int = 0

    def row(self, record: Record) -> Row:
        """The row of a record."""
        if record.blank or record.broken:
            return Row(record.number, blank=record.blank, broken=record.broken, misread=record.misread)
        columns = assign(record.names, self.kind)
        if len(self.names) < _MOST_NAMES:
            self.names |= dict.fromkeys(record.names[:_MOST_NAMES])
        if columns.rivals:
            self.rivals |= dict.fromkeys(rival_words(columns, self.kind))
        if (row := _plain_row(record, columns)) is None:
            made = _RowReading(record, columns, self.kind, chats_too=self.header is None)
            row, used, is_chat = made.row(), made.used, made.is_chat
        else:
            used, is_chat = set(), False
        self.understood = self.understood or is_chat or columns.has(self.kind)
        self.systems += row.system
        self._remember(record, columns, used)
        return row

    def has_header(self) -> bool:
        """Whether the header of a table names what is wanted. What is wrong with it is remembered."""
        columns = assign(self.header or (), self.kind)
        self.rivals |= dict.fromkeys(rival_words(columns, self.kind))
        return columns.has(self.kind)

    def notes(self) -> Iterator[str]:
        """Sentences on what was not read."""
        if self.unread:
            several = len(self.unread) > 1
            names = [name or "without a name" for name in self.unread]
            yield f"The column{'s' * several} {listed(names)} {'are' if several else 'is'} not read."
        yield from (f"{sentence} Until then, none of them is read." for sentence in self.rivals)
        if self.systems:
            rows = f"{self.systems:,} rows have" if self.systems > 1 else "A row has"
            yield f"{rows} a system message, which is not used: every question gets the system prompt of the settings."

    def _remember(self, record: Record, columns: Columns, used: set[int]) -> None:
        """Keep the names of columns in which something stands that was not read."""
        lost = {name for names in columns.rivals.values() for name in names}
        every = (place for place, name in enumerate(record.names) if name not in lost)
        unread = every if used else columns.unread
        for place in unread if len(self.unread) < _MOST_NAMES else ():
            name = record.names[place]
            if name not in self.unread and place not in used and record.cells[place] not in _NOTHING:
                self.unread[name] = None


def _plain_row(record: Record, columns: Columns) -> Row | None:
    """The row of a record that is nothing but a question and an answer, as most are; else None."""
    if not columns.plain:
        return None
    question, answer = (record.cells[columns.taken[role]] for role in _SAID)
    if type(question) is not str or not isinstance(answer, str) or isinstance(answer, Unreadable):
        return None
    return Row(record.number, question, str(answer), misread=record.misread)


_NOTHING: tuple[object, ...] = (None, "", [], {})
_SAID: tuple[Role, ...] = ("question", "answer")
_TEXTS: tuple[Role, ...] = (*_SAID, "context")


class _RowReading:
    """Reads one record. `used` are the places of the cells that were read, `is_chat` whether they hold one."""

    def __init__(self, record: Record, columns: Columns, kind: Kind, chats_too: bool) -> None:
        self.used: set[int] = set()
        self.is_chat = False
        self._record, self._columns, self._kind, self._chats_too = record, columns, kind, chats_too
        self._broken: list[str] = []
        self._notes: list[str] = []

    def row(self) -> Row:
        """What the record holds."""
        row = Row(self._record.number, misread=self._record.misread)
        if rivals := [role for role in self._columns.rivals if role in self._kind.wanted]:
            names = self._columns.rivals[rivals[0]]
            return replace(row, broken=f"ambiguous: {listed(names)} fit as the {rivals[0]}")
        turns = self._turns()
        row = self._with_texts(row) if turns is None else self._with_chat(row, turns)
        row = self._with_others(row)
        cells = self._record.cells
        systems = [place for place in self._columns.systems if cells[place] not in _NOTHING]
        labels = [place for place in self._columns.labels if self._kind is PAIRS and isinstance(cells[place], bool)]
        self.used.update(systems, labels)
        for place in labels:
            if not cells[place]:
                name = self._record.names[place][:40]
                self._broken.append(f"marked as an answer that is not wanted ({name} is false)")
        return replace(
            row,
            system=row.system or bool(systems),
            broken=next(iter(self._broken), ""),
            notes=tuple(self._notes),
        )

    def _cell(self, role: Role) -> Any:
        value, place = self._peek(role), self._columns.taken.get(role)
        if place is None or (role not in _TEXTS and _holds_objects(value)):
            return None
        self.used.add(place)
        if isinstance(value, Unreadable):
            self._broken.append(f"not readable: its cell {value.why}")
        return value

    def _text(self, role: Role) -> str:
        """The text of a role; a value that is none makes the row unreadable, or is named if the role is optional."""
        value = self._cell(role)
        if isinstance(value, dict) and (name := inner_name(value, role)) is not None:
            if beside := [other for other in value if other != name]:
                self._notes.append(f"Its {role} also holds {listed(beside)}, which is not read.")
            value = value[name]
        text, kind = _as_text(value)
        if role == "question" and (kind or isinstance(value, list)):
            text, kind = "", kind or "a list"
        elif kind in ("", "a number", "a truth value"):
            return text
        if role in self._kind.wanted or role == "context":
            self._broken.append(f"not readable: its {role} is {kind}, not text")
        else:
            self._notes.append(f"Its {role} is {kind}, which is not read.")
        return text

    def _with_texts(self, row: Row) -> Row:
        question, answer = self._text("question"), self._text("answer")
        if more := self._text("context").strip():
            question = f"{question}\n\n{more}"
        return replace(row, question=question, answer=answer)

    def _turns(self) -> list[Any] | None:
        """The turns of the chat that the record holds, None where question and answer are texts."""
        if not self._chats_too:
            return self._spelled_out()
        question, answer = (self._peek(role) for role in _SAID)
        if chats.is_chat(question):
            return [*question, *_reply(answer)]
        if chats.is_chat(answer):
            alone = question in _NOTHING or not chats.begins_with_reply(answer)
            return answer if alone else [{"role": "user", "content": question}, *answer]
        place = None if self._columns.has(self._kind) else self._container()
        if place is None:
            return None
        found = self._record.cells[place]
        return found if isinstance(found, list) else chats.turns_in(found)

    def _spelled_out(self) -> list[Any] | None:
        """The turns that a cell of a table spells out as JSON, where there are no texts; else None."""
        cells = [] if self._columns.has(self._kind) else self._columns.chats
        return next((turns for place in cells if (turns := chats.turns_in(self._record.cells[place]))), None)

    def _container(self) -> int | None:
        """The place of the cell that holds a chat, or is called so."""
        places = self._columns.chats
        return next((place for place in places if chats.turns_in(self._record.cells[place])), next(iter(places), None))

    def _peek(self, role: Role) -> Any:
        place = self._columns.taken.get(role)
        return None if place is None else self._record.cells[place]

    def _with_chat(self, row: Row, turns: list[Any]) -> Row:
        self.is_chat = True
        exchange = chats.first_exchange(turns, answered=self._kind is PAIRS)
        if chats.is_chat(self._peek("question")) or chats.is_chat(self._peek("answer")):
            self.used |= {self._columns.taken[role] for role in _SAID if role in self._columns.taken}
            answer = exchange.answer
            if not chats.is_chat(self._peek("answer")):
                self._text("answer")  # which says what it is, if it is no text
        else:
            if (place := self._container()) is not None:
                self.used.add(place)
            answer = (self._text("answer") if self._kind is not PAIRS else "") or exchange.answer
        if exchange.broken:
            self._broken.append(exchange.broken)
        if exchange.beside:
            self._notes.append(f"Its turns also hold {listed(exchange.beside)}, which is not read.")
        if exchange.further:
            after = "turn" if exchange.further == 1 else f"{exchange.further:,} turns"
            self._notes.append(f"Only its first question and answer are read, not the {after} after them.")
        return replace(row, question=exchange.question, answer=answer, system=exchange.system)

    def _with_others(self, row: Row) -> Row:
        if self._kind is PAIRS:
            generated = self._is_true("generated")
            group, source = (";".join(self._list(role, "")) for role in ("group", "source"))
            return replace(row, group=group, generated=generated, source=source)
        return replace(
            row,
            id=_as_text(self._cell("id"))[0].strip(),
            key_facts=tuple(tuple(_parts(one, "|")) for one in _parts(self._cell("key_facts"), ";")),
            sources=tuple(self._list("source", ";")),
            tags=tuple(self._list("tags", ";")),
            cluster=_as_text(self._cell("cluster"))[0].strip(),
            critical=self._is_true("critical"),
        )

    def _is_true(self, role: Role) -> bool:
        return _as_text(self._cell(role))[0].strip().casefold() in ("true", "1", "yes")

    def _list(self, role: Role, separator: str) -> list[str]:
        return [text for part in _parts(self._cell(role), separator) for text in _parts(part, "") if text]


def _reply(answer: Any) -> list[Any]:
    if chats.is_chat(answer):
        return list(answer)
    text = _as_text(answer)[0]
    return [{"role": "assistant", "content": text}] if text else []


def _as_text(value: object) -> tuple[str, str]:
    """A cell as text, and what it is where it is not text; a list of one text is that text."""
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], list):
        value = value[0]
    if isinstance(value, bool):
        return ("true" if value else "false"), "a truth value"
    if isinstance(value, strict_json.Number):
        return str(value), "a number"
    if value is None or isinstance(value, str):
        return value or "", ""
    return "", "a list" if isinstance(value, list) else "an object"


def _parts(value: object, separator: str) -> list[Any]:
    """The members of a list, or the parts of a text; a text that is written as a list is one."""
    if isinstance(value, str):
        value = _listed_in(value) or (value.split(separator) if separator else [value])
    found = value if isinstance(value, list) else [value]
    texts = [part if isinstance(part, list) else _as_text(part)[0].strip() for part in found]
    return [text for text in texts if text]


def _holds_objects(value: object) -> bool:
    return any(isinstance(one, dict) for one in (value if isinstance(value, list) else [value]))


def _listed_in(text: str) -> list[Any]:
    """The list that a cell of a table spells out, as JSON or as Python writes it; empty if it does not."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]") and len(text) <= _LITERAL):
        return []
    try:
        (found,) = strict_json.documents(text)
    except ValueError:
        found = _QUOTED.findall(text)
        return [one[1:-1] for one in found] if not _QUOTED.sub("", text[1:-1]).strip(", ") else []
    return found if isinstance(found, list) and not _holds_objects(found) else []
