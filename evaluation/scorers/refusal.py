"""Whether an answer refuses just where it should: where the documents do not say, and nowhere else."""

from __future__ import annotations

from backends.rag.prompt import refuses
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample
from evaluation.scorers.base import AnswerToScore, Score, Scorer


def _score(answer: AnswerToScore, sample: Sample) -> Score:
    """True for a refusal of a question tagged `not_answered`, and for an answer, right or wrong, to any other one.

    What counts as a refusal is the rule of the scorer `right`, and what a server or the search itself says.
    """
    if not (NOT_ANSWERED in sample.tags or sample.reference_answer or sample.key_facts or sample.sources):
        return Score.not_applicable("The question does not say whether it can be answered.")
    if not answer.text.strip() and answer.status not in ("refused", "below_threshold"):
        return Score.not_applicable("There is no answer.")
    refused = answer.status in ("refused", "below_threshold") or refuses(answer.text)
    return Score(refused == (NOT_ANSWERED in sample.tags))


SCORER = Scorer("right_refusal", "Refuses rightly", _score, runs_only=True)
