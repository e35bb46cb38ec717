"""Presentations: each slide is a page of Markdown with its speaker notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from backends.rag.documents.readers.reading import Reading, flattened_warning, numbered, table


def read_pptx(data: bytes) -> Reading:
    """One page per slide, hidden slides included. Of a picture its description is read, of a chart its data."""
    import pptx

    pages: list[tuple[int | None, str]] = []
    tables, silent, hidden = 0, [], []
    for number, slide in enumerate(pptx.Presentation(io.BytesIO(data)).slides, start=1):
        shapes = list(_flat(slide.shapes))
        tables += sum(1 for shape in shapes if shape.has_table)
        text = "\n\n".join(part for part in _parts(slide, shapes) if part)
        pages.append((number, text))
        if not text:
            silent.append(number)
        if slide.element.get("show") in ("0", "false"):
            hidden.append(number)
    warnings = list(flattened_warning(tables))
    if silent:
        rest = "have" if len(silent) > 1 else "has"
        warnings.append(f"{numbered('Slide', silent)} {rest} no text.")
    if hidden:
        rest = "are hidden in the presentation and were" if len(hidden) > 1 else "is hidden in the presentation and was"
        warnings.append(f"{numbered('Slide', hidden)} {rest} read too.")
    return Reading(tuple(pages), tuple(warnings))


def _flat(shapes: Iterable[Any]) -> Iterator[Any]:
    """Every shape, those inside groups included, from top to bottom and left to right."""
    from pptx.shapes.group import GroupShape

    for shape in sorted(shapes, key=lambda one: (one.top or 0, one.left or 0)):
        if isinstance(shape, GroupShape):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _parts(slide: Any, shapes: list[Any]) -> Iterator[str]:
    title = slide.shapes.title
    if title is not None and title.text_frame.text.strip():
        yield "# " + " ".join(title.text_frame.text.split())
    for shape in shapes:
        if (title is None or shape.shape_id != title.shape_id) and not _is_furniture(shape):
            yield _text(shape)
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        if frame is not None and frame.text.strip():
            yield f"## Speaker notes\n\n{frame.text.strip()}"


def _is_furniture(shape: Any) -> bool:
    """Whether it is the date, footer or number that repeats on every slide."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    repeated = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER)
    return bool(shape.is_placeholder and shape.placeholder_format.type in repeated)


def _text(shape: Any) -> str:
    from pptx.shapes.picture import Picture

    if shape.has_table:
        return table([[cell.text for cell in row.cells] for row in shape.table.rows])
    if shape.has_chart:
        return _chart(shape.chart)
    if isinstance(shape, Picture):
        return " ".join(shape.element.xpath("string(.//p:cNvPr/@descr)").split())
    return shape.text_frame.text.strip() if shape.has_text_frame else ""


def _chart(chart: Any) -> str:
    """Title and data of a chart. Kinds without categories (such as scatter plots) give their title only."""
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    try:
        names = ["", *(str(series.name) for series in chart.series)]
        columns = [list(series.values) for series in chart.series]
        categories = [str(category.label) for category in chart.plots[0].categories]
    except (AttributeError, IndexError, ValueError):
        return title.strip()
    rows = [
        [category, *(_number(column[row]) if row < len(column) else "" for column in columns)]
        for row, category in enumerate(categories)
    ]
    return f"{title.strip()}\n\n{table([names, *rows])}".strip()


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.15g}"
