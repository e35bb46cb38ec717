"""A Word document becomes Markdown: paragraphs, lists, tables, notes, headers and footers, comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backends.rag.documents.readers.list_numbers import formatted
from backends.rag.documents.readers.office_parts import MC, Parts, R, W, chosen
from backends.rag.documents.readers.reading import Cell, grid, quoted, table
from backends.rag.documents.readers.word.findings import Findings
from backends.rag.documents.readers.word.numbering import Numbering
from backends.rag.documents.readers.word.paragraph import Anchored, Paragraph, Shared, is_prompt, readable
from backends.rag.documents.readers.word.styles import Styles, switch, value

_MAIN = "word/document.xml"
_MOST_COLUMNS = 63
"""Word's own limit for a table."""
_MARK = re.compile("\x00([0-9]{1,9})\x00")
_COUNTED = re.compile(r"[0-9]{1,9}[.)]")
_WRAPPERS = frozenset(W + name for name in ("ins", "moveTo", "customXml", "smartTag", "sdtContent"))
_GONE = frozenset({f"{W}del", f"{W}moveFrom"})


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item or table as Markdown; `level` from 0 for an item of a list. `flat`: the same in a line."""

    text: str
    level: int | None = None
    tight: bool = False
    flat: str = ""

    @property
    def line(self) -> str:
        """The block in one line, for the cell of a table."""
        return " ".join((self.flat or self.text).split())


class WordDocument:
    """The text of a document whose parts are open. `markdown` is called once; then `findings` says what was left out.

    Raises `lxml.etree.XMLSyntaxError` or `ValueError` if the main part is damaged or missing.
    """

    def __init__(self, parts: Parts) -> None:
        self.findings = Findings()
        self._main = parts.main(_MAIN)
        root = parts.xml(self._main)
        self._body: Any = root.find(f"{W}body") if root is not None else None
        if self._body is None:
            raise ValueError("no document")
        self._shared = Shared(parts, Styles(None), self.findings)
        self._shared.styles = Styles(self._other("styles"))
        self._numbering = Numbering(self._other("numbering"), self._shared.styles)
        self._settings = self._other("settings")
        self._notes = {kind: self._note_parts(f"{kind}s") for kind in ("footnote", "endnote")}
        self._counts = {"footnote": 0, "endnote": 0}

    def markdown(self) -> str:
        """The whole text: page headers and footers first, each once; then the body; then comments."""
        frame = list(dict.fromkeys(self._frame()))
        body = joined(self._blocks(self._body, self._main))
        comments = list(self._comments())
        self.findings.comments = len(comments)
        self.findings.numbers.update(self._numbering.unread)
        if comments:
            comments = ["## Comments\n\n" + "\n".join(f"- {one}" for one in comments)]
        return "\n\n".join(part for part in ("\n".join(frame), body, *comments) if part.strip())

    def _other(self, kind: str) -> Any:
        """The root of a part to which the main one has a relation of a kind; None if there is none."""
        names = self._shared.parts.related(self._main, kind)
        return readable(self._shared, names[0]) if names else None

    # --- headers, footers, notes, comments ----------------------------------------------------------

    def _frame(self) -> Iterator[str]:
        """What stands above and below every page. First and even pages have their own only where that is set."""
        even = switch(self._settings, "evenAndOddHeaders")
        relations = self._shared.parts.relations(self._main)
        for kind in ("header", "footer"):
            for section in self._body.iter(f"{W}sectPr"):
                for one in section.findall(f"{W}{kind}Reference"):
                    which = one.get(f"{W}type", "default")
                    shown = {"first": switch(section, "titlePg"), "even": even}.get(which, True)
                    relation = relations.get(one.get(f"{R}id", ""))
                    if not shown or relation is None or relation.outside:
                        continue
                    root = readable(self._shared, relation.target)
                    blocks = self._blocks(root, relation.target, repeats=True) if root is not None else []
                    text = " | ".join(block.line for block in blocks if block.line)
                    if any(map(str.isalnum, text)):
                        yield f"Page {kind}: {text}"

    def _note_parts(self, kind: str) -> tuple[str, dict[str, Any]]:
        names = self._shared.parts.related(self._main, kind)
        root = readable(self._shared, names[0]) if names else None
        return (names[0] if names else ""), {one.get(f"{W}id", ""): one for one in (root if root is not None else ())}

    def _note(self, kind: str, reference: Any) -> tuple[str, list[Block]]:
        """The mark of a foot- or endnote and its text."""
        part, notes = self._notes[kind]
        if switch_attribute(reference, "customMarkFollows"):
            mark = ""
        else:
            self._counts[kind] += 1
            own = value(self._settings, f"{kind}Pr/numFmt") or ("decimal" if kind == "footnote" else "lowerRoman")
            mark = formatted(self._counts[kind], own) or str(self._counts[kind])
        note = notes.get(reference.get(f"{W}id", ""))
        blocks = self._blocks(note, part) if note is not None else []
        label = f"[{mark}]" if mark else "Note:"
        if blocks:
            blocks[0] = replace(blocks[0], text=f"{label} {blocks[0].text}", flat=f"{label} {blocks[0].line}")
        return (f"[{mark}]" if mark else ""), blocks

    def _comments(self) -> Iterator[str]:
        """Each comment with its author and the words that it is about, in the order of the text."""
        names = self._shared.parts.related(self._main, "comments")
        root = readable(self._shared, names[0]) if names else None
        if root is None:
            return
        order = {name: place for place, name in enumerate(self._shared.comments)}
        found = sorted(root.findall(f"{W}comment"), key=lambda one: order.get(one.get(f"{W}id", ""), len(order)))
        for one in found:
            text = " ".join(block.line for block in self._blocks(one, names[0]))
            if not text:
                continue
            about = quoted(self._shared.comments.get(one.get(f"{W}id", ""), ""))
            author = " ".join(one.get(f"{W}author", "").split())
            head = " on ".join(part for part in (author, about) if part)
            yield f"{head}: {text}" if head else text

    # --- blocks -------------------------------------------------------------------------------------

    def _blocks(self, container: Any, part: str, *, repeats: bool = False) -> list[Block]:
        found: list[Block] = []
        fields: list[Any] = []
        carried = ""
        for one in self._elements(container):
            if one.tag == f"{W}p":
                text, more, ends = self._paragraph(one, part, fields, carried, repeats)
                if not ends:
                    carried = text
                    continue
                carried = ""
                found += more
            elif one.tag == f"{W}tbl":
                found += self._table(one, part)
            elif one.tag == f"{W}altChunk":
                found += self._inserted_file(one, part)
        return [*found, Block(carried)] if carried.strip() else found

    def _elements(self, container: Any) -> Iterator[Any]:
        """The paragraphs, tables, rows or cells of an element, also those in content controls and the like."""
        waiting = list(reversed(container))
        while waiting:
            one = waiting.pop()
            if one.tag == f"{W}sdt":
                if is_prompt(one):
                    self.findings.prompts += 1
                else:
                    waiting += reversed(one.findall(f"{W}sdtContent"))
            elif one.tag in _WRAPPERS:
                waiting += reversed(one)
            elif one.tag == f"{MC}AlternateContent":
                waiting += reversed(chosen(one))
            elif one.tag in _GONE:
                self.findings.tracked += 1
            else:
                yield one

    def _paragraph(
        self, paragraph: Any, part: str, fields: list[Any], carried: str, repeats: bool
    ) -> tuple[str, list[Block], bool]:
        """Text and blocks of a paragraph, and whether it ends: not where its end was deleted or moved away.

        Nor does the large first letter of a paragraph end where it stands.
        """
        properties = paragraph.find(f"{W}pPr")
        level = self._shared.styles.heading(properties)
        reader = Paragraph(self._shared, part, fields, repeats=repeats)
        text = carried + reader.read(paragraph, plain=level > 0)
        end = properties.find(f"{W}rPr") if properties is not None else None
        gone = end is not None and any(end.find(W + name) is not None for name in ("del", "moveFrom"))
        if gone:
            self.findings.tracked += 1
            if not reader.anchored:
                return text, [], False
        if text.strip() and not reader.anchored and _is_drop_cap(properties):
            return text.strip(), [], False
        after: list[Block] = []
        marks = [self._after(one, part, after) for one in reader.anchored]
        text = _MARK.sub(lambda found: marks[int(found.group(1))], text).strip()
        unseen = not text and bool(switch(end, "vanish"))
        label = None if gone or unseen else self._numbering.label(properties)
        if not text:
            return "", after, True
        if level:
            heading = " ".join(f"{label.text if label and label.text != '-' else ''} {text}".split())
            return "", [Block(f"{'#' * level} {heading}", flat=heading), *after], True
        if label is None:
            return "", [Block(text), *after], True
        is_item = label.text == "-" or _COUNTED.fullmatch(label.text) is not None
        indent = "  " * label.level * is_item
        item = f"{indent}{label.text} " + text.replace("\n", f"\n{indent}  ")
        tight = is_item or label.level > 0
        return "", [Block(item, label.level, tight, f"{label.text} {text}"), *after], True

    def _after(self, one: Anchored, part: str, after: list[Block]) -> str:
        """Add what is anchored at a paragraph to what follows it; returns the mark that stands for it in the text."""
        mark = ""
        if one.kind == "text":
            after.append(Block(one.content))
        elif one.kind == "box":
            after += self._blocks(one.content, part)
        else:
            mark, blocks = self._note(one.kind, one.content)
            after += blocks
        return mark

    def _inserted_file(self, chunk: Any, part: str) -> list[Block]:
        """A file of another format within the document. Web pages and text are read, others named."""
        from backends.rag.documents.readers.word.inserted import inserted_text

        relation = self._shared.parts.relations(part).get(chunk.get(f"{R}id", ""))
        data = self._shared.parts.raw(relation.target) if relation is not None and not relation.outside else None
        text, warnings = inserted_text(data or b"")
        self.findings.others += warnings
        if text:
            return [Block(text)]
        self.findings.objects["a file that was inserted"] += 1
        return []

    # --- tables -------------------------------------------------------------------------------------

    def _table(self, element: Any, part: str) -> list[Block]:
        """A table; one of a single column is a frame around its paragraphs and not a table."""
        rows: list[list[tuple[Cell, list[Block]]]] = []
        for row in self._elements(element):
            if row.tag != f"{W}tr":
                continue
            properties = row.find(f"{W}trPr")
            if properties is not None and properties.find(f"{W}del") is not None:
                self.findings.tracked += 1
                continue
            if switch(properties, "hidden"):
                self.findings.hidden.append(" ".join(one.text or "" for one in row.iter(f"{W}t")))
                continue
            rows.append(self._row(row, properties, part))
        cells = [[cell for cell, _ in row] for row in _merged_down(rows)]
        lines = grid(cells)
        if not lines or not lines[0]:
            return []
        if len(lines[0]) == 1:
            return [block for row in rows for _, blocks in row for block in blocks]
        lines = [line for line in lines if any(text.strip() for text in line)]
        if not lines:
            return []
        self.findings.tables += 1
        caption, lines = _caption(lines)
        flat = "; ".join(", ".join(dict.fromkeys(text for text in line if text)) for line in lines)
        blocks = [Block(caption)] if caption else []
        return [*blocks, Block(table(lines), flat=flat)] if lines else blocks

    def _row(self, row: Any, properties: Any, part: str) -> list[tuple[Cell, list[Block]]]:
        """The cells of a row with their blocks. `rows` of a cell is 1, or 0 where it continues the one above it."""
        found: list[tuple[Cell, list[Block]]] = []
        before = _columns(value(properties, "gridBefore")) if value(properties, "gridBefore") else 0
        found += [(Cell(""), [])] * before
        for cell in self._elements(row):
            if cell.tag != f"{W}tc":
                continue
            own = cell.find(f"{W}tcPr")
            if own is not None and own.find(f"{W}cellDel") is not None:
                self.findings.tracked += 1
                continue
            merge = own.find(f"{W}vMerge") if own is not None else None
            continues = merge is not None and merge.get(f"{W}val", "continue") != "restart"
            blocks = self._blocks(cell, part)
            text = " ".join(block.line for block in blocks)
            columns = _columns(value(own, "gridSpan"))
            found.append((Cell("" if continues else text, columns, 0 if continues else 1), blocks))
        return found


def _merged_down(rows: Sequence[Sequence[tuple[Cell, list[Block]]]]) -> list[list[tuple[Cell, list[Block]]]]:
    """The rows without the cells that continue one above, which reaches over them instead."""
    starts: dict[int, list[Any]] = {}
    found: list[list[list[Any]]] = []
    for row in rows:
        line: list[list[Any]] = []
        place = 0
        for cell, blocks in row:
            above = starts.get(place)
            if cell.rows == 0 and above is not None and above[0].columns == cell.columns:
                above[0] = replace(above[0], rows=above[0].rows + 1)
            else:
                line.append([replace(cell, rows=1), blocks])
                starts[place] = line[-1]
            place += cell.columns
        found.append(line)
    return [[(cell, blocks) for cell, blocks in line] for line in found]


def _caption(lines: list[list[str]]) -> tuple[str, list[list[str]]]:
    """A first row that is one cell over the whole width stands above its table."""
    if len(lines) > 1 and lines[0][0] and not any(lines[0][1:]) and all(lines[1]):
        return lines[0][0], lines[1:]
    return "", lines


def _is_drop_cap(properties: Any) -> bool:
    """Whether a paragraph is the large first letter of the next one, which Word keeps apart from it."""
    frame = properties.find(f"{W}framePr") if properties is not None else None
    return frame is not None and frame.get(f"{W}dropCap") in ("drop", "margin")


def _columns(number: str | None) -> int:
    return max(1, min(_MOST_COLUMNS, int(number))) if number and number.isdecimal() and len(number) < 9 else 1


def switch_attribute(element: Any, name: str) -> bool:
    """Whether an on-off attribute is on."""
    return element.get(f"{W}{name}") in ("1", "true", "on")


def joined(blocks: Iterable[Block]) -> str:
    """Blocks as one text: items of a list stand line by line, all else has an empty line between."""
    text = ""
    last: Block | None = None
    pieces = []
    for one in blocks:
        if last is not None:
            close = last.level is not None and one.level is not None and one.tight and (last.tight or one.level > 0)
            pieces.append("\n" if close else "\n\n")
        pieces.append(one.text)
        last = one
    return text.join(pieces)
