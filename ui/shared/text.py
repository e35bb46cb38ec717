"""Text that did not come from us, made safe for the places that show it: `escaped` for Markdown, `plain` for others.

Streamlit reads Markdown in texts, captions, headings, messages, tables, labels, help, and in the options of pills,
segments and radio buttons. It shows letters in `st.text`, code, data frames, charts, placeholders, values that were
entered, and the options of select boxes.
"""

from __future__ import annotations

import re

from backends.text import visible

MOST = 5_000
"""Characters of a text that are shown where nothing longer is expected: a browser takes half a minute for 100,000."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@=])")
_APART = ":small[]"
"""Nothing, to a reader: an empty directive, which copies as nothing.

Streamlit makes links, emoji, icons and arrows of text whose escapes are gone already. It looks at one piece of text at
a time, so it finds none where this parts the piece.
"""

_MADE = re.compile(
    r"(?<=https:)(?=//)|(?<=http:)(?=//)|(?<=www)(?=\.)"  # an address
    r"|(?<=[-.+\w])(?=@[-\w]+\.[-\w])"  # of mail
    r"|(?<=:)(?=material/)|(?<=:)(?=[-+\w]+(?::|\Z))"  # an icon or emoji; what follows the text may begin with a colon
    r"|(?<=(?<!\S)[-<>~])(?=[->=](?!\S))|(?<=(?<!\S)<)(?=->(?!\S))|(?<=(?<!\S)<-)(?=>(?!\S))",  # an arrow or dash
    re.IGNORECASE,
)
_CODE = re.compile(r" {0,3}\t| {4}")
"""What Markdown takes for a block of code at the beginning of a paragraph."""


def escaped(text: str, most: int | None = MOST) -> str:
    """`text` so that Markdown shows it letter by letter: no image, link, colour, icon, emoji, arrow or formula.

    Of more than `most` characters, the middle is left out.
    """
    text = visible(text)
    text = text if most is None else shortened(text, most)
    parted = _MARKDOWN.sub(r"\\\1", _MADE.sub("\0", text)).replace("\0", _APART)  # `visible` leaves no NUL
    lines = parted.split("\n")
    if len(lines) > 1:  # an empty line would end the paragraph, and with it the markup around the text
        parted = "  \n".join(line if line.strip(" \t") else _APART for line in lines)
    return _APART + parted if _CODE.match(parted) else parted


def plain(text: str) -> str:
    """`text` for a place that shows letters: without what hides or reorders them, and what no page can carry."""
    return visible(text)


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters, with a gap in its middle: names of models differ at both ends."""
    if len(text) <= most:
        return text
    end = (most - 1) // 2
    return f"{text[: most - 1 - end]}\u2026{text[len(text) - end :]}"
