"""What a writer writes, compared with the passages: an answer that they do not support does not stand alone.

A small writer repeats itself, repeats the question, or takes the look-alike beside the fact. Repetition is seen while
the text streams, and stops the writer. The rest is checked when it is done, by the rule of `backends.rag.evidence`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from backends.base import BackendEvent, Finished, Note, Passage, Reclassified, TextDelta, Usage, Withdrawn
from backends.matching import matchable
from backends.rag.evidence.answer import is_refusal, sentence_evidence
from backends.rag.evidence.sentences import sentences
from backends.rag.prompt import REFUSAL
from backends.text import CLOSE, OPEN

REPEATED_WORDS = 8
"""So many words in a row, twice in one answer, are a repetition."""

_ECHO_WORDS = 4
"""A question of fewer words may be part of its answer."""

Unsupported = Literal["show", "quote", "refuse"]
_WORD = re.compile(r"\w+")
_FRAME = re.compile(rf"^(?:{OPEN}|{CLOSE})[ \t]*\n", re.MULTILINE)
"""A line that stands around passages in the prompt; within a line, as in a shell command, the same signs are text."""

_BY_CHANCE = "The writer said that the documents do not say, which a model of its size does whether or not they say."


@dataclass(frozen=True, slots=True)
class Check:
    """What an answer is compared with, and what becomes of one that is not supported.

    `quote` is the text that stands in its place; "" if there is none. With `watched`, a writer that repeats itself is
    stopped; one on a server is not, since a request that is broken off has no count of its tokens. `refusals_count` is
    False for a writer that says by chance that the documents do not say (docs/measurements.md): then the quote stands.
    """

    question: str
    passages: Sequence[Passage]
    quote: str
    unsupported: Unsupported
    watched: bool
    refusals_count: bool = True


Write = Callable[[threading.Event], Iterator[BackendEvent]]


def checked(write: Write, check: Check, cancel: threading.Event) -> Iterator[BackendEvent]:
    """The events of a writer; where the passages do not support its text, then `Withdrawn` and what stands instead."""
    stop = _Stop(cancel)
    text, repeated = "", ""
    finished: Finished | None = None
    for event in write(stop):
        match event:
            case TextDelta(piece):
                text += piece
                if check.watched and not repeated and (repeated := repetition(text, check.question)):
                    stop.set()
            case Reclassified():
                text = ""
            case Finished():
                finished = event
                continue
        yield event
    usage = finished.usage if finished else Usage()
    if cancel.is_set() or (finished and finished.refusal):
        if finished:
            yield finished
        return
    why = repeated or repetition(text, check.question) or missing_support(text, check)
    if not why:
        if finished:
            yield finished
        return
    instead = {"show": "", "quote": check.quote, "refuse": REFUSAL}[check.unsupported]
    if not instead:
        yield Note(why)
        yield Finished(usage, "stop") if repeated else finished or Finished(usage, None)
        return
    yield Withdrawn(why)
    yield TextDelta(instead, streamed=False)
    yield Finished(usage, "stop")


def repetition(text: str, question: str) -> str:
    """In a sentence, what an answer repeats: its own words, the question, or the lines around the passages of the
    prompt; "" if it repeats nothing.

    Of a text that streams, the last sentence may not be whole; only whole ones are compared with the question.
    """
    if _FRAME.search(text):
        return "The writer repeated the prompt, so it was stopped."
    words = _WORD.findall(matchable(text))
    seen = set()
    for place in range(len(words) - REPEATED_WORDS + 1):
        run = tuple(words[place : place + REPEATED_WORDS])
        if run in seen:
            return "The writer repeated itself, so it was stopped."
        seen.add(run)
    asked = _WORD.findall(matchable(question))
    if len(asked) >= _ECHO_WORDS and _begins_with(words, asked):
        return "The writer repeated the question, so it was stopped."
    spans = [_WORD.findall(matchable(text[start:end])) for start, end in sentences(text)]
    whole = [tuple(one) for one in spans if len(one) > 2]
    if len(set(whole)) < len(whole):
        return "The writer repeated a sentence, so it was stopped."
    return ""


def _begins_with(words: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether a text begins with the question, perhaps behind the word "question"."""
    start = 1 if words[:1] == ["question"] else 0
    return list(words[start : start + len(asked)]) == list(asked)


def missing_support(text: str, check: Check) -> str:
    """In a sentence, what of an answer the passages do not support; "" if they support it, or it is a refusal."""
    found = sentence_evidence(text, check.passages, check.question)
    if is_refusal(found):
        return "" if check.refusals_count or check.unsupported != "quote" else _BY_CHANCE
    if any(one.verdict == "unchecked" for one in found):
        return ""
    claims = [one for one in found if one.checked]
    missing = sum(one.verdict == "unsupported" for one in claims)
    if not missing:
        return ""
    if len(claims) == 1:
        return "What the writer said was not found in the passages."
    were = "was" if missing == 1 else "were"
    return f"{missing} of the writer's {len(claims)} sentences {were} not found in the passages."


class _Stop(threading.Event):
    """Set by itself, or with another one."""

    def __init__(self, also: threading.Event) -> None:
        super().__init__()
        self._also = also

    def is_set(self) -> bool:
        return super().is_set() or self._also.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the other one, since nobody sets this one while its writer waits."""
        return super().is_set() or self._also.wait(timeout)
