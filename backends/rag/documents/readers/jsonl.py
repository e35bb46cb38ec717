"""JSON Lines: every record becomes readable text, one `name: value` per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from backends.decoding import decode
from backends.rag.documents.readers.reading import Reading, numbered, unpaged


def read_jsonl(data: bytes, encoding: str | None = None) -> Reading:
    """The records, with an empty line between them. Lines that are not JSON are kept as they are and named."""
    decoded = decode(data, chosen=encoding)
    records, foreign = [], []
    for number, line in enumerate(decoded.clean_text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            # Numbers stay as they are written; 1e999 would become Infinity.
            records.append("\n".join(_fields(json.loads(line, parse_float=str, parse_int=str))))
        except (ValueError, RecursionError):
            foreign.append(number)
            records.append(line.rstrip("\r"))
    warnings = list(decoded.warnings)
    if foreign:
        rest = "are not JSON and were kept as they are" if len(foreign) > 1 else "is not JSON and was kept as it is"
        warnings.append(f"{numbered('Line', foreign)} {rest}.")
    return unpaged("\n\n".join(records), warnings)


def _fields(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _value_text(value)
        return
    for name, field in value.items():
        yield f"{name}: {_value_text(field)}"


def _value_text(value: Any) -> str:
    """A string as it is, a list of plain values separated by commas, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False)
