"""The numbers of a page's ordered lists, as a browser shows them."""

from __future__ import annotations

from collections.abc import Iterator

from backends.rag.documents.readers.list_numbers import counted, formatted, roman
from backends.rag.documents.readers.web.tree import Node

_STYLES = {
    **{"lower-alpha": "a", "lower-latin": "a", "upper-alpha": "A", "upper-latin": "A"},
    **{"lower-roman": "i", "upper-roman": "I", "decimal": "1", "decimal-leading-zero": "01", "none": ""},
}
_DIGITS = 9


def labelled(node: Node) -> Iterator[tuple[str, Node]]:
    """The items of a list with what stands in front of each: "-", "4.", "c.", or "" for none."""
    items = [one for one in node.elements() if one.tag == "li"]
    if node.tag != "ol":
        yield from (("-", one) for one in items)
        return
    backwards = "reversed" in node.attributes
    start = _whole(node.get("start"))
    number = start if start is not None else len(items) if backwards else 1
    for one in items:
        own = _whole(one.get("value"))
        number = number if own is None else own
        yield _label(number, _form(one) or _form(node) or "1"), one
        number += -1 if backwards else 1


def _form(node: Node) -> str | None:
    style = node.get("list-style")
    for word in style.split():
        if word in _STYLES:
            return _STYLES[word] or "none"
    return node.get("type") or None


def _label(number: int, form: str) -> str:
    if form == "none":
        return "-"
    written = {
        "a": lambda: counted(number),
        "A": lambda: (counted(number) or "").upper(),
        "i": lambda: roman(number),
        "I": lambda: (roman(number) or "").upper(),
        "01": lambda: formatted(number, "decimalZero"),
    }.get(form, lambda: str(number))()
    return f"{written or number}."


def _whole(written: str) -> int | None:
    text = written.strip()
    return int(text) if text.lstrip("-").isdecimal() and len(text) <= _DIGITS and text.count("-") < 2 else None
