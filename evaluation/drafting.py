"""Question sets drafted from indexed documents, by a model or by a rule, for a person to review before they are used.

A model writes question and answer about a passage, as for training pairs (`backends.fine_tuned.pairs`). The reference
of the question is the sentence of the passage that holds the answer, the figures or names of the answer are its key
facts, and the document is its source and its cluster. The rule is that of `evaluation.suggestions`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from backends.errors import BackendError
from backends.fine_tuned.pairs import draft_job
from backends.fine_tuned.pairs.draft_job import Draft
from backends.fine_tuned.pairs.drafts import draft_question
from backends.rag.evidence.sentences import sentences
from backends.rag.store.library import StoredChunk
from backends.registry import make, spec_of, writers
from backends.run import jobs
from backends.run.jobs import Job, JobState, Progress
from backends.settings import Settings
from backends.terms import Terms, terms
from backends.text import counted
from evaluation.runs.estimate import RunEstimate, estimate_questions
from evaluation.samples import Sample
from evaluation.suggestions import drafted_from, figures_in

RULE = "rule"
"""The writer that is no model: a sentence that states a number becomes the question that it answers."""

_HELD = 0.5
"""Share of an answer's terms that a sentence has to hold to be its reference."""
_MOST_FACTS = 3
_NAME = re.compile(r"\b[A-Z][\w-]*+(?: [A-Z0-9][\w-]*+)*+")


@dataclass(frozen=True, slots=True)
class DraftedSample:
    """A drafted question as a sample without an id, and the passage to read it against."""

    sample: Sample
    passage: str


def drafting_key(data: Path) -> str:
    """The key of the job that drafts questions; there is one at a time."""
    return f"drafting questions {Path(data).resolve()}"


def able_writers(settings: Settings) -> tuple[str, ...]:
    """Who can draft: every approach with a model of its own that nothing keeps from answering, and the rule."""
    found = []
    for one in writers(settings):
        try:
            make(one, settings).check_answerable()
        except BackendError:
            continue
        found.append(one)
    untrained = [one for one in found if spec_of(one).monthly != "trained"]
    return (*untrained, *(one for one in found if one not in untrained), RULE)


def estimate_drafting(settings: Settings, writer: str, chunks: Sequence[StoredChunk], each: int) -> RunEstimate | None:
    """What drafting is expected to cost; None for the rule, which asks nobody."""
    if writer == RULE:
        return None
    asked = [draft_question(chunk, each) for chunk in chunks]
    return RunEstimate((estimate_questions(settings, asked, writer, len(asked)),), settings.budget.per_run_usd)


def start_drafting(settings: Settings, writer: str, chunks: Sequence[StoredChunk], each: int) -> Job:
    """Draft in the background, with the cap of the settings for all of it. `drafted_in` has what was made so far.

    Raises `BackendError` while questions are drafted already.
    """
    key = drafting_key(settings.data)
    if writer != RULE:
        return draft_job.start(make(writer, settings), chunks, each, settings.data, key, "question")

    def steps(cancel: threading.Event) -> Iterator[Progress[DraftedSample]]:
        found = drafted_from(chunks)
        made = 0
        for number, chunk in enumerate(chunks, 1):
            if cancel.is_set():
                return
            for one in [drafted for of, drafted in found if of is chunk][:each]:
                made += 1
                sample = Sample("", one.question, one.sentence, one.key_facts, (chunk.document,), (), chunk.document)
                yield Progress(number - 1, len(chunks), counted(made, "question"), DraftedSample(sample, chunk.text))
            yield Progress(number, len(chunks), f"{number} of {counted(len(chunks), 'chunk')}")

    return jobs.start(key, "Drafting questions", steps)


def drafted_in(state: JobState) -> list[DraftedSample]:
    """What a job has drafted so far."""
    kept = (one for one in state.results if isinstance(one, Draft | DraftedSample))
    return [one if isinstance(one, DraftedSample) else sample_of(one) for one in kept]


def sample_of(draft: Draft) -> DraftedSample:
    """The sample of a pair that a model drafted."""
    pair = draft.pair
    reference = supporting_sentence(pair.answer, draft.passage) or pair.answer
    facts = figures_in(pair.answer, pair.question)[:_MOST_FACTS] or _names_in(pair.answer, pair.question)
    sample = Sample("", pair.question, reference, facts, (draft.document,), (), draft.document)
    return DraftedSample(sample, draft.passage)


@lru_cache(maxsize=2048)
def supporting_sentence(answer: str, passage: str) -> str:
    """The sentence of a passage that holds most of an answer; "" if none holds half of it."""
    claim, best, most = terms(answer), "", 0.0
    wanted = len(claim.stems) + len(claim.numbers)
    for start, end in sentences(passage) if wanted else ():
        share = _held(claim, terms(passage[start:end], sentence_start=False)) / wanted
        if share > most:
            best, most = " ".join(passage[start:end].split()), share
    return best if most >= _HELD else ""


def _held(claim: Terms, source: Terms) -> int:
    numbers = sum(any(number.agrees(there) for there in source.numbers) for number in claim.numbers)
    return len(claim.stems & source.stems) + numbers


def _names_in(answer: str, question: str) -> tuple[tuple[str, ...], ...]:
    """Names of an answer that its question does not say; its first word has a capital anyway."""
    found = [match[0] for match in _NAME.finditer(answer) if match.start() > 0]
    return tuple((name,) for name in dict.fromkeys(found) if name.casefold() not in question.casefold())[:_MOST_FACTS]
