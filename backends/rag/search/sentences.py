"""The sentences and table rows of the best passages, each with what it needs to stand alone, best first.

A chunk is found more surely than a sentence, and a sentence is read more surely than a chunk: a small writer takes the
look-alike next to the fact out of 500 tokens, and not out of five sentences (docs/measurements.md). So this stage
follows the search for chunks. Each sentence keeps the headings above it; an item of a list the words that introduce
the list; a row of a table its column names.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backends.base import Passage
from backends.rag.documents.chunks import context_of
from backends.rag.documents.headings import PLAIN_ENDINGS, below, plain_level, unwrapped, without_closing_marks
from backends.rag.documents.tables import is_whole, join_heading, parts_of, row_in_words, table_heads
from backends.rag.evidence.sentences import sentences
from backends.rag.search.keyword import key, spellings
from backends.rag.store.library import StoredChunk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backends.rag.search.embedder import Embedder
    from backends.rag.search.keyword import KeywordIndex

SENTENCES_VERSION = 2
"""Of `cut` and `in_words`: raised when the same chunk gives other sentences, whose vectors are kept."""

_COSINE, _WORDS, _PASSAGE = 0.5, 0.15, 0.3
_OF_ODDS, _OF_SCORE, _OF_BOTH = 0.4, 4.0, -3.8


_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.+)")
_ITEM = re.compile(r"[ \t]*(?:[-*•–+]|\(?\d{1,3}[.)]|\(?[a-z][)])[ \t]")
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])|(?<=[^\s*])\*\*(?![\w*])")
"""Around words, which 2**8 is not."""
_RULE = frozenset(" \t|:-")
_PLAIN_TABLES = (".csv", ".tsv")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_INTRODUCTION_CHARACTERS = 200


def cut(chunk: StoredChunk) -> list[Passage]:
    """The sentences and rows of a chunk in their order, without headings and head rows. Offsets are the document's.

    `heading` of each is the path above it and the words that introduce its list; for a row also the head rows.
    """
    if chunk.document.lower().endswith(_PLAIN_TABLES):
        return list(_csv_rows(chunk))
    return list(_sentences_and_rows(chunk))


def in_words(passage: Passage) -> str:
    """A sentence as it is read by itself, in one line, without the asterisks that make words bold; a row of a table
    with the names of its columns."""
    head = parts_of(passage.heading)[1]
    text = row_in_words(head, passage.text) if head else passage.text.lstrip("|")
    return " ".join(_BOLD.sub("", text).split())


def _csv_rows(chunk: StoredChunk) -> Iterator[Passage]:
    path, head = parts_of(chunk.heading)
    begin = 0
    if not head and (heads := table_heads(chunk.text, "csv")):
        head, begin = heads[0].text, heads[0].end
    row_start, quotes, place = begin, 0, begin
    for line in chunk.text[begin:].splitlines(keepends=True):
        quotes += line.count('"')
        place += len(line)
        if quotes % 2 == 0:  # a cell in quotation marks may go on in the next line
            yield from _row(chunk, row_start, place, path, head)
            row_start = place
    yield from _row(chunk, row_start, len(chunk.text), path, head)


def _row(chunk: StoredChunk, start: int, end: int, path: str, head: str) -> Iterator[Passage]:
    """A row with its head; the rest of a row at the start of a chunk without: its columns are not known."""
    rest = bool(start == 0 and chunk.start and head) and not is_whole(head, chunk.text[start:end].strip())
    yield from _passage(chunk, start, end, path if rest else join_heading(path, head))


def _sentences_and_rows(chunk: StoredChunk) -> Iterator[Passage]:
    path, head = parts_of(chunk.heading)
    introduction = ""
    heads = {one.start: one for one in table_heads(chunk.text, "text")}
    plain = chunk.document.lower().endswith(PLAIN_ENDINGS)
    text = unwrapped(chunk.text, "text") if plain else chunk.text
    lines = chunk.text.split("\n")
    skip_to = start = place = 0

    def text_until(end: int) -> Iterator[Passage]:
        nonlocal introduction
        for first, last in sentences(text[start:end]):
            sentence = chunk.text[start + first : start + last]
            item = bool(_ITEM.match(_line_before(chunk.text, start + first)))
            if not item:
                introduction = ""
            yield from _passage(chunk, start + first, start + last, _joined(path, introduction if item else ""))
            if sentence.rstrip("*_ ").endswith(":"):
                introduction = " ".join(sentence.split())[:_INTRODUCTION_CHARACTERS]

    for number, line in enumerate(lines):
        end = min(place + len(line) + 1, len(chunk.text))
        if place < skip_to:
            start = end
        elif (found := heads.get(place)) is not None:
            yield from text_until(place)
            head, skip_to, start = found.text, found.end, end
        elif "|" in line and head:
            yield from text_until(place)
            if not _RULE.issuperset(line):
                yield from _row(chunk, place, end, _joined(path, introduction), head)
            start = end
        elif heading := _heading(lines, number, plain):
            yield from text_until(place)
            level, title = heading
            path = below(path, title) if plain else _below(path, level, title)
            introduction, head = "", ""
            start = end
        elif line.strip():
            head = ""
        place = end
    yield from text_until(len(chunk.text))


def _heading(lines: Sequence[str], number: int, plain: bool) -> tuple[int, str] | None:
    """Level and title, if a line is a heading."""
    if plain:
        level = plain_level(lines, number)
        return (level, lines[number].strip()) if level else None
    found = _HEADING.fullmatch(lines[number].rstrip())
    return (len(found[1]), without_closing_marks(found[2])) if found else None


def _below(path: str, level: int, title: str) -> str:
    """The path at a heading inside a chunk. The chunk's own path ends with a heading that stands at its start."""
    above = path.split(" > ") if path else []
    return path if title in above else " > ".join([*above[: level - 1], title])


def _joined(path: str, introduction: str) -> str:
    return " > ".join(filter(None, (path, introduction)))


def _line_before(text: str, place: int) -> str:
    """What stands on the line from its start to a place, and a little of what follows."""
    return text[text.rfind("\n", 0, place) + 1 : place + 2]


def _passage(chunk: StoredChunk, start: int, end: int, heading: str) -> Iterator[Passage]:
    """A piece of a chunk, without the white space around it; nothing if no letter or digit is in it."""
    text = chunk.text[start:end]
    if not _LETTER_OR_DIGIT.search(text):
        return
    start += len(text) - len(text.lstrip())
    text = text.strip()
    first = chunk.start + start
    yield Passage(chunk.document, chunk.page, chunk.chunk_id, 0.0, first, first + len(text), text, heading)


def distinct(found: Sequence[Passage]) -> list[Passage]:
    """Without those that lie in another one of the same document, since chunks overlap."""
    order = sorted(found, key=lambda one: (one.document, one.start, -one.end))
    kept: list[Passage] = []
    for one in order:
        if not (kept and kept[-1].document == one.document and one.end <= kept[-1].end):
            kept.append(one)
    return kept


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence of a passage with its cosine similarity to the query, and the share of the query's words that stand in
    it or above it (0 to 1, see `share_of`)."""

    passage: Passage
    cosine: float
    words: float


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence or row, its rank from 1, and its score: where it was judged, the chance (0 to 1) that it answers."""

    passage: Passage
    rank: int
    score: float
    words: float


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a question asks for, and the sentences that may answer it, best first.

    `name` tells it from the others; "" where it is the only one.
    """

    text: str
    sentences: tuple[RankedSentence, ...]
    name: str = ""

    def worth(self, least: float) -> tuple[RankedSentence, ...]:
        """Those that score at least this share of the best one's score."""
        return tuple(one for one in self.sentences if one.score >= least * self.sentences[0].score)


def in_turn(rankings: Sequence[Sequence[RankedSentence]]) -> tuple[RankedSentence, ...]:
    """The best of each ranking in turn, each sentence once, ranked anew."""
    found: dict[Place, RankedSentence] = {}
    for one in itertools.chain.from_iterable(itertools.zip_longest(*rankings)):
        if one:
            found.setdefault(place_of(one.passage), one)
    return tuple(replace(one, rank=rank) for rank, one in enumerate(found.values(), 1))


def scored(
    query: str,
    vector: NDArray[np.float32],
    chunks: Sequence[StoredChunk],
    embedder: Embedder,
    keywords: KeywordIndex,
    stored: Mapping[int, NDArray[np.float32]] | None = None,
) -> list[list[Scored]]:
    """The sentences of each chunk. `vector` is the query's, shape (dimension,).

    `stored` has the vectors of the sentences of chunks, shape (n, dimension), by row; those of others are made now.
    """
    import numpy as np

    pieces = [cut(chunk) for chunk in chunks]
    flat = [passage for one in pieces for passage in one]
    if not flat:
        return pieces  # type: ignore[return-value]  # as empty as they are
    cosines = np.einsum("ij,j->i", np.concatenate(_vectors(chunks, pieces, embedder, stored or {})), vector)
    weights = keywords.weights(query)
    found = [
        Scored(replace(one, score=cosine), cosine, share_of(weights, with_context(one)))
        for one, cosine in zip(flat, cosines.tolist(), strict=True)
    ]
    ends = list(itertools.accumulate(map(len, pieces)))
    return [found[end - len(one) : end] for one, end in zip(pieces, ends, strict=True)]


def _vectors(
    chunks: Sequence[StoredChunk],
    pieces: Sequence[Sequence[Passage]],
    embedder: Embedder,
    stored: Mapping[int, NDArray[np.float32]],
) -> list[NDArray[np.float32]]:
    """The vectors of the sentences of each chunk that has any."""
    found = {chunk.row: stored[chunk.row] for chunk in chunks if chunk.row in stored}
    new = [
        (chunk.row, those)
        for chunk, those in zip(chunks, pieces, strict=True)
        if len(found.get(chunk.row, ())) != len(those)
    ]
    made = embedder.embed_sentences([in_words(one) for _, those in new for one in those]) if new else None
    place = 0
    for row, those in new:
        assert made is not None
        found[row] = made[place : place + len(those)]
        place += len(those)
    return [found[chunk.row] for chunk, those in zip(chunks, pieces, strict=True) if those]


Place = tuple[str, int, int]
"""Where a sentence stands: document, start and end."""


def place_of(passage: Passage) -> Place:
    """Where a passage stands."""
    return passage.document, passage.start, passage.end


def ranked(
    passages: Sequence[tuple[float, Sequence[Scored]]], odds: Mapping[Place, float] | None = None
) -> tuple[RankedSentence, ...]:
    """The sentences of passages, best first; each passage with its own score.

    score = 0.5 * cosine of the sentence + 0.15 * words + 0.3 * score of the passage: the best, or level with the best,
    of the ways to weigh that were tried (docs/decisions.md). With `odds`, the log-odds that the judge gives to the best
    of them, only those are returned, and their score is the chance that they answer, see `chance`. Chunks overlap: a
    sentence that is in two counts once.
    """
    best: dict[Place, tuple[float, Scored]] = {}
    for of_passage, those in passages:
        for one in those:
            score = _COSINE * one.cosine + _WORDS * one.words + _PASSAGE * of_passage
            place = place_of(one.passage)
            if odds is not None:
                if place not in odds:
                    continue
                score = chance(odds[place], score)
            if place not in best or score > best[place][0]:
                best[place] = score, one
    order = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].passage.document, pair[1].passage.start))
    kept = {place_of(one) for one in distinct([one.passage for _, one in order])}
    order = [pair for pair in order if place_of(pair[1].passage) in kept]
    return tuple(RankedSentence(one.passage, rank, score, one.words) for rank, (score, one) in enumerate(order, 1))


def chance(odds: float, score: float) -> float:
    """The chance that a sentence answers, from the judge's log-odds and the score of the ranking.

    A logistic regression on the questions of the corpus half `choose` (docs/decisions.md).
    """
    return 1 / (1 + math.exp(-(_OF_ODDS * odds + _OF_SCORE * score + _OF_BOTH)))


def with_context(passage: Passage) -> str:
    """A sentence behind the name of its document and the headings above it."""
    return f"{context_of(passage.document, parts_of(passage.heading)[0])}: {in_words(passage)}"


def share_of(weights: dict[str, float], text: str) -> float:
    """The share of a question's words, by weight, that stand in a text in any form; 0 if it has none that counts."""
    whole = sum(weights.values())
    if not whole:
        return 0.0
    there = {key(word) for word in spellings(text)}
    return sum(weight for word, weight in weights.items() if word in there) / whole
