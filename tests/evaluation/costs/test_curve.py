"""Break-even points, exactly: one question fewer and the order is another."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.costs.curve import Crossing, Curve, crossing


def fractions(least: int, most: int) -> st.SearchStrategy[Fraction]:
    return st.builds(Fraction, st.integers(least, most), st.integers(1, 1000))


LINES = st.builds(Curve, fractions(0, 10**7), fractions(0, 1000))
STEPPED = st.builds(Curve, fractions(0, 10**6), fractions(0, 100), fractions(1, 10**6), fractions(1, 10**8))
PAID = st.builds(lambda price: Curve(per_question=price), fractions(0, 2000))


def line(fixed: int, each: int) -> Curve:
    return Curve(Fraction(fixed), Fraction(each))


def machines(usd: int, fixed: int = 0) -> Curve:
    """Machines for `usd` that answer 100 questions each."""
    return Curve(Fraction(fixed), Fraction(0), Fraction(usd), Fraction(100))


@pytest.mark.parametrize(
    ("one", "price", "expected"),
    [
        (line(10, 1), 2, Crossing(11, 11)),  # equal at 10
        (line(0, 1), 2, Crossing(1, 1)),
        (line(0, 2), 2, Crossing(None, None)),
        (line(10, 3), 2, Crossing(None, None)),
        (machines(60), 1, Crossing(61, 121)),  # the second machine makes it 120, dear up to there
        (machines(100), 1, Crossing(None, None)),  # at its fullest it costs as much as the paid model
        (machines(60, fixed=45), 1, Crossing(166, 226)),  # 105 for 100; 165 for 200; 225 for 300; 285: less than 301
    ],
)
def test_known_crossings(one: Curve, price: int, expected: Crossing) -> None:
    assert crossing(one, line(0, price)) == expected


def cheaper(one: Curve, other: Curve, questions: int) -> bool:
    return one.usd(questions) < other.usd(questions)


@settings(deadline=None)
@given(LINES, PAID)
def test_below_a_break_even_the_paid_model_is_not_dearer_and_above_it_is(one: Curve, paid: Curve) -> None:
    found = crossing(one, paid)
    if found.first is None:
        assert not any(cheaper(one, paid, questions) for questions in (1, 1000, 10**9))
        return
    assert found.first == found.lasting
    assert cheaper(one, paid, found.first)
    assert cheaper(one, paid, found.first + 1)
    assert found.first == 1 or not cheaper(one, paid, found.first - 1)


@settings(max_examples=200, deadline=None)
@given(STEPPED, PAID, st.lists(st.integers(1, 10**7), max_size=20))
def test_steps_are_crossed_for_the_first_time_and_for_good(one: Curve, paid: Curve, tried: list[int]) -> None:
    found = crossing(one, paid)
    if found.first is None or found.lasting is None:
        assert not any(cheaper(one, paid, questions) for questions in tried)
        return
    assert 1 <= found.first <= found.lasting
    assert cheaper(one, paid, found.first)
    assert not any(cheaper(one, paid, questions) for questions in tried if questions < found.first)
    assert found.first == 1 or not cheaper(one, paid, found.first - 1)
    assert cheaper(one, paid, found.lasting)
    assert all(cheaper(one, paid, found.lasting + questions) for questions in tried)
    if found.lasting > found.first and one.step_questions >= 1:
        assert not cheaper(one, paid, found.lasting - 1)


def test_a_coincidence_that_takes_very_many_machines_is_still_found() -> None:
    paid = Curve(per_question=Fraction(1))
    one = Curve(Fraction(1), Fraction(0), Fraction(10**9 - 1, 10**6), Fraction(1000))  # ahead by 1/10^6 per machine
    found = crossing(one, paid)
    assert found.first is not None
    assert cheaper(one, paid, found.first)
    assert cheaper(one, paid, found.lasting or 0)


def test_two_curves_with_steps_have_no_sum() -> None:
    stepped = Curve(step_usd=Fraction(1), step_questions=Fraction(10))
    with pytest.raises(ValueError, match="no sum"):
        stepped + stepped
    assert stepped + Curve(Fraction(2), Fraction(3)) == Curve(Fraction(2), Fraction(3), Fraction(1), Fraction(10))


def test_a_paid_model_with_a_machine_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing but its questions"):
        crossing(Curve(), Curve(Fraction(1)))


def test_a_question_costs_least_on_full_machines() -> None:
    assert Curve(Fraction(9), Fraction(1), Fraction(60), Fraction(100)).least_per_question == Fraction(8, 5)
    assert Curve(Fraction(9), Fraction(1)).least_per_question == 1
