"""Judged answers: what can be judged, the semantic score, and when a difference is more than chance."""

from __future__ import annotations

import pytest

from backends.errors import BackendError
from evaluation.judging import Gain, Judged, Share, gain, gradable, judge, mean, share
from evaluation.samples import Sample
from evaluation.scorers.right import is_right
from evaluation.statistics import Estimate
from tests.evaluation.answering import FixedEmbedder, answered, judged, scores


def test_without_key_facts_the_whole_reference_must_occur():
    (sample,) = gradable([Sample("1", "How long?", "It takes 45 days. ")])
    assert sample.key_facts == (("It takes 45 days",),)
    assert is_right("I am sure: it  takes 45 days!", sample)
    assert not is_right("It takes 4 days.", sample)


def test_key_facts_and_refusals_are_left_as_they_are():
    facts, refusal = Sample("1", "a", "x", (("y",),)), Sample("2", "b", tags=("not_answered",))
    assert gradable([facts, Sample("3", "nothing to judge by"), refusal]) == (facts, refusal)


def test_a_set_without_any_right_answer_is_refused():
    with pytest.raises(BackendError, match="No question says what a right answer is"):
        gradable([Sample("1", "a"), Sample("2", "b", " . ")])


def test_the_semantic_score_is_the_cosine_with_the_reference():
    samples = [Sample("1", "a", "yes", (("yes",),)), Sample("2", "b", key_facts=(("no",),))]
    answers = [
        {"base": answered("base", "yes indeed"), "adapter": answered("adapter", "no")},
        {"base": answered("base", "no"), "adapter": answered("adapter", "  ")},
    ]
    first, second = judge(samples, answers, FixedEmbedder())
    assert first.scores == scores({"base": True, "adapter": False}, {"base": 1.0, "adapter": 0.0})
    assert second.scores == scores({"base": True, "adapter": False}, {"base": None, "adapter": None})


def test_an_answer_without_text_is_as_far_as_can_be():
    (row,) = judge([Sample("1", "a", "yes", (("yes",),))], [{"base": answered("base", "")}], FixedEmbedder())
    assert row.value("semantic", "base") == 0.0


def rows(both: int, only_base: int, only_adapter: int, neither: int) -> list[Judged]:
    outcomes = [(True, True)] * both + [(True, False)] * only_base
    outcomes += [(False, True)] * only_adapter + [(False, False)] * neither
    return [judged(str(number), base=base, adapter=adapter) for number, (base, adapter) in enumerate(outcomes)]


def test_a_difference_is_paired_by_question():
    found = gain(rows(2, 1, 8, 1), {"adapter": 1, "base": -1})
    assert found.estimate.value == pytest.approx(7 / 12)
    assert found.changed == 9
    assert found.estimate.low == pytest.approx(0.1, abs=0.05)
    assert found.clear
    assert share(rows(2, 1, 8, 1), "base") == Share(3, 12)


def test_six_to_right_and_one_to_wrong_may_be_chance():
    """A sign test gives p = 2 * 8 / 2^7 = 0.125."""
    assert not gain(rows(2, 1, 6, 1), {"adapter": 1, "base": -1}).clear


@pytest.mark.parametrize("alike", [{"both": 3, "neither": 0}, {"both": 0, "neither": 3}])
def test_three_questions_that_did_not_change_leave_the_difference_open(alike):
    estimate = gain(rows(only_base=0, only_adapter=0, **alike), {"adapter": 1, "base": -1}).estimate
    assert (estimate.value, estimate.low) == (0, -estimate.high)
    assert estimate.high > 0.5


def test_where_every_question_went_the_same_way_the_interval_still_has_a_width():
    estimate = gain(rows(0, 0, 8, 0), {"adapter": 1, "base": -1}).estimate
    assert (estimate.value, estimate.high) == (1, 1)
    assert 0.3 < estimate.low < 0.6


def test_an_interaction_may_be_two_points_a_question():
    weights = {"both": 1, "rag": -1, "adapter": -1, "base": 1}
    right = {"both": True, "base": True, "rag": False, "adapter": False}
    found = gain([Judged(Sample("1", "?"), {}, scores(right, {}))], weights)
    assert (found.estimate.value, found.estimate.high) == (2, 2)


@pytest.mark.parametrize(("changed", "clear"), [(5, False), (6, True)])
def test_too_few_changes_are_never_clear(changed, clear):
    assert gain(rows(0, 0, changed, 0), {"adapter": 1, "base": -1}).clear is clear


def test_an_interval_that_holds_0_is_not_clear():
    assert not Gain(Estimate(0.1, -0.01, 0.2), 20).clear
    assert not Gain(Estimate(0.1, 0.0, 0.2), 20).clear
    assert Gain(Estimate(-0.1, -0.2, -0.01), 20).clear


def test_semantic_means_leave_out_what_has_no_reference():
    known = judged("1", base=True, adapter=False)
    near = scores({}, {"base": None, "adapter": 1.0})["semantic"]
    unknown = Judged(known.sample, known.answers, {**known.scores, "semantic": near})
    found = mean([known, unknown], "semantic", {"adapter": 1, "base": -1})
    assert found == Estimate(-1.0, -1.0, -1.0)
    assert mean([unknown], "semantic", {"base": 1}) is None
