"""A passage cut into spans: the smallest places that state something. Offsets are in characters of the passage.

A span is a sentence, a clause with a number of its own, a line, or a cell of a table with its row and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from backends.rag.evidence.sentences import sentences
from backends.terms import Terms, combined_terms, terms

_WRAPPED = 60
"""A line of this many characters that ends openly was wrapped there and goes on in the next one."""

_LONGEST_CUT = 600
"""Sentences longer than this are not cut into clauses; no person wrote them."""

_ENUMERATION = re.compile(r"\s*(?:\d+[.)]\s*$|\d+(?:\.\d+)*[.)]?\s+(?=[A-Z]))")
_NEW_LINE = re.compile(r"\s*(?:[-*•–+>]\s|\(?\d{1,3}[.)](?:\s|$)|\(?[a-z]\)\s|#{1,6}\s|\||[A-Z]{3,}\s{2,})")
_CSV = re.compile(r"(?:[^,\n]*,(?=\S)){3}")
_RULE = re.compile(r"[\s:|-]+")
_DIGIT = re.compile(r"\d")
_CLAUSE = re.compile(r"(?:(?<!\s)\s+)?[;:]\s+|(?:,\s+|(?<!\s)\s+)(?:and|or|but|while|whereas)\s+|,\s+")


@dataclass(frozen=True, slots=True)
class Span:
    """One span. `lead_stems` are the stems in front of the first number of its sentence, which count for every clause.

    `heading`: a line without numbers that does not end like a sentence. `row`: a row or cell of a table, which the
    line above says nothing about. `divided`: its parts are spans too.
    """

    start: int
    end: int
    terms: Terms
    lead_stems: frozenset[str] = frozenset()
    heading: bool = False
    row: bool = False
    divided: bool = False

    @property
    def stems(self) -> frozenset[str]:
        """Everything that is said in it."""
        return self.terms.stems | self.lead_stems


def find_spans(text: str, head: str = "") -> list[Span]:
    """Every span of a passage, in reading order; the whole of what is divided comes after its parts.

    `head` has the head rows of the table in the middle of which it begins, as Markdown; "" if there is none.
    """
    found: list[Span] = []
    header: list[Terms] | None = _terms_of_head(head)
    lines = list(_lines(text))
    for place, (start, end) in enumerate(lines):
        line = text[start:end]
        if line.lstrip().startswith("|"):
            below = text[slice(*lines[place + 1])] if place + 1 < len(lines) else ""
            if _RULE.fullmatch(line):
                continue
            if _RULE.fullmatch(below):
                header = _terms_of(_cells(line))
                found.append(Span(start, end, combined_terms(header), heading=True, row=True))
            else:
                found += _row(start, end, _cells(line), header)
        elif _CSV.match(line):
            found += _row(start, end, line.split(","), None)
        else:
            header = None
            for first, last in sentences(line):
                found += _sentence(text, start + first, start + last)
    return found


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each line, wrapped ones joined, without the numbers of headings and list items."""
    start = end = position = before = 0
    for line in text.splitlines(keepends=True):
        shown, above = line.strip(), text[max(start, before) : end].rstrip()
        new = not shown or not above or bool(_NEW_LINE.match(line) or _CSV.match(line) or _CSV.match(above))
        closed = above.rstrip().endswith((".", "!", "?", ":", ";", "|"))
        if new or closed or not (shown[0].islower() or len(above) >= _WRAPPED):
            if shown_end := len(text[start:end].rstrip()):
                yield start, start + shown_end
            start = position
            number = _ENUMERATION.match(line)
            if number and (number.end() >= len(line.rstrip()) or "." in number.group() or ")" in number.group()):
                start += number.end()
        before, position = position, position + len(line)
        end = position
    if shown_end := len(text[start:end].rstrip()):
        yield start, start + shown_end


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _terms_of_head(head: str) -> list[Terms] | None:
    """The terms of each column's names, if these are the head rows of a Markdown table."""
    rows = [_cells(row) for row in head.split("\n") if row.lstrip().startswith("|") and not _RULE.fullmatch(row)]
    if not rows:
        return None
    return [combined_terms(column) for column in zip(*map(_terms_of, rows), strict=False)]


def _terms_of(cells: Sequence[str]) -> list[Terms]:
    return [terms(cell, sentence_start=False) for cell in cells]


def _row(start: int, end: int, cells: list[str], header: list[Terms] | None) -> Iterator[Span]:
    """A cell per number, each with the row's words and its column's heading where that is known; then the row."""
    said = _terms_of(cells)
    if header is None or len(header) != len(cells):
        yield Span(start, end, combined_terms(said), row=True)
        return
    numbered = [place for place, cell in enumerate(said) if place and cell.numbers]
    others = set(range(len(said))).difference(numbered)
    label = combined_terms([one[place] for place in others for one in (header, said)])
    for place in numbered:
        yield Span(start, end, combined_terms([label, header[place], said[place]]), row=True)
    yield Span(start, end, combined_terms([*header, *said]), row=True, divided=bool(numbered))


def _sentence(text: str, start: int, end: int) -> Iterator[Span]:
    whole = terms(text[start:end])
    heading = not whole.numbers and end - start < 70 and text[end - 1] not in ".;,!?"
    clauses = list(_clauses(text, start, end)) if end - start <= _LONGEST_CUT else [(start, end)]
    if len(clauses) == 1:
        yield Span(start, end, whole, heading=heading)
        return
    number = re.search(r"[£$€]?\d", text[start:end])
    lead = terms(text[start : start + number.start()]).stems if number else frozenset()
    for first, last in clauses:
        after_semicolon = ";" in text[start:first]
        said = terms(text[first:last], sentence_start=False)
        yield Span(first, last, said, lead_stems=frozenset() if after_semicolon else lead)
    yield Span(start, end, whole, divided=True)


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut at semicolons, and at the last link between two numbers."""
    here = start
    marks = list(_CLAUSE.finditer(text, start, end))
    for mark, following in zip_longest(marks, marks[1:]):
        stop = following.start() if following else end
        both = _DIGIT.search(text, here, mark.start()) and terms(text[mark.end() : stop], sentence_start=False).numbers
        if both or mark.group().startswith(";"):
            yield here, mark.start()
            here = mark.end()
    yield here, end
