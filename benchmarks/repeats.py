"""Whether an answer repeats itself or the question."""

from __future__ import annotations

import re

from backends.matching import matchable
from backends.rag.evidence.sentences import CITATION, sentences

WORDS = 8
"""So many words in the same order are no accident."""

_WORD = re.compile(r"\w+")
_LABEL = re.compile(r"(?<=\]) \(superseded\)")  # what a quote says of a source, behind its number


def repeats(answer: str, question: str) -> str:
    """What an answer repeats, "" if nothing: "words" (the same eight in a row), "sentence" (one twice) or "question".

    The answer repeats the question if one of its sentences has the same words as the question or a sentence of it.
    Case, punctuation, citations with what they say of their source, and Markdown do not count.
    """
    answer = _LABEL.sub("", answer)
    said = [_words(answer[start:end]) for start, end in sentences(answer)]
    said = [one for one in said if one]
    asked = {_words(question), *(_words(question[start:end]) for start, end in sentences(question))}
    if any(one in asked for one in said):
        return "question"
    if len(set(said)) < len(said):
        return "sentence"
    words = _words(answer)
    runs = [words[place : place + WORDS] for place in range(len(words) - WORDS + 1)]
    return "words" if len(set(runs)) < len(runs) else ""


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(matchable(CITATION.sub(" ", text))))
