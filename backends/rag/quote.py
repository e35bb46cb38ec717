"""A writer without a model: the best sentences, word for word, each with its citation.

It is what every written answer has to beat, and what stands in the place of one that the passages do not support.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from backends.base import (
    Backend,
    BackendEvent,
    Cost,
    Finished,
    Passage,
    PromptTokens,
    Question,
    TextDelta,
    Timings,
    Usage,
)
from backends.rag.checked import repetition
from backends.rag.search.sentences import RankedSentence, in_words
from backends.settings import QUOTE, Settings
from backends.spend.pricing import machine_cost

MOST = 3
"""Sentences of a quote."""

NEARLY = 0.9
"""A sentence is quoted beside the best one if its score is at least this share of the best one's."""


def quoted(sentences: Sequence[RankedSentence], sources: Sequence[Passage]) -> list[Passage]:
    """The sentences that are quoted, best first: the best one of these sources, and those that are nearly as good.

    One that mostly repeats those before it is left out, as the rows of a wide table do.
    """
    inside = [one for one in sentences if _source_of(one.passage, sources)][:MOST]
    chosen: list[Passage] = []
    for one in inside:
        text = "\n".join(map(in_words, (*chosen, one.passage)))
        if not chosen or (one.score >= NEARLY * inside[0].score and not repetition(text, "")):
            chosen.append(one.passage)
    return chosen


def quote(passages: Sequence[Passage], sources: Sequence[Passage]) -> str:
    """Sentences as an answer, a line for each, with the number of the source that holds it."""
    return "\n".join(f"{in_words(one)} [{number}]" for one in passages if (number := _source_of(one, sources)))


def _source_of(one: Passage, sources: Sequence[Passage]) -> int:
    """The number of the source in which a sentence stands, from 1; 0 if it is in none."""
    for number, source in enumerate(sources, 1):
        if source.document == one.document and source.start <= one.start and one.end <= source.end:
            return number
    return 0


class QuoteWriter(Backend):
    """Stands where a model would. What it writes is the `Question` that it gets: `RagBackend` hands it the quote."""

    approach = QUOTE

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def model(self) -> str:
        return "no model: quoted word for word"

    def fits(self, question: Question) -> bool | None:
        return True

    def prompt_tokens(self, question: Question) -> PromptTokens | None:
        return PromptTokens(0, True, "no model reads a prompt")

    def stream(self, question: Question, cancel: threading.Event) -> Iterator[BackendEvent]:
        yield TextDelta(question.text)
        yield Finished(Usage(0, 0, source="tokenizer"), "stop")

    def cost(self, usage: Usage, timings: Timings) -> Cost:
        return machine_cost(timings.latency_s, self.settings.machine_usd_per_hour)
