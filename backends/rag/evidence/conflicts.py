"""Whether two passages give different figures for the same thing.

A rule. Of everything that passages say beside a figure, the statement is looked for that is about the same as the one
that the answer goes by: by the words of both, of the headings above them and of the question, rare words before common
ones. It has to be the nearest one in its document, and the answer's statement the nearest one to it in turn. Two
statements count if their figures measure the same and are not the same in another unit (`figures`), and

- in editions of one document, if a good part of their words is the same: such documents say little twice;
- in a document in force and one that is not, if more is the same;
- in documents of equal standing, only if most is the same, and if the documents are so unlike in name that neither can
  be about the sister of the other's subject.

What statements are taken from rows, columns and clauses is decided by `backends.rag.evidence.spans`. How often the rule
is right stands in docs/measurements.md.

What an answer was not written from may disagree too: it was found, and left out because it is superseded or fits less
well.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise

from backends.base import Passage
from backends.matching import plain
from backends.rag.evidence.figures import MONEY, Figure, figures, years
from backends.rag.evidence.spans import Span
from backends.rag.search.superseded import series_of
from backends.terms import STOPPED, stem, terms

MOST_PAIRS = 4_000
"""Pairs of statements compared for one answer; in texts that were made to be slow, the rest stays unnoticed."""

_LIKE = {"editions": 0.3, "superseded": 0.45, "others": 0.6}
"""How alike statements must be, 0 to 1: in editions of one document, in one that is in force and one that is not, and
in any other two (docs/decisions.md)."""

_COMMON = {"editions": 0.0, "superseded": 0.35, "others": 0.6}
"""The share of the words of each that the other one must have at least, in it or above it."""

_MOST_TIMES = 8
"""By more than so many times a figure of the same thing is hardly changed."""

_ABOVE = 0.6
"""How much a word counts that stands in the heading above one of two statements."""

_HEADINGS = 0.1
"""Weight of what the headings above two statements have in common: editions have other headings, and yet they tell
sentences apart that are alike."""

_MOST_FIGURES = 8
"""A statement with more figures is a list or a table that was not told."""

_SAME_WORDS = 0.6
"""Share of words from which on a denial makes another statement of it."""

_LONGEST = 40
"""Words of statements that are compared word by word; no person says one thing in more."""

_UPPER = re.compile(
    r"\b(?:at most|up to|maximum|max|no more than|not more than|no longer than|below|under|less than|within|until)\b"
)
_NONE_ABOVE = re.compile(r"\bno(?:t|body|ne)?\b[^.;#]{0,60}\b(?:more|longer|later|older|over|above)\b")
_LOWER = re.compile(r"\b(?:at least|minimum|min|not less than|no less than|from|over|above|more than|after)\b")
_DENIED = re.compile(r"\b(?:not|never|cannot)\b(?! \w+ than\b)|n't\b")
_CLAUSE = re.compile(r"[,;]\s|\s(?:and|or|but|while|whereas)\s")
_WORD = re.compile(r"[^\W\d_]+")
_PRICE_WORDS = "admission amount charge cost due fee pay price sum"
_OF_PRICES = frozenset(map(stem, _PRICE_WORDS.split()))
"""What stands beside every price, and tells none from another."""

_NAME = re.compile(r"(?<=[\w,] )[A-Z][\w-]*(?: [A-Z][\w-]*)*|\b[A-Za-z]+-?\d[\w-]*")
_CELL = re.compile(r"[|,]")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Said:
    """What a passage says: the figure as it is written, and the number of the passage among the sources, from 1; 0 if
    the writer did not read it."""

    number: int
    text: str
    passage: Passage

    @property
    def superseded(self) -> bool:
        """Whether its document is not in force any more."""
        return bool(self.passage.superseded)

    @property
    def said(self) -> tuple[str, str]:
        """Who says what: the document and the figure."""
        return self.passage.document, self.text

    @property
    def name(self) -> str:
        """`[3]`, or the document."""
        return f"[{self.number}]" if self.number else self.passage.document

    @property
    def words(self) -> str:
        """`[3] says 15% (superseded)`"""
        return f"{self.name} says {self.text}{' (superseded)' * self.superseded}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """The figure that an answer gives, and another one that a passage gives for the same thing.

    `both`: the answer gives both. `past`: the question asks for what is not in force any more.
    """

    used: Said
    other: Said
    both: bool = False
    past: bool = False

    @property
    def is_warning(self) -> bool:
        """Whether the answer may be wrong: it goes by what is not in force, or nothing tells which figure is."""
        wanted = self.past and self.used.superseded != self.other.superseded
        return not (self.both or wanted) and (self.used.superseded or not self.other.superseded)

    @property
    def sentence(self) -> str:
        """Both figures, in the order of the passages, and what the answer goes by."""
        first, second = sorted((self.used, self.other), key=lambda one: one.number or math.inf)
        says = f"Sources disagree: {first.words}, {second.words}."
        if self.both:
            return f"{says} The answer gives both."
        if self.used.superseded == self.other.superseded:
            return f"{says} The answer goes by {self.used.name}, and nothing tells which one is in force."
        return f"{says} The answer goes by the one that is {'not ' * self.used.superseded}in force."


@dataclass(frozen=True, slots=True)
class Statement:
    """A span of a passage that says one thing; `number` as in `Said`, `label` are the stems of the heading above."""

    number: int
    passage: Passage
    span: Span
    label: frozenset[str]

    @property
    def text(self) -> str:
        """As it is written."""
        return self.passage.text[self.span.start : self.span.end]


class _Read:
    """A statement, read as far as it is needed."""

    def __init__(self, said: Statement, found: Sequence[Figure], text: str, own: frozenset[str]) -> None:
        self.said = said
        self.document = said.passage.document
        self.figures = found
        words = {stem(word) for one in found if one.measure != "count" for word in _WORD.findall(one.text)}
        self.own = own - words
        if any(one.measure in MONEY for one in found):
            self.own -= _OF_PRICES
        self.above = (said.label | said.span.lead_stems) - self.own
        self.every = self.own | self.above
        self.lower = text.lower()
        self._text = text

    @cached_property
    def sequence(self) -> list[str]:
        words = [stem(word) for word in _WORD.findall(self.lower) if word not in STOPPED][:_LONGEST]
        return [word for word in words if word not in _OF_PRICES]

    @cached_property
    def row_name(self) -> frozenset[str]:
        """The words of the first cell, where it is a row of a table."""
        if not self.said.span.row:
            return _NOTHING
        return terms(_CELL.split(self.said.text.strip("| "))[0], sentence_start=False).stems

    @cached_property
    def names(self) -> frozenset[tuple[str, ...]]:
        """Capitalised words behind others, and codes; none of a row, whose cells begin with a capital each."""
        found = () if self.said.span.row else _NAME.findall(self._text)
        return frozenset(tuple(map(stem, one.split())) for one in found)

    @cached_property
    def years(self) -> frozenset[str]:
        """The years that it names."""
        return years(self.said.text)

    @cached_property
    def limit(self) -> tuple[bool, bool]:
        upper = _UPPER.search(self.lower) or _NONE_ABOVE.search(self.lower)
        return upper is not None, bool(_LOWER.search(self.lower))

    @cached_property
    def denied(self) -> bool:
        return bool(_DENIED.search(self.lower.partition("#")[0]))


def _read(said: Statement) -> Iterator[_Read]:
    """A statement, cut between figures of one measure that stand in different clauses; a cell has its own ones."""
    found = figures(said.text)
    columns: frozenset[str] = _NOTHING
    if said.span.row:
        cell = {number.value for number in said.span.terms.numbers}
        columns = frozenset(cell.difference(*map(_values, found)))  # "every 2 weeks" tells a column
        found = tuple(one for one in found if not cell.isdisjoint(_values(one)))
    if len(found) > _MOST_FIGURES or not found:
        return
    text = plain(said.text)
    for one in found:  # what is a figure is no word of it
        text = text[: one.start] + "#" * (one.end - one.start) + text[one.end :]
    cuts = [0]
    for one, following in pairwise(found):
        marks = list(_CLAUSE.finditer(text, one.end, following.start))
        if marks and any(_compete(each, following) for each in found if cuts[-1] <= each.start <= one.start):
            cuts.append(marks[-1].start() if len(marks) == 1 else marks[0].start())
    if len(cuts) == 1 or said.span.row:
        yield _Read(said, found, text, said.span.terms.stems | columns)
        return
    for start, end in pairwise([*cuts, len(text)]):
        piece = text[start:end]
        inside = [one for one in found if start <= one.start < end]
        if inside:
            yield _Read(said, inside, piece, terms(piece, sentence_start=not start).stems)


def _compete(one: Figure, other: Figure) -> bool:
    return one.same_measure(other) and (one.measure != "count" or one.of == other.of)


def _values(one: Figure) -> set[str]:
    return {number.value for number in terms(one.text, sentence_start=False).numbers}


class Statements:
    """What all passages say, by what stands beside each figure."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._all: list[_Read] = []
        self._by_document: dict[str, list[_Read]] = defaultdict(list)
        self._count: dict[str, int] = defaultdict(int)
        seen: set[tuple[object, ...]] = set()
        for one in statements:
            place = one.passage.start + one.span.start, one.passage.start + one.span.end
            key = one.passage.document, *place, one.span.terms
            if key not in seen:
                seen.add(key)
                for read in _read(one):
                    self._all.append(read)
                    self._by_document[read.document].append(read)
                    for each in read.every:
                        self._count[each] += 1
        self._weights = {each: math.log(1 + len(self._all) / count) for each, count in self._count.items()}
        self._pairs = MOST_PAIRS

    def conflicts(self, used: Iterable[Statement], claim: str, asked: frozenset[str]) -> Iterator[Conflict]:
        """Where others disagree with the statements that an answer goes by. `claim` is its sentence, `asked` are the
        stems of the question."""
        said = figures(claim)
        for one in (read for statement in used for read in _read(statement)):
            for figure in one.figures:
                if any(figure.equals(each) for each in said):
                    for document in self._by_document:
                        if document != one.document:
                            yield from self._in(document, one, figure, said, asked)

    def _in(
        self, document: str, one: _Read, figure: Figure, said: Sequence[Figure], asked: frozenset[str]
    ) -> Iterator[Conflict]:
        """The statement of a document about the same thing, if its figure is another one."""
        relation = _relation(one.said.passage, self._by_document[document][0].said.passage)
        if relation is None:
            return
        least = _LIKE[relation]
        found = self._nearest(one, figure, self._by_document[document], asked)
        if not found or found[0][0] < least:
            return
        alike, other = found[0]
        level = [each for score, each in found if score >= alike - 1e-6]
        if any(each.equals(figure) for read in level for each in read.figures):
            return
        theirs = _counterpart(one, figure, other)
        if theirs is None or any(
            (each := _counterpart(one, figure, read)) and not each.equals(theirs) for read in level
        ):
            return
        if not _likely(figure, theirs) or self._common(one, other) < _COMMON[relation]:
            return
        alike = self.alike(one, other)
        back = self._nearest(other, theirs, self._by_document[one.document])
        if any(score > alike + 1e-6 and each.lower != one.lower for score, each in back):
            return
        if not _comparable(one, other):
            return
        shown, shown_other = as_written(one.said, figure), as_written(other.said, theirs)
        yield Conflict(
            Said(one.said.number, shown, one.said.passage),
            Said(other.said.number, shown_other, other.said.passage),
            both=any(theirs.equals(each) for each in said),
        )

    def _nearest(
        self, one: _Read, figure: Figure, others: list[_Read], asked: frozenset[str] = _NOTHING
    ) -> list[tuple[float, _Read]]:
        """The statements with a figure of the same measure, most alike first."""
        found = []
        for other in others:
            if one.every.isdisjoint(other.every) or one.said.span.row != other.said.span.row:
                continue
            self._pairs -= 1
            if self._pairs < 0:
                break
            if (alike := self.alike(one, other, asked)) > 0.1 and any(f.same_measure(figure) for f in other.figures):
                found.append((alike, other))
        return sorted(found, key=lambda pair: -pair[0])

    def alike(self, one: _Read, other: _Read, asked: frozenset[str] = _NOTHING) -> float:
        """How likely two statements are about the same thing, 0 to 1: the share of their words that both have, of
        the shorter one and of both, and the share of the question's words in one that the other one has."""
        common = self._weight(one.own & other.own)
        common += _ABOVE * self._weight((one.own & other.above) | (one.above & other.own))
        small = min(self._weight(one.own), self._weight(other.own))
        if not small:
            return 0.0
        cover, share = min(1.0, common / small), min(1.0, common / self._weight(one.own | other.own))
        parts = [(0.35, cover), (0.35, share)]
        if wanted := self._weight(asked & one.every):
            parts.append((0.3, self._weight(asked & one.every & other.every) / wanted))
        if one.above and other.above:
            parts.append((_HEADINGS, self._weight(one.above & other.above) / self._weight(one.above | other.above)))
        return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)

    def _common(self, one: _Read, other: _Read) -> float:
        """The share of the longer statement's words that the other one has too, in it or above it."""
        return min(
            self._weight(first.own & second.every) / (self._weight(first.own) or 1)
            for first, second in ((one, other), (other, one))
        )

    def _weight(self, stems: Iterable[str]) -> float:
        """Of rare words more than of common ones; of words that no statement has, none."""
        return sum(self._weights.get(each, 0.0) for each in stems)


def _counterpart(one: _Read, figure: Figure, other: _Read) -> Figure | None:
    """The figure of `other` that stands for one of `one`: of the same things where they are named, and the first for
    the first; None if nothing tells which."""
    mine = [each for each in one.figures if each.same_measure(figure)]
    theirs = [each for each in other.figures if each.same_measure(figure)]
    if same := [each for each in theirs if each.of == figure.of]:
        theirs, mine = same, [each for each in mine if each.of == figure.of]
    if len(mine) == len(theirs):
        return theirs[mine.index(figure)]
    return theirs[0] if theirs and all(each.equals(theirs[0]) for each in theirs) else None


def _relation(one: Passage, other: Passage) -> str | None:
    """Whether two documents are editions of one, or one of them is superseded, or others; None where they may be about
    sisters."""
    series, other_series = series_of(one.document), series_of(other.document)
    apart = series ^ other_series
    if not apart:
        return "editions"
    if bool(one.superseded) != bool(other.superseded):
        return "superseded"
    if any(character.isdigit() for word in apart for character in word):
        return None
    sisters = series & other_series and len(series - other_series) == len(other_series - series) == 1
    return None if sisters else "others"


def _likely(one: Figure, other: Figure) -> bool:
    """Whether one figure may have become the other."""
    small, large = sorted((abs(one.value), abs(other.value)))
    return one.measure in ("clock", "date", "ordinal") or not small or large <= _MOST_TIMES * small


def _comparable(one: _Read, other: _Read) -> bool:
    if one.years and other.years and one.years != other.years:
        return False
    if one.row_name and other.row_name and not (one.row_name <= other.row_name or other.row_name <= one.row_name):
        return False
    if one.denied != other.denied and _share(one, other) > _SAME_WORDS:
        return False
    up, other_up = one.limit, other.limit
    if (up[0] and not up[1] and other_up == (False, True)) or (other_up[0] and not other_up[1] and up == (False, True)):
        return False
    mine = [name for name in one.names - other.names if not other.every.issuperset(name)]
    theirs = [name for name in other.names - one.names if not one.every.issuperset(name)]
    if mine and theirs and not one.names & other.names:
        return False
    return not _one_word_exchanged(one.sequence, other.sequence)


def _share(one: _Read, other: _Read) -> float:
    return len(one.own & other.own) / max(1, len(one.own | other.own))


def _one_word_exchanged(one: list[str], other: list[str]) -> bool:
    """Whether the same is said of something else: an adult, a child."""
    pieces = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    kinds = [kind for kind, *_ in pieces if kind != "equal"]
    same = sum(end - start for kind, start, end, *_ in pieces if kind == "equal")
    kind, _, end, _, last = pieces[0] if pieces else ("equal", 0, 0, 0, 0)
    return kind == "replace" and kinds == ["replace"] and same >= 2 and end == last <= 2


def as_written(statement: Statement, figure: Figure) -> str:
    """A figure as its statement has it."""
    if figure.text in statement.text:
        return figure.text
    pieces = list(re.finditer(r"\S+", statement.text))
    for count in range(1, 5):
        for first, last in zip(pieces, pieces[count - 1 :], strict=False):
            shown = statement.text[first.start() : last.end()].strip(".,;:!?()[]|*\"'")
            found = figures(shown)
            if len(found) == 1 and found[0].equals(figure):
                return " ".join(shown.split())
    return figure.text
