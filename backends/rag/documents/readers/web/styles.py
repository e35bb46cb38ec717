"""What a page's own style sheets and `style` attributes say of single elements: whether they are shown, and how.

Read are rules whose selectors consist of names, classes, ids, descendants and children. Rules for other media than a
screen, or for some of its sizes, do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backends.rag.documents.readers.web.tree import Node

_PROPERTIES = frozenset({"display", "visibility", "vertical-align", "list-style-type", "list-style"})
_MOST_RULES = 500
_MOST_ANCESTORS = 200
_MOST_TRIALS = 2_000_000
"""Elements times rules that are looked at; a page that needs more was made to be slow."""
_COMPOUND = re.compile(r"([A-Za-z][A-Za-z0-9\-]{0,60}|\*)?((?:[.#][\w\-]{1,100}){0,8})")
_NAME = re.compile(r"([.#])([\w\-]{1,100})")
_MEDIA = frozenset({"@media screen", "@media all", "@media only screen"})
_INLINE = (1, 0, 0)


@dataclass(frozen=True, slots=True)
class _Compound:
    """Names that one element must have; `child` means that it is the parent of what follows."""

    tag: str
    ids: frozenset[str]
    classes: frozenset[str]
    child: bool = False

    def fits(self, node: Node) -> bool:
        return (
            (not self.tag or self.tag == node.tag)
            and (not self.ids or self.ids == {node.get("id")})
            and (not self.classes or self.classes <= set(node.get("class").split()))
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    compounds: tuple[_Compound, ...]
    values: dict[str, tuple[str, bool]]
    weight: tuple[int, int, int]


class PageStyles:
    """The rules of a page's `style` elements that say something of what is read here.

    `exhausted`: there were too many rules or elements, and some rules were not looked at.
    """

    def __init__(self, root: Node) -> None:
        self._by_key: dict[str, list[tuple[int, _Rule]]] = {}
        self.exhausted = False
        self._trials = 0
        count = 0
        for node in root.walk():
            media = node.get("media").strip().lower()
            if node.tag != "style" or media not in ("", "all", "screen"):
                continue
            for rule in _rules("".join(node.texts())):
                count += 1
                if count > _MOST_RULES:
                    self.exhausted = True
                    return
                last = rule.compounds[-1]
                key = next(
                    (f"{sign}{name}" for sign, names in (("#", last.ids), (".", last.classes)) for name in names),
                    last.tag,
                )
                self._by_key.setdefault(key, []).append((count, rule))

    def values(self, node: Node) -> dict[str, str]:
        """The properties of an element as the cascade leaves them (https://www.w3.org/TR/css-cascade-4/#cascading)."""
        found: dict[str, tuple[tuple[bool, tuple[int, int, int], int], str]] = {}
        for order, rule in self._candidates(node):
            self._trials += 1
            if self._trials > _MOST_TRIALS:
                self.exhausted = True
                break
            if _matches(rule.compounds, node):
                _add(found, rule.values, rule.weight, order)
        if "style" in node.attributes:
            _add(found, _declarations(node.get("style")), _INLINE, _MOST_RULES + 1)
        return {name: value for name, (_, value) in found.items()}

    def _candidates(self, node: Node) -> Iterator[tuple[int, _Rule]]:
        if not self._by_key:
            return
        keys = [node.tag, ""]
        if "class" in node.attributes:
            keys += {f".{name}" for name in node.get("class").split()}
        if "id" in node.attributes:
            keys.append(f"#{node.get('id')}")
        for key in keys:
            yield from self._by_key.get(key, ())


def _add(
    found: dict[str, tuple[tuple[bool, tuple[int, int, int], int], str]],
    values: dict[str, tuple[str, bool]],
    weight: tuple[int, int, int],
    order: int,
) -> None:
    for name, (value, important) in values.items():
        rank = important, weight, order
        if name not in found or rank > found[name][0]:
            found[name] = rank, value


def _matches(compounds: tuple[_Compound, ...], node: Node) -> bool:
    if not compounds[-1].fits(node):
        return False
    wanted = len(compounds) - 2
    for steps, above in enumerate(node.ancestors()):
        if wanted < 0 or steps > _MOST_ANCESTORS:
            break
        if compounds[wanted].fits(above):
            wanted -= 1
        elif compounds[wanted].child:
            return False
    return wanted < 0


def _rules(sheet: str) -> Iterator[_Rule]:
    for prelude, body in _blocks(_without_comments(sheet)):
        values = _declarations(body)
        if not values:
            continue
        for selector in prelude.split(","):
            compounds = _compounds(selector)
            if compounds:
                ids = sum(len(one.ids) for one in compounds)
                classes = sum(len(one.classes) for one in compounds)
                yield _Rule(compounds, values, (0, ids, classes * 1000 + sum(bool(one.tag) for one in compounds)))


def _without_comments(sheet: str) -> str:
    kept = []
    while True:
        before, opened, rest = sheet.partition("/*")
        kept.append(before)
        if not opened:
            return " ".join(kept)
        sheet = rest.partition("*/")[2]


def _blocks(sheet: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations of the rules that hold on every screen."""
    place = 0
    while (opened := sheet.find("{", place)) >= 0:
        prelude = " ".join(sheet[place:opened].rpartition(";")[2].replace("}", " ").split())
        closed = sheet.find("}", opened)
        if closed < 0:
            return
        if not prelude.startswith("@"):
            yield prelude, sheet[opened + 1 : closed]
            place = closed + 1
        elif prelude.lower() in _MEDIA or prelude.lower().startswith("@layer"):
            place = opened + 1  # its rules are rules like any other
        else:
            place = _end_of_block(sheet, opened)


def _end_of_block(sheet: str, opened: int) -> int:
    """The place behind the bracket that closes the one at `opened`."""
    depth, place = 0, opened
    while True:
        closing = sheet.find("}", place)
        if closing < 0:
            return len(sheet)
        depth += sheet.count("{", place, closing) - 1
        place = closing + 1
        if depth <= 0:
            return place


def _compounds(selector: str) -> tuple[_Compound, ...]:
    """The pieces of a selector; () for one of a kind that is not read."""
    found: list[_Compound] = []
    for word in selector.replace(">", " > ").split():
        if word == ">":
            if not found or found[-1].child:
                return ()
            last = found.pop()
            found.append(_Compound(last.tag, last.ids, last.classes, child=True))
            continue
        whole = _COMPOUND.fullmatch(word)
        if whole is None:
            return ()
        names = _NAME.findall(whole.group(2) or "")
        tag = (whole.group(1) or "").lower().replace("*", "")
        ids, classes = ({name for kind, name in names if kind == sign} for sign in "#.")
        found.append(_Compound(tag, frozenset(ids), frozenset(classes)))
    return tuple(found) if found and not found[-1].child else ()


def _declarations(body: str) -> dict[str, tuple[str, bool]]:
    """Property -> value and whether it is `!important`, of the properties that are read here."""
    found = {}
    for one in body.split(";"):
        name, colon, value = one.partition(":")
        name = name.strip().lower()
        if colon and name in _PROPERTIES:
            plain, _, important = value.lower().partition("!")
            found[name] = " ".join(plain.split()), important.strip() == "important"
    return found
