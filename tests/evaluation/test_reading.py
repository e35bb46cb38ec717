"""Examples of reading: what is made of a pair, what is left out, and what is to be refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backends.base import Passage
from backends.errors import BackendError
from backends.fine_tuned.adapters.card import Reading
from backends.fine_tuned.pairs.files import Pair
from backends.fine_tuned.pairs.held_out import split
from backends.rag import approach
from backends.rag.prompt import REFUSAL, build_sentence_prompt
from backends.rag.store.chroma import close_stores
from backends.rag.store.database import open_database
from backends.settings import DEFAULT_EMBEDDER, Settings, load_settings
from evaluation.metrics import NOT_ANSWERED
from evaluation.reading import (
    NO_CLAIM,
    NOT_HELD,
    TOO_LONG,
    TWICE,
    ReadingExamples,
    cited,
    key_facts,
    make_reading_examples,
    reading_samples,
    without_answer,
)
from tests.backends.conftest import tiny_model  # noqa: F401 - a fixture
from tests.backends.rag.quick import QuickEmbedder
from tests.evaluation.reading_collection import PAIRS, filled, roomy


def sentence(text: str, document: str = "returns.md", start: int = 0) -> Passage:
    return Passage(document, None, f"{document}-{start}", 0.5, start, start + len(text), text)


KETTLE = sentence("An opened kettle may be returned within 28 days.")
GRINDER = sentence("An opened grinder may be returned within 21 days.", start=100)
HOLIDAY = sentence("Every employee has 27 days of paid holiday a year.", "leave.txt")


def test_an_answer_is_cited_where_the_sentences_hold_it() -> None:
    assert cited(PAIRS[0], [GRINDER, KETTLE]) == "Within 28 days. [2]"
    assert cited(PAIRS[1], [GRINDER, KETTLE]) == "An opened grinder is returned within 21 days. [1]"
    assert cited(PAIRS[0], [GRINDER, HOLIDAY]) is None


def test_citations_of_the_pairs_themselves_count_for_nothing() -> None:
    assert cited(replace(PAIRS[0], answer="Within 28 days [7]."), [GRINDER, KETTLE]) == "Within 28 days . [2]"


def test_what_an_answer_adds_to_its_question_is_what_must_be_held() -> None:
    assert key_facts(PAIRS[0]) == (("28",),)
    assert key_facts(PAIRS[2]) == (("Mara Lindqvist",),)
    assert key_facts(PAIRS[4]) == (("March",),)
    assert key_facts(Pair("Is it open?", "It is, and stays so.")) == (("It is, and stays so",),)
    assert key_facts(Pair("Does the K2 hold 2 litres?", "The K2 holds 1.7 litres.")) == (("1.7",),)


def test_without_its_answer_no_sentence_is_left_that_holds_a_part_of_it() -> None:
    also = sentence("Kettles: 28 days, grinders: 21 days.", "overview.txt")
    assert without_answer(PAIRS[0], [KETTLE, GRINDER, also, HOLIDAY], 3, other_documents=False) == [GRINDER, HOLIDAY]
    assert without_answer(PAIRS[0], [KETTLE, GRINDER, also, HOLIDAY], 3, other_documents=True) == [HOLIDAY]
    assert without_answer(PAIRS[0], [KETTLE, GRINDER, HOLIDAY], 1, other_documents=False) == [GRINDER]


# --- from a collection ----------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:  # noqa: F811
    """A filled collection and a tiny base."""
    data, quick = tmp_path / "data", QuickEmbedder()
    monkeypatch.setitem(approach.embedders, (DEFAULT_EMBEDDER, data), quick)
    filled(data, tmp_path / "documents", quick)
    model = roomy(tiny_model, tmp_path / "base")
    yield load_settings({"data": data, "raw.model": str(model), "rag.min_score": -1, "rag.sentences": 3})
    close_stores(data)
    open_database(data).close()


def made(settings: Settings, pairs: tuple[Pair, ...] = PAIRS, share: float = 0.25) -> ReadingExamples:
    *_, last = make_reading_examples(settings, pairs, share, threading.Event())
    assert last.result is not None
    return last.result


def test_each_pair_becomes_the_prompt_that_rag_would_ask_and_the_cited_answer(settings: Settings) -> None:
    found = made(settings)
    searcher = approach.open_searcher(settings)
    answered = [one for one in found.pairs if one.answer != REFUSAL]
    assert [one.question for one in answered] == [one.question for one in PAIRS[:5]]
    for one in answered:
        sentences = [each.passage for each in searcher.search(one.question, settings.rag.k).sentences[:3]]
        assert one.prompt == build_sentence_prompt(one.question, sentences)
        number = int(one.answer.rpartition("[")[2].rstrip("]"))
        assert cited(one, [sentences[number - 1]]) is not None


def test_what_the_sentences_do_not_hold_is_left_out_and_counted(settings: Settings) -> None:
    pairs = (*PAIRS, PAIRS[0], Pair("Is it so that an opened kettle may be returned?", "Oh?"))
    found = made(settings, pairs)
    reasons = {one.question: one.reason for one in found.left_out}
    assert reasons == {
        "How many days of paid holiday has a manager?": NOT_HELD,
        PAIRS[0].question: TWICE,
        "Is it so that an opened kettle may be returned?": NO_CLAIM,
    }
    assert found.made_from.left_out == 3
    assert "1 pair left out: none of the sentences found holds its answer." in found.words


def test_the_wanted_share_is_refused_with_sentences_that_do_not_answer(settings: Settings) -> None:
    found = made(settings, share=0.5)
    refused = [one for one in found.pairs if one.answer == REFUSAL]
    assert (len(found.pairs), len(refused)) == (10, 5)
    assert PAIRS[6].question in {one.question for one in refused}
    answers = {pair.question: pair for pair in PAIRS}
    for one in refused:
        if one.question != PAIRS[6].question:
            assert all(fact not in one.prompt for (fact,) in key_facts(answers[one.question]))
    version = approach.open_index(settings).version
    assert found.made_from == Reading("handbook", version, 3, 10, 5, 1)
    assert made(settings, share=0.5) == found
    assert [one.answer for one in made(settings, share=0.0).pairs].count(REFUSAL) == 1


def test_a_base_without_room_gives_no_example(settings: Settings) -> None:
    with pytest.raises(BackendError, match=TOO_LONG):
        made(settings.model_copy(update={"max_tokens": 2_000}))


def test_a_share_that_is_not_possible_and_an_empty_collection_are_refused(settings: Settings) -> None:
    with pytest.raises(BackendError, match=r"Choose one from 0 to 0\.5"):
        made(settings, share=0.6)
    empty = settings.rag.model_copy(update={"collection": "nothing"})
    with pytest.raises(BackendError, match="nothing"):
        made(settings.model_copy(update={"rag": empty}))


def test_cancelled_it_has_no_examples(settings: Settings) -> None:
    cancel = threading.Event()
    steps = make_reading_examples(settings, PAIRS, 0.25, cancel)
    for step in steps:
        if step.done:
            cancel.set()
            break
    assert all(step.result is None for step in steps)


# --- held out -------------------------------------------------------------------------------------------

EXAMPLES = tuple(
    Pair(f"What is the code of door {n}?", answer, prompt=f"{n} {answer}")
    for n in range(1, 11)
    for answer in (f"It is {n}{n}{n}. [1]", REFUSAL)
)


@pytest.mark.parametrize("by", ["group", "phrasing"])
def test_a_question_is_never_in_both_parts(by: str) -> None:
    named = [replace(one, group="doors" if by == "phrasing" else "") for one in EXAMPLES]
    found = split(named, 0.2, by)  # type: ignore[arg-type]
    assert len(found.train) + len(found.held_out) == 20
    assert not {one.question for one in found.train} & {one.question for one in found.held_out}
    assert found.held_out
    assert all(one.prompt for one in found.held_out)


def test_held_out_questions_are_asked_once_with_what_a_right_answer_holds() -> None:
    never = Pair("What is behind door 12?", REFUSAL, prompt="x")
    first, *others = reading_samples([*EXAMPLES, never])
    assert (first.question, first.reference_answer) == ("What is the code of door 1?", "It is 111.")
    assert first.key_facts == (("111",),)
    assert len(others) == 10
    assert (others[-1].question, others[-1].tags) == (never.question, (NOT_ANSWERED,))
