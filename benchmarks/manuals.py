"""A public manual as a question set: section titles are the queries, taken out of the text that is searched.

For plain text as Sphinx writes it: a title is a line with a line of one punctuation mark, as long as itself, below.
"""

from __future__ import annotations

import gzip
import itertools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from evaluation.samples import Sample

POLICY = Path("/usr/share/doc/debian-policy/policy.txt.gz")
"""Debian Policy as the package debian-policy installs it (GPL-2+; nobody here wrote a word of it)."""

_UNDERLINE = re.compile(r"([*=~^\"+-])\1{2,}")
_NUMBER = re.compile(r"^[\dA-Z]+(?:\.\d+)*\.\s+")
_ENTRY = re.compile(r"Version [\d.]+")
"""Titles of a list of changes, which say nothing about their sections."""

SHORTEST = 100
"""Characters below which a section (often only "See Files.") cannot be asked for."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section with a title: `number` counts from 0, `text` has neither the title nor the sections below."""

    number: int
    title: str
    text: str

    @property
    def file(self) -> str:
        """The name under which the section is indexed, which tells nothing."""
        return f"{self.number:03}.txt"


def read_manual(file: Path) -> list[Section]:
    """The sections with text of a manual, gzipped or not. The first, which holds the table of contents, is left out.

    Raises `OSError` or `UnicodeDecodeError` if it cannot be read.
    """
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
    return [section for section in _sections(text.split("\n")) if section.text]


def questions(sections: list[Section]) -> list[Sample]:
    """Titles that only one section has, without their numbers; the section is the source."""
    titles = Counter(section.title for section in sections)
    return [
        Sample(section.file, section.title, sources=(section.file,))
        for section in sections
        if titles[section.title] == 1 and not _ENTRY.fullmatch(section.title) and len(section.text) >= SHORTEST
    ]


def _sections(lines: list[str]) -> list[Section]:
    starts = [
        place
        for place, (line, below) in enumerate(itertools.pairwise(lines))
        if line.strip() and not line.startswith(" ") and len(line) == len(below) and _UNDERLINE.fullmatch(below)
    ]
    found = []
    for number, (start, end) in enumerate(itertools.pairwise([*starts, len(lines)])):
        body = "\n".join(lines[start + 2 : end]).strip()
        title = _NUMBER.sub("", lines[start]).strip()
        contents = number == 0 or title in ("Appendices", "Appendix")
        found.append(Section(number, title, "" if contents else body))
    return found
