"""A public manual as a question set: section titles are the queries, taken out of the text that is searched.

In plain text as Sphinx writes it, a title is a line with a line of one punctuation mark, as long as itself, below.
Everything else that can be indexed (HTML, Markdown, Word, ...) is read as the index reads it, with its headings.
"""

from __future__ import annotations

import gzip
import itertools
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backends.errors import BackendError
from backends.rag.documents.files import Rejected, find_files, read_documents
from evaluation.samples import Sample

POLICY = Path("/usr/share/doc/debian-policy/policy.txt.gz")
"""Debian Policy as the package debian-policy installs it (GPL-2+; nobody here wrote a word of it)."""

_UNDERLINE = re.compile(r"([*=~^\"+-])\1{2,}")
_NUMBER = re.compile(r"^(?:Chapter )?(?:\d+(?:\.\d+)*\.?|[A-Z](?:\.\d+)*\.)[ \t\xa0]+")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(\S.*)")
_FENCE = ("```", "~~~")
_TEXT = (".txt", ".gz")
_IN_FOLDERS = (".html", ".htm", ".md", ".docx")
_ENTRY = re.compile(r"Version [\d.]+")
"""Titles of a list of changes, which say nothing about their sections."""

_LARGEST_MB = 25

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


def read_manual(path: Path) -> list[Section]:
    """The sections with text of a manual: a file, gzipped text too, or a folder of HTML, Markdown or Word files.

    In plain text the first, which holds the table of contents, is left out; in other formats what is there twice. If
    a text cannot be read it raises `OSError` or `UnicodeDecodeError`, for another format `BackendError`.
    """
    if path.is_file() and path.suffix in _TEXT:
        data = path.read_bytes()
        found = _underlined((gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8").split("\n"))
    else:
        found = list(dict.fromkeys(section for text in _texts(path) for section in _headed(text.split("\n"))))
    return [Section(number, title, text) for number, (title, text) in enumerate(found) if text]


def questions(sections: list[Section]) -> list[Sample]:
    """Titles that only one section has, without their numbers; the section is the source."""
    titles = Counter(section.title for section in sections)
    return [
        Sample(section.file, section.title, sources=(section.file,))
        for section in sections
        if titles[section.title] == 1 and not _ENTRY.fullmatch(section.title) and len(section.text) >= SHORTEST
    ]


def _underlined(lines: list[str]) -> list[tuple[str, str]]:
    """Title and text of every section of a plain text; no text for the table of contents."""
    starts = [
        place
        for place, (line, below) in enumerate(itertools.pairwise(lines))
        if line.strip() and not line.startswith(" ") and len(line) == len(below) and _UNDERLINE.fullmatch(below)
    ]
    found = []
    for number, (start, end) in enumerate(itertools.pairwise([*starts, len(lines)])):
        title = _title(lines[start])
        contents = number == 0 or title in ("Appendices", "Appendix")
        found.append((title, "" if contents else "\n".join(lines[start + 2 : end]).strip()))
    return found


def _headed(lines: list[str]) -> list[tuple[str, str]]:
    """Title and text of every section of a Markdown text."""
    starts: list[int] = []
    in_code = False
    for place, line in enumerate(lines):
        in_code ^= line.lstrip().startswith(_FENCE)
        if not in_code and _HEADING.fullmatch(line):
            starts.append(place)
    return [
        (_title(lines[start].lstrip(" #")), "\n".join(lines[start + 1 : end]).strip())
        for start, end in itertools.pairwise([*starts, len(lines)])
    ]


def _title(line: str) -> str:
    """A title without its number, the sign of a link to it, and Markdown's marks."""
    return _NUMBER.sub("", line.replace("¶", "").replace("`", "").replace("*", "").strip(), count=1).strip()


def _texts(path: Path) -> Iterator[str]:
    """What the index would read, a text for each file."""
    files = sorted(one for one in path.rglob("*") if one.suffix in _IN_FOLDERS) if path.is_dir() else [path]
    for document in read_documents(find_files(files), _LARGEST_MB, threading.Event()):
        if isinstance(document, Rejected):
            raise BackendError(f"{document.name} cannot be read: {document.cause}", document.next_step)
        yield "\n".join(page.text for page in document.pages)
