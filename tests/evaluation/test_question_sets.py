"""Question sets as tables that people edit, and the part of a set that is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends.base import Question
from backends.settings import load_settings
from evaluation.marks import mark_answer
from evaluation.question_sets import asked_before, doubts, part_of, row_of, samples_of_rows, tags_of
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from tests.evaluation.runs.made_runs import SAMPLES, answer

FEE = Sample(
    "fee",
    "What is the fee?",
    "9 USD.",
    (("9 USD", "nine dollars"), ("2026",)),
    ("fees.pdf",),
    ("price", "new"),
    "c1",
    True,
)


def test_a_question_and_its_row_say_the_same() -> None:
    row = row_of(FEE)
    assert row["key_facts"] == "9 USD | nine dollars; 2026"
    assert samples_of_rows([row]) == [FEE]
    samples = read_question_set(SAMPLE_QUESTIONS)
    assert samples_of_rows([row_of(one) for one in samples], samples) == samples


def test_what_nobody_changed_stays_as_it_is_with_facts_that_no_cell_can_spell() -> None:
    odd = Sample("odd", "What is a|b; c?", "", (("a|b", "x; y"),))
    other = row_of(FEE) | {"question": "What is the new fee?", "critical": np.bool_(False)}
    found = samples_of_rows([row_of(odd), other], [odd, FEE])
    assert found[0] == odd
    assert found[1].question == "What is the new fee?"
    assert not found[1].critical
    assert found[1].key_facts == FEE.key_facts


def test_new_rows_get_ids_of_their_own_and_rows_without_a_question_are_none() -> None:
    empty = dict.fromkeys(row_of(FEE))
    rows = [row_of(FEE), empty | {"question": " New? "}, empty | {"reference_answer": "lost"}, row_of(FEE)]
    found = samples_of_rows([*rows, empty | {"question": "Newer?", "key_facts": float("nan")}], [FEE])
    assert [one.question for one in found] == ["What is the fee?", "New?", "What is the fee?", "Newer?"]
    assert len({one.id for one in found}) == 4
    assert found[0].id == "fee"
    assert found[3].key_facts == ()
    assert samples_of_rows([*rows, empty | {"question": "Newer?"}], found) == found  # read again, the same


def test_a_part_is_spread_over_the_set_and_says_what_it_is() -> None:
    assert tags_of([FEE, *SAMPLES]) == ["price", "new"]
    assert part_of(SAMPLES, "colours", (), None) == (list(SAMPLES), "colours")
    some, name = part_of(SAMPLES, "colours", (), 2)
    assert ([one.id for one in some], name) == (["q0", "q3"], "2 of 6 of colours")
    assert part_of([FEE, *SAMPLES], "both", ["new"], 10) == ([FEE], "1 of 7 of both, tagged new")


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (SAMPLES, []),
        ([Sample("a", "Why?")], ["No question says what a right answer is"]),
        ([*SAMPLES, Sample("a", "Why?"), Sample("b", "Why?")], ["2 of 8 questions say nothing", "1 question is there"]),
    ],
)
def test_what_cannot_be_measured_is_said(samples: list[Sample], said: list[str]) -> None:
    found = list(doubts(samples))
    assert len(found) == len(said)
    assert all(sentence.startswith(begins) for sentence, begins in zip(found, said, strict=True))


def test_what_was_asked_before_has_the_answers_that_people_called_good(tmp_path: Path) -> None:
    data = load_settings({"data": str(tmp_path)}).data
    mark_answer(data, Question("What colour is it?", run="r"), answer(text="Red."), "real", True)
    mark_answer(data, Question("Why?", run="r"), answer(text="Because."), "real", False, "no reason")
    found = asked_before(data, ["Typed?", " ", "Why?"])
    assert [(one.question, one.reference_answer) for one in found] == [
        ("Typed?", ""),
        ("Why?", ""),
        ("What colour is it?", "Red."),
    ]
