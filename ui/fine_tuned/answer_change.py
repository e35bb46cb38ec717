"""An answer beside its reference and beside what was said before: what is right by now, and what is new."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Sequence

from backends.fine_tuned.near_identical import normalised
from ui.text import escaped

LEGEND = ":green-background[as in the wanted answer] \u00b7 **new since the round before**"

_EDGES = re.compile(r"^\W+|\W+$")


def same(answer: str, reference: str) -> bool:
    """Whether an answer is the wanted one, but for case, white space and marks at its ends."""
    return normalised(answer) == normalised(reference)


def marked(text: str, reference: str, before: str | None) -> str:
    """`text` as Markdown: words that stand in `reference`, in its order, on green; words not in `before` in bold.

    `before` is None for the first round, in which nothing is new.
    """
    words = text.split()
    if not words:
        return "*nothing*"
    wanted = _matching(words, reference.split())
    kept = set(range(len(words))) if before is None else _matching(words, before.split())
    parts = []
    for (green, old), run in itertools.groupby(range(len(words)), key=lambda at: (at in wanted, at in kept)):
        part = escaped(" ".join(words[at] for at in run))
        part = part if old else f"**{part}**"
        parts.append(f":green-background[{part}]" if green else part)
    return " ".join(parts)


def _matching(words: Sequence[str], others: Sequence[str]) -> set[int]:
    """Positions of `words` that are also in `others`, in the same order."""
    matcher = difflib.SequenceMatcher(None, [_plain(word) for word in words], [_plain(word) for word in others], False)
    return {block.a + offset for block in matcher.get_matching_blocks() for offset in range(block.size)}


def _plain(word: str) -> str:
    return _EDGES.sub("", word).casefold() or word
