"""The writer without a model."""

from __future__ import annotations

from dataclasses import replace

from backends.base import Passage
from backends.rag.quote import quote, quoted
from backends.rag.search.sentences import RankedSentence


def sentence(text: str, score: float, start: int = 0) -> RankedSentence:
    passage = Passage("fees.md", None, "c1", 0.5, start, start + len(text), text)
    return RankedSentence(passage, 1, score, 0.0)


def test_the_best_sentence_and_those_that_are_nearly_as_good() -> None:
    found = [sentence("a", 0.8), sentence("b", 0.75, 10), sentence("c", 0.4, 20)]
    whole = [Passage("fees.md", None, "c1", 0.5, 0, 999, "...")]
    assert [one.text for one in quoted("?", found, whole)] == ["a", "b"]
    assert quoted("?", [], whole) == []
    assert len(quoted("?", [sentence(str(place), 0.5, place) for place in range(9)], whole)) == 3


def test_only_what_the_sources_hold_is_quoted() -> None:
    found = [sentence("best", 0.9), sentence("shown", 0.5, 40)]
    assert [one.text for one in quoted("?", found, [Passage("fees.md", None, "c2", 0.5, 30, 90, "...")])] == ["shown"]
    assert quoted("?", found, []) == []


def test_a_sentence_that_repeats_another_is_left_out() -> None:
    row = "Room: {}; Floor: ground; Screen: yes; Coffee: yes; Water: yes; Plants: none"
    found = [
        sentence(row.format("Cinder"), 0.8),
        sentence(row.format("Flint"), 0.8, 90),
        sentence("Book it.", 0.8, 180),
    ]
    assert [one.text[:12] for one in quoted("?", found, [Passage("fees.md", None, "c1", 0.5, 0, 999, "...")])] == [
        "Room: Cinder",
        "Book it.",
    ]


def row(text: str, score: float, start: int) -> RankedSentence:
    found = sentence(text, score, start)
    return replace(found, passage=replace(found.passage, heading="Fees\n| Line | Fare |"))


def test_the_row_that_is_asked_for_stands_without_its_neighbours() -> None:
    whole = [Passage("fees.md", None, "c1", 0.5, 0, 999, "...")]
    found = [row("| North | 20 kr |", 0.8, 0), row("| South | 25 kr |", 0.8, 30), sentence("It runs daily.", 0.7, 60)]

    def quotes(question: str) -> list[str]:
        return [one.text for one in quoted(question, found, whole)]

    assert quotes("What is the fare of the north line?") == ["| North | 20 kr |", "It runs daily."]
    assert len(quotes("What are the fares of the north and the south line?")) == 3
    assert len(quotes("Which line is the cheapest?")) == 3  # it names none, so none is the wrong one


def test_each_has_the_number_of_its_source() -> None:
    one, other = sentence("The fee is 12%.", 0.8).passage, sentence("It is waived.", 0.8, 40).passage
    whole = Passage("fees.md", None, "c1", 0.5, 30, 90, "...")
    assert quote([one, other], [whole, one]) == "The fee is 12%. [2]\nIt is waived. [1]"
    assert quote([one], [whole]) == ""
