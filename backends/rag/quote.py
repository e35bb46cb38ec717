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
from backends.rag.documents.tables import parts_of
from backends.rag.search.keyword import key, spellings
from backends.rag.search.sentences import Asked, RankedSentence, in_words, place_of
from backends.settings import QUOTE, Settings
from backends.spend.pricing import machine_cost

MOST = 3
"""Sentences of a quote."""

MOST_OF_EACH = 2
"""The same for each of several things that are asked."""

NEARLY = 0.6
"""A judged sentence is quoted beside the best one if its chance is at least this share of the best one's: the quotes of
the corpus half `choose` are right more often than with 0.7 or more, and hold fewer sentences than with 0.5
(docs/decisions.md)."""

NEARLY_UNJUDGED = 0.9
"""The same for the scores of the ranking, which lie nearer to each other."""


def quoted(
    question: str, sentences: Sequence[RankedSentence], sources: Sequence[Passage], nearly: float = NEARLY
) -> list[Passage]:
    """The sentences that are quoted, best first: the best one of these sources, and those that are nearly as good.

    One that mostly repeats those before it is left out, as the rows of a wide table do; and so is a further row of a
    table where the question names one row and not the other, since it would stand beside the answer like another one.
    """
    inside = [one for one in sentences if source_of(one.passage, sources)][:MOST]
    chosen: list[Passage] = []
    for one in inside:
        text = "\n".join(map(in_words, (*chosen, one.passage)))
        if not chosen or (
            one.score >= nearly * inside[0].score
            and not repetition(text, "")
            and not _is_another_row(question, one.passage, chosen)
        ):
            chosen.append(one.passage)
    return chosen


def quoted_of_each(asked: Sequence[Asked], sources: Sequence[Passage], nearly: float = NEARLY) -> list[Passage]:
    """What is quoted for each thing that is asked, in that order, each sentence once."""
    if len(asked) == 1:
        return quoted(asked[0].text, asked[0].sentences, sources, nearly)
    each = [passage for one in asked for passage in quoted(one.text, one.sentences, sources, nearly)[:MOST_OF_EACH]]
    return list({place_of(one): one for one in each}.values())


def _is_another_row(question: str, one: Passage, chosen: Sequence[Passage]) -> bool:
    """Whether it is a row of a table of which a chosen one is meant: by a word in which the two rows differ."""
    asked, mine = _words(question), _words(one.text)
    for other in (_words(each.text) for each in chosen if parts_of(one.heading)[1] and each.heading == one.heading):
        if asked & (other - mine) and not asked & (mine - other):
            return True
    return False


def _words(text: str) -> set[str]:
    return {key(word) for word in spellings(text)}


def quote(passages: Sequence[Passage], sources: Sequence[Passage]) -> str:
    """Sentences as an answer, a line for each, with the number of the source that holds it."""
    return "\n".join(
        f"{in_words(one)} [{number}]{' (superseded)' * bool(one.superseded)}"
        for one in passages
        if (number := source_of(one, sources))
    )


def source_of(one: Passage, sources: Sequence[Passage]) -> int:
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
