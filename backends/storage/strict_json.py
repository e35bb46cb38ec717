"""JSON from files and servers that may say anything: only what every page, table and encoder can take.

Lines that a user wrote (pairs, question sets, documents) are read with more patience by their own readers.
"""

from __future__ import annotations

import json
import math
from typing import Any

_LARGEST = 2**63


def loads(text: str | bytes) -> Any:
    """The document. Raises `ValueError` for what is no JSON, and for NaN, Infinity, numbers beyond 64 bits, half a
    surrogate pair, and nesting that is too deep."""
    try:
        found = json.loads(text, parse_constant=_refused, parse_float=_float, parse_int=_int)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def an_object(text: str | bytes) -> dict[str, Any]:
    """The document, which must be an object. Raises `ValueError` as `loads` does."""
    found = loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _refused(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > 20 or abs(value := int(text)) > _LARGEST:
        raise ValueError("a number is out of range")
    return value
