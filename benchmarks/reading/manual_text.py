"""Sentences of real manuals, with the names of document and heading: from Debian's packages, which are fetched here.

`python -m benchmarks.reading manuals FILE` fetches the packages of `PACKAGES` with apt-get, unpacks them beside FILE
and writes what they say, one JSON line a sentence. The manuals stay where they are; the repository has none of them.
Nothing is taken from Debian Policy, on which search is measured, nor from lists of frequent questions.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.reading.names import words

PACKAGES = words(
    "gnome-user-docs libreoffice-help-en-us git-man manpages coreutils tar rsync curl nano mutt "
    "developers-reference maint-guide postfix-doc aisleriot tuxpaint-data gnome-sudoku apt-doc"
)
"""Handbooks of a desktop and an office suite, of games, of mail, of developers, and pages of commands."""

_SHORTEST, _LONGEST = 25, 230
_ENDS = re.compile(r"(?<=[a-z0-9)”'\"][.!?])\s+(?=[A-Z“])")
_SPACE = re.compile(r"\s+")
_TROFF_FONT = re.compile(r"\\f(?:\[[^\]]{0,20}\]|\([A-Z]{2}|.)")
_TROFF_SIGN = re.compile(r"\\\((?:aq|cq|oq|lq|rq|dq)|\\\[(?:aq|cq|oq|lq|rq|dq)\]")
_LEFT_OUT = ("faq", "changelog", "copyright", "license", "debian-policy", "authors")


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence of a manual; `option` is the option that it explains, or ""."""

    document: str
    heading: str
    text: str
    option: str = ""


def fetch(folder: Path) -> None:
    """Download and unpack the packages. Raises `CalledProcessError` if apt-get or dpkg-deb fails."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True)
    for package in sorted(folder.glob("*.deb")):
        target = folder / package.name.partition("_")[0]
        subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)


def write_sentences(folder: Path, file: Path) -> int:
    """Write what the unpacked packages say, without repetitions; returns how many sentences that are."""
    seen: set[str] = set()
    with file.open("w", encoding="utf-8") as out:
        for told in _all(folder):
            if told.text not in seen:
                seen.add(told.text)
                out.write(json.dumps(asdict(told), ensure_ascii=False) + "\n")
    return len(seen)


def read_sentences(file: Path) -> list[Told]:
    """What `write_sentences` wrote."""
    with file.open(encoding="utf-8") as lines:
        return [Told(**json.loads(line)) for line in lines]


def _all(folder: Path) -> Iterator[Told]:
    for file in sorted(folder.rglob("*")):
        name = file.name.lower()
        if not file.is_file() or file.is_symlink() or any(word in str(file).lower() for word in _LEFT_OUT):
            continue
        if name.endswith((".page", ".docbook")) and "/C/" in str(file):
            yield from _of_xml(file)
        elif name.endswith(".html") and not re.search(r"/(?!en)[a-z]{2}(?:[-_][A-Za-z]+)?/", str(file.parent) + "/"):
            yield from _of_html(file)
        elif re.search(r"/man/man\d/[^/]+\.gz$", str(file)):
            yield from _of_man(file)


def _sentences(document: str, heading: str, text: str) -> Iterator[Told]:
    for sentence in _ENDS.split(_SPACE.sub(" ", text).strip()):
        if _SHORTEST <= len(sentence) <= _LONGEST and sentence[:1].isupper() and sentence.endswith("."):
            yield Told(document, heading, sentence)


def _of_xml(file: Path) -> Iterator[Told]:
    try:
        root = ElementTree.parse(file).getroot()
    except ElementTree.ParseError:
        return
    title = heading = ""
    for element in root.iter():
        tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        text = _SPACE.sub(" ", "".join(element.itertext())).strip() if tag in ("title", "p", "para") else ""
        if tag == "title" and len(text) < 80:
            title, heading = title or text, text
        elif text:
            yield from _sentences(title or file.stem, heading if heading != title else "", text)


class _Page(HTMLParser):
    """Headings and paragraphs of a page, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._tag, self._text = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A heading, paragraph, item or cell begins."""
        if tag in ("h1", "h2", "h3", "p", "li", "dd", "td", "title", "script", "style"):
            self._end(tag)

    def handle_endtag(self, tag: str) -> None:
        """It ends."""
        if tag == self._tag:
            self._end("")

    def handle_data(self, data: str) -> None:
        """Text inside of it."""
        if self._tag and self._tag not in ("script", "style"):
            self._text += data

    def _end(self, tag: str) -> None:
        if self._text.strip():
            self.found.append((self._tag, _SPACE.sub(" ", self._text).strip()))
        self._tag, self._text = tag, ""


def _of_html(file: Path) -> Iterator[Told]:
    page = _Page()
    page.feed(file.read_text(encoding="utf-8", errors="replace"))
    title = heading = ""
    for tag, text in page.found:
        if tag in ("title", "h1", "h2", "h3"):
            if len(text) < 80:
                title, heading = title or text, text
        else:
            yield from _sentences(title or file.stem, heading if heading != title else "", text)


def _of_man(file: Path) -> Iterator[Told]:
    source = gzip.decompress(file.read_bytes()).decode("utf-8", errors="replace")
    command, heading, label, paragraph = file.name.split(".")[0], "", "", ""
    wants_label = False
    for line in [*source.split("\n"), ".SH END"]:
        macro, _, rest = line.partition(" ")
        if macro in (".SH", ".SS", ".PP", ".P", ".TP", ".LP", ".IP", ".HP"):
            yield from _explained(command, heading, label, paragraph)
            paragraph, label, wants_label = "", "", macro == ".TP"
            heading = _plain(rest).capitalize() if macro in (".SH", ".SS") else heading
            label = _plain(rest.split('"')[1] if rest.startswith('"') else rest) if macro == ".IP" else label
        elif line.startswith((".B", ".I", ".R")) or not line.startswith((".", "'")):
            text = _plain(rest if line.startswith(".") else line)
            if wants_label:
                label, wants_label = text, False
            else:
                paragraph += text + " "


def _plain(text: str) -> str:
    text = _TROFF_SIGN.sub("'", _TROFF_FONT.sub("", text)).replace("\\-", "-").replace("\\&", "").replace('"', "")
    return _SPACE.sub(" ", text.replace("\\ ", " ").replace("\\e", "\\").replace("\\|", "")).strip()


def _explained(command: str, heading: str, label: str, text: str) -> Iterator[Told]:
    """The sentences of a paragraph; the first one behind an option's name explains it."""
    option = next((word.strip(",") for word in label.split() if word.startswith("--") and len(word) > 3), "")
    option = option.partition("=")[0].partition("[")[0]
    text = text.strip()
    if option and text[:1].islower():
        text = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
    for number, told in enumerate(_sentences(f"{command} manual", heading, text)):
        if "\\" not in told.text:
            yield Told(told.document, told.heading, told.text, option if number == 0 else "")
