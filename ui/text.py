"""Text that did not come from us, made safe for places that read Markdown."""

from __future__ import annotations

import re

from backends.questions import visible

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@])")
_ADDRESS = re.compile(r"(?<=https:)(?=//)|(?<=http:)(?=//)|(?<=www)(?=\.)|(?<=\w)(?=@[-\w]+\.\w)", re.IGNORECASE)
_JOINER = "\u2060"
"""Without width. Addresses become links even where every letter of them is escaped, unless something parts them."""


def escaped(text: str) -> str:
    """`text` so that Markdown shows it letter by letter: no image, link, colour, icon or formula comes of it."""
    return _MARKDOWN.sub(r"\\\1", _ADDRESS.sub(_JOINER, visible(text))).replace("\n", "  \n")


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters, with a gap in its middle: names of models differ at both ends."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}\u2026{text[len(text) - end :]}"
