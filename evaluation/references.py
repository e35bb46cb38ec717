"""What is known of the right answer to a question that was asked: its reference, and how each answer stands to it.

The reference is found by the words of the question: in the question sets that the user loaded, among the sample
questions, and among the general ones that every model should know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from backends.base import FAILED, Answer
from backends.matching import matchable
from backends.rag.prompt import refuses
from evaluation.metrics import NOT_ANSWERED
from evaluation.proof import GENERAL_QUESTIONS
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from evaluation.scorers.right import is_right

Verdict = Literal["right", "wrong", "refused"]
"""`refused`: the answer says that it cannot be answered, where that is not what was wanted, or nothing is wanted."""


VERDICT_WORDS: Mapping[Verdict, str] = {"right": "right", "wrong": "not right", "refused": "refused"}
"""What people read for a verdict."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known of a question: its sample, and `source`, the name of the set that it stands in.

    `drafted`: the question was made of a sentence, which is the reference then; nobody has checked it. `source` is the
    document that it stands in.
    """

    sample: Sample
    source: str
    drafted: bool = False

    @property
    def answer(self) -> str:
        """The reference answer in words; the key facts where it has none."""
        return self.sample.reference_answer or "; ".join(group[0] for group in self.sample.key_facts)

    @property
    def rule(self) -> str:
        """What counts as right, in a sentence; "" where the reference is for reading only."""
        if self.drafted and self.sample.key_facts:
            return "Drafted: right holds the figure of the document's sentence, however it is spelled."
        if NOT_ANSWERED in self.sample.tags:
            return "Right says that the documents do not say: this question has no answer in them."
        return "Right holds every key fact of the reference, however it is spelled." if self.sample.key_facts else ""


def reference_of(question: str, own: Mapping[str, Sequence[Sample]] | None = None) -> Reference | None:
    """The reference of a question, by its words in any spelling; None if none is known.

    `own` are the question sets that the user loaded, by name; they come first.
    """
    wanted = matchable(question)
    for name, samples in (own or {}).items():
        for sample in samples:
            if matchable(sample.question) == wanted and _says_something(sample):
                return Reference(sample, name)
    return _shipped().get(wanted)


@cache
def _shipped() -> Mapping[str, Reference]:
    """The questions that come with Crossroads, by their words."""
    sets = (("general questions", GENERAL_QUESTIONS), ("sample questions", SAMPLE_QUESTIONS))
    return {
        matchable(sample.question): Reference(sample, name)
        for name, file in sets
        for sample in read_question_set(file)
        if _says_something(sample)
    }


def _says_something(sample: Sample) -> bool:
    return bool(sample.reference_answer or sample.key_facts or NOT_ANSWERED in sample.tags)


def verdict_of(answer: Answer, reference: Reference | None, marked: bool | None = None) -> Verdict | None:
    """How an answer stands: by the reference and its rule, else by a person's mark (True: good), else unknown.

    None for an answer that never came, and where neither is known. A stand-in's text is judged like any other.
    """
    if answer.status in (*FAILED, "cancelled", "empty"):
        return None
    if reference is not None and reference.rule:
        if is_right(answer.text, reference.sample):
            return "right"
        return "refused" if _refused(answer) else "wrong"
    if marked is not None:
        return "right" if marked else "wrong"
    return "refused" if _refused(answer) else None


def _refused(answer: Answer) -> bool:
    return answer.status in ("refused", "below_threshold") or refuses(answer.text)
