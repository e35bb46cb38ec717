"""How an answer and a list of hits are judged. Every rule is deterministic and stated here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evaluation.question_sets import Sample

NOT_ANSWERED = "not_answered"
"""Tag of questions that the documents do not answer; the right answer is to say so."""

# The one stated refusal ("The documents do not say.") and the same thing in near words.
_REFUSAL = re.compile(
    r"\b(documents?|handbook|passages?|text|information)\b[^.]{0,40}\b(do|does|did)( not|n't) "
    r"(say|state|mention|specify|give|provide|cover|contain|include|tell|answer|address)\b"
    r"|\b(documents?|handbook|passages?|text|information)\b[^.]{0,40}\b(is|are)( not|n't) (given|provided|available)\b"
    r"|\bnot (stated|mentioned|specified|in the (documents?|passages?))\b"
)


def is_right(answer: str, sample: Sample) -> bool:
    """True if the answer holds every key fact as a whole word, or refuses where there is nothing to find.

    Case and runs of white space do not count. An answer that states the facts among wrong ones counts as right;
    the rule measures whether the fact was found, not the style.
    """
    text = " ".join(answer.lower().replace("\u2019", "'").split())
    if NOT_ANSWERED in sample.tags:
        return bool(_REFUSAL.search(text))
    return bool(sample.key_facts) and all(any(_has(text, fact) for fact in group) for group in sample.key_facts)


def _has(text: str, fact: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(' '.join(fact.lower().split()))}(?!\w)", text) is not None


def hit_at(documents: Sequence[str], sources: Sequence[str], k: int) -> bool:
    """True if every source document is among the first k hits' documents (for one source: hit@k)."""
    return set(sources) <= set(documents[:k])
