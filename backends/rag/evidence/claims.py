"""Whether passages state a claim, decided by rule. How well that works is in `backends.rag.evidence.answer`."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from backends.base import Passage
from backends.rag.documents.tables import head_of, parts_of
from backends.rag.evidence.conflicts import Conflict, Statement, Statements
from backends.rag.evidence.figures import figures, may_have_figures
from backends.rag.evidence.spans import Span, find_spans
from backends.terms import Number, Terms, terms

# Chosen on the odd-numbered sample questions (see `benchmarks/evidence.py`).
MIN_WORD_SHARE = 0.6
"""Share of a claim's words that a span must hold, if the claim has a number."""
MIN_WORD_SHARE_WITHOUT_NUMBER = 0.9
"""The same for claims without a number or a code: there, words are all there is to compare."""
_BESIDE = 0.9
"""How much a word counts that stands in the line above, or in the file's name."""
_IN_HEADING = 0.7
"""How much a word counts that stands in a heading further above."""
_FOREIGN = 0.5
"""Weight of words that no passage holds: most are another way of saying it."""

_LONGEST_CUT = 600
_CLAUSE = re.compile(r";\s+|(?:,\s+|(?<![\s,])\s+)(and|but|while|whereas)\s+|,\s+(which|who|where|each)\s+")
_PRONOUN = re.compile(r"(?:it|they|this|that|these|those|he|she)\b", re.IGNORECASE)
_CODE = re.compile(r"([a-z]+[ -]?)(\d[\w-]*)")
_SEPARATORS = re.compile(r"[-_.\s]+")
_NOTHING: frozenset[str] = frozenset()
_NOWHERE: frozenset[int] = frozenset()
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Support:
    """A place that states a claim: number of the passage from 1, offsets in characters of the passage's text."""

    passage: int
    start: int
    end: int


class WorkLimit(Exception):
    """The work that was allowed is done, and the rest stays unchecked."""


class Work:
    """Counts work, so that it is bounded whatever the texts are. A unit is a character read or a word compared."""

    def __init__(self, units: float) -> None:
        self._left = units

    def spend(self, units: int) -> None:
        """Note work before it is done. Raises `WorkLimit` once there was too much of it."""
        self._left -= units
        if self._left < 0:
            raise WorkLimit


class _Source:
    """A passage, ready to be searched for claims: what each span says, and in which spans a word or value is.

    Spans are known by their place. One that equals an earlier one is in no index.
    """

    def __init__(self, number: int, passage: Passage) -> None:
        found = tuple(find_spans(passage.text, head_of(passage)))
        self.number = number
        self.passage = passage
        self.spans = found
        title = _SEPARATORS.sub(" ", PurePosixPath(passage.document).stem)
        self.title = terms(title.title(), sentence_start=False).stems
        self.own = [one.stems for one in found]
        self.labels = list(_labels(found, self.own))
        self._heading = terms(parts_of(passage.heading)[0].rpartition(" > ")[2]).stems
        self.series = [_series(own) for own in self.own]
        above = list(_lines_above(found, self.own))
        self._above_any = [without_number for without_number, _ in above]
        self._above_numbered = [with_number for _, with_number in above]
        self._heading_from: dict[str, int] = {}
        self._heading_series: dict[str, dict[str, int]] = defaultdict(dict)
        self._places: dict[str, set[int]] = defaultdict(set)
        self._values: dict[str, dict[int, set[str | None]]] = defaultdict(dict)
        self._units: dict[str | None, set[int]] = defaultdict(set)
        self._spans_by_stem: dict[str, set[int]] = defaultdict(set)
        self._index()

    def _index(self) -> None:
        seen: set[tuple[object, ...]] = set()
        for place, span in enumerate(self.spans):
            above = self._above_any[place], self._above_numbered[place]
            known = len(self._heading_from)  # grows with each heading, so it is the same below the same headings
            same = (span.terms, span.lead_stems, span.row, span.divided, *above, self.labels[place], known)
            if same not in seen:
                seen.add(same)
                self._index_span(place, span)
            if span.heading:
                for stem in self.own[place]:
                    if stem not in self._heading_from and (code := _CODE.fullmatch(stem)):
                        self._heading_series[code[1]][stem] = place
                    self._heading_from.setdefault(stem, place)

    def _index_span(self, place: int, span: Span) -> None:
        for stem in self.own[place].union(self._above_any[place], self._above_numbered[place]):
            self._places[stem].add(place)
        for number in span.terms.numbers:
            self._values[number.value].setdefault(place, set()).add(number.unit)
            if not span.divided:
                self._units[number.unit].add(place)
        for stem in span.terms.stems | self.labels[place]:
            self._spans_by_stem[stem].add(place)

    @property
    def vocabulary(self) -> frozenset[str]:
        """Every word that stands in it or in its name."""
        return self.title.union(*self.own)

    def above(self, place: int, claim: Terms) -> frozenset[str]:
        """What the line above says, where it is about this span."""
        return (self._above_numbered if claim.numbers else self._above_any)[place]

    def in_heading(self, stem: str, place: int) -> bool:
        """Whether a word stands in a heading above a span."""
        return self._heading_from.get(stem, place) < place

    def candidates(self, claim: Terms) -> list[int]:
        """The places that may state a claim, in reading order: with its numbers or rarest words, and with its names."""
        places = self._with_numbers(claim) if claim.numbers else self._with_words(claim)
        for name in claim.names:
            in_heading = bool(claim.numbers) and len(name) == 1 and name[0] in self._heading_from
            if not in_heading and not self.title.issuperset(name):
                places.intersection_update(*(self._places.get(part, _NOWHERE) for part in name))
        return sorted(places)

    def _with_numbers(self, claim: Terms) -> set[int]:
        """The places with all numbers of a claim. Of what is divided, the parts state a single number."""
        places = set.intersection(*sorted((self._agreeing(number) for number in claim.numbers), key=len))
        return places if len(claim.numbers) > 1 else {one for one in places if not self.spans[one].divided}

    def _with_words(self, claim: Terms) -> set[int]:
        """The places with at least one of so many rare words of a claim that no place can lack them all."""
        if claim.words:
            free = [word for word in claim.words if word not in self.title and word not in self._heading_from]
            needed = math.floor((1 - MIN_WORD_SHARE_WITHOUT_NUMBER) * len(claim.words) + _ROUNDING) + 1
        else:
            free, needed = list(claim.stems), 1
        if len(free) < needed:  # the file's name and headings may hold the words: one anywhere in the claim will do
            free, needed = list(claim.stems), len(claim.stems)
        return set().union(*sorted((self._places.get(stem, _NOWHERE) for stem in free), key=len)[:needed])

    def _agreeing(self, number: Number) -> set[int]:
        """The places with a number that agrees with this one."""
        units = self._values.get(number.value, {})
        if number.unit is None:
            return set(units)
        return {place for place, there in units.items() if None in there or number.unit in there}

    def opposing(self, claim: Terms) -> set[int]:
        """The places with a number of a unit that the claim has, and with none of its numbers."""
        beside = set().union(*(self._units.get(number.unit, _NOWHERE) for number in claim.numbers))
        return beside.difference(*(self._agreeing(number) for number in claim.numbers))

    def statements_at(self, support: Support) -> list[Statement]:
        """The spans with a figure at a place that supports a claim."""
        return [one for one in self.statements() if support.start <= one.span.start and one.span.end <= support.end]

    def statements(self) -> Iterator[Statement]:
        """Every span with a figure."""
        for place, span in enumerate(self.spans):
            if span.divided or span.heading:
                continue
            if span.terms.numbers or may_have_figures(self.passage.text[span.start : span.end]):
                yield Statement(self.number, self.passage, span, self.labels[place] or self._heading)

    def spans_with(self, stems: frozenset[str]) -> set[int]:
        """The places that say one of these words themselves or in the heading right above."""
        return set().union(*(self._spans_by_stem.get(stem, _NOWHERE) for stem in stems))

    def rivals_in_headings(self, name: str, place: int) -> bool:
        """Whether a heading above a span has another code of the same series."""
        code = _CODE.fullmatch(name)
        others = self._heading_series.get(code[1], {}) if code else {}
        return any(stem != name and above < place for stem, above in others.items())

    def best(self, claim: Terms, weights: dict[str, float], work: Work) -> tuple[float, int]:
        """The highest score of a place, 0 if none states the claim, and the first place that has it."""
        best, where = 0.0, 0
        contradiction = _Contradiction(self, claim, work)
        size = 1 + len(claim.numbers) + len(claim.stems)
        for place in self.candidates(claim):
            work.spend(size)
            score = self._score(place, claim, weights, contradiction)
            if score > best:
                best, where = score, place
            if best >= 1:
                break
        return best, where

    def _score(self, place: int, claim: Terms, weights: dict[str, float], contradiction: _Contradiction) -> float:
        """How much of a claim's words a place with its numbers holds, 0 to 1; 0 if it does not state the claim."""
        span, own, above = self.spans[place], self.own[place], self.above(place, claim)
        if _negation_differs(claim, span.terms) or _negation_differs(span.terms, claim):
            return 0.0
        if not all(self._named(name, claim, place) for name in claim.names):
            return 0.0
        held = {stem: self._word_weight(stem, place, above) for stem in claim.stems}
        if own.isdisjoint(claim.stems) and above.isdisjoint(claim.stems):
            return 0.0
        if not weights:
            return float(all(held[stem] >= _BESIDE and (stem in own or stem not in self.title) for stem in claim.stems))
        share = sum(held[word] * weight for word, weight in weights.items()) / sum(weights.values())
        if share < (MIN_WORD_SHARE if claim.numbers else MIN_WORD_SHARE_WITHOUT_NUMBER):
            return 0.0
        missing = frozenset(stem for stem, how_much in held.items() if how_much < _BESIDE)
        return 0.0 if claim.numbers and contradiction.exists_at(place, missing) else max(share, 0.01)

    def _word_weight(self, stem: str, place: int, above: frozenset[str]) -> float:
        if stem in self.own[place]:
            return 1.0
        return _BESIDE if stem in above or stem in self.title else _IN_HEADING if self.in_heading(stem, place) else 0.0

    def _named(self, name: tuple[str, ...], claim: Terms, place: int) -> bool:
        """Whether a name stands in a span, or beside or above it where the span has no other name of the kind.

        In a claim without numbers the name may be what is claimed, so there the lines above count for codes alone.
        """
        own, above = self.own[place], self.above(place, claim)
        if own.issuperset(name):
            return True
        if not own.isdisjoint(name) or any(_has_sibling_code(part, self.series[place]) for part in name):
            return False
        if self.title.issuperset(name) or (above.issuperset(name) and (claim.numbers or _CODE.fullmatch(name[-1]))):
            return True
        alone = bool(claim.numbers) and len(name) == 1 and self.in_heading(name[0], place)
        return alone and not self.rivals_in_headings(name[0], place)


class _Contradiction:
    """Whether another span has what one that states a claim lacks, beside another number of the same unit."""

    def __init__(self, source: _Source, claim: Terms, work: Work) -> None:
        self._source, self._claim, self._work = source, claim, work
        self._opposing: set[int] | None = None
        self._known: dict[tuple[frozenset[str], frozenset[str]], bool] = {}

    def exists_at(self, place: int, missing: frozenset[str]) -> bool:
        """Whether what is `missing` at a place stands beside another number elsewhere."""
        key = missing, self._source.labels[place]
        if missing and key not in self._known:
            self._known[key] = self._found(*key)
        return bool(missing) and self._known[key]

    def _found(self, missing: frozenset[str], label: frozenset[str]) -> bool:
        source = self._source
        if self._opposing is None:
            self._opposing = source.opposing(self._claim)
        rest = self._claim.stems - missing - source.title
        for other in self._opposing & source.spans_with(missing):
            self._work.spend(1 + len(self._claim.stems))
            span, beside = source.spans[other], source.labels[other]
            said = span.terms.stems
            if not span.row and beside != label:
                said |= beside
            if missing & said and (not rest or rest & (said | span.lead_stems)):
                return True
        return False


class Sources:
    """Passages that claims are looked for in. `work` bounds how much is read and compared; may raise `WorkLimit`.

    What was found `beside` them supports nothing, and may disagree.
    """

    def __init__(self, passages: Sequence[Passage], work: Work, beside: Sequence[Passage] = ()) -> None:
        work.spend(sum(len(passage.text) for passage in passages))
        self._beside = beside
        self._sources = [_Source(number, passage) for number, passage in enumerate(passages, 1)]
        self._vocabulary = _NOTHING.union(*(source.vocabulary for source in self._sources))
        self._work = work
        self._stated: dict[Terms, tuple[Support, ...]] = {}
        self._statements: Statements | None = None

    def support(self, sentence: str, question: Terms) -> tuple[Support, ...]:
        """Where a sentence is stated; empty if it is not. A sentence of several clauses may need several passages.

        What an elliptical sentence ("12 %.", "It costs ...") leaves out is taken from the question. Raises `WorkLimit`.
        """
        self._work.spend(len(sentence))
        whole = _with_question_terms(terms(sentence), question, sentence)
        if found := self._stating(whole):
            return found
        parts = self._clauses(sentence)
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

    def conflicts(self, sentence: str, support: Sequence[Support], asked: Terms) -> tuple[Conflict, ...]:
        """Where another passage disagrees with what supports a sentence. Raises `WorkLimit`."""
        passages = [*(source.passage for source in self._sources), *self._beside]
        if len({passage.document for passage in passages}) < 2 or not figures(sentence):
            return ()
        if self._statements is None:
            self._work.spend(sum(len(passage.text) for passage in self._beside))
            every = [*self._sources, *(_Source(0, passage) for passage in self._beside)]
            self._statements = Statements(one for source in every for one in source.statements())
        used = [one for place in support for one in self._sources[place.passage - 1].statements_at(place)]
        return tuple(dict.fromkeys(self._statements.conflicts(used, sentence, asked.stems)))

    def _stating(self, claim: Terms) -> tuple[Support, ...]:
        """The best place of each passage that states a claim."""
        if claim not in self._stated:
            self._stated[claim] = tuple(self._found(claim)) if claim.words or claim.names else ()
        return self._stated[claim]

    def _found(self, claim: Terms) -> Iterator[Support]:
        foreign = _FOREIGN if claim.numbers else 1.0
        weights = {word: 1.0 if word in self._vocabulary else foreign for word in claim.words}
        for source in self._sources:
            score, place = source.best(claim, weights, self._work)
            if score:
                span = source.spans[place]
                above = source.above(place, claim) - source.own[place] - source.title
                start = source.spans[place - 1].start if above & claim.stems else span.start
                yield Support(source.number, start, span.end)

    def _clauses(self, sentence: str) -> list[tuple[str, str]]:
        """The clauses that state something each, with the word that links each to the one before."""
        if len(sentence) > _LONGEST_CUT:
            return [("", sentence)]
        parts, here, link = [], 0, ""
        for mark in _CLAUSE.finditer(sentence):
            self._work.spend(len(sentence) - here)
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


def _labels(found: Sequence[Span], own: Sequence[frozenset[str]]) -> Iterator[frozenset[str]]:
    """For each span the heading right above it or above the clauses of its sentence; empty if there is none."""
    label = _NOTHING
    for place in range(len(found)):
        if not (place and found[place - 1].lead_stems):
            label = own[place - 1] if place and found[place - 1].heading else _NOTHING
        yield label


def _lines_above(
    found: Sequence[Span], own: Sequence[frozenset[str]]
) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """What the line above each span says, for claims without and with a number.

    Only where it is about the span: not in a table, and not if it is a fact of its own. That is a line with a
    number if the claim has one, else any line but a heading.
    """
    for place, span in enumerate(found):
        above = found[place - 1] if place else None
        if above is None or span.row or above.divided or above.row:
            yield _NOTHING, _NOTHING
        else:
            says = own[place - 1]
            yield says if above.heading else _NOTHING, _NOTHING if above.terms.numbers else says


def _series(stems: Iterable[str]) -> dict[str, set[str]]:
    """The codes among words, by what stands in front of their number: K2 and K3 are of one series."""
    found: dict[str, set[str]] = defaultdict(set)
    for stem in stems:
        if code := _CODE.fullmatch(stem):
            found[code[1]].add(stem)
    return found


def _has_sibling_code(name: str, series: Mapping[str, set[str]]) -> bool:
    """Whether there is another code of the same series: K3 beside K2, version 4 beside version 3."""
    code = _CODE.fullmatch(name)
    return code is not None and bool(series.get(code[1], set()) - {name})


def _negation_differs(one: Terms, other: Terms) -> bool:
    """Whether one side says no to something and the other side has no word of denial at all."""
    return not other.negative and (one.negated or bool(one.absent & other.stems))


def _with_question_terms(claim: Terms, question: Terms, sentence: str) -> Terms:
    elliptical = not claim.words or _PRONOUN.match(sentence)
    names = question.names if elliptical and not claim.names else claim.names
    return replace(claim, names=names, words=claim.words or question.words.difference(*names))
