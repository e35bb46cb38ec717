"""Near-identical questions: what counts as the same, and that the index finds what comparing all with all finds."""

from __future__ import annotations

import random
from collections.abc import Set as AbstractSet

import pytest

from backends.fine_tuned.pairs.near_identical import DisjointSets, QuestionIndex, clusters, normalised, word_set

COMMON = [
    f"What is the {what} of the {where}?" for what in ("price", "size", "age") for where in ("hall", "door", "roof")
]
"""Other questions, so that words like "what" weigh little."""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  What is\n it? ", "what is it"),
        ("«Où?»", "où"),
        ("What is C++?", "what is c++"),
        ("What is C#?", "what is c#"),
        ("ＷＨＡＴ", "what"),
        ("?!", ""),
    ],
)
def test_normalised(text: str, plain: str) -> None:
    assert normalised(text) == plain


def test_words() -> None:
    assert word_set("Is (the) door, door-3, open?") == {"is", "the", "door", "door-3", "open"}
    assert word_set("鍵はどこ") == set("鍵はどこ")
    assert word_set("... ?") == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("When does the service desk open on Saturday?", "when does the service desk open on saturday", True),
        ("When does the service desk open on Saturday?", "On Saturday, when does the service desk open", True),
        ("When does the service desk open on Saturday?", "When does the service desk open on Saturday, please?", True),
        ("When does the service desk open on Saturday?", "When does the service desk open on Sunday?", False),
        ("When does the service desk open on Saturday?", "Opening time on Saturday?", False),
        (
            "What is the capital of the northern part of the old France?",
            "What is the capital of the northern part of the old Spain?",
            False,
        ),
        (
            "What is the code of door 3 in the long east wing?",
            "What is the code of door 4 in the long east wing?",
            False,
        ),
        ("???", "!", True),
    ],
)
def test_which_questions_are_the_same(one: str, other: str, same: bool) -> None:
    found = clusters([*COMMON, one, other])
    assert found[:-1] == list(range(len(COMMON) + 1))
    assert found[-1] == (len(COMMON) if same else len(COMMON) + 1)


def test_clusters_chain_and_are_led_by_their_first_member() -> None:
    assert clusters([]) == []
    base = "where can one leave a bicycle during the week"
    more = [base, f"{base} please", f"{base} please sir", "and something else", base.upper()]
    assert clusters(more) == [0, 0, 0, 3, 0]
    found = DisjointSets(5)
    found.union(4, 2)
    found.union(2, 3)
    assert [found.find(one) for one in range(5)] == [0, 1, 2, 2, 2]


def variants(seed: int) -> list[str]:
    """Questions, and variants of them with words added, lost and changed."""
    draw = random.Random(seed)
    vocabulary = [f"w{letter}{n}x" if n == 3 else f"w{letter}{'abc'[n]}" for letter in "abcdefghij" for n in range(3)]
    questions = [draw.choices(vocabulary, k=draw.randint(1, 14)) for _ in range(60)]
    for _ in range(90):
        one = list(draw.choice(questions))
        for _ in range(draw.randint(0, 2)):
            match draw.randrange(3):
                case 0:
                    one.append(draw.choice(vocabulary))
                case 1 if len(one) > 1:
                    one.pop(draw.randrange(len(one)))
                case _:
                    one[draw.randrange(len(one))] = draw.choice([*vocabulary, "7", "8"])
        questions.append(one)
    return [" ".join(question) for question in questions]


@pytest.mark.parametrize("seed", range(5))
def test_the_index_finds_what_comparing_all_with_all_finds(seed: int) -> None:
    questions = variants(seed)
    sets = [word_set(question) for question in questions]
    slow = DisjointSets(len(sets))
    for one in range(len(sets)):
        alone = QuestionIndex(sets)
        alone.add(one, sets[one])
        for other in range(one + 1, len(sets)):
            if list(alone.matches(sets[other])):
                slow.union(one, other)
    expected = [slow.find(position) for position in range(len(sets))]
    assert clusters(questions) == expected
    assert 60 < len(set(expected)) < 140


@pytest.mark.parametrize("vocabulary", [40, 4000])
def test_no_question_is_compared_with_very_many(vocabulary: int) -> None:
    compared = 0

    class Counted(frozenset[str]):
        """Words that count with how many others they are compared."""

        def __and__(self, other: AbstractSet[object]) -> frozenset[str]:
            nonlocal compared
            compared += isinstance(other, Counted)
            return super().__and__(other)

    draw = random.Random(1)
    letters = "abcdefghijklmnopqrst"
    known = [f"{one}{two}{three}" for one in letters for two in letters for three in letters][:vocabulary]
    sets = [Counted(draw.sample(known, 12)) for _ in range(2000)]
    index = QuestionIndex(sets)
    for position, one in enumerate(sets):
        list(index.matches(one))
        index.add(position, one)
    assert 0 < compared < 2000 * 250  # against 2,000 * 1,999 / 2 for all with all
