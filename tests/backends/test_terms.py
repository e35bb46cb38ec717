"""Numbers, names and words are told apart, and one spelling is as good as another."""

from __future__ import annotations

import pytest

from backends.terms import OTHER, Number, stem, terms


def numbers(text: str) -> set[tuple[str, str | None]]:
    return {(number.value, number.unit) for number in terms(text).numbers}


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("3,000 W", "3000", "w"),
        ("3000 watts", "3000", "w"),
        ("£1,500", "1500", "£"),
        ("£449.00", "449", "£"),
        ("449 pounds", "449", "£"),
        ("12%", "12", "%"),
        ("12 %", "12", "%"),
        ("12 per cent", "12", "%"),
        ("93 °C", "93", "°"),
        ("58mm", "58", "mm"),
        ("a 2.8-litre tank", "2.8", "l"),
        ("10 working days", "10", "day"),
        ("forty-five days", "45", "day"),
        ("within one hour", "1", "hour"),
        ("at 09:00", "9:0", "time"),
        ("41p per mile", "41", "p"),
        ("six field engineers", "6", OTHER),
        ("1MiB", "1", OTHER),
        ("until 2024.", "2024", None),
        ("1,5 Liter", "1.5", "l"),
    ],
)
def test_a_number_and_its_unit(text: str, value: str, unit: str | None) -> None:
    assert numbers(text) == {(value, unit)}


def test_one_is_a_number_only_with_a_unit() -> None:
    assert numbers("The present one gives the Ember One to no one.") == set()


def test_numbers_agree_unless_their_units_differ() -> None:
    assert Number("12", "day").agrees(Number("12", None))
    assert not Number("12", "day").agrees(Number("12", "week"))
    assert not Number("12", "day").agrees(Number("12", OTHER))
    assert not Number("12", "day").agrees(Number("13", "day"))


def test_names_are_capitalised_phrases_codes_and_labelled_numbers() -> None:
    found = terms("Customers send the Ember One with E4 to Helen Sturrock under version 3, part BP-1242.")
    assert found.names == {("ember", "one"), ("e4",), ("helen", "sturrock"), ("version 3",), ("bp-1242",)}
    assert stem("customer") in found.words
    assert terms("Odile Harcastle founded it.").names == {(stem("Odile"), stem("Harcastle"))}


def test_words_are_stems_without_those_that_say_little() -> None:
    assert terms("It was returned; they return, returning the returns.").words == {"return"}
    assert terms("Yes, it is.").empty
    assert stem("policies") == stem("policy")


def test_a_script_without_spaces_is_compared_in_pairs() -> None:
    assert {"保証", "です"} <= terms("保証は2年です").words
    assert numbers("保証は2年です") == {("2", OTHER)}


def test_denial() -> None:
    assert terms("It must not be washed.").negated
    assert terms("It isn't washed.").negated
    assert not terms("It comes opened or not, and not only in red.").negated
    none = terms("The K2 has no child lock.")
    assert (none.negated, none.negative, none.absent) == (False, True, {"child", "lock"})


def test_numbers_are_compared_as_text_in_any_script() -> None:
    assert numbers("at ٠٩:٠٠") == numbers("at 09:00")
    ((value, unit),) = numbers("at 1:" + "0" * 4999 + "7")
    assert (value, unit) == ("1:7", "time")
