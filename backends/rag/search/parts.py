"""A question that asks for several things, in parts that are searched for each."""

from __future__ import annotations

import re

MOST = 3
"""Parts of a question that are searched for."""

_ASKING = r"what|which|how|when|where|who|whom|whose|why"
_BEFORE = r"as|at|by|for|from|in|of|on|since|to|under|until|with"
_SEAM = re.compile(
    rf"(?:[?.!;]\s+(?:(?:and|or)\s+)?|,\s+(?:(?:and|or)\s+)?|\s(?:and|or)\s+)(?=(?:(?:{_BEFORE})\s)?(?:{_ASKING})\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"\b(?:{_ASKING})\b", re.IGNORECASE)
_AND = re.compile(r"^(?:and|or)\s+", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_SHORTEST = 3
"""Words of a part: `when and where does it open` is one question."""


def parts(question: str) -> tuple[str, ...]:
    """What is asked, if it is more than one thing, each with what was told before it; else nothing.

    A part that says little by itself, as `when does it leave?`, is not given the words of the one before: it then
    finds the answer of that one again (docs/decisions.md).
    """
    asked: list[str] = []
    told = ""
    place = 0
    for end in [*(found.start() for found in _SEAM.finditer(question)), len(question)]:
        text = _AND.sub("", question[place:end].strip(" ,;.?!"))
        place = end
        if not _ASKS.search(text):
            told = f"{told} {text}.".strip()
        elif len(_WORD.findall(text)) < _SHORTEST:
            return ()
        else:
            asked.append(f"{told} {text}?".strip())
    return tuple(asked) if 2 <= len(asked) <= MOST else ()
