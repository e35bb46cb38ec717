"""A web page as a tree. libxml2 parses it: omitted end tags are filled in, nothing is fetched, no depth is lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lxml import etree

from backends.text import encodable

BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir"),
        *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "search"),
        *("section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
"""Elements that stand on lines of their own."""

_CONTROLS = dict.fromkeys([*range(9), 11, *range(14, 32)])


class Node:
    """An element: its name, attributes and children, which are elements and texts."""

    __slots__ = ("attributes", "children", "has_blocks", "parent", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []
        self.parent = parent
        self.has_blocks = False

    def get(self, name: str) -> str:
        """An attribute; "" if it is not there."""
        return self.attributes.get(name) or ""

    def elements(self) -> Iterator[Node]:
        """The children that are elements."""
        return (child for child in self.children if isinstance(child, Node))

    def walk(self) -> Iterator[Node]:
        """This element and all below it, in the order of the page."""
        waiting = [self]
        while waiting:
            one = waiting.pop()
            yield one
            waiting += reversed(list(one.elements()))

    def texts(self, without: Iterable[str] = ()) -> Iterator[str]:
        """All texts below this element, but not those in elements of some names."""
        skipped = frozenset(without)
        waiting: list[Node | str] = [self]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                yield one
            elif one.tag not in skipped:
                waiting += reversed(one.children)

    def ancestors(self) -> Iterator[Node]:
        """The elements around this one, nearest first."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent


class _Builder:
    """Takes the events of lxml's parser."""

    def __init__(self) -> None:
        self.root = Node("", {}, None)
        self._at = self.root
        self._texts: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._flush()
        node = Node(tag.lower(), dict(attributes), self._at)
        self._at.children.append(node)
        if node.tag in BLOCKS:
            above: Node | None = self._at
            while above is not None and not above.has_blocks:
                above.has_blocks = True
                above = above.parent
        self._at = node

    def end(self, tag: str) -> None:
        self._flush()
        if self._at.parent is not None:
            self._at = self._at.parent

    def data(self, text: str) -> None:
        self._texts.append(text)

    def close(self) -> Node:
        self._flush()
        return self.root

    def _flush(self) -> None:
        if self._texts:
            self._at.children.append("".join(self._texts))
            self._texts.clear()


def parse_page(html: str) -> Node:
    """The root of a page or a piece of one."""
    builder = _Builder()
    parser = etree.HTMLParser(target=builder, huge_tree=True, remove_comments=True, remove_pis=True)
    written = encodable(html).translate(_CONTROLS)
    if not written.strip():
        return builder.root
    parser.feed(written)
    root = parser.close()
    return root if isinstance(root, Node) else builder.root
