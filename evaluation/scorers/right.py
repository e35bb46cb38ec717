"""Whether an answer is right: it holds every key fact, or refuses where there is nothing to find."""

from __future__ import annotations

from backends.rag.prompt import refuses
from evaluation.metrics import NOT_ANSWERED, contains_fact
from evaluation.samples import Sample
from evaluation.scorers.base import AnswerToScore, Score, Scorer


def is_right(answer: str, sample: Sample) -> bool:
    """True if the answer holds every key fact (`backends.facts`), or refuses where there is nothing to find.

    How a fact is spelled does not count. An answer that states the facts among wrong ones counts as right;
    the rule measures whether the fact was found, not the style.
    """
    if NOT_ANSWERED in sample.tags:
        return refuses(answer)
    return bool(sample.key_facts) and all(contains_fact(answer, group) for group in sample.key_facts)


def why_wrong(answer: str, sample: Sample) -> str:
    """In words, what an answer that `is_right` refuses lacks; empty for one that is right, or without a rule."""
    if is_right(answer, sample):
        return ""
    if NOT_ANSWERED in sample.tags:
        return "The documents do not say it, and the answer does not say so."
    missing = [" or ".join(group[:3]) for group in sample.key_facts if not contains_fact(answer, group)]
    return f"It lacks {'; '.join(missing)}." if missing else ""


def _score(answer: AnswerToScore, sample: Sample) -> Score:
    if not sample.key_facts and NOT_ANSWERED not in sample.tags:
        return Score.not_applicable("The question does not say what a right answer is.")
    return Score(is_right(answer.text, sample))


SCORER = Scorer("right", "Right", _score, scores_errors=True)
