"""Part numbers, versions and other codes in a question: what no embedder knows, and what is meant to the letter."""

from __future__ import annotations

import re

from backends.matching import matchable, plain
from backends.terms import STOPPED, is_unit

_WORD = re.compile(r"[^\W_]+(?:[-./_#][^\W_]+){0,12}(?:\+\+|#(?!\w))?")
_SPACED = re.compile(r"\b([A-Z]{2,5}) (\d{3,12}[A-Z]?)\b")
"""Capital letters and a number, as in "RFC 7231"."""

_QUOTED = re.compile(r'(?<!\w)"([^"\n]{4,80})"(?!\w)')
_IDENTIFIER = re.compile(
    r"(?<![\w])(?:[a-z]{2,20}[a-z0-9]{0,20}(?:[A-Z][a-z0-9]{1,30}){1,8}|[A-Z][a-z0-9]{1,30}(?:[A-Z][a-z0-9]{1,30}){2,8})(?![\w])"
)
"""`maxRetryCount` and `HttpRequestHandler`; of names such as iPhone and PowerPoint there are too many."""

_ACRONYM = re.compile(r"[A-Z]{3,6}")

_RUNS = re.compile(r"[^\W\d_]+|\d+")
_PARTS = re.compile(r"[-./_#]")
_NUMBER_WITH_UNIT = re.compile(r"\d+(?:\.\d+)?[-/]?([^\W\d_]+)")
_PREFIXES = """
    mid pre post top non sub fy page step eur usd gbp chf jan feb mar apr may jun jul aug sep oct nov dec
"""
"""What stands in front of ordinary numbers."""

_NOT_NAMES = frozenset(_PREFIXES.split())

_MOST = 8
"""Codes of a question that are looked for."""

_LONGEST_NAME = 5
"""Letters in a row that a code may have; with more it is a word ("covid-19" just passes)."""

SHORT = 4
"""A code of fewer letters and digits may stand in many passages that are about something else."""


def codes(question: str) -> tuple[str, ...]:
    """The codes in a question, prepared for comparison, in their order: `ek-4471-b`, `0004711`, `10.5.2`, `c++`.

    Words, years, amounts and numbers with a unit are none. A number of three or four digits, or an acronym, is one if
    it is all that is asked. Names of functions and the like (`maxRetryCount`) are codes, and what stands in quotation
    marks, if it is more than a word: that is meant to the letter too.
    """
    shown = plain(question)
    found = [f"{match[1]}-{match[2]}".casefold() for match in _SPACED.finditer(shown) if _names(match[1].casefold())]
    found += [phrase for match in _QUOTED.finditer(shown) if " " in (phrase := matchable(match[1]))]
    found += [match[0].casefold() for match in _IDENTIFIER.finditer(shown)]
    if _ACRONYM.fullmatch(shown.strip(" ?!.\n")):
        found.append(matchable(question).strip("?!. "))
    words = _WORD.findall(matchable(question))
    alone = len(words) == 1
    capitals = {matchable(word) for word in _WORD.findall(shown) if word.isupper()} if _mixed(shown) or alone else set()
    found += [
        word
        for word in words
        if _is_code(word, alone, word in capitals) and (not word.isdecimal() or word in question or alone)
    ]
    return tuple(dict.fromkeys(found))[:_MOST]


def acronyms(question: str) -> tuple[str, ...]:
    """The words of capitals alone, prepared for comparison: `haccp`. None in a question that is all in capitals.

    They mean what few passages hold, or else they are as common as any word.
    """
    shown = plain(question)
    found = [matchable(word) for word in _WORD.findall(shown) if _ACRONYM.fullmatch(word)] if _mixed(shown) else []
    return tuple(dict.fromkeys(word for word in found if _names(word)))[:_MOST]


def _mixed(text: str) -> bool:
    """Whether capitals say anything: there are small letters too."""
    return any(map(str.islower, text))


def spellings(code: str) -> list[str]:
    """The words under which a code may stand in a keyword index: its parts, its letters and digits, all in one."""
    runs = _RUNS.findall(code)
    return list(dict.fromkeys([*_PARTS.sub(" ", code).split(), *runs, "".join(runs)]))


def is_short(code: str) -> bool:
    """Whether it has so few letters and digits that chance may have put it anywhere."""
    return sum(map(str.isalnum, code)) < SHORT


def _is_code(word: str, alone: bool, capitals: bool) -> bool:
    """`capitals`: it is written in capitals among small letters, so that a word in it is none: the IN of K3-17-IN."""
    if word.endswith(("+", "#")):
        return True
    runs = _RUNS.findall(word)
    digits = [run for run in runs if run.isdecimal()]
    names = [run for run in runs if not run.isdecimal()]
    if not digits:
        return "_" in word and len(runs) > 1
    if not names:
        return _is_number_code(word, digits, alone)
    if match := _NUMBER_WITH_UNIT.fullmatch(word):
        return len(digits[0]) > 2 and len(match[1]) < 3 and not is_unit(match[1]) and match[1] not in STOPPED
    return all(len(name) <= _LONGEST_NAME and (capitals or _names(name)) for name in names) and len(runs) > 1


def _is_number_code(word: str, digits: list[str], alone: bool) -> bool:
    """Whether digits alone are a code: with leading zeros, long, or in three parts."""
    if len(digits) > 1:
        return len(digits) > 2
    return len(word) > 4 or (word.startswith("0") and len(word) > 3) or (alone and len(word) > 2)


def _names(letters: str) -> bool:
    return letters not in _NOT_NAMES and (letters not in STOPPED or len(letters) == 1)
