"""The sample documents, questions and training pairs keep what their description promises."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from evaluation.metrics import NOT_ANSWERED
from evaluation.samples import SAMPLE_QUESTIONS, Sample, read_question_set
from evaluation.scorers.right import is_right

HOME = SAMPLE_QUESTIONS.parent
DOCUMENTS = sorted(path for path in (HOME / "handbook").iterdir() if path.is_file())
SAMPLES = read_question_set(SAMPLE_QUESTIONS)
PAIRS = [json.loads(line) for line in (HOME / "train.jsonl").read_text(encoding="utf-8").splitlines()]


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def test_there_are_documents_in_many_formats() -> None:
    assert len(DOCUMENTS) >= 14
    assert {path.suffix for path in DOCUMENTS} >= {".pdf", ".docx", ".html", ".md", ".txt", ".csv", ".xlsx"}
    assert not [path.name for path in DOCUMENTS if path.stat().st_size == 0]


def test_there_are_questions_of_every_kind() -> None:
    tags = Counter(tag for sample in SAMPLES for tag in sample.tags)
    assert len(SAMPLES) >= 80
    assert set(tags) == {"single_fact", "two_passages", "not_answered", "superseded"}
    assert tags["single_fact"] >= 40
    assert tags["two_passages"] >= 10
    assert tags["not_answered"] >= 10
    assert tags["superseded"] >= 3


def test_ids_and_questions_are_unique() -> None:
    assert len({sample.id for sample in SAMPLES}) == len(SAMPLES)
    assert len({" ".join(sample.question.lower().split()) for sample in SAMPLES}) == len(SAMPLES)


def test_every_row_has_exactly_one_kind_and_as_many_sources_as_it_needs() -> None:
    needed = {"single_fact": 1, "two_passages": 2, NOT_ANSWERED: 0}
    for sample in SAMPLES:
        (kind,) = set(sample.tags) & set(needed)
        assert len(set(sample.sources)) == needed[kind], sample.id
        assert bool(sample.key_facts) == (kind != NOT_ANSWERED), sample.id


def test_every_source_is_a_document() -> None:
    assert {source for sample in SAMPLES for source in sample.sources} <= {path.name for path in DOCUMENTS}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_the_reference_answer_is_right_by_its_own_rule(sample: Sample) -> None:
    assert is_right(sample.reference_answer, sample)


def test_questions_that_are_answered_are_not_answered_by_a_refusal() -> None:
    answered = [sample for sample in SAMPLES if NOT_ANSWERED not in sample.tags]
    assert not [sample.id for sample in answered if is_right("The documents do not say.", sample)]
    assert not [sample.id for sample in answered if is_right(sample.question, sample)]


def test_the_file_has_the_columns_that_are_described() -> None:
    with SAMPLE_QUESTIONS.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["id", "question", "reference_answer", "key_facts", "source", "tags"]


def test_there_are_training_pairs() -> None:
    assert len(PAIRS) >= 200
    assert all(set(pair) == {"question", "answer"} for pair in PAIRS)
    assert all(pair["question"].strip() and pair["answer"].strip() for pair in PAIRS)
    assert len({pair["question"] for pair in PAIRS}) == len(PAIRS)


def test_no_question_was_trained_on() -> None:
    asked = {words(sample.question): sample.id for sample in SAMPLES}
    trained = [words(pair["question"]) for pair in PAIRS]
    close = [
        (name, sorted(pair))
        for pair in trained
        for question, name in asked.items()
        if len(question & pair) / len(question | pair) >= 0.8
    ]
    assert close == []


def test_every_single_fact_was_trained_in_other_words() -> None:
    answers = Counter(pair["answer"] for pair in PAIRS)
    untrained = [s.id for s in SAMPLES if "single_fact" in s.tags and answers[s.reference_answer] < 2]
    assert untrained == []


def test_the_description_names_every_document() -> None:
    description = Path(HOME / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in DOCUMENTS if f"`{path.name}`" not in description] == []
