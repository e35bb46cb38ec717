"""The parts of an Office file: parsed XML, and which part refers to which. Nothing outside the file is opened."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass
from typing import Any

from lxml import etree

_OFFICE = "http://schemas.openxmlformats.org"
W = f"{{{_OFFICE}/wordprocessingml/2006/main}}"
A = f"{{{_OFFICE}/drawingml/2006/main}}"
C = f"{{{_OFFICE}/drawingml/2006/chart}}"
DGM = f"{{{_OFFICE}/drawingml/2006/diagram}}"
M = f"{{{_OFFICE}/officeDocument/2006/math}}"
R = f"{{{_OFFICE}/officeDocument/2006/relationships}}"
MC = f"{{{_OFFICE}/markup-compatibility/2006}}"
WP = f"{{{_OFFICE}/drawingml/2006/wordprocessingDrawing}}"
PIC = f"{{{_OFFICE}/drawingml/2006/picture}}"
V = "{urn:schemas-microsoft-com:vml}"
O = "{urn:schemas-microsoft-com:office:office}"  # noqa: E741
"""Namespaces of Office Open XML (ECMA-376) in front of a name, as lxml writes tags."""

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/([A-Za-z]{1,40})/([A-Za-z]{1,40})")
"""A namespace of the strict variant (ISO/IEC 29500), which names the same elements otherwise."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: the last piece of the relation's type, and a part's name or an outside address."""

    kind: str
    target: str
    outside: bool


class Parts:
    """The parts of a file that is known to be a zip archive. Use as a context manager; not thread-safe."""

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._names = {name.lstrip("/").lower(): name for name in self._archive.namelist()}
        self._relations: dict[str, dict[str, Relation]] = {}

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def main(self, fallback: str) -> str:
        """The name of the part that holds the document."""
        found = (one for one in self.relations("").values() if one.kind == "officeDocument" and not one.outside)
        return next((one.target for one in found if one.target.lower() in self._names), fallback)

    def raw(self, name: str) -> bytes | None:
        """The bytes of a part; None if there is none of that name."""
        stored = self._names.get(name.lower())
        return None if stored is None else self._archive.read(stored)

    def xml(self, name: str) -> Any:
        """The root element of a part; None if there is none. Raises `lxml.etree.XMLSyntaxError` if it is damaged."""
        data = self.raw(name)
        return None if data is None else parse(data)

    def relations(self, name: str) -> dict[str, Relation]:
        """What the part refers to, by id; of the file as a whole for ""."""
        if name in self._relations:
            return self._relations[name]
        folder, file = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: dict[str, Relation] = {}
        for one in root if root is not None else ():
            target, outside = one.get("Target", ""), one.get("TargetMode") == "External"
            if not outside:
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[one.get("Id", "")] = Relation(one.get("Type", "").rsplit("/", 1)[-1], target, outside)
        self._relations[name] = found
        return found

    def related(self, name: str, kind: str) -> list[str]:
        """The names of the parts to which a part has relations of a kind."""
        return [one.target for one in self.relations(name).values() if one.kind == kind and not one.outside]


def parse(data: bytes) -> Any:
    """The root of an XML text, without comments; entities stay unresolved and nothing is fetched."""
    if b"purl.oclc.org/ooxml" in data:
        data = _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/\2", data)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def chosen(alternatives: Any) -> list[Any]:
    """The children of the first of `mc:AlternateContent`'s choices that holds anything, else of its fallback.

    One that holds text goes before one that holds none: programs write what others cannot show into the fallback.
    """
    ways = [one for one in (*alternatives.findall(f"{MC}Choice"), *alternatives.findall(f"{MC}Fallback")) if len(one)]
    return list(next((one for one in ways if _has_text(one)), ways[0])) if ways else []


def _has_text(element: Any) -> bool:
    return any(one.text and one.text.strip() for one in element.iter(f"{W}t", f"{A}t", f"{M}t"))
