"""Which passage supports each sentence of a finished answer.

The method is a rule without a model, the same for every writer (`backends.rag.evidence.claims`): a sentence counts as
supported if one place of a passage (a sentence, a clause, a table cell with its row and column) holds every number
with its unit, every name, and most of its other words in any form, where the line above, headings and the file's
name help; if neither side denies what the other says; and if the passage does not say the same of something else
beside another number. A sentence of several clauses may draw on several passages.

How often it is right is measured by `python -m benchmarks evidence` (docs/measurements.md); what else was tried is
in docs/decisions.md.

What it cannot see: reasoning, opposites without a word of denial, paraphrase in other words. Names are told by their
capitals and number words are English, so it marks less in other languages. It asks whether a passage says so, not
whether the passage is right.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from backends.base import Answer, Passage
from backends.errors import unexpected_fault
from backends.rag.evidence.claims import Sources, Support, Work, WorkLimit
from backends.rag.evidence.conflicts import Conflict
from backends.rag.evidence.sentences import CITATION, sentences
from backends.rag.prompt import refuses
from backends.rag.search.superseded import asks_for_the_past
from backends.terms import Terms, terms

Verdict = Literal["supported", "unsupported", "no_claim", "refusal", "unchecked"]
"""`no_claim`: nothing to check, such as a greeting or a question; `refusal`: it says that the documents do not say;
`unchecked`: the work that is allowed for one answer was done before it was reached.
"""

MOST_WORK = 2_000_000
"""Characters read and words compared for one answer. 50 passages of 8,000 characters and an answer of 1,000 ordinary
sentences take less than half of it; texts made to be slow are left after some seconds.
"""

METHOD = (
    "A sentence counts as supported if one place of a passage holds all its numbers and names and most of its other "
    "words; a rule decides, not a model, so what is said in quite other words counts as not found."
)
"""The method for readers, in one sentence."""

_log = logging.getLogger(__name__)

_TALK = re.compile(
    r"(?:hi|hello|thanks|thank you|sure|certainly|of course|you(?:'|’)re welcome|i hope|let me know|feel free|"
    r"please let me know|happy to help|here (?:is|are)|i(?:'|’)m (?:happy|glad|sorry|an ai)|"
    r"i am (?:happy|glad|sorry))\b",
    re.IGNORECASE,
)
_IGNORANCE = re.compile(r"\bi (?:do not|don(?:'|’)t|cannot|can(?:'|’)t) (?:know|find|answer|tell|say)\b", re.IGNORECASE)
_AND_YET = re.compile(r"\b(?:but|however|although|though)\b|;", re.IGNORECASE)
_LARGEST = 1000
"""Citations are read up to this number; "[2024]" is no citation."""


@dataclass(frozen=True, slots=True)
class SentenceEvidence:
    """One sentence of an answer, `text[start:end]`, and what was found for it.

    `citations` are the numbers of passages that the answer itself cites in this sentence; `conflicts` are passages that
    give other figures than those that support it.
    """

    start: int
    end: int
    verdict: Verdict
    support: tuple[Support, ...] = ()
    citations: tuple[int, ...] = ()
    conflicts: tuple[Conflict, ...] = ()

    @property
    def passages(self) -> tuple[int, ...]:
        """Numbers of the supporting passages, from 1."""
        return tuple(sorted({place.passage for place in self.support}))

    @property
    def wrong_citations(self) -> tuple[int, ...]:
        """Own citations of passages that do not support the sentence."""
        return tuple(number for number in self.citations if number not in self.passages) if self.checked else ()

    @property
    def citations_confirmed(self) -> bool | None:
        """Whether every own citation was confirmed; None if there is none, or nothing to check."""
        return not self.wrong_citations if self.citations and self.checked else None

    @property
    def checked(self) -> bool:
        """Whether the sentence claims something."""
        return self.verdict in ("supported", "unsupported")


@dataclass(frozen=True, slots=True)
class AnswerEvidence:
    """The sentences of an answer, compared with its passages. `note` says what could not be compared, "" if all was."""

    sentences: tuple[SentenceEvidence, ...] = ()
    note: str = ""

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Every two passages that disagree, once, of the figures that the answer gives."""
        found: dict[frozenset[tuple[str, str]], Conflict] = {}
        for one in (conflict for sentence in self.sentences for conflict in sentence.conflicts):
            pair = frozenset((one.used.said, one.other.said))
            before = found.setdefault(pair, one)
            if before.used.said != one.used.said:  # another sentence gives the other figure
                found[pair] = replace(before, both=True)
        return tuple(found.values())


def check(answer: Answer, question: str) -> AnswerEvidence:
    """Compare a finished answer with its passages, if it drew on any. Call it after everything is measured.

    Never raises: an answer is not lost because it could not be compared. Takes milliseconds, and some seconds at most
    for texts that were made to be slow; not for a thread that draws a page.
    """
    if not answer.sources or not answer.text.strip():
        return AnswerEvidence()
    try:
        found = sentence_evidence(answer.text, answer.sources, question, beside=answer.beside)
    except Exception as error:
        _log.exception("the evidence for the answer of %s could not be checked", answer.approach)
        return AnswerEvidence(
            note=str(unexpected_fault("Checking the sentences against the passages", error, "the answer stands"))
        )
    return AnswerEvidence(found, _unchecked_words(found))


def sentence_evidence(
    answer: str,
    passages: Sequence[Passage],
    question: str = "",
    most_work: float = MOST_WORK,
    beside: Sequence[Passage] = (),
) -> tuple[SentenceEvidence, ...]:
    """Every sentence of an answer with the passages that support it.

    `passages` in the order of the prompt; what was found `beside` them may disagree with them. What a sentence like
    "12 %." leaves out is taken from the question. After `most_work` (see `MOST_WORK`), this sentence and the rest are
    `unchecked`.
    """
    found: list[SentenceEvidence] = []
    places, work = sentences(answer), Work(most_work)
    with suppress(WorkLimit):
        sources, asked, past = Sources(passages, work, beside), terms(question), asks_for_the_past(question)
        for start, end in places:
            found.append(_judge_sentence(answer[start:end], start, end, sources, asked, past))
    return (*found, *(SentenceEvidence(start, end, "unchecked") for start, end in places[len(found) :]))


def _judge_sentence(
    sentence: str, start: int, end: int, sources: Sources, asked: Terms, past: bool
) -> SentenceEvidence:
    own, claim = _citations(sentence), CITATION.sub(" ", sentence).strip()
    verdict = _without_claim(claim)
    support = () if verdict else sources.support(claim, asked)
    disagreeing = sources.conflicts(claim, support, asked) if support else ()
    disagreeing = tuple(replace(one, past=past) for one in disagreeing)
    verdict = verdict or ("supported" if support else "unsupported")
    return SentenceEvidence(start, end, verdict, support, own, disagreeing)


def _unchecked_words(found: Sequence[SentenceEvidence]) -> str:
    """A sentence on what was left out, "" if nothing was."""
    checked = sum(one.verdict != "unchecked" for one in found)
    if checked == len(found):
        return ""
    which = f"Only the first {checked:,} of {len(found):,} sentences were" if checked else "No sentence was"
    return f"{which} checked against the passages: comparing texts like these takes too much work."


def is_refusal(found: Sequence[SentenceEvidence]) -> bool:
    """Whether the answer as a whole says that the documents do not say."""
    return any(one.verdict == "refusal" for one in found) and not any(one.checked for one in found)


def with_citations(answer: str, found: Sequence[SentenceEvidence]) -> str:
    """The answer with `[n]` behind every supported sentence that does not cite a passage itself."""
    pieces, here = [], 0
    for one in found:
        pieces.append(answer[here : one.end])
        if one.passages and not one.citations:
            pieces.append(" " + "".join(f"[{number}]" for number in one.passages))
        here = one.end
    return "".join([*pieces, answer[here:]])


def _without_claim(sentence: str) -> Verdict | None:
    if not re.search(r"\d", sentence) and not _AND_YET.search(sentence):
        if refuses(sentence) or _IGNORANCE.search(sentence):
            return "refusal"
        if sentence.endswith(("?", "？", ":")) or _TALK.match(sentence):
            return "no_claim"
    return "no_claim" if terms(sentence).empty else None


def _citations(sentence: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for mark in CITATION.finditer(sentence) for number in _numbers(mark.group())))


def _numbers(mark: str) -> Iterator[int]:
    """The passages that a citation names: `[1, 3]` 1 and 3, `[2-4]` 2, 3 and 4."""
    inside = re.sub(r"[†:].*", "", mark.strip("[]【】^"))
    for part in re.split(r"[,;]", inside):
        first, *last = (int(number) for number in re.findall(r"\d{1,6}", part)[:2])
        stop = last[0] if last else first
        if first <= stop < min(_LARGEST, first + 50):
            yield from range(first, stop + 1)
