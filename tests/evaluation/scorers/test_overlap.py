"""Exact match, token F1 and chrF: what is the same in another spelling, and what must not be taken for the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.scorers.overlap import chrf, exact_match, token_f1, tokens

SAME = [
    ("Paris", "paris"),
    ("  Paris.\n", "Paris"),  # leading blanks
    ("The Eiffel Tower!", "eiffel tower"),  # SQuAD's example of punctuation, article and case
    ("\u22125 °C", "-5 °C"),  # a minus sign and a hyphen
    ("\uff12\uff15", "25"),  # full-width digits
    ("cafe\u0301", "caf\u00e9"),  # composed or combined
    ("1,200", "1 200"),
    ("**36 months**", "36 months"),
    ("two-year warranty", "two year warranty"),
    ("GK-2207", "GK 2207"),
    ("U.S.", "US"),
    ("NaN", "nan"),  # a word, and no number
    ("5%", "5 %"),
    ("保修期为36个月。", "保修期为36个月"),
]
NOT_THE_SAME = [
    ("5", "25"),
    ("25", "5"),
    ("hello world", "world hello"),
    ("-5", "5"),
    ("\u22125", "5"),
    ("3.5", "35"),
    ("<5", ">5"),
    ("5 %", "5"),
    ("$5", "5"),
    ("C++", "C"),
    ("C#", "C"),
    ("Plan A", "Plan"),
    ("Plan A", "Plan B"),
    ("flat 3a street", "flat 3 street"),
    ("resume", "r\u00e9sum\u00e9"),
    ("\u0915\u093f\u0924\u093e\u092c", "\u0915\u093e\u0924\u093f\u092c"),  # Hindi, where vowels are marks
    ("36个月", "38个月"),
    ("", "Paris"),
    ("?", "!"),
]


@pytest.mark.parametrize(("answer", "reference"), SAME)
def test_another_spelling_is_the_same(answer: str, reference: str) -> None:
    assert exact_match(answer, reference)
    assert token_f1(answer, reference) == 1


@pytest.mark.parametrize(("answer", "reference"), NOT_THE_SAME)
def test_what_tells_answers_apart_is_kept(answer: str, reference: str) -> None:
    assert not exact_match(answer, reference)


def test_f1_counts_words_in_any_order_and_each_once() -> None:
    assert token_f1("world hello", "hello world") == 1  # as it is defined; exact match and chrF tell them apart
    assert chrf("world hello", "hello world") < 0.8
    assert token_f1("It costs 25 pounds", "5 pounds") == pytest.approx(1 / 3)  # 5 is not in 25
    assert token_f1("red red red", "red") == 0.5
    assert token_f1("", "red") == token_f1("red", "") == 0
    assert token_f1("36个月", "38个月") == pytest.approx(2 / 3)


def test_chrf_is_that_of_sacrebleu() -> None:
    from sacrebleu import sentence_chrf

    answer, reference = "The cat sat on the mat.", "A cat sat on a mat."
    assert chrf(answer, reference) == sentence_chrf(answer, [reference]).score / 100
    assert chrf("  red ", "red") == chrf("cafe\u0301", "caf\u00e9") == 1
    assert (chrf("", "red"), chrf(" ", ""), chrf("red", "")) == (0, 1, 0)


def test_a_text_of_signs_alone_is_compared_as_it_is() -> None:
    assert exact_match("+", "+")
    assert tokens("the") == ("the",)
    assert not exact_match("+", "-")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_have_scores_from_0_to_1(answer: str, reference: str) -> None:
    assert 0 <= token_f1(answer, reference) <= 1
    assert 0 <= chrf(answer, reference) <= 1
    assert token_f1(answer, answer) == 1
    assert not exact_match(answer, reference) or token_f1(answer, reference) == 1
