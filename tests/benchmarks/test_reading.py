"""The exercises that a reader is trained on: kinds, evidence, questions, answers, and that all is the same by seed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from backends.facts import contains_fact
from backends.rag.prompt import REFUSAL
from benchmarks.reading.catalogue import Domain, held_out_domains, read_domains, training_domains
from benchmarks.reading.exercises import MOST_SENTENCES, Group
from benchmarks.reading.manual_questions import made_of
from benchmarks.reading.manual_text import Told, read_sentences, write_sentences
from benchmarks.reading.prompt import Evidence, cited_answer, reader_prompt
from benchmarks.reading.scoring import quoted, repeats, score, table
from benchmarks.reading.stream import exercises_of

GROUPS = 400


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    """Some groups of a seed."""
    return [exercises_of(3, 6)(number) for number in range(GROUPS)]


def test_the_catalogue_has_hundreds_of_kinds_each_said_and_asked_in_several_ways() -> None:
    domains = training_domains()
    attributes = [one for domain in domains for one in domain.attributes]
    assert len(domains) >= 40
    assert len(attributes) >= 300
    assert all(len(one.questions) >= 3 and len(one.statements) >= 2 for one in attributes)
    assert all("{x}" in question for one in attributes for question in one.questions)
    assert all("{v}" in said for one in attributes for said in one.statements if not one.is_yes_or_no)
    assert all(one.denials for one in attributes if one.is_yes_or_no)


def test_what_is_held_out_is_not_trained_on() -> None:
    def said(domains: list[Domain]) -> set[str]:
        return {text for domain in domains for one in domain.attributes for text in (*one.statements, *one.questions)}

    assert not said(training_domains()) & said(held_out_domains())


def test_a_line_of_a_catalogue_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("A sentence without a domain.\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"bad\.txt, line 1"):
        read_domains([tmp_path / "bad.txt"])


def test_a_seed_gives_the_same_exercises_each_time(groups: list[Group]) -> None:
    again = exercises_of(3, 6)
    assert [again(number) for number in (0, 7, 399)] == [groups[0], groups[7], groups[399]]
    assert exercises_of(4, 6)(0) != groups[0]


def test_what_is_answered_stands_in_the_sentence_that_is_cited(groups: list[Group]) -> None:
    for group in groups:
        assert 1 <= len(group.evidence) <= MOST_SENTENCES
        for exercise in group.exercises:
            for text, number in exercise.parts:
                line = group.evidence[number - 1].line(number)
                number_and_unit = text.split()
                whole = contains_fact(line, (text,)) or text in line
                in_a_column = all(part in line for part in (number_and_unit[0], number_and_unit[-1]))
                assert whole or in_a_column or exercise.kind == "yes_no", (text, line)


def test_a_superseded_sentence_answers_nothing_but_what_is_asked_of_the_old_edition(groups: list[Group]) -> None:
    cited = [
        (one.kind == "old", group.evidence[number - 1].superseded)
        for group in groups
        for one in group.exercises
        for _, number in one.parts
    ]
    assert set(cited) == {(False, False), (True, True)}


def test_a_quarter_cannot_be_answered_and_every_place_holds_answers(groups: list[Group]) -> None:
    kinds = Counter(one.kind for group in groups for one in group.exercises)
    assert 0.2 <= kinds["missing"] / kinds.total() <= 0.32
    assert min(kinds[kind] for kind in ("single", "two", "condition", "yes_no", "reverse", "missing", "old")) > 5
    assert {number for group in groups for one in group.exercises for _, number in one.parts} == set(range(1, 7))


def test_the_words_of_a_question_do_not_tell_that_it_cannot_be_answered(groups: list[Group]) -> None:
    """Most of the things that are asked for in vain are named in the evidence, as are those that are told."""
    missing = [(group, one) for group in groups for one in group.exercises if one.kind == "missing"]
    named = 0
    for group, exercise in missing:
        words = {word.strip("?,.").lower() for word in exercise.question.split() if len(word) > 4}
        text = " ".join(one.line(1) for one in group.evidence).lower()
        named += any(word in text for word in words)
    assert named / len(missing) > 0.8


def test_the_prompt_has_numbered_evidence_and_marks_what_is_superseded() -> None:
    evidence = [Evidence("rules.md", "Pools", "It opens at 9."), Evidence("old.md", "", "It opens at 8.", True)]
    text = "[1] rules.md > Pools: It opens at 9.\n[2] (superseded) old.md: It opens at 8."
    assert reader_prompt("When?", evidence) == f"Question: When?\n\n{text}\n\nQuestion: When?"
    assert reader_prompt("When?", evidence, ask_first=False) == f"{text}\n\nQuestion: When?"


def test_an_answer_cites_behind_or_before_each_part_and_is_the_refusal_without_any() -> None:
    parts = (("21 days", 2), ("9:00", 3))
    assert cited_answer(parts) == "21 days [2]; 9:00 [3]."
    assert cited_answer(parts, cite_first=True) == "[2] 21 days; [3] 9:00."
    assert cited_answer(()) == REFUSAL


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("If the file does not exist, it is created.", "What happens if the file does not exist?", "it is created"),
        ("If your lamp stays dark, press any key.", "What should I do if my lamp stays dark?", "press any key"),
        ("To lock your screen, press Super and L.", "How do I lock my screen?", "press Super and L"),
        ("The pager is the mode used to show messages.", "What is the pager?", "the mode used to show messages"),
        ("Records are kept because tools read them.", "Why is it that records are kept?", "because tools read them"),
    ],
)  # fmt: skip
def test_questions_are_made_of_real_sentences(sentence: str, question: str, answer: str) -> None:
    questions, made = made_of(Told("Manual", "Heading", sentence))
    assert (questions[0], made) == (question, answer)


def test_an_option_is_asked_for_by_what_it_does() -> None:
    questions, answer = made_of(Told("tar manual", "Options", "Remove files after adding them.", "--remove-files"))
    assert questions[0] == "Which option makes tar remove files after adding them?"
    assert answer == "--remove-files"


def test_nothing_is_asked_of_a_sentence_that_says_too_little() -> None:
    assert made_of(Told("Manual", "", "This is the value that was given before.")) == ([], "")
    assert made_of(Told("Manual", "", "If you want, you can change it later on.")) == ([], "")


def test_manuals_are_read_from_pages_and_commands(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "usr" / "share" / "help" / "C"
    folder.mkdir(parents=True)
    text = "To lock your screen, press the red key. It stays dark until you are back."
    page = f"<page><title>Lock the screen</title><p>{text}</p></page>"
    (folder / "lock.page").write_text(page, encoding="utf-8")
    (folder / "broken.page").write_text("<page><title>", encoding="utf-8")
    file = tmp_path / "sentences.jsonl"
    assert write_sentences(tmp_path / "some", file) == 2
    assert read_sentences(file)[0] == Told("Lock the screen", "", "To lock your screen, press the red key.")
    assert len(json.loads(file.read_text(encoding="utf-8").split("\n")[0])) == 4


def test_scores_tell_right_refused_cited_and_repeated(groups: list[Group]) -> None:
    pairs = [(group, one) for group in groups[:40] for one in group.exercises]
    perfect = table([score(group, one, one.answer()) for group, one in pairs])
    refusing = table([score(group, one, REFUSAL) for group, one in pairs])
    assert (perfect["all"], perfect["cited"], perfect["refused falsely"], perfect["repeated"]) == (100, 100, 0, 0)
    assert (refusing["missing"], refusing["answerable"], refusing["refused falsely"]) == (100, 0, 100)
    assert repeats("we are open on Monday and we are open on Monday and")
    assert 20 < table(list(quoted(groups[:40])))["answerable"] < 100
