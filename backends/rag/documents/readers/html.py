"""HTML becomes Markdown: headings, lists, tables and links stay; scripts, styles and pictures do not."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from backends.decoding import decode
from backends.rag.documents.readers.reading import Reading, flattened_warning, unpaged

if TYPE_CHECKING:
    from markdownify import MarkdownConverter

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*+(?:[\"']\s*+)?([A-Za-z0-9_\-]{2,40})", re.IGNORECASE)
_NO_TEXT = ("title", "script", "style", "template", "noscript", "svg", "canvas", "iframe", "object")
_OUTWARD = ("http://", "https://", "mailto:")


def read_html(data: bytes, encoding: str | None = None) -> Reading:
    """A page as Markdown. Nothing that it refers to is fetched."""
    found = _META_CHARSET.search(data[:4096])
    decoded = decode(data, declared=found.group(1).decode("ascii") if found else None, chosen=encoding)
    text, warnings = to_markdown(decoded.clean_text)
    return unpaged(text, (*decoded.warnings, *warnings))


def to_markdown(html: str) -> tuple[str, tuple[str, ...]]:
    """Markdown of an HTML page or fragment, and warnings."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for element in soup(_NO_TEXT):
        element.extract()
    warnings = list(flattened_warning(len(soup("table"))))
    try:
        text = str(_converter().convert_soup(soup)).strip()
    except RecursionError:
        text = soup.get_text("\n", strip=True)
        warnings.append("The page is nested too deeply: its headings, lists and tables became plain lines.")
    if title and not soup.find("h1"):
        text = f"# {title}\n\n{text}"
    return text, tuple(warnings)


@functools.cache
def _converter() -> MarkdownConverter:
    from markdownify import ATX, MarkdownConverter

    class _Converter(MarkdownConverter):
        """Without addresses of pictures, and without links that lead nowhere outside their page."""

        def convert_img(self, el: Any, text: str, parent_tags: set[str]) -> str:
            return " ".join(str(el.get("alt") or "").split())

        def convert_video(self, el: Any, text: str, parent_tags: set[str]) -> str:
            return text

        def convert_a(self, el: Any, text: str, parent_tags: set[str]) -> str:
            address, words = str(el.get("href") or "").strip(), " ".join(text.split())
            if words == "↑":  # the way back from a footnote
                return ""
            if not words or words == address or not address.lower().startswith(_OUTWARD):
                return text
            return " " * text[0].isspace() + f"[{words}]({address})" + " " * text[-1].isspace()

    return _Converter(
        heading_style=ATX, bullets="-", escape_asterisks=False, escape_underscores=False, table_infer_header=True
    )
