"""What the parts of a workbook say beside the values: what is hidden, merged and linked, notes, drawings."""

from __future__ import annotations

import contextlib
import html
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.parsers import expat

from openpyxl.utils import coordinate_to_tuple, range_boundaries

_OUTWARD = ("http://", "https://", "mailto:")
_THREADED = "[Threaded comment]"
"""How the copy begins that older programs are shown of a comment with answers."""

_FRAME = re.compile(rb"<(?:\w{1,40}:)?(?:odd|even|first)(Header|Footer)[^<>]{0,200}>([^<]{1,2000})<")
_FRAME_PART = re.compile(r"&[LCR]")
_FRAME_CODE = re.compile(r"&(?:\"[^\"]{0,200}\"|K[0-9A-F]{6}|K\d\d[+-]\d{3}|\d{1,3}|[A-Za-z&+-])")
"""Parts and codes of a page header or footer (ECMA-376 part 1, 18.3.1.46)."""

_MOST_MERGED = 100_000
"""Merged ranges of a sheet; more of them are left as they are."""

_LAST_COLUMN, _LAST_ROW = 16_384, 1_048_576

_CELL = re.compile(rb"\sr=\"([A-Z]{1,3}[0-9]{1,7})\"")
_NO_RESULT = re.compile(
    rb"<((?:\w++:)?+)c(?: (?!t=\"str\")[^ <>]*)*+>\s*+<\1f[^<>]*+(?:(?<=/)>|>[^<]*+</\1f>)\s*+"
    rb"(?:<\1v\s*+/>\s*+|<\1v>\s*+</\1v>\s*+)?</\1c>"
)
"""A cell whose formula has no stored result; that of a text (`t="str"`) may be empty (ECMA-376 part 1, 18.3.1.4)."""

Box = tuple[int, int, int, int]
"""First column, first row, last column, last row, from 1."""


@dataclass(slots=True)
class SheetParts:
    """What stands beside the values of a sheet. Rows and columns count from 1.

    `filtered`: rows that a filter hides; `no_result`: how many formulas have no stored result, `without_result`: rows
    and columns of those that say where they are; `notes`: (row, column, text); `links`: address by cell; `frame`: what
    is printed above (header) and below (footer) every page.
    """

    hidden_rows: set[int] = field(default_factory=set)
    filtered: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: list[Box] = field(default_factory=list)
    no_result: int = 0
    without_result: set[tuple[int, int]] = field(default_factory=set)
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    notes: list[tuple[int, int, str]] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    frame: list[tuple[str, str]] = field(default_factory=list)
    pictures: int = 0
    charts: int = 0


def sheet_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """The name of each sheet and its part in the archive."""
    book = "xl/workbook.xml"
    with contextlib.suppress(KeyError, ElementTree.ParseError):
        for target, kind in _relations(archive, "").values():
            if kind == "officeDocument":
                book = target
    relations = _relations(archive, book)
    paths = {}
    for element in _parsed(archive.read(book)).iter():
        if _name(element.tag) == "sheet":
            link = next((value for name, value in element.attrib.items() if _name(name) == "id"), "")
            paths[element.get("name", "")] = relations.get(link, ("", ""))[0]
    return paths


def read_parts(archive: zipfile.ZipFile, path: str) -> SheetParts:
    """What stands beside the values of the sheet whose part is `path`."""
    found = SheetParts()
    relations = _relations(archive, path)
    addresses = {link: target for link, (target, kind) in relations.items() if kind == "hyperlink"}
    _read_sheet(archive.read(path), found, addresses)
    targets = [(target, kind) for target, kind in relations.values() if target in archive.NameToInfo]
    people = _people(archive)
    for target, kind in targets:
        if kind == "threadedComment":
            found.notes += _threads(archive.read(target), people)
    answered = {(row, column) for row, column, _ in found.notes}
    for target, kind in targets:
        if kind == "comments":
            found.notes += (note for note in _comments(archive.read(target)) if note[:2] not in answered)
        elif kind == "drawing":
            _read_drawing(archive.read(target), found)
    found.notes.sort()
    return found


def _read_sheet(data: bytes, found: SheetParts, addresses: dict[str, str]) -> None:
    """One pass over the marks of a sheet, in which most are cells and are passed by at once."""
    filters: list[Box] = []
    number = 0

    def started(tag: str, attributes: dict[str, str]) -> None:
        nonlocal number
        if tag in ("c", "v"):
            return
        name = tag.rpartition(":")[2]
        if name == "row":
            number = int(attributes.get("r") or number + 1)
            if _is_true(attributes.get("hidden")) or attributes.get("ht") in ("0", "0.0"):
                found.hidden_rows.add(number)
        elif name == "col" and (_is_true(attributes.get("hidden")) or attributes.get("width") in ("0", "0.0")):
            first, last = int(attributes.get("min", 1)), int(attributes.get("max", 1))
            found.hidden_columns.update(range(first, min(last, _LAST_COLUMN) + 1))
        elif name == "mergeCell" and len(found.merged) < _MOST_MERGED:
            found.merged += _boxes(attributes.get("ref", ""))
        elif name == "autoFilter":
            filters.extend(_boxes(attributes.get("ref", "")))
        elif name == "hyperlink":
            _read_link(attributes, found, addresses)

    parser = expat.ParserCreate()
    parser.StartElementHandler = started
    parser.Parse(data, True)
    _read_frame(data, found)
    for formula in _NO_RESULT.finditer(data):
        found.no_result += 1
        if cell := _CELL.search(formula[0]):
            found.without_result.add(coordinate_to_tuple(cell[1].decode("ascii")))
    for _, first, _, last in filters:
        found.filtered |= {row for row in found.hidden_rows if first < row <= last}


def _read_frame(data: bytes, found: SheetParts) -> None:
    """What is printed on every page of a sheet: texts, without codes of fonts and of page numbers."""
    for match in _FRAME.finditer(data[data.rfind(b"</sheetData") + 1 :]):
        kind, written = match[1].decode("ascii"), html.unescape(match[2].decode("utf-8", "replace"))
        parts = (_flat(_FRAME_CODE.sub("", part)) for part in _FRAME_PART.split(written))
        text = " | ".join(part for part in parts if any(map(str.isalpha, part.replace("Page", "").replace("of", ""))))
        if text and (kind.lower(), text) not in found.frame:
            found.frame.append((kind.lower(), text))


def _read_link(attributes: dict[str, str], found: SheetParts, addresses: dict[str, str]) -> None:
    link = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "id"), "")
    address = addresses.get(link, "")
    if address.lower().startswith(_OUTWARD):
        for column, row, _, _ in _boxes(attributes.get("ref", "")):
            found.links[row, column] = address


def _boxes(reference: str) -> Iterator[Box]:
    for part in reference.split()[:1]:
        with contextlib.suppress(ValueError, TypeError):
            column, row, last_column, last_row = range_boundaries(part)
            yield column or 1, row or 1, last_column or _LAST_COLUMN, last_row or _LAST_ROW


def _comments(data: bytes) -> Iterator[tuple[int, int, str]]:
    for element in _parsed(data).iter():
        if _name(element.tag) == "comment":
            text = _flat("".join(child.text or "" for child in element.iter() if _name(child.tag) == "t"))
            if text.startswith(_THREADED):
                text = text.partition("Comment: ")[2] or text
            yield from ((row, column, text) for column, row, _, _ in _boxes(element.get("ref", "")) if text)


def _threads(data: bytes, people: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    texts: dict[Box, list[str]] = {}
    for element in _parsed(data).iter():
        if _name(element.tag) == "threadedComment":
            said = _flat("".join(child.text or "" for child in element if _name(child.tag) == "text"))
            who = people.get(element.get("personId", ""), "")
            for box in _boxes(element.get("ref", "")):
                texts.setdefault(box, []).append(f"{who}: {said}" if who else said)
    yield from ((box[1], box[0], " / ".join(lines)) for box, lines in texts.items())


def _people(archive: zipfile.ZipFile) -> dict[str, str]:
    people: dict[str, str] = {}
    for name in archive.namelist():
        if name.startswith("xl/persons/") and name.endswith(".xml"):
            for element in _parsed(archive.read(name)).iter():
                if _name(element.tag) == "person":
                    people[element.get("id", "")] = element.get("displayName", "")
    return people


def _read_drawing(data: bytes, found: SheetParts) -> None:
    for element in _parsed(data).iter():
        name = _name(element.tag)
        if name == "sp":
            lines = (
                _flat("".join(t.text or "" for t in p.iter() if _name(t.tag) == "t")) for p in _paragraphs(element)
            )
            if text := "\n".join(filter(None, lines)):
                found.boxes.append(text)
        elif name == "pic":
            found.pictures += 1
        elif name == "graphicFrame":
            found.charts += 1


def _paragraphs(shape: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return (element for element in shape.iter() if _name(element.tag) == "p")


def _relations(archive: zipfile.ZipFile, path: str) -> dict[str, tuple[str, str]]:
    """Target and last word of the kind of each relation of a part, by id."""
    folder, name = posixpath.split(path)
    try:
        data = archive.read(posixpath.join(folder, "_rels", f"{name}.rels"))
    except KeyError:
        return {}
    relations = {}
    for element in _parsed(data).iter():
        if _name(element.tag) != "Relationship":
            continue
        target, kind = element.get("Target", ""), element.get("Type", "").rpartition("/")[2]
        if element.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
        relations[element.get("Id", "")] = (target, kind)
    return relations


def _parsed(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)  # noqa: S314 - `content.check_archive` refused what declares entities


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _is_true(value: str | None) -> bool:
    return value in ("1", "true", "on")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
