"""Examples that teach a small model to read: what RAG would ask it, and the answer with its citation, or the refusal.

Each pair's question is searched for as RAG does, and the prompt is RAG's own for a small writer, so the look-alikes
among the sentences are those that the search really finds. An answer is cited where the evidence rule
(`backends.rag.evidence`) finds it. Some questions are asked a second time of sentences that do not answer them.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain

from backends.base import Passage
from backends.errors import BackendError
from backends.facts import contains_fact
from backends.fine_tuned.adapters.card import Reading
from backends.fine_tuned.pairs.files import Pair
from backends.models import generate
from backends.models.local import LocalModel, base_of, load_base
from backends.rag.approach import RagBackend, open_index, open_searcher
from backends.rag.evidence.answer import sentence_evidence, with_citations
from backends.rag.evidence.sentences import CITATION
from backends.rag.prompt import REFUSAL, build_sentence_prompt, fit, refuses
from backends.rag.quote import QuoteWriter
from backends.rag.search.filters import Filters
from backends.rag.search.retriever import Searcher
from backends.rag.search.sentences import in_words
from backends.run.jobs import Progress
from backends.run.lane import Cancelled, turns
from backends.settings import Settings
from backends.text import clean_question
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample

UNANSWERABLE = 0.25
"""Share of the examples whose right answer is the refusal, unless another one is wanted."""

READING_EPOCHS = 2
"""Times that examples of reading are trained on, unless another number is wanted."""

MOST_UNANSWERABLE = 0.5
"""Each question is asked twice at most, so half of the examples."""

NOTHING_FOUND = "The search finds nothing that is similar enough."
NOT_HELD = "None of the sentences found holds its answer."
NO_CLAIM = "Its answer says nothing that could be looked for in a sentence."
TOO_LONG = "Its prompt does not fit into the context of the base."
TWICE = "The same question stands above it."


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pair of which no example was made, and why, in a sentence."""

    question: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadingExamples:
    """The examples, as pairs with a prompt of their own, and the pairs that gave none.

    A question that is asked of sentences without its answer has a second pair, with the refusal.
    """

    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]
    made_from: Reading

    @property
    def reasons(self) -> dict[str, int]:
        """How many pairs were left out for each reason, the most frequent first."""
        listed = [one.reason for one in self.left_out]
        return {reason: listed.count(reason) for reason in sorted(set(listed), key=lambda one: -listed.count(one))}

    @property
    def words(self) -> str:
        """In a few sentences, how many there are, and what was left out."""
        refusals = self.made_from.refusals
        answered = len(self.pairs) - refusals
        made = f"{_count(answered, 'question')} with an answer in the sentences found, {refusals:,} without one."
        left = [f"{_count(count, 'pair')} left out: {_lower(reason)}" for reason, count in self.reasons.items()]
        return " ".join([made, *left])


def make_reading_examples(
    settings: Settings, pairs: Sequence[Pair], unanswerable: float, cancel: threading.Event
) -> Iterator[Progress[ReadingExamples]]:
    """Search for every pair's question in the collection in force; the last step has the examples.

    `unanswerable`: the share of the examples that are refused, from 0 to `MOST_UNANSWERABLE`. A pair whose answer is
    itself a refusal counts towards it. Ends without examples if `cancel` is set. Raises `BackendError` for a collection
    that cannot be searched, a share that is not possible, and if no pair gives an example.
    """
    if not 0 <= unanswerable <= MOST_UNANSWERABLE:
        raise BackendError(
            f"A share of {unanswerable:g} unanswerable examples is not possible.",
            f"Choose one from 0 to {MOST_UNANSWERABLE:g}.",
        )
    turn = turns("making examples of reading", cancel)
    try:
        with turn():
            for loading in chain(load_base(settings), RagBackend(settings, QuoteWriter(settings)).load(cancel)):
                yield Progress(0, len(pairs), loading.what)
        if cancel.is_set():
            return
        making = _Making(settings, turn)
        for number, pair in enumerate(pairs, 1):
            if cancel.is_set():
                return
            making.add(pair)
            yield Progress(number, len(pairs), f"searching for question {number:,} of {len(pairs):,}")
    except Cancelled:
        return
    yield Progress(len(pairs), len(pairs), "done", making.examples(unanswerable))


@dataclass(eq=False, slots=True)
class _Making:
    """The examples while they are made. `spare`: by question, the same question without its answer."""

    settings: Settings
    turn: Callable[[], AbstractContextManager[None]]
    base: LocalModel = field(init=False)
    version: str = field(init=False)
    searcher: Searcher = field(init=False)
    pairs: list[Pair] = field(default_factory=list)
    refused: list[Pair] = field(default_factory=list)
    spare: list[Pair] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.base = base_of(self.settings)
        self.version = open_index(self.settings).version
        self.searcher = open_searcher(self.settings)

    def add(self, pair: Pair) -> None:
        """Make what can be made of a pair."""
        if pair.question in self.asked:
            self.left_out.append(LeftOut(pair.question, TWICE))
            return
        self.asked.add(pair.question)
        rag = self.settings.rag
        question = clean_question(self.settings.question(pair.question)).text
        with self.turn():
            found = self.searcher.search(question, rag.k, filters=Filters.from_settings(rag), min_score=rag.min_score)
        ranked = [one.passage for one in found.sentences] if found.hits else []
        shown = self._fitted(question, ranked[: rag.sentences])
        if not shown:
            self.left_out.append(LeftOut(pair.question, TOO_LONG if ranked else NOTHING_FOUND))
        elif refuses(pair.answer):
            self.refused.append(self._example(pair, REFUSAL, shown))
        elif (answer := cited(pair, shown)) is None:
            self.left_out.append(LeftOut(pair.question, NOT_HELD if claims(pair) else NO_CLAIM))
        else:
            self.pairs.append(self._example(pair, answer, shown))
            apart = len(self.spare) % 2 == 1 and without_answer(pair, ranked, rag.sentences, other_documents=True)
            apart = apart or without_answer(pair, ranked, rag.sentences, other_documents=False)
            without = self._fitted(question, apart)
            if without and cited(pair, without) is None:
                self.spare.append(self._example(pair, REFUSAL, without))

    def examples(self, unanswerable: float) -> ReadingExamples:
        """All of them, with about the share of refusals that is wanted. Raises `BackendError` if there are none."""
        if not (self.pairs or self.refused):
            why = self.left_out[0].reason if self.left_out else "There are no pairs."
            raise BackendError(
                f"No example of reading could be made of {_count(len(self.asked), 'question')}. {why}",
                f"Give pairs whose answers stand in the documents of the collection {self.settings.rag.collection}.",
            )
        wanted = round(len(self.pairs) * unanswerable / (1 - unanswerable)) - len(self.refused)
        drawn = sorted(self.spare, key=lambda one: _draw(one.question, self.settings.seed))[: max(0, wanted)]
        chosen = {one.question for one in drawn}
        refused = [*self.refused, *(one for one in self.spare if one.question in chosen)]
        rag = self.settings.rag
        every = (*self.pairs, *refused)
        made_from = Reading(
            rag.collection,
            self.version,
            rag.sentences,
            len(every),
            len(refused),
            len(self.left_out),
        )
        return ReadingExamples(every, tuple(self.left_out), made_from)

    def _fitted(self, question: str, sentences: Sequence[Passage]) -> tuple[Passage, ...]:
        """The sentences for which the base has room, as RAG leaves some out."""
        if not sentences:
            return ()

        def fits(some: Sequence[Passage]) -> bool:
            return generate.fits(self.base, self.settings.question(build_sentence_prompt(question, some))) is not False

        return fit(sentences, fits).passages

    def _example(self, pair: Pair, answer: str, sentences: Sequence[Passage]) -> Pair:
        question = clean_question(self.settings.question(pair.question)).text
        prompt = build_sentence_prompt(question, sentences)
        return Pair(pair.question, answer, pair.group, pair.generated, pair.source, prompt)


def cited(pair: Pair, sentences: Sequence[Passage]) -> str | None:
    """The answer with the number of the sentence that holds each part of it; None if they do not hold all of it.

    A part is held by the evidence rule. A short answer that stands whole in one sentence alone is held by that one.
    """
    answer = _without_citations(pair.answer)
    found = sentence_evidence(answer, sentences, pair.question)
    parts = [one for one in found if one.checked]
    if parts and all(one.verdict == "supported" for one in parts):
        return with_citations(answer, found)
    whole = answer.rstrip(".!? ")
    holding = [number for number, one in enumerate(sentences, 1) if contains_fact(in_words(one), (whole,))]
    return f"{answer} [{holding[0]}]" if len(holding) == 1 else None


def claims(pair: Pair) -> bool:
    """Whether an answer says anything that could stand in a sentence."""
    return any(one.checked for one in sentence_evidence(pair.answer, (), pair.question))


def without_answer(pair: Pair, sentences: Sequence[Passage], most: int, other_documents: bool) -> list[Passage]:
    """The first sentences, at most so many, that do not answer a pair: none holds its answer, or a fact of it.

    `other_documents`: none is of a document either in which one of these stands, or its answer among the first.
    """
    wanted = key_facts(pair)
    telling = [one for one in sentences if _holds_any(one, wanted)]
    gone: set[str] = set()
    if other_documents:
        gone = {one.document for one in (*telling, *(one for one in sentences[:most] if cited(pair, [one])))}
    kept: list[Passage] = []
    for one in sentences:
        if len(kept) == most:
            break
        if one not in telling and one.document not in gone and cited(pair, [one]) is None:
            kept.append(one)
    return kept


def reading_samples(pairs: Sequence[Pair]) -> list[Sample]:
    """The questions of examples of reading, each once, to be asked with whatever the search finds for them.

    A right answer holds the `key_facts` of the example's. What was asked only to be refused is to be refused.
    """
    answered: dict[str, Pair] = {}
    for pair in pairs:
        if pair.question not in answered or refuses(answered[pair.question].answer):
            answered[pair.question] = pair
    samples = []
    for number, (question, pair) in enumerate(answered.items(), 1):
        if refuses(pair.answer):
            samples.append(Sample(str(number), question, REFUSAL, tags=(NOT_ANSWERED,)))
        else:
            samples.append(Sample(str(number), question, _without_citations(pair.answer), key_facts(pair)))
    return samples


def _holds_any(sentence: Passage, facts: Sequence[Sequence[str]]) -> bool:
    text = in_words(sentence)
    return any(contains_fact(text, fact) for fact in facts)


_NUMBER = re.compile(r"\d(?:[\d.,:/]*\d)?")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w&'’-]*(?: (?:of|and|the|for) (?=[A-Z])| [A-Z][\w&'’-]*)*")


def key_facts(pair: Pair) -> tuple[tuple[str, ...], ...]:
    """What an answer to a pair's question must hold: the numbers and names that its answer adds to the question.

    Where it adds none, the whole answer.
    """
    answer = _without_citations(pair.answer)
    added = [one[0] for pattern in (_NUMBER, _NAME) for one in pattern.finditer(answer)]
    facts = tuple((one,) for one in dict.fromkeys(added) if not contains_fact(pair.question, (one,)))
    return facts or ((answer.rstrip(".!? "),),)


def _without_citations(answer: str) -> str:
    return " ".join(CITATION.sub(" ", answer).split())


def _draw(question: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\n{question}".encode()).hexdigest()


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
