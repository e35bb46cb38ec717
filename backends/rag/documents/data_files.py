"""Files in a folder that are for asking and training, not for reading: question sets, training pairs, adapters.

Indexed with the documents they would be found in place of them, and answers would repeat the questions of a test. So a
folder's are recognised by what is in them, whatever they are called, and left out with a word; a file that is named
itself is indexed, with a note.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from backends.decoding import decode
from backends.errors import BackendError
from backends.rag.documents.formats import extension_of

_READ = 65_536
"""Bytes of a file that are looked at: a multiple of 4, so that no character of UTF-16 and UTF-32 is cut."""

_LINES = 5
_LIST = re.compile(r"\s*\[\s*")
_TABLES = frozenset({".csv", ".tsv"})
_LINES_OF_JSON = frozenset({".jsonl", ".ndjson"})
_SEPARATORS = ",;\t|"

_PAIRS = (
    *({"question", "answer"}, {"instruction", "output"}, {"instruction", "response"}, {"prompt", "completion"}),
    *({"prompt", "response"}, {"prompt", "chosen"}, {"messages"}, {"conversations"}),
)
"""Columns that make training pairs: ours, Alpaca's, the Hub's conversational ones, ShareGPT's, preferences."""

_REFERENCES = frozenset({"reference_answer", "key_facts", "expected_answer", "ground_truth", "ideal_answer"})
_QUESTIONS_ALONE = frozenset({"id", "question", "source", "tags", "group", "category"})
_README = re.compile(r"readme(?:\.(?:md|markdown|txt|rst))?", re.IGNORECASE)
_ADAPTER = "adapter_config.json"


def what_it_holds(path: Path, name: str) -> str:
    """What a file is for, in words with its columns, if it is a question set or training pairs; "" for any other.

    `name` has its extension. Never raises: what cannot be read is left to the readers.
    """
    extension = extension_of(name)
    if extension not in _TABLES | _LINES_OF_JSON | {".json"}:
        return ""
    try:
        text = _decoded(_beginning(path))
        columns = _columns_of_table(text) if extension in _TABLES else _keys(text, extension == ".json")
    except (OSError, ValueError, RecursionError, csv.Error):
        return ""
    return _kind(columns)


def left_out(files: Sequence[Path]) -> dict[Path, str]:
    """Which of a folder's files are no documents, each with what it is: `a question set (columns question, tags)`.

    A README that names such a file beside it describes it, and is none either.
    """
    adapters = {file.parent for file in files if file.name == _ADAPTER and _is_adapter(file)}
    found = {
        file: f"part of the adapter {parent.name}"
        for file in files
        for parent in (file.parent, *file.parent.parents)
        if parent in adapters
    }
    found |= {file: kind for file in files if file not in found and (kind := what_it_holds(file, file.name))}
    for file in files:
        beside = [other.name for other in found if other.parent == file.parent]
        if beside and _README.fullmatch(file.name) and (named := _first_named(file, beside)):
            found[file] = f"the description of {named}"
    return found


def _kind(columns: Sequence[str]) -> str:
    names = set(columns)
    shown = ", ".join(columns[:6]) + (", ..." if len(columns) > 6 else "")
    noun = "column" if len(columns) == 1 else "columns"
    if "question" in names and (names & _REFERENCES or names <= _QUESTIONS_ALONE):
        return f"a question set ({noun} {shown})"
    if any(names >= pair for pair in _PAIRS):
        return f"training pairs ({noun} {shown})"
    return ""


def _decoded(data: bytes) -> str:
    """The text that a beginning of a file is taken for, as the readers take it. Raises `ValueError` if it is none."""
    try:
        return decode(data).text
    except BackendError as fault:
        raise ValueError from fault


def _columns_of_table(text: str) -> list[str]:
    lines = [line for line in text.split("\n", _LINES) if line.strip()]
    if lines and lines[0].casefold().startswith("sep="):
        lines = lines[1:]
    if not lines:
        return []
    separator = max(_SEPARATORS, key=lines[0].count)
    return _named(next(csv.reader(io.StringIO(lines[0]), delimiter=separator), []))


def _keys(text: str, is_list: bool) -> list[str]:
    """The keys of the first object, if the first lines, or the first members of a list, are objects with them."""
    if is_list:
        opening = _LIST.match(text)
        found = [json.JSONDecoder().raw_decode(text, opening.end())[0]] if opening else []
    else:
        lines = [line for line in text.split("\n")[: 2 * _LINES] if line.strip()][:_LINES]
        whole = lines[:-1] if len(lines) > 1 and len(text) >= _READ else lines
        found = [json.loads(line) for line in whole]
    if not found or not all(isinstance(one, Mapping) for one in found):
        return []
    return _named(found[0])


def _named(columns: Iterable[str]) -> list[str]:
    names = (re.sub(r"[ _-]+", "_", column.strip().strip("\ufeff").casefold())[:40] for column in columns)
    return list(dict.fromkeys(filter(None, names)))


def _is_adapter(file: Path) -> bool:
    try:
        return b'"peft_type"' in _beginning(file)
    except OSError:
        return False


def _beginning(file: Path) -> bytes:
    """The first bytes of a regular file; nothing of a pipe, which could keep its reader waiting."""
    if not file.is_file():
        return b""
    with open(file, "rb") as opened:
        return opened.read(_READ)


def _first_named(readme: Path, names: Sequence[str]) -> str:
    try:
        text = _beginning(readme).decode("utf-8", "replace")
    except OSError:
        return ""
    return next((name for name in names if name in text), "")


NEXT_STEP = "To index it all the same, give the file itself."


def no_document(what: str) -> str:
    """Why a file of a folder is left out, in a sentence."""
    return f"{'These are' if what.startswith('training') else 'It is'} {what}, not a document."


def note(path: Path, name: str) -> str:
    """What is said of such a file that was named itself and so is indexed; "" for any other."""
    what = what_it_holds(path, os.path.basename(name))
    return f"It looks like {what}: answers may repeat it. It was indexed because it was named." if what else ""
