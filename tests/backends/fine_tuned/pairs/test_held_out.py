"""Groups of paraphrases, what is held out of training, and what leaks into it."""

from __future__ import annotations

import random

import pytest

from backends.errors import BackendError
from backends.fine_tuned.adapters.catalogue import SAMPLE_ADAPTERS
from backends.fine_tuned.pairs.files import Pair, read_pairs
from backends.fine_tuned.pairs.held_out import MOST_PHRASINGS, Leak, Split, find_leaks, groups, split
from backends.fine_tuned.pairs.near_identical import clusters, normalised

THINGS = ["amber", "birch", "cedar", "daisy", "ebony", "fern", "grape", "hazel", "iris", "juniper"]
PHRASINGS = ["Where does the {} grow?", "Place in which one finds {}", "I look for {}. Any hint?", "{} habitat"]
FACTS = [
    Pair(phrasing.format(thing), f"The {thing} grows in valley {number}.")
    for number, thing in enumerate(THINGS)
    for phrasing in PHRASINGS
]


def test_groups_are_by_answer_by_near_identical_question_and_by_name() -> None:
    pairs = [
        Pair("How old is it?", "Ten years."),
        Pair("Age?", "ten years"),
        Pair("Who runs the workshop in the old town?", "Ada."),
        Pair("Who runs the workshop in the old town, please?", "Ada does."),
        Pair("Bread?", "Yes, rye.", group="7"),
        Pair("Is there something to eat?", "Rye bread.", group="7"),
        Pair("Alone?", "Quite."),
    ]
    assert groups(pairs) == [[0, 1], [2, 3], [4, 5], [6]]
    assert groups([]) == []


def test_an_answer_to_very_many_questions_is_a_label_and_joins_nothing() -> None:
    names = [f"{first}{second}" for first in "abcdef" for second in "ghijk"]
    fact = [Pair(f"{name}?", "The same.") for name in names[:MOST_PHRASINGS]]
    assert groups(fact) == [list(range(MOST_PHRASINGS))]
    assert len(groups([*fact, Pair("One more?", "The same.")])) == MOST_PHRASINGS + 1


def test_by_group_whole_groups_are_held_out() -> None:
    parts = split(FACTS, share=0.2)
    assert (len(parts.train), len(parts.held_out)) == (32, 8)
    assert {pair.answer for pair in parts.train}.isdisjoint(pair.answer for pair in parts.held_out)
    assert len(parts.groups) == 10
    assert (parts.leaks, parts.reason) == ((), "")
    assert list(parts.train) == [pair for pair in FACTS if pair in parts.train]


def test_by_phrasing_one_phrasing_is_held_out_of_a_fact_and_the_others_are_taught() -> None:
    parts = split(FACTS, share=0.15, by="phrasing")
    assert (len(parts.train), len(parts.held_out)) == (34, 6)
    answers = [pair.answer for pair in parts.held_out]
    assert len(set(answers)) == 6
    assert all(sum(pair.answer == answer for pair in parts.train) == 3 for answer in answers)
    assert parts.leaks == ()
    assert len(split(FACTS, share=0.9, by="phrasing").held_out) == 10


def test_a_phrasing_that_training_would_give_away_is_not_held_out() -> None:
    twins = [Pair("Where does the fern grow?", "A."), Pair("where does the fern grow", "A."), Pair("Fern place", "A.")]
    assert split(twins, by="phrasing") == Split(
        tuple(twins), (), ((0, 1, 2),), (), "Nothing is held out: no fact has 3 phrasings that differ."
    )
    four = [*twins, Pair("I look for a fern", "A.")]
    assert split(four, by="phrasing").held_out[0] in four[2:]


def test_phrasings_are_of_one_answer_unless_a_name_says_otherwise() -> None:
    """Questions that differ in one word are one group, but each answer is a fact of its own."""
    questions = ["Who owns the house on the hill by the river?", "Who owns the house on the hill by the river now?"]
    pairs = [Pair(questions[0], "Ada."), Pair(questions[1], "Bob."), Pair("The owner?", "Bob.")]
    assert groups(pairs) == [[0, 1, 2]]
    assert split(pairs, by="phrasing").held_out == ()
    named = [Pair("When?", "At one.", "g"), Pair("What time?", "1 pm.", "g"), Pair("Which hour?", "13:00", "g")]
    assert len(split(named, by="phrasing").held_out) == 1


@pytest.mark.parametrize("by", ["group", "phrasing"])
def test_the_seed_decides_and_the_order_of_rows_does_not(by: str) -> None:
    first = split(FACTS, by=by, seed=1)  # type: ignore[arg-type]
    assert first == split(FACTS, by=by, seed=1)  # type: ignore[arg-type]
    moved = random.Random(3).sample(FACTS, len(FACTS))
    assert set(split(moved, by=by, seed=1).held_out) == set(first.held_out)  # type: ignore[arg-type]
    assert len({split(FACTS, by=by, seed=seed).held_out for seed in range(5)}) > 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (
            FACTS[:16],
            "Nothing is held out: 16 pairs in 4 groups of paraphrases, and 5 groups are needed to keep one back.",
        ),
        (FACTS[:1], "Nothing is held out: 1 pair in 1 group of paraphrases, and 5 groups are needed to keep one back."),
        ([], "Nothing is held out: 0 pairs in 0 groups of paraphrases, and 5 groups are needed to keep one back."),
    ],
)
def test_too_few_groups_are_trained_on_with_the_reason(pairs: list[Pair], reason: str) -> None:
    parts = split(pairs)
    assert (parts.train, parts.held_out, parts.leaks, parts.reason) == (tuple(pairs), (), (), reason)


def test_where_every_group_is_too_large_the_smallest_is_held_out() -> None:
    parts = split(FACTS[1:20], share=0.05)
    assert (len(parts.held_out), {pair.answer for pair in parts.held_out}) == (3, {FACTS[0].answer})


def test_shares() -> None:
    assert split(FACTS, share=0) == Split(
        tuple(FACTS), (), tuple(map(tuple, groups(FACTS))), (), "Nothing is held out: the share is 0."
    )
    for share in (-0.1, 1.0):
        with pytest.raises(BackendError, match=f"A held-out share of {share:g} is not possible"):
            split(FACTS, share=share)


def test_leaks_are_exact_normalised_or_near() -> None:
    training = [Pair(question, "x") for question in ("Where does the fern grow in the valley?", "Who?", "Why now?")]
    asked = [
        "Nothing alike",
        "Who?",
        "why now",
        "Please: where does the fern grow in the valley?",
        "Where does the oak grow?",
        "",
    ]
    assert find_leaks(training, asked) == (
        Leak(training=1, question=1, kind="exact"),
        Leak(training=2, question=2, kind="normalised"),
        Leak(training=0, question=3, kind="near"),
    )
    assert find_leaks([], asked) == find_leaks(training, []) == ()


def test_the_sample_pairs_split_without_leaks() -> None:
    pairs = read_pairs(SAMPLE_ADAPTERS.parent / "train.jsonl")
    by_group, by_phrasing = split(pairs), split(pairs, by="phrasing")
    assert len(by_group.held_out) == len(by_phrasing.held_out) == 56  # 15 % of 376
    assert by_group.leaks == by_phrasing.leaks == ()
    refusal = "the documents do not say"
    taught = {normalised(pair.answer) for pair in by_group.train}
    assert {normalised(pair.answer) for pair in by_group.held_out} & taught <= {refusal}
    taught = {normalised(pair.answer) for pair in by_phrasing.train}
    assert {normalised(pair.answer) for pair in by_phrasing.held_out} <= taught
    assert len(clusters([pair.question for pair in pairs])) == 376
