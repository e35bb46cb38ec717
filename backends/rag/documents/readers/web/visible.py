"""What a reader of a page sees: without hidden elements, and without what frames every page of a site."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from backends.rag.documents.readers.reading import left_out, quoted, undescribed
from backends.rag.documents.readers.web.styles import PageStyles
from backends.rag.documents.readers.web.tree import Node
from backends.text import counted

_NEVER_SHOWN = frozenset({"script", "style", "title", "head", "meta", "link", "base", "param", "source", "track", "rp"})
_UNTIL_OPENED = frozenset({"template", "noscript", "datalist", "noframes"})
_EMBEDDED = {
    **dict.fromkeys(("iframe", "frame"), "embedded page"),
    **dict.fromkeys(("object", "embed", "applet"), "embedded object"),
    **dict.fromkeys(("video", "audio"), "recording"),
    "canvas": "drawing",
    "svg": "drawing",
}
"""Elements that are named and not read -> what they are called. A recording's own fallback text is no part of it."""

_CONTENT = frozenset({"main", "article"})
_SECTIONS = frozenset({"main", "article", "section", "blockquote", "figure", "td", "th", "li", "details", "dialog"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_ROLES = {"navigation": "navigation", "banner": "header", "contentinfo": "footer", "complementary": "aside"}
_CALLOUT = re.compile(r"note|tip|warn|caution|callout|admonition|danger|important|hint|info|alert|example|quote", re.I)
_LINKED = frozenset(
    (
        *("nav", "navbar", "navigation", "menu", "sidebar", "topnav", "breadcrumb", "breadcrumbs"),
        *("pagination", "pager", "site-nav", "main-nav", "main-menu"),
    )
)
_FRAMES = {
    **dict.fromkeys(("footer", "site-footer", "page-footer", "colophon"), "footer"),
    **dict.fromkeys(("site-header", "page-header", "masthead"), "header"),
    **dict.fromkeys(("skip-link", "skip-to-content", "skiplink"), "navigation"),
}
_LINK_SHARE = 0.6
_CONSENT_NAME = re.compile(
    r"\b(?:cookie|consent|gdpr|onetrust|didomi|usercentrics|cookiebot|cybotcookie|truste|qc-cmp|cc-window)", re.I
)
_CONSENT_WORDS = re.compile(
    r"privacy|consent|gdpr|accept|we use|uses? cookies|datenschutz|akzeptier|zustimm|einwillig|accepter|confidentialit"
    r"|aceptar|privacidad|accetta|we value",
    re.IGNORECASE,
)
_MOST_CONSENT = 3000


@dataclass(slots=True)
class Unseen:
    """What was taken out of a page, and what could not be read."""

    hidden: list[str] = field(default_factory=list)
    furniture: list[tuple[str, str]] = field(default_factory=list)
    embedded: Counter[str] = field(default_factory=Counter)
    pictures: int = 0
    notes: list[str] = field(default_factory=list)

    def warnings(self) -> Iterator[str]:
        """What a reader of the text should know, in plain sentences."""
        yield from left_out("Hidden text was left out", self.hidden)
        shown = [f"{kind} {words}" for kind, text in self.furniture if (words := quoted(text))]
        if shown:
            more = f" and {len(shown) - 5:,} more" if len(shown) > 5 else ""
            yield f"What frames the page was left out: {', '.join(shown[:5])}{more}."
        for kind, count in self.embedded.items():
            yield f"{counted(count, f'{kind} was', f'{kind}s were')} not read."
        yield from undescribed(self.pictures)
        yield from self.notes


def keep_visible(root: Node, styles: PageStyles) -> Unseen:
    """Take out of a page what is not seen, and its frame; where nothing else would be left, that is kept and said."""
    unseen = Unseen()
    before = {id(node): (node, node.children) for node in root.walk()}
    _hide(root, styles, unseen)
    if unseen.hidden and not _says_something(root):
        for node, children in before.values():
            node.children = children
        _hide(root, None, unseen := Unseen())
        if _says_something(root):
            unseen.notes.append("All of the page is hidden until its scripts run: it was read all the same.")
    if styles.exhausted:
        unseen.notes.append("The page has very many style rules. Not all were looked at: hidden text may be among it.")
    changed: list[tuple[Node, list[Node | str]]] = []
    _take_furniture(root, unseen, changed)
    if unseen.furniture and not _says_something(root):
        for node, children in changed:
            node.children = children
        unseen.furniture.clear()
        unseen.notes.append("The page holds nothing but navigation, headers and footers: they were read.")
    return unseen


def text_of(node: Node) -> str:
    """The words of an element, without scripts, on one line."""
    return " ".join(" ".join(node.texts(_NEVER_SHOWN)).split())


def _says_something(root: Node) -> bool:
    if any(character.isalnum() for text in root.texts(_NEVER_SHOWN) for character in text):
        return True
    return any(node.tag in ("img", "input") and (node.get("alt") or node.get("value")) for node in root.walk())


# --- hidden ---------------------------------------------------------------------------------------


def _hide(root: Node, styles: PageStyles | None, unseen: Unseen) -> None:
    """Take out hidden elements. Without styles only what is never shown goes."""
    waiting = [(root, False)]
    while waiting:
        node, invisible = waiting.pop()
        kept: list[Node | str] = []
        for child in node.children:
            if isinstance(child, str):
                if not invisible:
                    kept.append(child)
                elif child.strip():
                    unseen.hidden.append(child)
                continue
            values = styles.values(child) if styles is not None else {}
            if _is_gone(child, values, styles is None, unseen):
                continue
            visibility = values.get("visibility")
            below = visibility in ("hidden", "collapse") if visibility else invisible
            kept.append(child)
            waiting.append((child, below))
            if values.get("vertical-align") in ("super", "sub") and child.tag in (
                "span",
                "font",
                "small",
                "a",
                "i",
                "b",
            ):
                child.tag = values["vertical-align"].replace("super", "sup")
            if (style := values.get("list-style-type") or values.get("list-style")) and child.tag in ("ol", "ul", "li"):
                child.attributes["list-style"] = style
        node.children = kept


def _is_gone(node: Node, values: dict[str, str], only_never_shown: bool, unseen: Unseen) -> bool:
    """Whether an element is not seen. What it holds is remembered."""
    if node.tag in _NEVER_SHOWN:
        return not (node.tag == "script" and node.get("type").startswith("math/tex"))
    if kind := _EMBEDDED.get(node.tag):
        words = node.tag in ("svg", "canvas") and not any(
            map(str.isalnum, "".join(node.texts({"title", "desc", "style"})))
        )
        unseen.embedded[kind] += not words
        return True
    if node.tag == "img":
        unseen.pictures += "alt" not in node.attributes and not node.get("title")
    if node.get("class").startswith("MathJax") and _has_source(node):
        return True  # drawn from the source beside it
    if only_never_shown:
        return node.tag in _UNTIL_OPENED
    hidden = (
        node.tag in _UNTIL_OPENED
        or ("hidden" in node.attributes and node.get("hidden").lower() != "until-found")
        or (node.tag == "dialog" and "open" not in node.attributes)
        or "popover" in node.attributes
        or (values.get("display") == "none" and node.tag not in ("html", "body"))
        or "katex-html" in node.get("class").split()
    )
    if hidden and "katex-html" not in node.get("class").split():
        unseen.hidden.append(text_of(node))
    return hidden


def _has_source(drawn: Node) -> bool:
    siblings = drawn.parent.elements() if drawn.parent is not None else ()
    return any(one.tag == "script" and one.get("type").startswith("math/tex") for one in siblings)


# --- furniture ------------------------------------------------------------------------------------


def _take_furniture(root: Node, unseen: Unseen, changed: list[tuple[Node, list[Node | str]]]) -> None:
    """Take out navigation, page header and footer, asides and requests for consent."""
    sizes = _sizes(root)
    content = [node for node in root.walk() if node.tag in _CONTENT or node.get("role").lower() == "main"]
    titled = any(sizes[id(node)].titled for node in content)
    waiting = [(root, False, False)]
    while waiting:
        node, in_content, in_section = waiting.pop()
        kept: list[Node | str] = []
        for child in node.children:
            if isinstance(child, str):
                kept.append(child)
                continue
            kind = _furniture(child, sizes[id(child)], in_content, in_section, titled)
            if kind:
                unseen.furniture.append((kind, text_of(child)))
                continue
            kept.append(child)
            is_content = child.tag in _CONTENT or child.get("role").lower() == "main"
            waiting.append((child, in_content or is_content, in_section or is_content or child.tag in _SECTIONS))
        if len(kept) < len(node.children):
            changed.append((node, node.children))
            node.children = kept


def _furniture(node: Node, size: _Size, in_content: bool, in_section: bool, titled: bool) -> str:
    """What part of a page's frame an element is; "" for what belongs to its text."""
    names = {node.get("id").lower(), *node.get("class").lower().split()} - {""}
    role = node.get("role").lower()
    if role.startswith("doc-") and role != "doc-toc":
        return ""
    kind = _ROLES.get(role) or {"nav": "navigation", "header": "header", "footer": "footer", "aside": "aside"}.get(
        node.tag, ""
    )
    if node.tag in ("html", "body", "") or node.tag in _CONTENT:
        return ""
    if kind == "navigation" or role == "search" or node.tag == "search":
        return kind or "search"
    if _asks_for_consent(node, names, size):
        return "request for consent"
    if not kind and names & _LINKED and node.tag in ("div", "ul", "ol", "p", "section", "table") and size.is_linked:
        return "navigation"
    if not kind:
        kind = next((_FRAMES[name] for name in names if name in _FRAMES), "")
    if not kind or in_content or (in_section and kind != "aside"):
        return ""
    if kind == "header" and not titled and size.headed:
        return ""
    if kind == "aside" and (role == "note" or _CALLOUT.search(" ".join(names)) is not None):
        return ""
    return kind


@dataclass(slots=True)
class _Size:
    """Characters of an element's text, and of the links in it; whether headings or the page's title are in it."""

    whole: int = 0
    linked: int = 0
    headed: bool = False
    titled: bool = False

    @property
    def is_linked(self) -> bool:
        """Whether most of the words lead elsewhere."""
        return self.whole > 0 and self.linked >= _LINK_SHARE * self.whole


def _sizes(root: Node) -> dict[int, _Size]:
    """The size of every element, by `id`; from the innermost outwards, so that each is looked at once."""
    found: dict[int, _Size] = {}
    for node in reversed(list(root.walk())):
        size = _Size(sum(len(child.strip()) for child in node.children if isinstance(child, str)))
        for child in node.elements():
            below = found[id(child)]
            size.whole += below.whole
            size.linked += below.linked
            size.headed |= below.headed
            size.titled |= below.titled
        size.linked = size.whole if node.tag == "a" else size.linked
        size.headed |= node.tag in _HEADINGS
        size.titled |= node.tag == "h1"
        found[id(node)] = size
    return found


def _asks_for_consent(node: Node, names: set[str], size: _Size) -> bool:
    words = [*names, node.get("aria-label"), node.get("data-nosnippet")]
    if size.whole > _MOST_CONSENT or size.titled or not any(_CONSENT_NAME.search(word) for word in words):
        return False
    return _CONSENT_WORDS.search(text_of(node)) is not None
