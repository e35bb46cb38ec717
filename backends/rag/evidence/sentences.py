"""Text cut into sentences by rule, in any language that ends them with a mark. Offsets are in characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ABBREVIATIONS = """
    mr mrs ms dr prof st sr jr vs cf ca approx appr fig figs eq sec ch chap art vol ed eds pp inc ltd co corp dept
    est e.g i.e a.m p.m u.s u.k e.u jan feb apr jun jul aug sep sept oct nov dec tue wed thu
    bzw usw nr str z.b d.h u.a vgl abs tel ggf inkl evtl
"""
"""English and German words after which a full stop does not end a sentence."""

_ABBREVIATED = frozenset(_ABBREVIATIONS.split())
_BEFORE_NUMBER = frozenset({"no", "nos", "p"})

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*|[。！？]+[」』）]*")
CITATION = re.compile(r"\[\^?\d++(?:\s*+[,;–-]\s*+\d++)*+\]|【\d++(?:[†:][^】\n]{0,40}+)?+】")
"""A citation as models write it: `[1]`, `[1, 3]`, `[2-4]`, `[^1]`, `【1】`."""

_CITED = re.compile(rf"(?:\s*+(?:{CITATION.pattern}))++")
_MARKER = re.compile(r"[ \t]*(?:(?:[-*•–+]|\(?\d{1,3}[.)]|\(?[a-z][)]|#{1,6}|>)[ \t]+){1,3}")
_OPEN_END = re.compile(r"[.!?:;…][\"'”’»)*_]*\s*$")
_LAST_WORD = re.compile(r"(\d\s)?([^\s(\[\"'“„*_]*)$")
_INITIALS = re.compile(r"[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]")


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, without list markers and the white space around it.

    Citations such as `[1]` behind the full stop belong to the sentence in front of them. Decimals, abbreviations,
    initials and numbers of list items do not end a sentence; a line break does, unless the line ends openly and the
    next one goes on in lower case.
    """
    return [span for start, end in _blocks(text) for span in _split(text, start, end)]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Lines, those that go on joined, without their list markers."""
    start = end = position = 0
    open_end = False
    for line in text.splitlines(keepends=True):
        shown = line.strip()
        marker = _MARKER.match(line)
        if not (open_end and shown[:1].islower() and not marker):
            if text[start:end].strip():
                yield start, end
            start = position + (marker.end() if marker else 0)
        position += len(line)
        end = position
        open_end = bool(shown) and not _OPEN_END.search(shown[-8:])
    if text[start:end].strip():
        yield start, end


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    here = start
    for mark in _END.finditer(text, start, end):
        stop = mark.end()
        if mark.start() < here:
            continue
        if cited := _CITED.match(text, stop, end):
            stop = cited.end()
        if _ends(text, mark, stop, here, end):
            yield from _trimmed(text, here, stop)
            here = stop
    yield from _trimmed(text, here, end)


def _ends(text: str, mark: re.Match[str], stop: int, start: int, end: int) -> bool:
    """Whether a mark ends its sentence. `stop` is where the mark and the citations after it end."""
    if mark.group()[0] in "。！？":
        return True
    if stop < end and not text[stop].isspace():
        return False
    after = text[stop : min(stop + 40, end)].lstrip()[:1]
    if after.islower():
        return False
    if mark.group()[0] != "." or mark.group()[:2] == "..":
        return True
    word = _LAST_WORD.search(text[max(start, mark.start() - 30) : mark.start()])
    unit, last = (word[1], word[2].lower()) if word else (None, "")
    if last in _BEFORE_NUMBER and after.isdigit():
        return False
    return not after or not (last in _ABBREVIATED or (_INITIALS.fullmatch(last) and not unit))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
