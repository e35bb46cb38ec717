"""The text of one paragraph: runs, fields, changes that were tracked, and what is anchored in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backends.rag.documents.readers.drawings import chart_text, diagram_text, text_of_paragraphs
from backends.rag.documents.readers.office_parts import DGM, MC, PIC, WP, A, C, M, O, Parts, R, V, W, chosen
from backends.rag.documents.readers.word.equations import equation_text
from backends.rag.documents.readers.word.findings import Findings
from backends.rag.documents.readers.word.pieces import PLAIN, Look, Piece, joined
from backends.rag.documents.readers.word.styles import Styles, switch, value
from backends.rag.documents.readers.word.symbols import symbol

_PRIVATE = re.compile("[\uf000-\uf0ff]")
_OUTWARD = ("http://", "https://", "mailto:")
_ANCHOR_CHARACTERS = 80
_RAISED_HALF_POINTS = 4
_DELETED = frozenset({f"{W}del", f"{W}moveFrom"})
_INSERTED = frozenset({f"{W}ins", f"{W}moveTo"})
_TEXT = {
    f"{W}tab": "\t",
    f"{W}ptab": "\t",
    f"{W}br": "\n",
    f"{W}cr": "\n",
    f"{W}noBreakHyphen": "-",
}
_NOTHING = frozenset(
    W + name
    for name in (
        *("rPr", "pPr", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "delText", "instrText", "delInstrText"),
        *("softHyphen", "annotationRef", "footnoteRef", "endnoteRef", "pgNum", "lastRenderedPageBreak", "fldData"),
    )
)


@dataclass(slots=True)
class Shared:
    """What all paragraphs of a document share."""

    parts: Parts
    styles: Styles
    findings: Findings
    comments: dict[str, str] = field(default_factory=dict)
    """Id of a comment in the order of the text -> the words that it is about."""


@dataclass(slots=True)
class _Field:
    """A field such as PAGE or HYPERLINK: a code, and the result that a reader sees."""

    code: str = ""
    in_result: bool = False
    start: int = 0


@dataclass(frozen=True, slots=True)
class Anchored:
    """What stands at a paragraph and is read after it: a text box, a note, or text of a chart or picture."""

    kind: str
    content: Any


class Paragraph:
    """Reads one paragraph of a part. `fields` are those that were opened before it."""

    def __init__(self, shared: Shared, part: str, fields: list[_Field], *, repeats: bool = False) -> None:
        self._shared = shared
        self._part = part
        self._fields = fields
        self._repeats = repeats
        self._pieces: list[Piece] = []
        self._style: str | None = None
        self._open_comments: dict[str, list[str]] = {}
        self.anchored: list[Anchored] = []

    def read(self, paragraph: Any, plain: bool) -> str:
        """The paragraph's text, with Markdown for bold and italics unless `plain`."""
        properties = paragraph.find(f"{W}pPr")
        self._style = self._shared.styles.of_paragraph(properties)
        for one in self._fields:
            one.start = 0
        self._children(paragraph)
        self._fields[:] = [one for one in self._fields if one.in_result]  # a code ends with its paragraph
        for name, words in self._open_comments.items():
            self._shared.comments[name] = "".join(words)
        return joined(self._pieces, plain)

    def _children(self, element: Any) -> None:
        for child in element:
            self._one(child)

    def _one(self, element: Any) -> None:
        tag = element.tag
        if tag == f"{W}r":
            self._run(element)
        elif tag in _NOTHING:
            return
        elif tag in _DELETED:
            self._shared.findings.tracked += 1
        elif tag == f"{W}hyperlink":
            self._link(element)
        elif tag == f"{W}sdt":
            self._control(element)
        elif tag == f"{W}fldSimple":
            if not self._is_page_number(element.get(f"{W}instr", "")):
                self._children(element)
        elif tag in (f"{M}oMath", f"{M}oMathPara"):
            text = equation_text(element, self._shared.findings)
            self._emit(f" {text} " if tag == f"{M}oMathPara" else text)
        elif tag == f"{MC}AlternateContent":
            for child in chosen(element):
                self._in_run(child, PLAIN, "")
        elif tag in (f"{W}commentRangeStart", f"{W}commentRangeEnd"):
            self._comment_range(element)
        elif tag in (f"{W}subDoc", f"{W}contentPart"):
            self._shared.findings.objects["another document" if tag == f"{W}subDoc" else "handwriting"] += 1
        else:
            self._shared.findings.tracked += tag in _INSERTED
            self._children(element)

    def _control(self, control: Any) -> None:
        """A content control; what it shows before somebody fills it in is no text of the document."""
        if is_prompt(control):
            self._shared.findings.prompts += 1
            return
        content = control.find(f"{W}sdtContent")
        if content is not None:
            self._children(content)

    def _link(self, link: Any) -> None:
        start = len(self._pieces)
        self._children(link)
        relation = self._shared.parts.relations(self._part).get(link.get(f"{R}id", ""))
        if relation is not None and relation.outside:
            self._wrap(start, relation.target)

    def _wrap(self, start: int, address: str) -> None:
        """Make the pieces from `start` on a link, if it leads outside and says something else than its address."""
        words = " ".join(joined(self._pieces[start:], plain=True).split())
        if words and words != address and address.lower().startswith(_OUTWARD) and not any(map(str.isspace, address)):
            self._pieces[start:] = [Piece(f"[{words}]({address})")]

    def _comment_range(self, mark: Any) -> None:
        name = mark.get(f"{W}id", "")
        if mark.tag == f"{W}commentRangeStart":
            self._open_comments[name] = []
        elif name in self._open_comments:
            self._shared.comments[name] = "".join(self._open_comments.pop(name))

    # --- runs -------------------------------------------------------------------------------------

    def _run(self, run: Any) -> None:
        properties = run.find(f"{W}rPr")
        style = value(properties, "rStyle")
        if self._is_hidden(properties, style):
            hidden = "".join(one.text or "" for one in run.iter(f"{W}t"))
            if hidden.strip() and not self._muted:
                self._shared.findings.hidden.append(hidden)
            for child in run.iter(f"{W}fldChar"):
                self._field(child)
            return
        bold, italic, strike, double = (
            self._is_on(name, properties, style) for name in ("b", "i", "strike", "dstrike")
        )
        look = bold, italic, strike or double, self._raised(properties, style)
        fonts = properties.find(f"{W}rFonts") if properties is not None else None
        font = fonts.get(f"{W}ascii", "") if fonts is not None else ""
        for child in run:
            self._in_run(child, look, font)

    def _in_run(self, child: Any, look: Look, font: str) -> None:
        tag = child.tag
        if tag == f"{W}t":
            self._emit(self._private(child.text or "", font).replace("\n", " "), look)
        elif tag in _TEXT:
            self._emit(_TEXT[tag])
        elif tag == f"{W}sym":
            self._emit(self._symbol(_code(child.get(f"{W}char")), child.get(f"{W}font", "")), look)
        elif tag == f"{W}fldChar":
            self._field(child)
        elif tag == f"{W}instrText":
            if self._fields and not self._fields[-1].in_result:
                self._fields[-1].code += child.text or ""
        elif tag in (f"{W}footnoteReference", f"{W}endnoteReference"):
            if not self._muted:
                kind = tag.removeprefix(W).removesuffix("Reference")
                self.anchored.append(Anchored(kind, child))
                self._pieces.append(Piece(f"\x00{len(self.anchored) - 1}\x00"))
        elif tag == f"{W}commentReference":
            self._shared.comments.setdefault(child.get(f"{W}id", ""), "")
        elif tag in (f"{W}drawing", f"{W}pict", f"{W}object"):
            self._drawing(child)
        elif tag == f"{W}ruby":
            base, reading = (
                "".join(one.text or "" for part in child.findall(W + name) for one in part.iter(f"{W}t"))
                for name in ("rubyBase", "rt")
            )
            self._emit(f"{base}({reading})" if reading.strip() else base, look)
        elif tag not in _NOTHING:
            self._one(child)

    def _is_on(self, name: str, properties: Any, style: str | None) -> bool:
        found = switch(properties, name)
        return bool(self._shared.styles.is_on(name, style) if found is None else found)

    def _is_hidden(self, properties: Any, style: str | None) -> bool:
        found = switch(properties, "vanish")
        for name in (style, self._style):
            if found is None:
                found = self._shared.styles.is_on("vanish", name)
        return bool(found)

    def _raised(self, properties: Any, style: str | None) -> int:
        """1 for a superscript, -1 for a subscript, else 0; text that was moved up or down by hand counts too."""
        look = value(properties, "vertAlign") or self._shared.styles.run_value("vertAlign", style) or ""
        if look in ("superscript", "subscript"):
            return 1 if look == "superscript" else -1
        try:
            moved = int(value(properties, "position") or 0)
        except ValueError:
            return 0
        return 0 if abs(moved) < _RAISED_HALF_POINTS else 1 if moved > 0 else -1

    def _private(self, text: str, font: str) -> str:
        """Text in which the private places where symbol fonts have their characters are read by the font."""
        return _PRIVATE.sub(lambda found: self._symbol(ord(found[0]), font or "Symbol"), text)

    def _symbol(self, code: int, font: str) -> str:
        found = symbol(code, font)
        if found is None:
            self._shared.findings.symbols[font or "unnamed"] += 1
        return "\ufffd" if found is None else found

    # --- fields -----------------------------------------------------------------------------------

    @property
    def _muted(self) -> bool:
        return any(not one.in_result or self._is_page_number(one.code) for one in self._fields)

    def _is_page_number(self, code: str) -> bool:
        """Whether a field's result is true of one page alone, in a text that stands on all of them."""
        return self._repeats and code.split()[:1] == ["PAGE"]

    def _field(self, mark: Any) -> None:
        kind = mark.get(f"{W}fldCharType")
        if kind == "begin":
            self._form_field(mark)
            self._fields.append(_Field(start=len(self._pieces)))
        elif kind == "separate" and self._fields:
            self._fields[-1].in_result = True
        elif kind == "end" and self._fields:
            ended = self._fields.pop()
            words = ended.code.split()
            if words[:1] == ["HYPERLINK"] and len(words) > 1 and ended.start < len(self._pieces):
                self._wrap(ended.start, words[1].strip('"'))

    def _form_field(self, mark: Any) -> None:
        """A box that is ticked or a list of which an entry was chosen: they have no result."""
        data = mark.find(f"{W}ffData")
        if data is None:
            return
        box, choice = data.find(f"{W}checkBox"), data.find(f"{W}ddList")
        if box is not None:
            ticked = switch(box, "checked")
            ticked = switch(box, "default") if ticked is None else ticked
            self._emit("☒" if ticked else "☐")
        elif choice is not None:
            entries = [one.get(f"{W}val", "") for one in choice.findall(f"{W}listEntry")]
            place = value(choice, "result") or value(choice, "default") or "0"
            if place.isdecimal() and int(place) < len(entries):
                self._emit(entries[int(place)])

    def _emit(self, text: str, look: Look = PLAIN) -> None:
        if not text or self._muted:
            return
        self._pieces.append(Piece(text, *look))
        for words in self._open_comments.values():
            if sum(map(len, words)) < _ANCHOR_CHARACTERS:
                words.append(text)

    # --- drawings ---------------------------------------------------------------------------------

    def _drawing(self, drawing: Any) -> None:
        """Text boxes, charts, diagrams and descriptions of pictures; what else there is gets counted."""
        frames = list(drawing.iter(f"{WP}docPr"))
        if any(one.get("hidden") in ("1", "true") for one in frames[:1]):
            self._shared.findings.objects["a hidden drawing"] += 1
            return
        said = [one.get("descr") or "" for one in frames]
        pictures = 0
        for one in _inside(drawing):
            if one.tag == f"{W}txbxContent":
                self.anchored.append(Anchored("box", one))
            elif one.tag == f"{A}txBody":
                self.anchored += [Anchored("text", text)] if (text := text_of_paragraphs(one)) else []
            elif one.tag == f"{PIC}pic":
                pictures += 1
                said += [found.get("descr") or "" for found in one.iter(f"{PIC}cNvPr")]
            elif one.tag == f"{V}imagedata":
                pictures += drawing.tag == f"{W}pict"
                said.append(one.getparent().get("alt") or one.get(f"{O}title") or "")
            elif one.tag == f"{V}textpath":
                said.append(one.get("string") or "")
            elif one.tag in (f"{C}chart", f"{DGM}relIds"):
                self._stored(one)
            elif one.tag == f"{O}OLEObject" or one.tag == f"{W}control":
                self._shared.findings.objects[one.get("ProgID") or one.get(f"{W}name") or "unnamed"] += 1
            elif one.tag.endswith("}chart"):
                self._shared.findings.objects["a chart of a newer kind"] += 1
        texts = list(dict.fromkeys(" ".join(text.split()) for text in said if text.strip()))
        self.anchored += [Anchored("text", text) for text in texts]
        if not texts:
            self._shared.findings.pictures += pictures

    def _stored(self, reference: Any) -> None:
        """A chart or diagram, which is a part of its own."""
        is_chart = reference.tag == f"{C}chart"
        relation = self._shared.parts.relations(self._part).get(reference.get(f"{R}id" if is_chart else f"{R}dm", ""))
        root = None
        if relation is not None and not relation.outside:
            root = readable(self._shared, relation.target)
        text = "" if root is None else chart_text(root) if is_chart else diagram_text(root)
        if text:
            self.anchored.append(Anchored("text", text))
        else:
            self._shared.findings.objects["a chart" if is_chart else "a diagram"] += 1


def readable(shared: Shared, name: str) -> Any:
    """The root of a part beside the document; None, and named, if it is missing or damaged."""
    try:
        root = shared.parts.xml(name)
    except MemoryError:
        raise
    except Exception:  # a damaged part does not make the document unreadable
        root = None
    if root is None and name not in shared.findings.parts:
        shared.findings.parts.append(name)
    return root


def is_prompt(control: Any) -> bool:
    """Whether a content control only shows the text that asks for its content."""
    return bool(switch(control.find(f"{W}sdtPr"), "showingPlcHdr"))


def _inside(drawing: Any) -> Iterator[Any]:
    """All elements of a drawing, but neither what is in its text boxes nor the same again for older programs."""
    waiting = list(reversed(drawing))
    while waiting:
        one = waiting.pop()
        if one.tag == f"{MC}AlternateContent":
            waiting += reversed(chosen(one))
            continue
        yield one
        if one.tag != f"{W}txbxContent":
            waiting += reversed(one)


def _code(written: str | None) -> int:
    try:
        return int(written or "", 16)
    except ValueError:
        return 0
