"""What an adapter was trained on, and which questions that gave away."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.fine_tuned.adapters.card import read_card
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS
from backends.fine_tuned.pairs.files import Pair
from backends.settings import Settings
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from evaluation.training_data import find_seen, held_out_samples, training_pairs
from tests.evaluation.made_data import write_pairs

PAIRS = [Pair("How long may goods be returned?", "Within 45 days."), Pair("Who is the boss?", "Ada Brock.")]


def test_the_pairs_of_a_run_are_found_through_the_card(proving: Settings):
    pairs = training_pairs(proving.data, {"run": "run-1"})
    assert pairs is not None
    assert [pair.question for pair in pairs] == ["Is door 1 open?", "Which door is red?"]
    assert held_out_samples(proving.data, {"run": "run-1"}) == [Sample("1", "Open door 1?", "yes, door 1")]
    everything = training_pairs(proving.data, {"run": "run-1", "last_pass": {"pairs": 3}}) or []
    assert [pair.question for pair in everything] == ["Is door 1 open?", "Which door is red?", "Open door 1?"]


@pytest.mark.parametrize("card", [{}, {"run": "gone"}, {"run": "../adapters"}, {"run": ["run-1"]}, {"data": "text"}])
def test_unknown_runs_are_unknown(proving: Settings, card: dict[str, object]):
    write_pairs(proving.data / "train.jsonl", ("outside", "of the trainings"))
    (proving.data / "adapters" / "train.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    assert training_pairs(proving.data, card) is None
    assert held_out_samples(proving.data, card) == []


def test_a_run_that_held_nothing_out(proving: Settings):
    (proving.data / "trainings" / "run-1" / "held_out.jsonl").write_text("\n")
    assert held_out_samples(proving.data, {"run": "run-1"}) == []


def test_the_sample_adapter_was_trained_on_the_sample_pairs(tmp_path: Path):
    """Its questions are none that it was trained on, but their facts are what it was taught."""
    pairs = training_pairs(tmp_path, read_card(SAMPLE_ADAPTERS / "brambleworth"))
    assert pairs is not None
    samples = read_question_set(SAMPLE_QUESTIONS)
    found = find_seen(pairs, samples)
    assert (found.pairs, found.kinds()) == (376, {})
    single = [number for number, sample in enumerate(samples) if "single_fact" in sample.tags]
    assert len(set(found.taught) & set(single)) == len(single)


def test_leaks_and_taught_facts_are_told_apart():
    samples = [
        Sample("1", "How long may goods be returned?", key_facts=(("45 days", "45-day"),)),
        Sample("2", "who is the boss ?", key_facts=(("Ada",), ("Brock",))),
        Sample("3", "What is the limit for sending parcels back?", key_facts=(("45 days",),)),
        Sample("4", "How many days is a fortnight?", key_facts=(("5 days",),)),
        Sample("5", "What does it weigh?", tags=("not_answered",)),
    ]
    found = find_seen(PAIRS, samples)
    assert found.asked == {0: "exact", 1: "normalised"}
    assert found.taught == (0, 1, 2)
    assert found.kinds() == {"exact": 1, "normalised": 1}


def test_a_fact_does_not_run_over_from_one_answer_to_the_next():
    pairs = [Pair("a", "It is red"), Pair("b", "wine is blue")]
    assert find_seen(pairs, [Sample("1", "c", key_facts=(("red wine",),))]).taught == ()
