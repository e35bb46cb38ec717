"""HTML becomes Markdown: what a reader of the page sees, without its frame. What was left out is named."""

from __future__ import annotations

import re

from backends.decoding import decode
from backends.rag.documents.readers.reading import Reading, flattened_warning, unpaged

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*+(?:[\"']\s*+)?([A-Za-z0-9_\-]{2,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"<\?xml[^>]{0,100}encoding\s*=\s*+[\"']([A-Za-z0-9_\-]{2,40})")
_WEB_CHARSETS = {
    **dict.fromkeys(("gb2312", "gb_2312-80", "x-gbk", "gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "x-sjis", "sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601"), "cp949"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("tis-620", "iso-8859-11"), "cp874"),
}
"""What a web page means by a name: the larger set of characters (https://encoding.spec.whatwg.org/#names-and-labels)."""


def read_html(data: bytes, encoding: str | None = None) -> Reading:
    """A page as Markdown. Nothing that it refers to is fetched."""
    found = _META_CHARSET.search(data[:4096]) or _XML_CHARSET.search(data[:200])
    name = found.group(1).decode("ascii").lower() if found else None
    decoded = decode(data, declared=_WEB_CHARSETS.get(name or "", name), chosen=encoding)
    text, warnings = to_markdown(decoded.clean_text)
    return unpaged(text, (*decoded.warnings, *warnings))


def to_markdown(html: str) -> tuple[str, tuple[str, ...]]:
    """Markdown of an HTML page or fragment, and warnings."""
    from backends.rag.documents.readers.web.markdown import Writer
    from backends.rag.documents.readers.web.styles import PageStyles
    from backends.rag.documents.readers.web.tree import parse_page
    from backends.rag.documents.readers.web.visible import keep_visible

    root = parse_page(html)
    title = next(
        (node for node in root.walk() if node.tag == "title" and node.parent and node.parent.tag != "svg"), None
    )
    name = " ".join("".join(title.texts()).split()) if title is not None else ""
    unseen = keep_visible(root, PageStyles(root))
    writer = Writer()
    deep = []
    try:
        text = writer.page(root)
    except RecursionError:
        text = "\n".join(line for line in (" ".join(piece.split()) for piece in root.texts()) if line)
        deep = ["The page is nested too deeply: its headings, lists and tables became plain lines."]
    if name and not any(node.tag == "h1" for node in root.walk()):
        text = f"# {name}\n\n{text}".strip()
    return text, (*flattened_warning(0 if deep else writer.tables), *deep, *unseen.warnings())
