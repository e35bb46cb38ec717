"""The shapes of a slide in reading order, and what each of them says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from backends.rag.documents.readers.drawings import chart_text, diagram_text
from backends.rag.documents.readers.office_parts import DGM, MC, C, R, chosen, parse
from backends.rag.documents.readers.reading import Cell, grid, left_out, not_read, table, undescribed
from backends.rag.documents.readers.slides.text import body_text
from backends.text import counted

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_SHAPES = frozenset(_P + name for name in ("sp", "grpSp", "graphicFrame", "cxnSp", "pic", "contentPart"))


@dataclass(slots=True)
class Unread:
    """What was left out of the slides, or could not be read."""

    tables: int = 0
    pictures: int = 0
    comments: int = 0
    hidden: list[str] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)

    def warnings(self) -> Iterator[str]:
        """What a reader of the text should know, in plain sentences."""
        if self.comments:
            yield f"{counted(self.comments, 'comment was', 'comments were')} read too."
        yield from left_out("Hidden shapes were left out", self.hidden)
        yield from undescribed(self.pictures)
        yield from not_read(self.objects)


def flat(shapes: Any, unread: Unread) -> Iterator[Any]:
    """Every shape, those inside groups included, from top to bottom and left to right; hidden ones are left out."""
    from pptx.shapes.group import GroupShape

    for shape in sorted(_with_alternatives(shapes), key=lambda one: (one.top or 0, one.left or 0)):
        frame = shape.element.find(f".//{_P}cNvPr")
        if frame is not None and frame.get("hidden") in ("1", "true"):
            words = " ".join(body_text(one) for one in shape.element.iter(f"{_P}txBody"))
            unread.hidden.append(words or "a shape without text")
        elif isinstance(shape, GroupShape):
            yield from flat(shape.shapes, unread)
        else:
            yield shape


def _with_alternatives(shapes: Any) -> Iterator[Any]:
    """The shapes, and those that stand in a choice for newer programs, which python-pptx passes over."""
    from pptx.shapes.shapetree import SlideShapeFactory

    yield from shapes
    for one in shapes._spTree.findall(f"{MC}AlternateContent"):
        yield from (SlideShapeFactory(child, shapes) for child in chosen(one) if child.tag in _SHAPES)


def shape_text(shape: Any, unread: Unread) -> str:
    """What a shape says: its text, its table, the data of its chart, the points of its diagram, its description."""
    element = shape.element
    if element.tag == f"{_P}graphicFrame":
        return _frame_text(shape, unread)
    description = _description(element)
    if element.tag == f"{_P}pic":
        if element.find(f".//{_P}nvPr/*") is not None and not description:
            unread.objects["a recording or placeholder"] += bool(_media(element))
        unread.pictures += not description
        return description
    if element.tag == f"{_P}contentPart":
        unread.objects["handwriting"] += 1
        return ""
    return body_text(element.find(f"{_P}txBody")) or description


def _media(element: Any) -> bool:
    return any(one.tag.endswith(("}videoFile", "}audioFile")) for one in element.iter())


def _description(element: Any) -> str:
    frame = element.find(f".//{_P}cNvPr")
    return " ".join((frame.get("descr") or "").split()) if frame is not None else ""


def _frame_text(shape: Any, unread: Unread) -> str:
    description = _description(shape.element)
    if shape.has_table:
        unread.tables += 1
        return _table(shape.table)
    text = ""
    for one in shape.element.iter(f"{C}chart", f"{DGM}relIds"):
        is_chart = one.tag == f"{C}chart"
        root = _part(shape, one.get(f"{R}id" if is_chart else f"{R}dm", ""))
        text = "" if root is None else chart_text(root) if is_chart else diagram_text(root)
        if not text:
            unread.objects["a chart" if is_chart else "a diagram"] += 1
        return "\n\n".join(part for part in (description, text) if part)
    programs = [one.get("progId") or "unnamed" for one in shape.element.iter(f"{_P}oleObj")]
    unread.objects[programs[0] if programs else "a chart of a newer kind"] += 1
    return description


def _part(shape: Any, relation: str) -> Any:
    """The root of a part that a shape refers to; None if it is missing or damaged."""
    try:
        return parse(shape.part.related_part(relation).blob)
    except MemoryError:
        raise
    except Exception:  # one damaged part does not make the slides unreadable
        return None


def _table(found: Any) -> str:
    rows = []
    for row in found.rows:
        cells = []
        for cell in row.cells:
            if not cell.is_spanned:
                text = body_text(cell._tc.txBody)
                cells.append(Cell(text, cell.span_width, cell.span_height) if cell.is_merge_origin else Cell(text))
        rows.append(cells)
    lines = [line for line in grid(rows) if line]
    return table(lines) if lines else ""


def is_placeholder(shape: Any, kinds: Iterable[Any]) -> bool:
    """Whether a shape is a placeholder of one of these kinds."""
    return bool(shape.is_placeholder and shape.placeholder_format.type in kinds)
