"""When an answer counts as right, and when a search counts as a hit."""

from __future__ import annotations

import pytest

from evaluation.metrics import NOT_ANSWERED, hit_at
from evaluation.samples import Sample
from evaluation.scorers.right import is_right


def sample(*groups: tuple[str, ...], tags: tuple[str, ...] = ()) -> Sample:
    return Sample("q1", "question", key_facts=groups, tags=tags)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("You have 30 days.", True),
        ("30 DAYS", True),
        ("It is 30\n  days long", True),
        ("Thirty days, as a rule", True),
        ("(30 days)", True),
        ("You have 130 days.", False),
        ("You have 30 daysx.", False),
        ("30days", True),
        ("You have a month.", False),
        ("", False),
    ],
)
def test_one_of_the_alternatives_as_a_whole_word(answer: str, right: bool) -> None:
    assert is_right(answer, sample(("30 days", "thirty days"))) is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("30 days if unopened", True),
        ("Unopened: 30 days", True),
        ("30 days", False),
        ("unopened", False),
    ],
)
def test_every_group_has_to_be_there(answer: str, right: bool) -> None:
    assert is_right(answer, sample(("30 days",), ("unopened", "sealed"))) is right


@pytest.mark.parametrize(
    ("fact", "answer", "right"),
    [
        ("\u00a312", "It costs \u00a312.", True),
        ("\u00a312", "It costs \u00a3120.", False),
        ("15 %", "a fee of 15 %", True),
        ("15%", "a fee of 15%", True),
        ("e4", "Error E4 means", True),
        ("e4", "Error E40 means", False),
        ("a.b", "axb", False),
        ("bp-1142", "Part BP-1142", True),
        ("don't", "You don\u2019t pay", True),
    ],
)
def test_signs_are_no_letters_and_no_patterns(fact: str, answer: str, right: bool) -> None:
    assert is_right(answer, sample((fact,))) is right


def test_facts_among_wrong_ones_count_as_found() -> None:
    assert is_right("Either 14 days or 30 days.", sample(("30 days",)))


def test_without_key_facts_nothing_is_right() -> None:
    assert not is_right("anything", sample())


@pytest.mark.parametrize(
    "answer",
    [
        "The documents do not say.",
        "the documents don't say",
        "The documents don\u2019t say.",
        "The handbook does not mention childcare.",
        "That is not stated.",
        "This is not mentioned in the passages.",
        "It is not in the documents.",
    ],
)
def test_a_refusal_is_right_where_there_is_nothing_to_find(answer: str) -> None:
    assert is_right(answer, sample(tags=(NOT_ANSWERED,)))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "It emitted 12 tonnes.",
        "I do not like tea.",
        "The steel comes from Norway.",
        "The handbook says that staff do not pay for childcare.",
        "Childcare is not covered.",
    ],
)
def test_an_invention_is_wrong_where_there_is_nothing_to_find(answer: str) -> None:
    assert not is_right(answer, sample(tags=(NOT_ANSWERED,)))


def test_a_refusal_is_wrong_where_there_is_something_to_find() -> None:
    assert not is_right("The documents do not say.", sample(("30 days",)))


@pytest.mark.parametrize(
    ("sources", "k", "hit"),
    [
        (["a"], 1, True),
        (["b"], 1, False),
        (["b"], 2, True),
        (["b"], 99, True),
        (["a", "c"], 2, False),
        (["a", "c"], 3, True),
        (["z"], 3, False),
    ],
)
def test_a_hit_needs_every_source_among_the_first_k(sources: list[str], k: int, hit: bool) -> None:
    assert hit_at(["a", "b", "c"], sources, k) is hit


def test_nothing_found_is_no_hit() -> None:
    assert not hit_at([], ["a"], 5)
