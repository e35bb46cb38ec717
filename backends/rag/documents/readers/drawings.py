"""Charts and diagrams of Office files as text. Word files and presentations store them alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.rag.documents.readers.office_parts import DGM, A, C
from backends.rag.documents.readers.reading import table

_DEEPEST = 20


def text_of_paragraphs(root: Any) -> str:
    """The text of all DrawingML paragraphs below an element, one a line."""
    lines = ("".join(part.text or "" for part in one.iter(f"{A}t")) for one in root.iter(f"{A}p"))
    return "\n".join(line.strip() for line in lines if line.strip())


def chart_text(root: Any) -> str:
    """Titles and stored data of a chart: one column per series, beside its categories or x values."""
    plot = root.find(f".//{C}plotArea")
    titles = [one for one in (root.find(f".//{C}chart/{C}title"), *_axis_titles(plot)) if one is not None]
    lines = [" ".join(text_of_paragraphs(one).split()) for one in titles]
    series = list(plot.iter(f"{C}ser")) if plot is not None else []
    head = [" ".join(_points(one.find(f"{C}tx")).values()) for one in series]
    names: dict[int, str] = {}
    columns = []
    for one in series:
        for kind in ("cat", "xVal"):
            names = {**_points(one.find(f"{C}{kind}")), **names}
        columns.append(
            _points(next((value for value in map(one.find, (f"{C}val", f"{C}yVal")) if value is not None), None))
        )
        sizes = _points(one.find(f"{C}bubbleSize"))
        if sizes:
            head.insert(len(columns), "size")
            columns.append(sizes)
    rows = sorted({place for column in (names, *columns) for place in column})
    cells = [[names.get(row, ""), *(column.get(row, "") for column in columns)] for row in rows]
    data = table([["", *head], *cells]) if cells else ""
    return "\n\n".join(part for part in ("\n".join(line for line in lines if line), data) if part)


def _axis_titles(plot: Any) -> Iterator[Any]:
    for axis in plot if plot is not None else ():
        if axis.tag in (f"{C}valAx", f"{C}catAx", f"{C}dateAx", f"{C}serAx"):
            yield axis.find(f"{C}title")


def _points(holder: Any) -> dict[int, str]:
    """Place -> stored value of a series' names or numbers; the levels of nested categories are joined."""
    found: dict[int, str] = {}
    if holder is None:
        return found
    levels = list(holder.iter(f"{C}lvl")) or [holder]
    for level in reversed(levels):
        above = ""
        places = {int(one.get("idx", "0")): _number(one.findtext(f"{C}v") or "") for one in level.iter(f"{C}pt")}
        for place in sorted({*places, *found}) if level is not levels[-1] else sorted(places):
            above = places.get(place, above)
            found[place] = f"{found[place]} {above}".strip() if place in found else above
    if not found and (plain := holder.findtext(f"{C}v")):
        found[0] = plain
    return found


def _number(stored: str) -> str:
    """A stored value without the last digits that computing in binary adds: 0.30000000000000004 is 0.3."""
    try:
        value = float(stored)
    except ValueError:
        return " ".join(stored.split())
    return f"{value:.15g}" if len(stored) > 15 and abs(value) < 1e15 else stored


def diagram_text(root: Any) -> str:
    """The texts of a SmartArt diagram as a list that is indented as its points are nested."""
    points = {one.get("modelId", ""): one for one in root.iter(f"{DGM}pt") if one.get("type", "node") != "pres"}
    below: dict[str, list[tuple[int, str]]] = {}
    children = set()
    for link in root.iter(f"{DGM}cxn"):
        source, target = link.get("srcId", ""), link.get("destId", "")
        if link.get("type", "parOf") == "parOf" and source in points and target in points:
            below.setdefault(source, []).append((_whole(link.get("srcOrd")), target))
            children.add(target)
    lines: list[str] = []
    seen: set[str] = set()
    waiting = [(0, one) for one in reversed(points) if one not in children]
    rest = iter(points)
    while waiting or len(seen) < len(points):
        depth, one = waiting.pop() if waiting else (0, next(rest))
        if one in seen:
            continue
        seen.add(one)
        text = " ".join(text_of_paragraphs(points[one]).split())
        if text:
            lines.append(f"{'  ' * min(depth, _DEEPEST)}- {text}")
        nested = depth + 1 if text else depth
        waiting += [(nested, target) for _, target in sorted(below.get(one, ()), reverse=True)]
    return "\n".join(lines)


def _whole(number: str | None) -> int:
    return int(number) if number and number.isdecimal() else 0
