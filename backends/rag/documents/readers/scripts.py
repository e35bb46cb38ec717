"""Superscripts and subscripts in a line of text."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[+\-−–]?[^\W_]*[+\-−–*′]?")
_ORDINALS = frozenset(["st", "nd", "rd", "th", "er", "re", "ère", "ème", "e", "o", "a"])
"""What is raised behind a number for looks: 1st, 2nd, 1er, 2e."""


def with_superscript(before: str, raised: str) -> str:
    """What is written for a superscript behind `before`: `^6` behind 10, so that 10^6 is not read as 106."""
    text = raised.strip()
    if not text or not before.strip() or before[-1:].isspace():
        return raised
    if (before[-1].isdecimal() and text.lower() in _ORDINALS) or not any(map(str.isalnum, text)):
        return raised
    return f"^{text}" if _PLAIN.fullmatch(text) else f"^({text})"


def with_subscript(before: str, lowered: str) -> str:
    """What is written for a subscript behind `before`: H2O and CO2 stay words; between digits stands `_`."""
    text = lowered.strip()
    if text and before[-1:].isdecimal() and text[0].isdecimal():
        return f"_{text}" if _PLAIN.fullmatch(text) else f"_({text})"
    return lowered
