"""The lines that are drawn on a page: rules under and between rows, the borders of cells, the frames of boxes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_THIN = 2.5
"""In points: a drawn shape that is no wider or no higher than this is a line."""

_SHORTEST_ACROSS, _SHORTEST_UP = 10.0, 5.0
"""In points: a shorter line is part of a sign or of a picture."""

_MOST_SEGMENTS = 4_000
"""Parts of paths that are looked at on a page; of a map with more of them the rest is no table."""

_SMALL = 12.0
"""In points: a path of many parts that is no higher or no wider is a sign, such as a letter that was drawn."""

_FEW_SEGMENTS = 9
"""A path with so many parts is a box, which may have round corners; one with more is drawn line by line."""

Rule = tuple[float, float, float]
"""A line: from x0 to x1, at y; one that goes up: from y0 to y1, at x. In points."""


@dataclass(slots=True)
class Lines:
    """Lines that run across, and lines that go up, in the order in which they are drawn."""

    across: list[Rule] = field(default_factory=list)
    up: list[Rule] = field(default_factory=list)

    def turned(self, angle: int) -> Lines:
        """The lines in the frame in which text that runs in a direction, in degrees clockwise, is level."""
        if angle == 0:
            return self
        if angle == 180:
            return Lines(list(_negative(self.across)), list(_negative(self.up)))
        if angle == 90:
            return Lines([(-b, -a, x) for a, b, x in self.up], [(a, b, -y) for a, b, y in self.across])
        if angle == 270:
            return Lines([(a, b, -x) for a, b, x in self.up], [(-b, -a, y) for a, b, y in self.across])
        return Lines()

    def add(self, left: float, bottom: float, right: float, top: float) -> None:
        """Add a shape by its bounds: as a line if it is thin, otherwise as the four sides of a box."""
        if top - bottom <= _THIN:
            if right - left > _SHORTEST_ACROSS:
                self.across.append((left, right, top))
        elif right - left <= _THIN:
            if top - bottom > _SHORTEST_UP:
                self.up.append((bottom, top, (left + right) / 2))
        elif right - left > _SHORTEST_ACROSS:
            self.across += [(left, right, top), (left, right, bottom)]
            if top - bottom > _SHORTEST_UP:
                self.up += [(bottom, top, left), (bottom, top, right)]


def _negative(rules: list[Rule]) -> Iterator[Rule]:
    return ((-b, -a, -level) for a, b, level in rules)


def lines_of(page: PdfPage) -> Lines:
    """The lines of a page."""
    import pypdfium2.raw as pdfium

    lines, segments = Lines(), 0
    handle = page.raw
    bounds = [ctypes.c_float() for _ in range(4)]
    at = [ctypes.byref(one) for one in bounds]
    for index in range(pdfium.FPDFPage_CountObjects(handle)):
        drawn = pdfium.FPDFPage_GetObject(handle, index)
        if pdfium.FPDFPageObj_GetType(drawn) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        if not pdfium.FPDFPageObj_GetBounds(drawn, *at):
            continue
        left, bottom, right, top = (one.value for one in bounds)
        if top - bottom > _THIN and right - left > _THIN:
            count = pdfium.FPDFPath_CountSegments(drawn)
            if count > _FEW_SEGMENTS:
                if segments < _MOST_SEGMENTS and right - left > _SMALL < top - bottom:
                    for shape in _parts(drawn, min(count, _MOST_SEGMENTS - segments), pdfium):
                        lines.add(*shape)
                segments += count
                continue
        lines.add(left, bottom, right, top)
    return lines


def _parts(drawn: Any, count: int, pdfium: Any) -> Iterator[tuple[float, float, float, float]]:
    """The bounds of the straight parts of a path, as left, bottom, right and top, that run across or go up."""
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(drawn, ctypes.byref(matrix)):
        return
    x, y = ctypes.c_float(), ctypes.c_float()
    start = before = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(drawn, index)
        if not pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y)):
            return
        here = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = here
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield from _straight(before, here)
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield from _straight(here, start)
        before = here


def _straight(a: tuple[float, float], b: tuple[float, float]) -> Iterator[tuple[float, float, float, float]]:
    (x0, x1), (y0, y1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    if x1 - x0 <= 0.5 or y1 - y0 <= 0.5:
        yield x0, y0, x1, y1
