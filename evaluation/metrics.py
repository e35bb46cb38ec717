"""What scorers and retrieval share: the tag of questions without an answer, and when a list of hits is one."""

from __future__ import annotations

from collections.abc import Sequence

from backends.facts import contains_fact, contains_prepared_fact

__all__ = ["NOT_ANSWERED", "contains_fact", "contains_prepared_fact", "hit_at"]

NOT_ANSWERED = "not_answered"
"""Tag of questions that the documents do not answer; the right answer is to say so."""


def hit_at(documents: Sequence[str], sources: Sequence[str], k: int) -> bool:
    """True if every source document is among the first k hits' documents (for one source: hit@k)."""
    return set(sources) <= set(documents[:k])
