"""Which facts a text holds, and which documents a list of hits holds: the rules that scorers and retrieval share."""

from __future__ import annotations

import re
from collections.abc import Sequence

NOT_ANSWERED = "not_answered"
"""Tag of questions that the documents do not answer; the right answer is to say so."""


def contains_fact(text: str, key_fact: Sequence[str]) -> bool:
    """True if `text` holds one of the alternatives of a key fact as a whole word; case and white space do not count."""
    return contains_plain_fact(plain(text), key_fact)


def contains_plain_fact(text: str, key_fact: Sequence[str]) -> bool:
    """The same for a text that went through `plain` already, to look for many facts in a long one."""
    return any(_has(text, alternative) for alternative in key_fact)


def plain(text: str) -> str:
    """The text in lower case, with straight apostrophes and single spaces."""
    return " ".join(text.lower().replace("\u2019", "'").split())


def _has(text: str, fact: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(' '.join(fact.lower().split()))}(?!\w)", text) is not None


def hit_at(documents: Sequence[str], sources: Sequence[str], k: int) -> bool:
    """True if every source document is among the first k hits' documents (for one source: hit@k)."""
    return set(sources) <= set(documents[:k])
