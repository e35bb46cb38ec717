"""Presentations: each slide is a page of Markdown with its speaker notes and comments."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from backends.rag.documents.readers.reading import Reading, flattened_warning, numbered
from backends.rag.documents.readers.slides.comments import authors_of, comments_of
from backends.rag.documents.readers.slides.shapes import Unread, flat, is_placeholder, shape_text
from backends.rag.documents.readers.slides.text import body_text

_KINDS = "[Content_Types].xml"
_OTHER_KIND = re.compile(rb"(?:slideshow|template)(?=(?:\.macroEnabled)?\.main\+xml)")


def read_pptx(data: bytes) -> Reading:
    """One page per slide, hidden slides included. Of a picture its description is read, of a chart its data.

    What stands on every slide (footers, texts of the layout) is read once, with the first slide that has it.
    """
    import pptx

    deck = pptx.Presentation(io.BytesIO(_as_presentation(data)))
    reader = _Slides(authors_of(deck))
    pages: list[tuple[int | None, str]] = []
    silent, hidden = [], []
    for number, slide in enumerate(deck.slides, start=1):
        text = "\n\n".join(part for part in reader.parts(slide) if part)
        pages.append((number, text))
        if not text:
            silent.append(number)
        if slide.element.get("show") in ("0", "false"):
            hidden.append(number)
    warnings = list(flattened_warning(reader.unread.tables))
    if silent:
        rest = "have" if len(silent) > 1 else "has"
        warnings.append(f"{numbered('Slide', silent)} {rest} no text.")
    if hidden:
        rest = "are hidden in the presentation and were" if len(hidden) > 1 else "is hidden in the presentation and was"
        warnings.append(f"{numbered('Slide', hidden)} {rest} read too.")
    return Reading(tuple(pages), (*warnings, *reader.unread.warnings()))


def _as_presentation(data: bytes) -> bytes:
    """The file, with a slide show's or template's kind changed to that of a presentation: the parts are the same."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        kinds = archive.read(_KINDS)
        if not _OTHER_KIND.search(kinds):
            return data
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as copy:
            for name in dict.fromkeys(archive.namelist()):
                copy.writestr(name, _OTHER_KIND.sub(b"presentation", kinds) if name == _KINDS else archive.read(name))
    return out.getvalue()


class _Slides:
    """Reads slides one after another; remembers which texts of their frame were read."""

    def __init__(self, authors: dict[str, str]) -> None:
        self.unread = Unread()
        self._authors = authors
        self._seen: set[str] = set()
        self._layouts: set[str] = set()

    def parts(self, slide: Any) -> Iterator[str]:
        """The blocks of a slide: title, shapes, what repeats on slides, notes, comments."""
        from pptx.enum.shapes import PP_PLACEHOLDER

        shapes = list(flat(slide.shapes, self.unread))
        title = slide.shapes.title
        heading = " ".join(body_text(title.element.txBody).split()) if title is not None else ""
        if heading:
            yield f"# {heading}"
        kinds = PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER
        for shape in shapes:
            if (title is None or shape.shape_id != title.shape_id) and not is_placeholder(shape, kinds):
                yield shape_text(shape, self.unread)
        repeated = [shape for shape in shapes if is_placeholder(shape, kinds[:2]) and not _is_field(shape)]
        for text in (*(shape_text(shape, self.unread) for shape in repeated), *self._of_layout(slide.slide_layout)):
            if text and text not in self._seen:
                self._seen.add(text)
                yield f"Slide footer: {' '.join(text.split())}" if text in map(_words, repeated) else text
        yield from self._notes(slide)
        comments = list(comments_of(slide, self._authors))
        self.unread.comments += len(comments)
        if comments:
            yield "## Comments\n\n" + "\n".join(f"- {one}" for one in comments)

    def _of_layout(self, layout: Any) -> Iterator[str]:
        """Texts that a slide's layout and master draw on it: those in no placeholder. Each layout is read once."""
        if layout.part.partname in self._layouts:
            return
        self._layouts.add(layout.part.partname)
        masters = () if layout.element.get("showMasterSp") in ("0", "false") else (layout.slide_master,)
        for source in (layout, *masters):
            for shape in flat(source.shapes, Unread()):
                if not shape.is_placeholder:
                    yield shape_text(shape, Unread())

    def _notes(self, slide: Any) -> Iterator[str]:
        from pptx.enum.shapes import PP_PLACEHOLDER

        if not slide.has_notes_slide:
            return
        kinds = (PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER)
        shapes = [one for one in flat(slide.notes_slide.shapes, self.unread) if not is_placeholder(one, kinds)]
        images = (PP_PLACEHOLDER.SLIDE_IMAGE,)
        texts = [shape_text(one, self.unread) for one in shapes if not is_placeholder(one, images)]
        text = "\n\n".join(one for one in texts if one)
        if text:
            yield f"## Speaker notes\n\n{text}"


def _words(shape: Any) -> str:
    return body_text(shape.element.txBody)


def _is_field(shape: Any) -> bool:
    """Whether a shape's text is worked out when the slides are shown, such as today's date."""
    return any(str(one.tag).endswith("}fld") for one in shape.element.iter())
