"""Writes what is seen of a page as Markdown."""

from __future__ import annotations

import re

from backends.rag.documents.readers.reading import grid, table
from backends.rag.documents.readers.scripts import with_subscript, with_superscript
from backends.rag.documents.readers.web.equations import formula_text
from backends.rag.documents.readers.web.lists import labelled
from backends.rag.documents.readers.web.tables import cell_of, is_layout, outside_cells, rows_of
from backends.rag.documents.readers.web.tree import BLOCKS, Node

_OUTWARD = ("http://", "https://", "mailto:")
_SPACE = re.compile(r"[ \t\n\r\f]+")
_BREAK = "\x01"
"""A line break while white space is collapsed; no page that was parsed has this character."""
_AROUND_BREAK = re.compile(f" ?{_BREAK} ?")
_MARKS = {
    **{"b": "**", "strong": "**", "i": "*", "em": "*"},
    **{"s": "~~", "del": "~~", "strike": "~~"},
}
_CODE = frozenset({"code", "kbd", "samp", "tt"})
_SPACED = frozenset({"button", "label", "option", "select", "input", "textarea", "summary", "legend"})
_NO_VALUE = frozenset({"hidden", "password", "submit", "button", "reset", "image", "file", "color", "range"})
_FENCES = re.compile(r"`{3,}")
_TICKS = re.compile(r"`+")
_DEEPEST = 150
"""Elements within each other; a page that is nested deeper becomes plain lines."""


class _ListText(str):
    """A list as Markdown: within an item of another list, no empty line stands before it."""

    __slots__ = ()


class Writer:
    """Writes one page. `tables` counts those that became tables. Raises `RecursionError` beyond `_DEEPEST`."""

    def __init__(self) -> None:
        self.tables = 0

    def page(self, root: Node) -> str:
        """The whole page."""
        return "\n\n".join(self._blocks(root, 0))

    # --- blocks -------------------------------------------------------------------------------------

    def _blocks(self, node: Node, depth: int) -> list[str]:
        """The blocks in an element: paragraphs, lists, tables and so on."""
        if depth > _DEEPEST:
            raise RecursionError
        found: list[str] = []
        line = ""
        for child in node.children:
            if isinstance(child, str):
                line += child
            elif child.tag in BLOCKS or child.has_blocks:
                found += _paragraph(line)
                line = ""
                found += self._block(child, depth + 1)
            else:
                line += self._inline(child, depth + 1, line)
        return found + _paragraph(line)

    def _block(self, node: Node, depth: int) -> list[str]:
        tag = node.tag
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            words = self._line(node, depth)
            return [f"{'#' * int(tag[1])} {words}"] if words else []
        if tag == "pre":
            return _fenced(node)
        if tag in ("ul", "ol", "menu", "dir"):
            return self._list(node, depth)
        if tag == "table":
            return self._table(node, depth)
        if tag == "dl":
            return self._definitions(node, depth)
        if tag == "hr":
            return ["---"]
        if tag == "blockquote":
            inside = "\n\n".join(self._blocks(node, depth))
            return ["\n".join(f"> {line}".rstrip() for line in inside.split("\n"))] if inside else []
        if tag == "math":
            return _paragraph(formula_text(node))
        return self._blocks(node, depth)

    def _list(self, node: Node, depth: int) -> list[str]:
        lines: list[str] = []
        labels = {id(item): label for label, item in labelled(node)}
        for child in node.children:
            if isinstance(child, str):
                lines += _paragraph(child)
                continue
            blocks = self._blocks(child, depth + 1) if child.tag == "li" else self._block(child, depth + 1)
            label = labels.get(id(child), "-" if child.tag != "li" else "")
            if child.tag in ("ul", "ol"):  # a list in a list, without an item of its own
                lines += [f"  {line}".rstrip() for block in blocks for line in block.split("\n")]
            elif blocks:
                lines += _item(label, blocks)
        return [_ListText("\n".join(lines))] if lines else []

    def _definitions(self, node: Node, depth: int) -> list[str]:
        """Terms, each with its definitions below it."""
        found: list[list[str]] = []
        for child in node.children:
            if isinstance(child, str):
                found += [[text] for text in _paragraph(child)]
            elif child.tag == "div":
                found += [[one] for one in self._definitions(child, depth + 1)]
            elif child.tag == "dd":
                text = "\n\n".join(self._blocks(child, depth + 1))
                if text:
                    lines = f":   {text}".split("\n")
                    lines = [lines[0], *(f"    {line}".rstrip() for line in lines[1:])]
                    found = found or [[]]
                    found[-1].append("\n".join(lines))
            elif words := self._line(child, depth + 1):
                if found and len(found[-1]) == 1 and not found[-1][0].startswith(":"):
                    found[-1][0] += f"\n{words}"  # a second term of the same definition
                else:
                    found.append([words])
        return ["\n".join(one) for one in found if one]

    def _table(self, node: Node, depth: int) -> list[str]:
        rows = rows_of(node)
        outside = Node("", {}, None)
        outside.children = list(outside_cells(node))
        before = self._blocks(outside, depth + 1)
        if is_layout(node, rows):
            return before + [block for row in rows for cell in row for block in self._blocks(cell, depth + 1)]
        lines = grid([[cell_of(cell, self._line(cell, depth + 1)) for cell in row] for row in rows])
        lines = [line for line in lines if any(line)]
        if not lines:
            return before
        self.tables += 1
        return [*before, table(lines)]

    # --- lines --------------------------------------------------------------------------------------

    def _line(self, node: Node, depth: int) -> str:
        """All of an element in one line: blocks in it stand one behind the other."""
        return " ".join(" ".join(_paragraph(self._inside(node, depth))).split())

    def _inside(self, node: Node, depth: int) -> str:
        if depth > _DEEPEST:
            raise RecursionError
        line = ""
        for child in node.children:
            if isinstance(child, str):
                line += child
            elif child.tag == "table":
                line += f" {self._flat_table(child, depth + 1)} "
            elif child.tag in ("ol", "ul"):
                line += f" {self._flat_list(child, depth + 1)} "
            elif child.tag == "pre":
                line += f" {''.join(child.texts())} "
            elif child.tag in BLOCKS:
                line += f" {self._inside(child, depth + 1)} "
            else:
                line += self._inline(child, depth + 1, line)
        return line

    def _flat_list(self, node: Node, depth: int) -> str:
        """A list within a line: commas between its items."""
        labels = {id(item): label.removeprefix("-") for label, item in labelled(node)}
        texts = [
            " ".join(child.split())
            if isinstance(child, str)
            else f"{labels.get(id(child), '')} {self._line(child, depth)}".strip()
            for child in node.children
        ]
        return ", ".join(text for text in texts if text)

    def _flat_table(self, node: Node, depth: int) -> str:
        """A table within a cell: commas between its cells, semicolons between its rows."""
        outside = Node("", {}, None)
        outside.children = list(outside_cells(node))
        rows = ([self._line(cell, depth) for cell in row] for row in rows_of(node))
        return "; ".join(
            [self._line(outside, depth), *(", ".join(text for text in row if text) for row in rows)]
        ).strip("; ")

    def _inline(self, node: Node, depth: int, before: str) -> str:
        """An element within a line, after the text `before` of the same line."""
        tag = node.tag
        if tag == "br":
            return _BREAK
        if tag == "wbr":
            return ""
        if tag == "img":
            return " ".join((node.get("alt") or node.get("title")).split())
        if tag == "input":
            return f" {_shown_value(node)} "
        if tag == "math":
            return formula_text(node)
        if tag == "script":
            return f"${' '.join(''.join(node.texts()).split())}$"
        text = self._inside(node, depth)
        if tag == "sup":
            return _superscript(node, text, before)
        if tag == "sub":
            return with_subscript(before, text)
        if tag == "a":
            return _link(node, text)
        if tag in _CODE:
            return _code(text)
        if tag == "q":
            return f'"{text}"'
        if tag == "rt":
            return f"({text})" if text.strip() else ""
        if tag in _SPACED:
            return f" {text} "
        return _marked(text, _MARKS.get(tag, ""))


def _paragraph(line: str) -> list[str]:
    """Text with its white space collapsed, as a block; nothing if there is none."""
    text = _AROUND_BREAK.sub("\n", _SPACE.sub(" ", line)).strip()
    return [text] if text else []


def _item(label: str, blocks: list[str]) -> list[str]:
    """An item of a list, line by line: what follows its first line is indented."""
    text = blocks[0]
    for block in blocks[1:]:
        text += ("\n" if isinstance(block, _ListText) else "\n\n") + block
    lead = f"{label} " if label else ""
    lines = text.split("\n")
    return [f"{lead}{lines[0]}", *(f"{' ' * len(lead)}{line}".rstrip() for line in lines[1:])]


def _marked(text: str, mark: str) -> str:
    """Text between two marks, which stand beside letters and not beside spaces."""
    core = text.strip()
    if not mark or not core or _BREAK in core:
        return text
    start = text.index(core)
    return f"{text[:start]}{mark}{core}{mark}{text[start + len(core) :]}"


def _superscript(node: Node, text: str, before: str) -> str:
    """A power, or the mark of a note: that is a link within the page."""
    words = text.strip().strip("[]")
    if words and any(
        one.tag == "a" and one.get("href").startswith("#") for one in [node, *node.walk(), *node.ancestors()][:20]
    ):
        return f"[{words}]"
    return with_superscript(before, text)


def _link(node: Node, text: str) -> str:
    """A link if it leads outside the page and says something else than its address; else its text."""
    address, words = node.get("href").strip(), " ".join(text.replace(_BREAK, " ").split())
    if words == "↑" or words == "↩":  # the way back from a footnote
        return ""
    if not words or words == address or not address.lower().startswith(_OUTWARD):
        return text
    return " " * text[0].isspace() + f"[{words}]({address})" + " " * text[-1].isspace()


def _code(text: str) -> str:
    core = text.strip()
    if not core or _BREAK in core:
        return text
    tick = "`" * (max((len(run) for run in _TICKS.findall(core)), default=0) + 1)
    room = " " if "`" in core else ""
    start = text.index(core)
    return f"{text[:start]}{tick}{room}{core}{room}{tick}{text[start + len(core) :]}"


def _fenced(node: Node) -> list[str]:
    """Preformatted text as it stands, between fences."""
    parts: list[str] = []
    waiting: list[Node | str] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            parts.append(one)
        elif one.tag == "br":
            parts.append("\n")
        else:
            waiting += reversed(one.children)
    text = "".join(parts).replace("\r\n", "\n").strip("\n").rstrip()
    if not text.strip():
        return []
    fence = "`" * max(3, max((len(run) for run in _FENCES.findall(text)), default=0) + 1)
    return [f"{fence}\n{text}\n{fence}"]


def _shown_value(node: Node) -> str:
    """What a form shows in a field or box."""
    kind = node.get("type").lower()
    if kind in ("checkbox", "radio"):
        return "☒" if "checked" in node.attributes else "☐"
    return "" if kind in _NO_VALUE else " ".join(node.get("value").split())
