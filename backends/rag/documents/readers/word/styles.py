"""What the styles of a Word document say: headings, hidden text, list numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backends.rag.documents.readers.office_parts import W

_HEADING = re.compile(r"heading ?([1-9])")
_DEEPEST_HEADING = 6


def value(element: Any, path: str) -> str | None:
    """`w:val` of the element at a path of names below an element; None if there is none."""
    for name in path.split("/"):
        if element is None:
            return None
        element = element.find(W + name)
    return None if element is None else element.get(f"{W}val", "")


def switch(properties: Any, name: str) -> bool | None:
    """Whether an on-off property is on; None where it is not mentioned (ECMA-376 part 1, 17.17.4)."""
    if properties is None:
        return None
    found = properties.find(W + name)
    return None if found is None else found.get(f"{W}val", "true") not in ("0", "false", "off")


class Styles:
    """The styles of a document by their id."""

    def __init__(self, root: Any) -> None:
        found = root.iter(f"{W}style") if root is not None else ()
        self._styles = {one.get(f"{W}styleId"): one for one in found if one.get(f"{W}styleId")}
        self._switches: dict[tuple[str, str | None], bool | None] = {}
        self._values: dict[tuple[str, str | None], str | None] = {}
        ids = [name for name, one in self._styles.items() if one.get(f"{W}default") in ("1", "true", "on")]
        self._default = next((name for name in ids if self._styles[name].get(f"{W}type") == "paragraph"), None)

    def lineage(self, style: str | None) -> Iterator[tuple[str, Any]]:
        """Id and element of a style and of those that it is based on, nearest first."""
        seen: set[str] = set()
        while style and style not in seen and style in self._styles:
            seen.add(style)
            yield style, self._styles[style]
            style = value(self._styles[style], "basedOn")

    def of_paragraph(self, properties: Any) -> str | None:
        """The style of a paragraph with these properties."""
        return (value(properties, "pStyle") if properties is not None else None) or self._default

    def heading(self, properties: Any) -> int:
        """The heading level of a paragraph, 1 to 6; 0 for text. A document's title is of level 1."""
        if properties is None:
            return 0
        outline = value(properties, "outlineLvl")
        style = value(properties, "pStyle")
        if outline is None and style and style not in self._styles:
            return _named_heading(style)
        if outline is None:
            for _, one in self.lineage(style):
                outline = value(one, "pPr/outlineLvl")
                if outline is None and (level := _named_heading(value(one, "name") or "")):
                    return level
                if outline is not None:
                    break
        if outline is None or not outline.isdecimal() or int(outline) > 8:
            return 0
        return min(int(outline) + 1, _DEEPEST_HEADING)

    def is_on(self, name: str, style: str | None) -> bool | None:
        """Whether a style or one that it is based on switches a property of its runs on; None if none mentions it."""
        key = name, style
        if key not in self._switches:
            found = (switch(one.find(f"{W}rPr"), name) for _, one in self.lineage(style))
            self._switches[key] = next((one for one in found if one is not None), None)
        return self._switches[key]

    def run_value(self, path: str, style: str | None) -> str | None:
        """The nearest value of a run's property in a style and those that it is based on."""
        key = path, style
        if key not in self._values:
            found = (value(one, f"rPr/{path}") for _, one in self.lineage(style))
            self._values[key] = next((one for one in found if one is not None), None)
        return self._values[key]


def _named_heading(name: str) -> int:
    lowered = name.lower()
    if lowered == "title":
        return 1
    found = _HEADING.fullmatch(lowered)
    return min(int(found.group(1)), _DEEPEST_HEADING) if found else 0
