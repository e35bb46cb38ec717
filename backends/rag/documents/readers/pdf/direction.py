"""Lines of text in logical order: right-to-left scripts are printed from the right, the numbers in them are not.

The reverse of what the Unicode Bidirectional Algorithm (Unicode Annex 9) does to show a line.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator, Sequence

from backends.rag.documents.readers.pdf.characters import FROM_THE_RIGHT, Piece
from backends.rag.documents.readers.scripts import with_subscript, with_superscript

_SPACE = 0.18
"""In font sizes: a wider gap between two characters is a space that the file left out."""

_RIGHT = frozenset({"R", "AL"})
_NUMBER = frozenset({"EN", "AN"})
_WITHIN_NUMBER = frozenset({"ES", "CS", "ET"})
_PRESENTATION_FORMS = ("\ufb1d", "\ufdff", "\ufe70", "\ufefc")
"""From the first to the second, and from the third to the fourth: Hebrew and Arabic letters by their shapes."""

_RAISED, SMALLER = 0.15, 0.85
"""An exponent or a mark of a footnote: how far above the baseline, in sizes of the line, and how small, at most."""

_TOUCHING = 0.05
"""In sizes of the line: between an exponent and what follows at less than this there is no space."""

_LETTER_SPACED = 5
"""So many single letters in a row, all with the same gap between them, are a word that was set wide."""

_WIDEST, _EQUAL = 0.7, 1.3
"""That gap is no wider than this, in sizes of the line; and of two equal gaps one is at most so much wider."""


def is_right_to_left(text: str) -> bool:
    """Whether most letters of `text` are of a right-to-left script."""
    if text.isascii():
        return False
    classes = [unicodedata.bidirectional(character) for character in text]
    return sum(one in _RIGHT for one in classes) > sum(one == "L" for one in classes)


def line_text(pieces: Sequence[Piece]) -> str:
    """The text of the pieces of one line, in the order in which it is spoken."""
    if not has_right_to_left(pieces):
        return "".join(_spaced(pieces))
    shown = sorted(pieces, key=lambda one: one.x0)
    parts: list[str] = []
    for before, one in zip([None, *shown], shown, strict=False):
        if before is not None and _is_apart(before, one):
            parts.append(" ")
        parts.append(_base_letters(one.text))
    return _logical(parts)


def _is_apart(left: Piece, right: Piece) -> bool:
    if left.blank_right or right.blank_left or right.x0 - left.x1 > right.size * _SPACE:
        return True
    return right.spaced and left.text.isalpha() and right.text.isalpha() and not has_right_to_left([left, right])


def has_right_to_left(pieces: Sequence[Piece]) -> bool:
    """Whether a letter of the pieces is of a right-to-left script."""
    return any(not one.text.isascii() and FROM_THE_RIGHT.search(one.text) for one in pieces)


def _spaced(pieces: Sequence[Piece]) -> Iterator[str]:
    ordered = pieces
    if any(b.x0 < a.x0 for a, b in itertools.pairwise(pieces)):
        ordered = sorted(pieces, key=lambda one: one.x0)
    wide = _set_wide(ordered)
    base = max(ordered, key=lambda one: one.size)
    written, before, previous = "", None, 0
    for level, group in itertools.groupby(enumerate(ordered), key=lambda placed: _level(placed[1], base)):
        text = ""
        for place, one in group:
            apart = before is not None and (one.spaced or one.x0 - before.x1 > one.size * 0.3)
            if not text and (level > 0 or (before is not None and one.x0 - before.x1 < _TOUCHING * base.size)):
                apart = apart and level == 0 == previous
            text += " " * wide.get(place, apart) + one.text
            before = one
        part = with_superscript(written, text) if level > 0 else with_subscript(written, text) if level < 0 else text
        yield part
        written, previous = part, level


def _level(one: Piece, base: Piece) -> int:
    """1 for what is raised, -1 for what is lowered, 0 for what stands on the baseline of the line."""
    if one.size >= base.size * SMALLER or one.text in "\"'’”*°":
        return 0
    above = one.y - base.y
    return 1 if above > base.size * _RAISED else -1 if above < -base.size * _RAISED else 0


def _set_wide(pieces: Sequence[Piece]) -> dict[int, bool]:
    """Of the letters of words that were set wide ("I N V O I C E"): whether a space comes before each of them."""
    spaces: dict[int, bool] = {}
    singles = itertools.groupby(
        enumerate(pieces), key=lambda placed: len(placed[1].text) == 1 == placed[1].text.isalpha()
    )
    for is_single, group in singles:
        places = [place for place, _ in group]
        if not is_single or len(places) < _LETTER_SPACED:
            continue
        gaps = {place: pieces[place].x0 - pieces[place - 1].x1 for place in places[1:]}
        least = min(gaps.values())
        size = pieces[places[0]].size
        within = [place for place, gap in gaps.items() if gap <= least * _EQUAL]
        words = len(gaps) - len(within) + 1
        letters = "".join(pieces[place].text for place in places)
        if 0.1 * size < least <= _WIDEST * size and len(places) >= words * 3 and not _is_alphabet(letters):
            spaces |= {place: place not in within for place in gaps}
    return spaces


def _is_alphabet(letters: str) -> bool:
    """Whether letters are those of an alphabet one after another, as names of columns or of answers are."""
    return all(ord(after) - ord(before) == 1 for before, after in itertools.pairwise(letters))


def _base_letters(text: str) -> str:
    low, high, low_arabic, high_arabic = _PRESENTATION_FORMS
    return "".join(
        unicodedata.normalize("NFKC", letter)
        if low <= letter <= high or low_arabic <= letter <= high_arabic
        else letter
        for letter in text
    )


def _logical(shown: list[str]) -> str:
    """`shown` from left to right, in logical order. A part of several characters is in that order already."""
    classes = [_class(part) for part in shown]
    if sum(one in _RIGHT for one in classes) >= sum(one == "L" for one in classes):
        return _brackets("".join(_turned(shown, classes)))
    parts: list[str] = []
    position = 0
    while position < len(shown):
        end = _end_of_right(classes, position)
        parts += _turned(shown[position:end], classes[position:end]) if end > position else [shown[position]]
        position = max(end, position + 1)
    return _brackets("".join(parts))


def _end_of_right(classes: Sequence[str], start: int) -> int:
    """Where a right-to-left stretch that starts at `start` ends; `start` if none does."""
    end = start
    if classes[start] in _RIGHT:
        for position in range(start, len(classes)):
            if classes[position] in _RIGHT:
                end = position + 1
            elif classes[position] == "L":
                break
    return end


def _turned(shown: Sequence[str], classes: Sequence[str]) -> list[str]:
    """From right to left, with the words of other scripts and the numbers from left to right."""
    parts: list[str] = []
    end = len(shown)
    while end > 0:
        start = _start_of_left(classes, end)
        parts += shown[start:end]
        end = start
    return parts


def _start_of_left(classes: Sequence[str], end: int) -> int:
    """Where the stretch that runs from the left and ends at `end` starts; of what runs from the right, the last part.

    Words carry the signs and numbers among them along; numbers on their own only the separators inside them, and in
    Hebrew the signs of currency and percent beside them (rules W4 to W7 and N1 of the algorithm).
    """
    last = classes[end - 1]
    beside = last == "ET" and "AL" not in classes
    if not (last == "L" or last in _NUMBER or beside):
        return end - 1
    start, words = end - 1, last == "L"
    position = start - 1
    while position >= 0 and classes[position] not in _RIGHT:
        if classes[position] == "L":
            start, words = position, True
        elif classes[position] in _NUMBER and (words or _is_one_number(classes[position + 1 : start])):
            start = position
        position -= 1
    if not words and "AL" not in classes:
        while start > 0 and classes[start - 1] == "ET":
            start -= 1
    if beside and not words and not any(one in _NUMBER for one in classes[start:end]):
        return end - 1
    return start


def _is_one_number(between: Sequence[str]) -> bool:
    return len(between) < 2 and all(one in _WITHIN_NUMBER for one in between)


def _brackets(text: str) -> str:
    """Some files state the bracket that is drawn, others the one that is meant: here the first one of a pair opens."""
    for pair in ("()", "[]", "{}", "«»"):
        places = [place for place, sign in enumerate(text) if sign in pair]
        if len(places) % 2 == 0 and any(text[place] != pair[turn % 2] for turn, place in enumerate(places)):
            signs = list(text)
            for turn, place in enumerate(places):
                signs[place] = pair[turn % 2]
            text = "".join(signs)
    return text


def _class(part: str) -> str:
    for letter in part:
        found = unicodedata.bidirectional(letter)
        if found in _RIGHT or found == "L" or found in _NUMBER:
            return found
    return unicodedata.bidirectional(part[-1]) if part else "ON"
