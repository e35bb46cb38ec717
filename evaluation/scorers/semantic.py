"""How near an answer is in meaning to the reference answer."""

from __future__ import annotations

from evaluation.samples import Sample
from evaluation.scorers.base import AnswerToScore, Score, Scorer


def _score(answer: AnswerToScore, sample: Sample) -> Score:
    """The cosine of both embeddings, -1 to 1; 0 for an answer without text.

    It says how near they are in meaning, not whether a number is right.
    """
    return Score(answer.similarity(sample.reference_answer))


SCORER = Scorer(
    "semantic",
    "Meaning (cosine)",
    _score,
    needs=("reference_answer",),
    compared_with=lambda sample: (sample.reference_answer,),
    scores_errors=True,
)
