"""The headings above every place of a text: those of Markdown, and those that only look like headings.

A PDF and a plain text have no marks of headings, but people see them: a line in capitals, a numbered line without an
end, a line that is underlined with signs. A short line is none where it may be a cell, an item or the end of a
sentence: a wrong heading stands in front of every sentence below it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter

from backends.rag.documents.formats import FORMATS, MARKDOWN_LIKE, extension_of

Headings = list[tuple[int, str]]
"""Offset and path ("Returns > Exchanges") of every heading of a text, ascending."""

_Heading = tuple[int, int, str]
"""Offset, level and title."""

_MARKDOWN = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+)$")
_CHARACTERS = 1000
"""A longer heading is cut: it is kept with every chunk below it."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_NUMBERED = re.compile(
    r"(?:(?:Section|Chapter|Part|Appendix|Annex|Article) )?"
    r"((?:\d{1,2}|[A-Z](?=[.)]))(?:\.\d{1,2}){0,3})[.)]?[ \t]+(?=[^\W\d_])"
)
_MARKED = re.compile(r"[-*•–+▪◦·]\s|\(?\d{1,3}[.)]\s|\(?[a-z][)]\s")
_UNDERLINE = re.compile(r"={3,}|-{3,}|~{3,}|\*{3,}")
_OPEN_END = ".,;:!"
_MOST_CHARACTERS, _MOST_WORDS = 70, 10
_PLAIN = frozenset({"pdf", "text"})
"""Formats whose headings have no marks."""

PLAIN_ENDINGS = (".pdf", *(ending for ending, format in FORMATS.items() if format == "text"))
"""How the names of such documents end."""

_CAPITALS, _NUMBER = 1, 2


def headings(pages: Sequence[str], format: str) -> list[Headings]:
    """The headings of each page. The sections of a PDF go on from page to page; those of slides and sheets do not."""
    path: list[tuple[int, str]] = []
    found: list[Headings] = []
    for text in pages:
        page = list(_markdown(text) if format in MARKDOWN_LIKE else _plain(text) if format in _PLAIN else ())
        if format == "pdf" and path and not (page and page[0][0] == 0):
            page.insert(0, (0, *path[-1]))
        here, path = _paths(page, path if format == "pdf" else [])
        found.append(here)
    return found


def unwrapped(text: str, format: str) -> str:
    """A text of the same length in which the lines of a paragraph are one line: where a line ends is where the page
    ends, and not a sentence. Headings, items, tables and blank lines stay apart."""
    if format not in _PLAIN:
        return text
    lines = text.split("\n")
    kept = [_ends_here(lines, number) for number in range(len(lines) - 1)]
    ends = ["\n" if end else " " for end in kept] + [""]
    return "".join(line + end for line, end in zip(lines, ends, strict=True))


def _ends_here(lines: Sequence[str], number: int) -> bool:
    """Whether a paragraph ends with a line."""
    line, after = lines[number].strip(), lines[number + 1].strip()
    if not line or not after or line[-1] in ".:;!?" or _MARKED.match(after):
        return True
    if any(mark in one for one in (line, after) for mark in ("|", "\t", "   ")):
        return True
    return bool(plain_level(lines, number) or plain_level(lines, number + 1))


def below(path: str, title: str) -> str:
    """The path at a heading without marks, from the path before it."""
    level = _title_level(title)
    above = [one for one in path.split(" > ") if one and _title_level(one) < level]
    return " > ".join([*above, title])


def _title_level(title: str) -> int:
    return _NUMBER + _depth(title) if _NUMBERED.match(title) else _CAPITALS


def heading_at(found: Headings, offset: int) -> str:
    """The last heading that starts at or before an offset."""
    after = bisect_right(found, offset, key=itemgetter(0))
    return found[after - 1][1] if after else ""


def _paths(found: Sequence[_Heading], path: list[tuple[int, str]]) -> tuple[Headings, list[tuple[int, str]]]:
    """Offset and path of each heading, and the levels and titles of the last one's path."""
    paths: Headings = []
    for offset, level, title in found:
        path = [(above, name) for above, name in path if above < level]
        path.append((level, title[:_CHARACTERS].rstrip()))
        paths.append((offset, " > ".join(name for _, name in path)))
    return paths, path


def _markdown(text: str) -> Iterator[_Heading]:
    for offset, heading in _marked(text):
        yield offset, len(heading.group(1)), without_closing_marks(heading.group(2))


def _marked(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """The lines of Markdown headings, each with its offset."""
    offset = 0
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark.group(1).startswith(fence)):
            fence = "" if fence else mark.group(1)
        elif not fence and (heading := _MARKDOWN.match(line)):
            yield offset, heading
        offset += len(line) + 1


def heading_marks(text: str, document: str) -> list[tuple[int, int]]:
    """Start and end of the number signs in front of headings, for a text of a document of this name; none where its
    format has no such marks."""
    if FORMATS.get(extension_of(document)) not in MARKDOWN_LIKE:
        return []
    return [(offset, offset + heading.start(2)) for offset, heading in _marked(text)]


def without_heading_marks(text: str, document: str) -> str:
    """A text of a document as people read it: without the number signs in front of its headings."""
    for start, end in reversed(heading_marks(text, document)):
        text = text[:start] + text[end:]
    return text


def without_closing_marks(written: str) -> str:
    """A heading without the number signs that may close it."""
    return (written[0] + written[1:].rstrip("#")).strip()


def _plain(text: str) -> Iterator[_Heading]:
    lines = text.split("\n")
    offset = 0
    for number, line in enumerate(lines):
        shown = line.strip()
        if 1 < len(shown) <= _MOST_CHARACTERS and (level := plain_level(lines, number)):
            yield offset, level, shown
        offset += len(line) + 1


def plain_level(lines: Sequence[str], number: int) -> int:
    """The level of a line that looks like a heading, from 1; 0 if it does not."""
    shown = lines[number].strip()
    if not 1 < len(shown) <= _MOST_CHARACTERS or shown[-1] in _OPEN_END or len(shown.split()) > _MOST_WORDS:
        return 0
    before, after = _neighbour(lines, number, -1), _neighbour(lines, number, 1)
    if _UNDERLINE.fullmatch(after) and not _UNDERLINE.fullmatch(shown):
        return 1 if after[0] == "=" else 2
    if not any(map(str.isalpha, shown)) or "|" in shown or "\t" in shown or "   " in shown:
        return 0
    if _NUMBERED.match(shown):
        return _numbered_level(shown, before, after)
    letters = [letter for letter in shown if letter.isalpha()]
    if len(letters) > 2 and all(map(str.isupper, letters)) and not before:
        return _CAPITALS
    return 0


def _numbered_level(shown: str, before: str, after: str) -> int:
    """A numbered line is a heading if it is no item of a list, and no sentence goes on in the next line."""
    sibling = _follows(before, shown) or _follows(shown, after)
    title = _NUMBERED.sub("", shown)
    if sibling or not title[:1].isupper() or after[:1].islower() or (before and before[-1] in ",;-"):
        return 0
    return _NUMBER + _depth(shown)


def _follows(one: str, other: str) -> bool:
    """Whether the numbers of two lines are those of neighbours in a list: 4. and 5., 2.1 and 2.2."""
    first, second = _NUMBERED.match(one), _NUMBERED.match(other)
    if not first or not second:
        return False
    *above, last = first[1].split(".")
    *above_second, last_second = second[1].split(".")
    both_numbers = last.isdecimal() and last_second.isdecimal()
    step = int(last_second) - int(last) if both_numbers else ord(last_second[0]) - ord(last[0])
    return above == above_second and step == 1


def _depth(line: str) -> int:
    found = _NUMBERED.match(line)
    return found[1].count(".") if found else -1


def _neighbour(lines: Sequence[str], number: int, step: int) -> str:
    place = number + step
    return lines[place].strip() if 0 <= place < len(lines) else ""
