"""A question's reference by its words, and how an answer stands to it."""

from __future__ import annotations

import pytest

from backends.base import Answer, Status
from evaluation.metrics import NOT_ANSWERED
from evaluation.references import reference_of, verdict_of
from evaluation.samples import Sample
from evaluation.suggestions import STORIES

PRICE = "What is the fixed price for repairing an Ember One outside the warranty?"
SHUTTLE = "Which firm operates the shuttle between the three sites?"


def answer(text: str, status: Status = "ok", stand_in: bool = False) -> Answer:
    return Answer("raw", "a model", text, status, stand_in=stand_in)


def test_every_sample_on_the_screen_has_a_reference_and_a_rule() -> None:
    found = [reference_of(one.question) for one in STORIES]
    assert all(one is not None and one.rule and one.answer for one in found)
    assert {one.source for one in found if one} == {"sample questions"}


def test_a_question_is_found_in_any_spelling_and_no_other_is() -> None:
    found = reference_of(f"  {PRICE.upper()}\n")
    assert found is not None
    assert (found.sample.id, found.answer) == ("q026", "The fixed repair price of an Ember One is \u00a395.")
    assert reference_of("What is the fixed price for repairing a kettle?") is None
    assert reference_of("") is None


def test_a_set_of_ones_own_comes_first() -> None:
    own = {"mine.csv": [Sample("1", PRICE, "It is 80 pounds.", (("80 pounds",),)), Sample("2", "Why?")]}
    found = reference_of(PRICE, own)
    assert found is not None
    assert (found.source, found.answer) == ("mine.csv", "It is 80 pounds.")
    assert verdict_of(answer("80 pounds"), found) == "right"
    assert reference_of("Why?", own) is None  # a question without anything to compare with


@pytest.mark.parametrize(
    ("text", "status", "verdict"),
    [
        ("It costs GBP 95.", "ok", "right"),
        ("It costs \u00a395 and then the text stops", "truncated", "right"),
        ("It costs \u00a350.", "ok", "wrong"),
        ("The documents do not say.", "ok", "refused"),
        ("I cannot help with that.", "refused", "refused"),
        ("The documents do not say.", "below_threshold", "refused"),
        ("", "error", None),
        ("It costs \u00a395", "cancelled", None),
        ("", "empty", None),
    ],
)
def test_an_answer_stands_to_its_reference_by_the_rule(text: str, status: Status, verdict: str | None) -> None:
    assert verdict_of(answer(text, status), reference_of(PRICE)) == verdict
    assert verdict_of(answer(text, status, stand_in=True), reference_of(PRICE), marked=False) == verdict


def test_where_the_documents_do_not_say_saying_so_is_right() -> None:
    found = reference_of(SHUTTLE)
    assert found is not None
    assert NOT_ANSWERED in found.sample.tags
    assert verdict_of(answer("The documents do not say."), found) == "right"
    assert verdict_of(answer("It is run by Arrow Coaches."), found) == "wrong"


def test_without_a_reference_a_person_says_it() -> None:
    assert verdict_of(answer("Blue."), None) is None
    assert verdict_of(answer("Blue."), None, marked=True) == "right"
    assert verdict_of(answer("Blue."), None, marked=False) == "wrong"
    assert verdict_of(answer("The documents do not say."), None) == "refused"
    read_only = reference_of("Why?", {"mine": [Sample("1", "Why?", "Because.")]})
    assert read_only is not None
    assert read_only.rule == ""
    assert verdict_of(answer("Because."), read_only) is None
    assert verdict_of(answer("Because."), read_only, marked=True) == "right"
