"""JSON from files and servers that may say anything: only what every page, table and encoder can take.

Files of questions that somebody wrote are read with more patience, by `documents`.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_LARGEST = 2**63
_SPACE = re.compile(r"[ \t\n\r\ufeff]*+")


class Number(str):
    """A number as it is written: `1e21`, and 30 digits, stay what they are."""


class Twice(dict[str, Any]):
    """An object in which a name stands more than once; `names` are all of them."""

    names: tuple[str, ...] = ()


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


def documents(text: str) -> list[Any]:
    """The JSON documents that stand one after another in `text`, with white space between them.

    Every number is a `Number`, and an object that says a name more than once is `Twice`. NaN and Infinity, which some
    programs write where they have no value, are None. Half a surrogate pair stays. Raises `ValueError` for what is no
    JSON, and for nesting that is too deep.
    """
    found = []
    place = _after_space(text, 0)
    try:
        while place < len(text):
            value, end = _PATIENT.raw_decode(text, place)
            found.append(value)
            place = _after_space(text, end)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def _after_space(text: str, place: int) -> int:
    space = _SPACE.match(text, place)
    return space.end() if space else place


def _with_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = Twice(found)
    doubled.names = tuple(name for name, _ in pairs)
    return doubled


_PATIENT = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=lambda _: None, object_pairs_hook=_with_names
)


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
