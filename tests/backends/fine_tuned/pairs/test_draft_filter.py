"""Which drafts reach a reviewer."""

from __future__ import annotations

import pytest

from backends.base import Passage
from backends.fine_tuned.pairs.drafts import refusal

CHUNK = Passage(
    "ember-duo-manual.pdf",
    4,
    "c1",
    1.0,
    0,
    0,
    "The water tank holds 2.8 litres. Descale it every 12 weeks or 1,600 cups. Support: Odile Harcastle in Thornaby.",
)


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("How much water fits into the tank?", "The water tank holds 2.8 litres.", None),
        ("How often is the Ember Duo descaled?", "The Ember Duo is descaled every 12 weeks or 1600 cups.", None),
        ("Who helps with the Ember Duo?", "Odile Harcastle in Thornaby.", None),
        ("", "2.8 litres", "incomplete"),
        ("How much water fits?", "", "incomplete"),
        ("The question", "The answer", "incomplete"),
        ("How much water fits? " * 20, "2.8 litres", "too long"),
        ("How much water fits?", "2.8 litres. " * 60, "too long"),
        ("What does the passage say about water?", "The tank holds 2.8 litres.", "speaks of the passage"),
        ("How much water fits?", "According to the text, 2.8 litres.", "speaks of the passage"),
        ("Is there a tank for water?", "Yes.", "says nothing"),
        ("The water tank holds 2.8 litres?", "The water tank holds 2.8 litres.", "says nothing"),
        ("How much water fits?", "The water tank holds 3 litres.", "not in the passage"),
        ("How much water fits?", "The water tank holds 2.8 cups.", "not in the passage"),
        ("Who helps with the Ember Duo?", "Tobias Harcastle in Thornaby.", "not in the passage"),
        ("How much water fits into the Alder library?", "The water tank holds 2.8 litres.", "not in the passage"),
        ("When was the tank built in 1987?", "The water tank holds 2.8 litres.", "not in the passage"),
        ("What is a good coffee?", "Fresh beans with gentle roasting.", "not in the passage"),
    ],
)
def test_reasons(question: str, answer: str, reason: str | None) -> None:
    assert refusal(question, answer, CHUNK) == reason
