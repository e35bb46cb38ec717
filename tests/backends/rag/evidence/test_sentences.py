"""Sentences are found where a reader would find them."""

from __future__ import annotations

import pytest

from backends.rag.evidence.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It costs 12.50, or 3,000 in all. So be it.", ["It costs 12.50, or 3,000 in all.", "So be it."]),
        (
            "See Dr. Smith, J. R. Jones and the U.S. market. Go.",
            ["See Dr. Smith, J. R. Jones and the U.S. market.", "Go."],
        ),
        (
            "It holds, e.g. 5 cups, approx. 9 a.m. on Monday. Yes.",
            ["It holds, e.g. 5 cups, approx. 9 a.m. on Monday.", "Yes."],
        ),
        ("See No. 5. No. It is over.", ["See No. 5.", "No.", "It is over."]),
        ("It needs 3,000 W. It boils.", ["It needs 3,000 W.", "It boils."]),
        ("Prices fell... and rose. Well...", ["Prices fell... and rose.", "Well..."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("価格は100円です。保証は2年です。", ["価格は100円です。", "保証は2年です。"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_marks_that_end_a_sentence_and_marks_that_do_not(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_a_citation_behind_the_full_stop_belongs_to_the_sentence_in_front() -> None:
    assert cut("It is 45 days. [1][2] The fee is 12 % [3]. Ask.【1†source】 Bye.") == [
        "It is 45 days. [1][2]",
        "The fee is 12 % [3].",
        "Ask.【1†source】",
        "Bye.",
    ]


def test_list_items_are_sentences_without_their_markers() -> None:
    text = "Here you are:\n\n1. The K2 holds 1.5 litres.\n2) The K3\n- **Bold**, going\n  on here\n## 3. Heading\nText"
    assert cut(text) == [
        "Here you are:",
        "The K2 holds 1.5 litres.",
        "The K3",
        "**Bold**, going\n  on here",
        "Heading",
        "Text",
    ]


@pytest.mark.parametrize("text", ["." * 50_000, "[1" * 25_000, "A. " * 20_000, "1.1." * 20_000, "[1] " * 20_000])
def test_text_that_no_person_wrote_is_cut_as_well(text: str) -> None:
    found = sentences(text)
    assert [start for start, _ in found] == sorted({start for start, _ in found})
    assert all(0 <= start < end <= len(text) for start, end in found)
