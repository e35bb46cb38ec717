"""Words that a line end divides, made whole where that is right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

_DIVIDED = re.compile(r"(?<![^\W_])([^\W_]{1,40})([-\u00ad\u2010])\n{1,2}([^\W_]{1,40})")
"""A piece of a word, a hyphen that ends the line, and a piece that begins the next one, or the next column."""

_WORD = re.compile(r"[^\W_]+(?:[-\u2010][^\W_]+)*+")

_INSIDE_NAMES = "-_.="
"""Before the piece these say that it is part of a compound, a file name or an address, which nobody divides."""

_LOOK_BACK = 200
"""Characters before the piece in which the beginning of its word is looked for."""

_KEPT_BEFORE = frozenset({"well", "self", "ex", "half", "long", "short", "high", "low", "full", "cross", "non", "semi"})
"""First parts after which English writes a hyphen far more often than it divides a word there."""

_KEPT_AFTER = frozenset(
    {
        "in",
        "of",
        "to",
        "the",
        "and",
        "by",
        "up",
        "on",
        "off",
        "out",
        "free",
        "based",
        "like",
        "wide",
        "known",
        "term",
        "time",
    }
)
"""Second parts before which English writes a hyphen and does not divide words."""

_AND = frozenset(
    {"and", "or", "und", "oder", "bzw", "sowie", "et", "ou", "y", "o", "e", "en", "of", "to", "bis", "i", "och", "og"}
)
"""After these a hyphen stands for what both words share: pre- and postwar, Vor- und Nachteile."""


def joined(pages: Iterable[str]) -> list[str]:
    """The pages with divided words made whole.

    The hyphen stays where the text says so: it is written elsewhere with it, a digit or capital follows, or the word
    is of a kind that has one. Without any sign, a small letter after the line end means a divided word.
    """
    texts = list(pages)
    if not any("-\n" in text or "\u00ad\n" in text or "\u2010\n" in text for text in texts):
        return texts
    written = Counter(word.lower() for text in texts for word in _WORD.findall(_DIVIDED.sub(" ", text)))
    return [_DIVIDED.sub(_whole(written), text) for text in texts]


def _whole(written: Counter[str]) -> Callable[[re.Match[str]], str]:
    def whole(found: re.Match[str]) -> str:
        first, hyphen, second = found.groups()
        if second.lower() in _AND and hyphen != "\u00ad":
            return found[0]
        if hyphen == "\u00ad":
            return first + second
        kept = f"{first}{hyphen}{second}"
        token = found.string[max(0, found.start() - _LOOK_BACK) : found.start()].rpartition("\n")[2].rpartition(" ")[2]
        if token.endswith(tuple(_INSIDE_NAMES)) or "/" in token or "@" in token:
            return kept
        if len(first) == 1 or not (first[-1].isalpha() and second[0].islower()):
            return kept
        once, apart = (first + second).lower(), f"{first}-{second}".lower()
        if written[once] or written[apart]:
            return first + second if written[once] >= written[apart] else kept
        if first.lower() in _KEPT_BEFORE or second.lower() in _KEPT_AFTER or (first.isupper() and len(first) > 1):
            return kept
        return first + second

    return whole
