"""Scores of answers that drew on documents: whether the wanted ones were found, and whether they support the answer."""

from __future__ import annotations

from backends.rag.evidence.answer import sentence_evidence
from evaluation.metrics import hit_at
from evaluation.samples import Sample
from evaluation.scorers.base import AnswerToScore, Score, Scorer


def _hit(answer: AnswerToScore, sample: Sample) -> Score:
    """Whether all sources of the question are among the documents of the passages; k is how many those were."""
    if not sample.sources:
        return Score.not_applicable("The question names no source.")
    if answer.sources is None:
        return Score.not_applicable("No documents were searched for this answer.")
    return Score(hit_at([one.document for one in answer.sources], sample.sources, len(answer.sources)))


def _grounded(answer: AnswerToScore, sample: Sample) -> Score:
    """The share of the answer's claims, sentence by sentence, that the passages support, by the rule of
    `backends.rag.evidence`, which is no model. It says nothing of whether the passages are right."""
    if not answer.sources or not answer.text.strip():
        return Score.not_applicable("The answer drew on no passages.")
    if not all(one.text for one in answer.sources):
        return Score.not_applicable("The texts of its passages were not kept.")
    found = sentence_evidence(answer.text, answer.sources, sample.question)
    if any(one.verdict == "unchecked" for one in found):
        return Score.failed("Comparing the answer with its passages takes too much work.")
    checked = [one for one in found if one.checked]
    if not checked:
        return Score.not_applicable("The answer claims nothing that could be checked.")
    return Score(sum(one.verdict == "supported" for one in checked) / len(checked))


SCORER = [
    Scorer("hit_at_k", "Sources found (hit@k)", _hit, runs_only=True),
    Scorer("grounded", "Claims with support", _grounded, runs_only=True),
]
