"""Figures as they count: the same in other units and words is the same, and what is no figure is left out."""

from __future__ import annotations

import pytest

from backends.rag.evidence.figures import figures


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("720 g", "0.72 kg"),
        ("90 minutes", "an hour and a half"),
        ("a quarter of an hour", "fifteen minutes"),
        ("half an hour", "30 min"),
        ("two weeks", "14 days"),
        ("24 months", "two years"),
        ("a limit of 30 days", "a limit of one month"),
        ("8 pm", "20:00"),
        ("7.30 am", "7:30"),
        ("£1,200", "1200 pounds"),
        ("38p", "£0.38"),
        ("two thirds", "66.666666666666666666666666666 %"),
        ("1.20 m", "120 cm"),
        ("15 January 2025", "January 15"),
    ],
)
def test_the_same_in_other_words_or_units_is_the_same(one: str, other: str) -> None:
    (first,), (second,) = figures(one), figures(other)
    assert first.same_measure(second)
    assert first.equals(second) or abs(first.value - second.value) < 1e-9


@pytest.mark.parametrize(
    ("one", "other"),
    [("20 kg", "20 m"), ("20 %", "£20"), ("10 working days", "2 months"), ("8:00", "8 euros"), ("5 cups", "5 euros")],
)
def test_what_measures_something_else_or_more_is_another_figure(one: str, other: str) -> None:
    (first,), (second,) = figures(one), figures(other)
    assert not first.equals(second)


@pytest.mark.parametrize(
    "text", ["Version 3 of 2024", "section 4.2", "the Kettle K2", "the Ember One", "bus 7", "half-day", "§ 12"]
)
def test_what_tells_a_thing_is_no_figure(text: str) -> None:
    assert figures(text) == ()


def test_what_is_counted_is_known() -> None:
    (found,) = figures("At most 15 people may enter.")
    assert (found.of, found.text) == ("peopl", "15 people")
