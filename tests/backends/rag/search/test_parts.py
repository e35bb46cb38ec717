"""Questions that ask for several things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backends.base import Passage
from backends.rag.quote import quote, quoted_of_each
from backends.rag.search.parts import parts
from backends.rag.search.retriever import Searcher
from backends.rag.search.sentences import Asked, RankedSentence, in_turn
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.rag.store.index import Index
from backends.settings import RagSettings
from tests.backends.rag.conftest import fill
from tests.backends.rag.quick import SETTINGS, QuickEmbedder


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What does it cost, and when does it open?", ("What does it cost?", "when does it open?")),
        ("How heavy is it and who sells it?", ("How heavy is it?", "who sells it?")),
        ("Who sells it? On which days is it sold?", ("Who sells it?", "On which days is it sold?")),
        ("By when do I sign up, or whom do I call?", ("By when do I sign up?", "whom do I call?")),
        (
            "I live in Ansay. How do I get a card and what does it cost?",
            ("I live in Ansay. How do I get a card?", "I live in Ansay. what does it cost?"),
        ),
        ("What is the fare?", ()),
        ("When and where does it open?", ()),
        ("Tell me the fare and the hours.", ()),
        ("Does it stop where the road ends?", ()),
        ("Salt and pepper, and bread", ()),
        ("", ()),
        ("What a is b? How c is d? When e is f? Who g is h?", ()),
    ],
)
def test_what_is_asked(question: str, asked: tuple[str, ...]) -> None:
    assert parts(question) == asked


def sentence(text: str, score: float, start: int) -> RankedSentence:
    return RankedSentence(Passage("a.md", None, "c1", 0.5, start, start + len(text), text), 1, score, 0.0)


def test_the_best_of_each_in_turn_each_once() -> None:
    one, two, three = sentence("one", 0.9, 0), sentence("two", 0.8, 10), sentence("three", 0.7, 20)
    found = in_turn([[one, two], [one, three]])
    assert [(each.passage.text, each.rank) for each in found] == [("one", 1), ("two", 2), ("three", 3)]
    assert in_turn([]) == ()


def test_each_thing_that_is_asked_is_quoted_however_unsure_it_is() -> None:
    whole = [Passage("a.md", None, "c1", 0.5, 0, 999, "...")]
    asked = [Asked("one?", (sentence("sure", 0.9, 0),)), Asked("two?", (sentence("unsure", 0.1, 20),))]
    assert quote(quoted_of_each(asked, whole), whole) == "sure [1]\nunsure [1]"
    assert quote(quoted_of_each([asked[0], asked[0]], whole), whole) == "sure [1]"


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    folder = tmp_path_factory.mktemp("ferry")
    (folder / "fares.md").write_text("# Fares\n\nA bicycle costs 20 kr.\n\n" + "Tickets are sold on board. " * 40)
    (folder / "hours.md").write_text("# Desk\n\nThe desk opens at 08:30.\n\n" + "The desk is in the hall. " * 40)
    (folder / "rules-2020.md").write_text("# Rules\n\nComplaints are made within 14 days.\n")
    (folder / "rules-2024.md").write_text("# Rules\n\nComplaints are made within 30 days.\n")
    data = folder / "data"
    index = Index(data, "ferry", QuickEmbedder(), RagSettings(**SETTINGS))
    fill(index, *sorted(folder.glob("*.md")))
    yield Searcher(index, QuickEmbedder(), RagSettings(**SETTINGS))
    close_stores(data)
    open_database(data).close()


def texts(found: tuple[RankedSentence, ...]) -> list[str]:
    return [one.passage.text for one in found]


def test_each_part_finds_its_own(ferry: Searcher) -> None:
    found = ferry.search("What does a bicycle cost, and when does the desk open?", 2)
    assert [texts(one.sentences)[0] for one in found.asked] == ["A bicycle costs 20 kr.", "The desk opens at 08:30."]
    assert texts(found.sentences)[:2] == ["A bicycle costs 20 kr.", "The desk opens at 08:30."]
    assert {hit.passage.document for hit in found.hits} == {"fares.md", "hours.md"}
    assert ferry.compare("What does a bicycle cost, and when does the desk open?", 2)["sentences"].parts


def test_of_two_editions_each_is_found(ferry: Searcher) -> None:
    found = ferry.search("How did the time for complaints change?", 2)
    assert [texts(one.sentences)[0][-8:] for one in found.asked] == ["30 days.", "14 days."]
    assert [one.sentences[0].passage.superseded != "" for one in found.asked] == [False, True]


def test_one_question_is_one(ferry: Searcher) -> None:
    found = ferry.search("How long do I have for complaints?", 2)
    assert found.parts == ()
    assert found.asked == (Asked("How long do I have for complaints?", found.sentences),)
    assert found.best_score == found.sentences[0].score


def test_below_the_threshold_only_if_nothing_that_is_asked_is_found(ferry: Searcher) -> None:
    question = "What does a bicycle cost, and which colour is the funnel?"
    best = [one.sentences[0].score for one in ferry.search(question, 2).asked]
    between = sum(best) / 2
    assert ferry.search(question, 2, min_score=between).hits
    assert not ferry.search(question, 2, min_score=max(best) + 0.01).hits
