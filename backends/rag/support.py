"""Whether passages state a claim, decided by rule. How well that works is in `backends.rag.evidence`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import PurePosixPath

from backends.base import Passage
from backends.rag.stretches import Stretch, stretches
from backends.rag.terms import Terms, terms

# Chosen on the odd-numbered sample questions (see `benchmarks/evidence.py`).
ENOUGH = 0.6
"""Share of a claim's words that a stretch must hold, if the claim has a number."""
ENOUGH_WITHOUT_NUMBER = 0.9
"""The same for claims without a number or a code: there, words are all there is to compare."""
_BESIDE = 0.9
"""How much a word counts that stands in the line above, or in the file's name."""
_IN_HEADING = 0.7
"""How much a word counts that stands in a heading further above."""
_FOREIGN = 0.5
"""Weight of words that no passage holds: most are another way of saying it."""

_LONGEST_CUT = 600
_CLAUSE = re.compile(r";\s+|,?\s+(and|but|while|whereas)\s+|,\s+(which|who|where|each)\s+")
_PRONOUN = re.compile(r"(?:it|they|this|that|these|those|he|she)\b", re.IGNORECASE)
_CODE = re.compile(r"([a-z]+[ -]?)(\d[\w-]*)")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Support:
    """A place that states a claim: number of the passage from 1, offsets in characters of the passage's text."""

    passage: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Source:
    """A passage, ready to be compared. `headings`: for each stretch, the stems of all headings above it."""

    number: int
    stretches: tuple[Stretch, ...]
    headings: tuple[frozenset[str], ...]
    title: frozenset[str]

    def label(self, place: int) -> frozenset[str]:
        """The heading right above a stretch or the clauses of its sentence; empty if something else stands there."""
        while place and self.stretches[place - 1].lead:
            place -= 1
        above = self.stretches[place - 1] if place else None
        return above.stems if above and above.heading else _NOTHING


class Sources:
    """Passages that claims are looked for in. Immutable."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._sources = [_source(number, passage) for number, passage in enumerate(passages, 1)]
        words = (stretch.stems for source in self._sources for stretch in source.stretches)
        self._vocabulary = _NOTHING.union(*words, *(source.title for source in self._sources))

    def support(self, sentence: str, question: Terms) -> tuple[Support, ...]:
        """Where a sentence is stated; empty if it is not. A sentence of several clauses may need several passages.

        What an elliptical sentence ("12 %.", "It costs ...") leaves out is taken from the question.
        """
        whole = _completed(terms(sentence), question, sentence)
        if found := self._stating(whole):
            return found
        parts = _clauses(sentence)
        if len(parts) < 2:
            return ()
        every: list[Support] = []
        before: set[int] = set()
        previous = question
        for place, (link, text) in enumerate(parts):
            claim = terms(text, sentence_start=not place)
            inherits = not claim.words or (
                place and (len(claim.words) < 2 or link in ("which", "who", "where", "each"))
            )
            claim = replace(
                claim,
                names=claim.names or (previous.names if place else frozenset()),
                words=claim.words | previous.words if inherits else claim.words,
            )
            found = self._stating(claim)
            here = {one.passage for one in found}
            if not found or (place and not claim.names and not here & before):
                return ()
            every += found
            before, previous = here, claim
        return tuple(dict.fromkeys(every))

    def _stating(self, claim: Terms) -> tuple[Support, ...]:
        """The best place of each passage that states a claim."""
        if not claim.words and not claim.names:
            return ()
        foreign = _FOREIGN if claim.numbers else 1.0
        weights = {word: 1.0 if word in self._vocabulary else foreign for word in claim.words}
        found = []
        for source in self._sources:
            scored = [(_score(source, place, claim, weights), place) for place in range(len(source.stretches))]
            score, place = max(scored, key=lambda pair: pair[0], default=(0.0, 0))
            if score:
                stretch = source.stretches[place]
                above = _above(source, place, claim) - stretch.stems - source.title
                start = source.stretches[place - 1].start if above & claim.stems else stretch.start
                found.append(Support(source.number, start, stretch.end))
        return tuple(found)


def _source(number: int, passage: Passage) -> _Source:
    found = tuple(stretches(passage.text))
    headings = accumulate((one.stems if one.heading else _NOTHING for one in found), frozenset.union, initial=_NOTHING)
    title = re.sub(r"[-_.\s]+", " ", PurePosixPath(passage.document).stem)
    return _Source(number, found, tuple(headings), terms(title.title(), sentence_start=False).stems)


def _score(source: _Source, place: int, claim: Terms, weights: dict[str, float]) -> float:
    """How much of a claim's words a stretch holds, from 0 to 1; 0 if it does not state the claim."""
    stretch = source.stretches[place]
    if stretch.divided and len(claim.numbers) == 1:
        return 0.0  # one of its parts states the number, and of what
    if not all(any(number.agrees(one) for one in stretch.terms.numbers) for number in claim.numbers):
        return 0.0
    if _denies(claim, stretch.terms) or _denies(stretch.terms, claim):
        return 0.0
    own, above, headings = stretch.stems, _above(source, place, claim), source.headings[place]
    if not all(_named(name, claim, own, (above, source.title), headings) for name in claim.names):
        return 0.0
    held = {stem: _held(stem, own, above | source.title, headings) for stem in claim.stems}
    if not claim.stems & (own | above):
        return 0.0
    if not weights:
        return float(all(held[stem] >= _BESIDE and stem not in source.title - own for stem in claim.stems))
    share = sum(held[word] * weight for word, weight in weights.items()) / sum(weights.values())
    if share < (ENOUGH if claim.numbers else ENOUGH_WITHOUT_NUMBER):
        return 0.0
    missing = frozenset(stem for stem, how_much in held.items() if how_much < _BESIDE)
    return 0.0 if claim.numbers and _contradicted(source, place, claim, missing) else max(share, 0.01)


def _denies(one: Terms, other: Terms) -> bool:
    """Whether one side says no to something and the other side has no word of denial at all."""
    return not other.negative and (one.negated or bool(one.absent & other.stems))


def _held(stem: str, own: frozenset[str], beside: frozenset[str], headings: frozenset[str]) -> float:
    return 1.0 if stem in own else _BESIDE if stem in beside else _IN_HEADING if stem in headings else 0.0


def _above(source: _Source, place: int, claim: Terms) -> frozenset[str]:
    """What the line above says, where it is about this stretch: not in a table, and not if it is a fact of its own.

    That is a line with a number if the claim has one, else any line but a heading.
    """
    if not place or source.stretches[place].row:
        return _NOTHING
    above = source.stretches[place - 1]
    other_fact = above.divided or above.row or (above.terms.numbers if claim.numbers else not above.heading)
    return _NOTHING if other_fact else above.stems


def _named(
    name: tuple[str, ...],
    claim: Terms,
    own: frozenset[str],
    beside: tuple[frozenset[str], frozenset[str]],
    headings: frozenset[str],
) -> bool:
    """Whether a name stands in the stretch, or beside or above it where the stretch has no other name of the kind.

    `beside` are the line above and the file's name. In a claim without numbers the name may be what is claimed, so
    there the lines above count for codes alone.
    """
    parts = frozenset(name)
    if parts <= own:
        return True
    if parts & own or any(_rivals(part, own) for part in parts):
        return False
    above, title = beside
    if parts <= title or (parts <= above and (claim.numbers or _CODE.fullmatch(name[-1]))):
        return True
    return bool(claim.numbers) and len(name) == 1 and parts <= headings and not _rivals(name[0], headings)


def _rivals(name: str, stems: frozenset[str]) -> bool:
    """Whether there is another code of the same series: K3 beside K2, version 4 beside version 3."""
    code = _CODE.fullmatch(name)
    if not code:
        return False
    others = (_CODE.fullmatch(stem) for stem in stems if stem != name)
    return any(other and other[1] == code[1] for other in others)


def _contradicted(source: _Source, place: int, claim: Terms, missing: frozenset[str]) -> bool:
    """Whether another stretch has what this one lacks, beside another number of the same unit."""
    units = {number.unit for number in claim.numbers}
    rest = claim.stems - missing - source.title
    for other, stretch in enumerate(source.stretches):
        numbers = stretch.terms.numbers
        if other == place or stretch.divided or not any(number.unit in units for number in numbers):
            continue
        if any(number.agrees(one) for number in claim.numbers for one in numbers):
            continue
        said = stretch.terms.stems
        if not stretch.row and source.label(other) != source.label(place):
            said |= source.label(other)
        if missing & said and (not rest or rest & (said | stretch.lead)):
            return True
    return False


def _completed(claim: Terms, question: Terms, sentence: str) -> Terms:
    elliptical = not claim.words or _PRONOUN.match(sentence)
    names = question.names if elliptical and not claim.names else claim.names
    return replace(claim, names=names, words=claim.words or question.words.difference(*names))


def _clauses(sentence: str) -> list[tuple[str, str]]:
    """The clauses that state something each, with the word that links each to the one before."""
    if len(sentence) > _LONGEST_CUT:
        return [("", sentence)]
    parts, here, link = [], 0, ""
    for mark in _CLAUSE.finditer(sentence):
        left = terms(sentence[here : mark.start()], sentence_start=not here)
        right = terms(sentence[mark.end() :], sentence_start=False)
        if mark[1] in ("and", "but"):
            divides = bool(left.numbers and right.numbers)
        else:
            divides = bool((left.numbers or left.names) and (right.numbers or right.names))
        if divides and left.stems and len(right.stems) + len(right.numbers) > 1:
            parts.append((link, sentence[here : mark.start()]))
            here, link = mark.end(), mark[1] or mark[2] or ";"
    return [*parts, (link, sentence[here:])]
