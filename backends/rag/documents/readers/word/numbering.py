"""The numbers that Word puts in front of paragraphs. They are not stored: each follows from those before it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from backends.rag.documents.readers.list_numbers import formatted
from backends.rag.documents.readers.office_parts import MC, W
from backends.rag.documents.readers.word.styles import Styles, value

_PLACE = re.compile(r"%([1-9])")
_LEVELS = 9


@dataclass(frozen=True, slots=True)
class Label:
    """What stands in front of a paragraph: "§ 4", "1.2", or "-" for any bullet; its level from 0, and its list."""

    text: str
    level: int
    list_id: str


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    form: str
    text: str
    legal: bool
    restart: int | None

    @classmethod
    def of(cls, element: Any) -> _Level:
        restart = _whole(value(element, "lvlRestart"))
        return cls(
            start=_whole(value(element, "start")) or 0,
            form=_form(element),
            text=value(element, "lvlText") or "",
            legal=element.find(f"{W}isLgl") is not None,
            restart=restart,
        )


class Numbering:
    """The lists of a document. `label` is asked for each paragraph once, in the order of the document.

    `unread` counts forms of numbers that are not known here; such paragraphs get no number.
    """

    def __init__(self, root: Any, styles: Styles) -> None:
        self._styles = styles
        self._abstract: dict[str, Any] = {}
        self._lists: dict[str, Any] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._restarted: set[tuple[str, int]] = set()
        self._known: dict[str, tuple[str, dict[int, _Level], dict[int, int]]] = {}
        self.unread: Counter[str] = Counter()
        for one in root if root is not None else ():
            if one.tag == f"{W}abstractNum":
                self._abstract[one.get(f"{W}abstractNumId", "")] = one
            elif one.tag == f"{W}num":
                self._lists[one.get(f"{W}numId", "")] = one

    def label(self, properties: Any) -> Label | None:
        """The label of a paragraph with these properties; None if it has none."""
        list_id, level = self._place(properties)
        if not list_id or list_id == "0" or list_id not in self._lists:
            return None
        abstract, levels, starts = self._definition(list_id)
        if level not in levels:
            return None
        counts = self._counts.setdefault(abstract, {})
        if level in starts and (list_id, level) not in self._restarted:
            counts[level] = starts[level]
            self._restarted.add((list_id, level))
        else:
            counts[level] = counts[level] + 1 if level in counts else levels[level].start
        for deeper in [one for one in counts if one > level]:
            restart = levels[deeper].restart if deeper in levels else None
            if restart is None or level < restart:
                del counts[deeper]
        text = self._text(levels, counts, level)
        return Label(text, level, list_id) if text else None

    def _text(self, levels: dict[int, _Level], counts: dict[int, int], level: int) -> str:
        own = levels[level]
        if own.form == "bullet":
            return "-"
        unread = []

        def number(found: re.Match[str]) -> str:
            place = int(found.group(1)) - 1
            of = levels.get(place)
            if of is None:
                return ""
            form = "decimal" if own.legal and of.form != "none" else of.form
            shown = formatted(counts.get(place, of.start), form)
            if shown is None:
                unread.append(form)
            return shown or ""

        text = " ".join(_PLACE.sub(number, own.text).split())
        if unread:
            self.unread.update(unread[:1])
            return ""
        return text

    def _place(self, properties: Any) -> tuple[str | None, int]:
        """Id of the list and level of a paragraph: its own, else its style's."""
        list_id = value(properties, "numPr/numId")
        level = _whole(value(properties, "numPr/ilvl"))
        if list_id is not None:
            return list_id, min(level or 0, _LEVELS - 1)
        styles = list(self._styles.lineage(self._styles.of_paragraph(properties)))
        list_id = next((found for _, one in styles if (found := value(one, "pPr/numPr/numId")) is not None), None)
        if list_id in self._lists:
            levels = (level, *(self._linked(str(list_id), style) for style, _ in styles[:1]))
            levels += tuple(_whole(value(one, "pPr/numPr/ilvl")) for _, one in styles)
            level = next((one for one in levels if one is not None), 0)
        return list_id, min(level or 0, _LEVELS - 1)

    def _linked(self, list_id: str, style: str) -> int | None:
        """The level of a list that belongs to a paragraph style."""
        abstract = self._resolved(list_id)
        for one in abstract.findall(f"{W}lvl") if abstract is not None else ():
            if value(one, "pStyle") == style:
                return _whole(one.get(f"{W}ilvl"))
        return None

    def _resolved(self, list_id: str) -> Any:
        """The abstract list of a list, also where that is only named by a list style."""
        for _ in range(_LEVELS):
            abstract = self._abstract.get(value(self._lists.get(list_id), "abstractNumId") or "")
            named = value(abstract, "numStyleLink")
            if named is None:
                return abstract
            found = [value(one, "pPr/numPr/numId") for _, one in self._styles.lineage(named)]
            list_id = next((one for one in found if one), "")
        return None

    def _definition(self, list_id: str) -> tuple[str, dict[int, _Level], dict[int, int]]:
        """What counts together, the levels, and the numbers at which this list starts anew."""
        if list_id in self._known:
            return self._known[list_id]
        abstract = self._resolved(list_id)
        levels, starts = {}, {}
        for one in abstract.findall(f"{W}lvl") if abstract is not None else ():
            levels[_whole(one.get(f"{W}ilvl")) or 0] = _Level.of(one)
        for one in self._lists[list_id].findall(f"{W}lvlOverride"):
            level = _whole(one.get(f"{W}ilvl")) or 0
            own = one.find(f"{W}lvl")
            if own is not None:
                levels[level] = _Level.of(own)
            start = _whole(value(one, "startOverride"))
            if start is not None:
                starts[level] = start
        key = abstract.get(f"{W}abstractNumId", "") if abstract is not None else ""
        self._known[list_id] = key, levels, starts
        return self._known[list_id]


def _form(element: Any) -> str:
    """The form of a level's numbers; one that only newer programs know stands in a choice, as a pattern."""
    alternatives = element.find(f"{MC}AlternateContent")
    for one in alternatives.findall(f"{MC}Choice") if alternatives is not None else ():
        found = one.find(f"{W}numFmt")
        if found is not None:
            return str(found.get(f"{W}format") or found.get(f"{W}val") or "decimal")
    found = element.find(f"{W}numFmt")
    if found is None:
        return "decimal"
    return str(found.get(f"{W}format") or found.get(f"{W}val") or "decimal")


def _whole(number: str | None) -> int | None:
    return int(number) if number and number.isdecimal() and len(number) < 10 else None
