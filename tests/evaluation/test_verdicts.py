"""The sentences: what is beyond chance is said plainly, what is not is said to be open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.settings import Settings
from evaluation.attribution import answers_csv
from evaluation.judging import Gain, Judged
from evaluation.samples import Sample
from evaluation.statistics import Estimate
from evaluation.training_data import Seen
from evaluation.verdicts import (
    attribution_verdicts,
    forgetting_verdict,
    gain_sentence,
    other_prompt_words,
    points,
    proof_verdict,
    seen_words,
)
from tests.evaluation import test_attribution as attributions
from tests.evaluation import test_proof as proofs
from tests.evaluation.answering import answered, scores

CLEAR = Gain(Estimate(0.384, 0.221, 0.532), 20)


@pytest.mark.parametrize(
    ("share", "text"), [(0.454, "+45"), (-0.031, "−3"), (0.004, "0"), (-0.004, "0"), (1.0, "+100")]
)
def test_points(share, text):
    assert points(share) == text


def test_what_bought_what():
    assert gain_sentence("RAG alone", CLEAR) == "RAG alone bought +38 points (95 % interval +22 to +53)."
    lost = Gain(Estimate(-0.01, -0.2, -0.005), 9)
    assert gain_sentence("RAG alone", lost) == "RAG alone cost −1 point (95 % interval −20 to 0)."
    open_ = replace(CLEAR, estimate=Estimate(0.05, -0.02, 0.12))
    assert (
        gain_sentence("RAG alone", open_)
        == "RAG alone made no difference that could not be chance: +5 points (95 % interval −2 to +12)."
    )


def test_a_narrow_interval_of_few_changes_is_still_open():
    few = Gain(Estimate(-0.12, -0.21, -0.02), 5)
    assert gain_sentence("RAG", few) == (
        "RAG made a difference that is left open: "
        "−12 points (95 % interval −21 to −2), but only 5 questions changed and 6 are needed."
    )


def test_the_sentences_of_a_proof(proving: Settings):
    found = proofs.proved(proving, proofs.arms())
    assert proof_verdict(found) == (
        "doors answers more right than its base: +100 points (95 % interval +43 to +100), on 8 questions."
    )
    assert forgetting_verdict(found) == (
        "Forgotten: of 33 general questions that the base answers right, the adapter gets 33 wrong. "
        "It keeps 0 % (0 of 33; 95 % interval 0–10)."
    )
    worse = replace(found, difference=Gain(Estimate(-0.4, -0.7, -0.1), 8))
    assert proof_verdict(worse).startswith("doors answers fewer right than its base: −40 points")
    same = replace(found, difference=Gain(Estimate(0.0, -0.2, 0.2), 4), forgetting=None)
    assert proof_verdict(same) == "On 8 questions the difference may be chance: 0 points (95 % interval −20 to +20)."
    assert forgetting_verdict(same).startswith("Forgetting: unknown")
    few = replace(found, difference=Gain(Estimate(0.5, 0.1, 0.8), 4))
    assert proof_verdict(few) == (
        "On 8 questions the difference is left open: +50 points (95 % interval +10 to +80), "
        "but only 4 questions changed and 6 are needed."
    )


def test_an_adapter_asked_with_another_system_prompt():
    card = {"settings": {"system_prompt": "Be a pirate."}}
    assert 'Its own is "Be a pirate."' in other_prompt_words(card, "Be brief.")
    assert other_prompt_words(card, "Be a pirate.") == ""
    assert "Its own is an empty one" in other_prompt_words({"settings": {"system_prompt": ""}}, "Be brief.")
    assert other_prompt_words({}, "Be brief.") == other_prompt_words({"settings": "odd"}, "Be brief.") == ""


def test_nothing_forgotten(proving: Settings):
    found = proofs.proved(proving, proofs.arms(adapter=proofs.KNOWN))
    assert forgetting_verdict(found) == (
        "Nothing was forgotten: of 33 general questions that the base answers right, the adapter answers all right."
    )


def test_what_training_saw():
    assert seen_words(None, 5).startswith("Whether training saw these questions is unknown")
    assert seen_words(Seen(1376, {}, (0, 1)), 5) == (
        "None of the 5 questions is asked in these or nearly these words in the 1,376 training pairs. "
        "For 2 of 5 the facts stand in the training answers, so there the adapter recalls what it was taught."
    )
    assert seen_words(Seen(10, {0: "exact", 2: "near", 3: "near"}, ()), 5).startswith(
        "Leak: 3 of 5 questions are asked in the same or nearly the same words in the 10 training pairs "
        "(1 exact, 2 near), so the adapter's figures flatter it."
    )


def test_the_sentences_of_an_attribution(proving: Settings):
    found = attributions.found(proving, attributions.arms())
    first, rag, adapter, rag_too, adapter_too, both = attribution_verdicts(found)
    assert first == "Right answers on 20 questions: Base 10 %, Base + RAG 50 %, Adapter 60 %, Adapter + RAG 70 %."
    assert rag.startswith("RAG alone bought +40 points (95 % interval +")
    assert adapter.startswith("The adapter alone bought +50 points")
    assert rag_too.startswith(
        "RAG, where the adapter is there already, made no difference that could not be chance: +10 points"
    )
    assert adapter_too.startswith("The adapter, where RAG is there already, made no difference")
    assert both.startswith("Whether both together bring more or less than the sum of the two is open: −30 points")
    for value, words in (
        (-0.3, "less than the sum of the two, so they partly buy the same: −30 points"),
        (0.3, "more"),
    ):
        gain = Gain(Estimate(value, value - 0.1, value + 0.1), 10)
        techniques = {**found.techniques, "interaction": replace(found.techniques["interaction"], gain=gain)}
        *_, last = attribution_verdicts(replace(found, techniques=techniques))
        assert last.startswith(f"Together they bring {words}")


def test_a_csv_has_no_formulas():
    sample = Sample("=1+1", "+what?", "@me", (("x",),), tags=("a", "b"))
    given = {"base": answered("base", "-1", seconds=None, usd=None)}
    row = Judged(sample, given, scores({"base": False}, {"base": -0.5}))
    text = answers_csv([row]).decode("utf-8-sig")
    assert text.splitlines() == [
        "id,question,reference_answer,tags,base_answer,base_status,base_right,base_semantic,base_latency_s,base_cost_usd",
        "'=1+1,'+what?,'@me,a;b,'-1,ok,0,-0.5,,",
    ]
    assert answers_csv([]).decode("utf-8-sig").startswith("id,question")
