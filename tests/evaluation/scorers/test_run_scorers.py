"""Scorers that only evaluation runs ask: right refusal, sources found, claims with support."""

from __future__ import annotations

import pytest

from backends.base import Passage, Status
from evaluation.judging import judge, score_answers
from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import Sample
from evaluation.scorers import AnswerToScore, Score, scorers
from tests.evaluation.answering import answered

ANSWERABLE = Sample("1", "How long is the warranty?", "36 months", (("36 months",),), ("terms.md",))
UNANSWERABLE = Sample("2", "Who owns the moon?", tags=(NOT_ANSWERED,))
REFUSED = "The documents do not say."


def passage(text: str = "The warranty is 36 months.", document: str = "terms.md") -> Passage:
    return Passage(document, 1, "chunk-1", 0.5, 0, len(text), text)


def scored(name: str, text: str, sample: Sample = ANSWERABLE, status: Status = "ok", sources: object = None) -> Score:
    answer = AnswerToScore(text, status, sources)  # type: ignore[arg-type]
    (found,) = score_answers([one for one in scorers() if one.name == name], [(sample, answer)], None)
    return found[name]


@pytest.mark.parametrize(
    ("sample", "text", "status", "value"),
    [
        (ANSWERABLE, "36 months", "ok", True),
        (ANSWERABLE, "12 months", "ok", True),  # wrong, and no refusal
        (ANSWERABLE, REFUSED, "ok", False),
        (ANSWERABLE, "I cannot help with that.", "refused", False),
        (ANSWERABLE, "", "below_threshold", False),
        (UNANSWERABLE, REFUSED, "ok", True),
        (UNANSWERABLE, "", "below_threshold", True),
        (UNANSWERABLE, "", "refused", True),
        (UNANSWERABLE, "A company does.", "ok", False),
        (UNANSWERABLE, "", "error", None),
        (UNANSWERABLE, "", "empty", None),
        (Sample("3", "What now?"), REFUSED, "ok", None),
    ],
)
def test_refusing_where_there_is_nothing_and_only_there(
    sample: Sample, text: str, status: Status, value: bool | None
) -> None:
    assert scored("right_refusal", text, sample, status).value is value


def test_all_sources_of_the_question_have_to_be_found() -> None:
    both = Sample("1", "How long?", sources=("terms.md", "annex.md"))
    found = [passage(), passage("Nothing.", "other.md")]
    assert scored("hit_at_k", "x", sources=found) == Score(True)
    assert scored("hit_at_k", "x", both, sources=found) == Score(False)
    assert scored("hit_at_k", "x", sources=[]) == Score(False)  # it was searched, and nothing was found
    assert scored("hit_at_k", "x").reason == "No documents were searched for this answer."
    assert scored("hit_at_k", "x", UNANSWERABLE, sources=found).reason == "The question names no source."


def test_claims_are_held_against_the_passages() -> None:
    found = [passage()]
    assert scored("grounded", "The warranty is 36 months.", sources=found) == Score(1.0)
    assert scored("grounded", "The warranty is 12 months.", sources=found) == Score(0.0)
    half = "The warranty is 36 months. The battery weighs 12 kg."
    assert scored("grounded", half, sources=found) == Score(0.5)
    assert scored("grounded", REFUSED, sources=found).status == "not_applicable"
    assert scored("grounded", "36 months").reason == "The answer drew on no passages."
    assert scored("grounded", "36 months", sources=[passage("")]).reason == "The texts of its passages were not kept."


def test_proofs_do_not_ask_them() -> None:
    (row,) = judge([ANSWERABLE], [{"base": answered("base", "36 months")}], None)
    assert list(row.scores) == ["right", "semantic"]
