"""Which documents are no longer in force: by their own words at the beginning, or because a later edition is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from backends.matching import matchable

BEGINNING = 600
"""So many characters of a document are read for what it says of itself."""

_NO_LONGER = re.compile(
    r"\bthis (?:[\w-]+ ){1,3}(?:(?:is|are) no longer (?:in force|valid|applicable|current)|no longer applies"
    r"|(?:is|was|has been) (?:superseded|replaced|withdrawn))\b"
    r"|^\W*(?:status: *)?(?:superseded|archived|obsolete|withdrawn)\b|\((?:superseded|archived|obsolete|withdrawn)\)",
    re.MULTILINE,
)
"""What a document says of itself; that another one was replaced by it is no sign."""

_IN_A_NAME = re.compile(r"\b(?:superseded|archived|archive|obsolete|outdated|withdrawn)\b")
_EDITION = re.compile(r"\b(?:(?:19|20)\d\d|(?:edition|version|rev|v) ?\d{1,3})\b")
_EDITION_WORDS = re.compile(
    rf"{_EDITION.pattern}|{_IN_A_NAME.pattern}"
    r"|\b(?:old|new|current|latest|previous|former|draft|final|valid|edition|version|revision|rev)\b"
)
_NUMBER = re.compile(r"\d+")
_ABOUT_THE_PAST = re.compile(
    r"\b(?:old|older|previous|previously|former|formerly|earlier|superseded|replaced|archived|original|originally"
    r"|used to|would have|before (?:and|the change|version|edition|\d)|changed?|(?:edition|version) \d+"
    r"|(?:19|20)\d\d)\b"
)

_TIME = re.compile(r"\b(?:(?:19|20)\d\d|now|today|at present)\b")
_OF_TWO_TIMES = re.compile(
    r"\bbefore and after\b|\b(?:gone|went|go) (?:up|down)\b|\bchanged? (?:from|between|since)\b"
    r"|\bbetween the (?:\w+ ){0,2}(?:editions|versions)\b"
)
_HOW_IT = re.compile(r"\bhow (?:has|have|did)\b")
_CHANGED = re.compile(r"\bchanged?\b")


def superseded(beginnings: Mapping[str, str]) -> dict[str, str]:
    """By name, in a few words why a document is not in force any more. `beginnings` has that of every document.

    It says so itself, in its name or at its beginning; or there is a document whose name differs in a later year or a
    higher edition alone.
    """
    found = dict(_older_editions(beginnings))
    for name, beginning in beginnings.items():
        if _IN_A_NAME.search(_words(name)) or _NO_LONGER.search(matchable(beginning[:BEGINNING])):
            found[name] = "superseded"
    return found


def asks_for_the_past(question: str) -> bool:
    """Whether a question may be about what is not in force any more, or about a change."""
    return bool(_ABOUT_THE_PAST.search(matchable(question)))


def compares_editions(question: str) -> bool:
    """Whether a question asks how something was and how it is: it names two times, or a change."""
    text = matchable(question)
    two_times = len(set(_TIME.findall(text))) > 1 or _OF_TWO_TIMES.search(text)
    return bool(two_times or (_HOW_IT.search(text) and _CHANGED.search(text)))


def series_of(name: str) -> frozenset[str]:
    """The words of a file name without what tells editions apart: those of `rules-2022-superseded.md` and `rules.pdf`
    are the same."""
    return frozenset(_EDITION_WORDS.sub(" ", _words(name)).split())


def _older_editions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    editions: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        words = _words(name)
        marks = _EDITION.findall(words)
        if len(marks) == 1 and (number := _NUMBER.search(marks[0])):
            editions.setdefault(_EDITION.sub("#", words), []).append((int(number[0]), name))
    for those in editions.values():
        latest, newest = max(those)
        for edition, name in those:
            if edition < latest and (edition > 1900) == (latest > 1900):
                yield name, f"superseded by {newest}"


def _words(name: str) -> str:
    """A file name without its extension, in words."""
    return re.sub(r"[-_.\s]+", " ", matchable(str(PurePosixPath(name).with_suffix(""))))
