"""Which questions are the same but for a few unimportant words, found without comparing all with all.

Two questions are near-identical if the words with digits in them are the same, and

- one has all words of the other and at most a quarter more, or
- the Jaccard similarity of their sets of words is `NEAR` or more, and still is when each word is weighted by its
  inverse document frequency, so that "the" counts little and "France" much. The weights keep the questions of a
  template ("What is the capital of ...?") apart.

Candidates come from an inverted index over the rarest words of each question: the prefix filter of Chaudhuri, Ganti
and Kaushik, "A primitive operator for similarity joins in data cleaning", ICDE 2006. It misses nothing, except that
at most `_MOST_CANDIDATES` questions per word are looked at, so that no file takes quadratic time.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backends.matching import NO_SPACES, matchable

NEAR = 0.8
"""The similarity (0 to 1) from which two questions count as the same; where the sample's own check draws the line."""

_MOST_CANDIDATES = 30
_ROUNDING = 1e-9
_EDGES = " .,;:?!¿¡…'\"`´‘’‚“”„«»()[]{}<>-–—*_"
_WORD = re.compile(rf"[{NO_SPACES}]|[^\s{NO_SPACES}]+")

WordSet = frozenset[str]
"""The words of a question: near-identical questions have them in any order."""


def normalised(text: str) -> str:
    """`text` as it is compared (`backends.matching`), without punctuation at its ends."""
    return matchable(text).strip(_EDGES)


def word_set(text: str) -> WordSet:
    """The set of words of a text, in lower case and without punctuation around them."""
    return frozenset(filter(None, (word.strip(_EDGES) for word in _WORD.findall(normalised(text)))))


class DisjointSets:
    """Disjoint sets of the numbers from 0 to `size` - 1; a set goes by its smallest number."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))

    def find(self, one: int) -> int:
        """The smallest number of the set that holds `one`."""
        parents = self._parents
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        return one

    def union(self, one: int, other: int) -> None:
        """Make one set of two."""
        one, other = sorted((self.find(one), self.find(other)))
        self._parents[other] = one


@dataclass(frozen=True, slots=True)
class _Question:
    """A set of words with its rarest ones first, as far as the prefix filter needs them."""

    words: WordSet
    numbers: WordSet
    weight: float
    heavy: list[str]
    rare: list[str]


class QuestionIndex:
    """Sets of words that can be searched for near-identical ones. `corpus` decides how much each word weighs."""

    def __init__(self, corpus: Sequence[WordSet]) -> None:
        counts = Counter(word for question in corpus for word in question)
        self._weights = {word: math.log1p(len(corpus) / count) for word, count in counts.items()}
        self._with_digits = frozenset(word for word in counts if any(map(str.isdigit, word)))
        rarest_first = sorted(counts, key=lambda word: (counts[word], word))
        self._ranks = {word: rank for rank, word in enumerate(rarest_first)}
        self._first_positions: dict[WordSet, int] = {}
        self._questions: list[tuple[int, _Question]] = []
        self._postings: dict[tuple[str, WordSet, str], list[int]] = defaultdict(list)

    def add(self, position: int, question: WordSet) -> None:
        """Let later searches find `question` as `position`. The first of several equal sets stands for all of them."""
        if question in self._first_positions:
            return
        self._first_positions[question] = position
        one = self._question(question)
        for kind, prefix in (("heavy", one.heavy), ("rare", one.rare), ("rarest", one.rare[:1])):
            for word in prefix:
                self._postings[kind, one.numbers, word].append(len(self._questions))
        self._questions.append((position, one))

    def matches(self, question: WordSet) -> Iterator[int]:
        """Positions of near-identical questions, an equal one first; a position may come more than once."""
        if question in self._first_positions:
            yield self._first_positions[question]
        one = self._question(question)
        for kind, prefix in (("heavy", one.heavy), ("rare", one.rare[:1]), ("rarest", one.rare)):
            for word in prefix:
                for number in self._postings.get((kind, one.numbers, word), ())[-_MOST_CANDIDATES:]:
                    position, other = self._questions[number]
                    if self._near(one, other):
                        yield position

    def _near(self, one: _Question, other: _Question) -> bool:
        sizes = len(one.words), len(other.words)
        if min(sizes) < NEAR * max(sizes):
            return False
        shared = one.words & other.words
        if len(shared) == min(sizes):
            return True
        if len(shared) < NEAR * (sum(sizes) - len(shared)):
            return False
        overlap = self._weight(shared)
        return overlap >= NEAR * (one.weight + other.weight - overlap)

    def _weight(self, question: WordSet) -> float:
        return sum(self._weights[word] for word in question)

    def _question(self, question: WordSet) -> _Question:
        """With the rarest words of which a near-identical question has at least one: by weight, and by number."""
        ranked = sorted(question, key=self._ranks.__getitem__)
        weight = left = self._weight(question)
        heavy = 0
        while heavy < len(ranked) and left >= NEAR * weight:
            left -= self._weights[ranked[heavy]]
            heavy += 1
        rare = math.floor((1 - NEAR) * len(ranked) + _ROUNDING) + 1
        return _Question(question, question & self._with_digits, weight, ranked[: min(heavy, rare)], ranked[:rare])


def clusters(questions: Sequence[str]) -> list[int]:
    """For each question the position of the first one that it is near-identical to, through others if need be."""
    sets = [word_set(question) for question in questions]
    index, found = QuestionIndex(sets), DisjointSets(len(sets))
    for position, question in enumerate(sets):
        for other in index.matches(question):
            found.union(position, other)
        index.add(position, question)
    return [found.find(position) for position in range(len(sets))]
