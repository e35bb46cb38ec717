"""The corpora of the benchmarks keep what their description promises."""

from __future__ import annotations

import csv
import threading
from collections import Counter

import pytest

from backends.rag.documents.files import Document, read_documents
from benchmarks.corpora import FIELD, HANDBOOK, Corpus, superseded_values
from evaluation.metrics import NOT_ANSWERED, contains_fact
from evaluation.scorers.right import is_right

SAMPLES = FIELD.samples()
FILES = sorted(FIELD.documents.iterdir())
ANSWERED = [sample for sample in SAMPLES if NOT_ANSWERED not in sample.tags]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Document name to its extracted text."""
    read = list(read_documents(FILES, 25, threading.Event()))
    assert all(isinstance(document, Document) for document in read)
    return {d.name: "\n".join(page.text for page in d.pages) for d in read if isinstance(d, Document)}


def test_there_are_documents_in_eight_formats_and_of_some_size(texts: dict[str, str]) -> None:
    assert {file.suffix for file in FILES} == {".pdf", ".docx", ".html", ".md", ".txt", ".csv", ".xlsx", ".pptx"}
    assert 25_000 <= sum(map(len, texts.values())) <= 60_000


def test_the_file_has_the_columns_of_a_question_set() -> None:
    with FIELD.questions.open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["id", "question", "reference_answer", "key_facts", "source", "tags"]


def test_there_are_questions_of_every_kind_in_both_halves() -> None:
    for half in ("choose", "report"):
        tags = Counter(tag for sample in SAMPLES if half in sample.tags for tag in sample.tags)
        assert tags[half] >= 140
        assert tags["single_fact"] >= 90
        assert tags["two_passages"] >= 10
        assert tags["comparison"] >= 7
        assert tags[NOT_ANSWERED] >= 20
        assert tags["superseded"] >= 7
        assert tags["edition"] >= 13


def test_ids_and_questions_are_unique() -> None:
    assert len({sample.id for sample in SAMPLES}) == len(SAMPLES)
    assert len({" ".join(sample.question.lower().split()) for sample in SAMPLES}) == len(SAMPLES)


def test_every_question_has_one_kind_one_half_and_the_sources_of_its_kind() -> None:
    sources = {"single_fact": (1,), "two_passages": (2,), "comparison": (1, 2), NOT_ANSWERED: (0,)}
    for sample in SAMPLES:
        (kind,) = set(sample.tags) & set(sources)
        assert len(set(sample.sources)) in sources[kind], sample.id
        assert len(set(sample.tags) & {"choose", "report"}) == 1, sample.id
        assert bool(sample.key_facts) == (kind != NOT_ANSWERED), sample.id
        if NOT_ANSWERED in sample.tags:
            assert len(set(sample.tags) & {"close_miss", "foreign"}) == 1, sample.id


def test_no_organisation_is_in_both_halves() -> None:
    halves: dict[str, set[str]] = {}
    for sample in ANSWERED:
        for source in sample.sources:
            halves.setdefault(source.split("-")[0], set()).update(set(sample.tags) & {"choose", "report"})
    assert sorted(halves) == ["dellmark", "lindmoor", "palisade", "quillsync", "sundline", "vantera", "vierthal"]
    assert all(len(found) == 1 for found in halves.values())


def test_every_reference_answer_is_right_by_its_own_rule() -> None:
    assert [sample.id for sample in SAMPLES if not is_right(sample.reference_answer, sample)] == []


def test_a_refusal_or_the_question_itself_is_not_right() -> None:
    assert not [sample.id for sample in ANSWERED if is_right("The documents do not say.", sample)]
    assert not [sample.id for sample in ANSWERED if is_right(sample.question, sample)]


def test_every_key_fact_stands_in_a_named_source(texts: dict[str, str]) -> None:
    lost = [
        (sample.id, fact)
        for sample in ANSWERED
        for fact in sample.key_facts
        if not any(contains_fact(texts[source], fact) for source in sample.sources)
    ]
    assert lost == []


@pytest.mark.parametrize("corpus", [FIELD, HANDBOOK], ids=lambda corpus: corpus.name)
def test_superseded_values_are_other_values_of_questions_on_what_is_in_force(corpus: Corpus) -> None:
    samples = {sample.id: sample for sample in corpus.samples()}
    values = superseded_values(corpus.name)
    assert len(values) >= 20
    for id, fact in values.items():
        assert "superseded" not in samples[id].tags, id
        assert not contains_fact(samples[id].reference_answer, fact), id
        assert not contains_fact(samples[id].question, fact), id
    if corpus is FIELD:
        assert set(values) == {sample.id for sample in SAMPLES if "edition" in sample.tags}
