"""Questions to click on: the four stories, whose they are, drafted ones, and that each story is told by real models."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import backends
from backends.base import Answer
from backends.run.timing import run_timed
from backends.settings import Settings, load_settings
from evaluation.references import Verdict, reference_of, verdict_of
from evaluation.suggestions import (
    FOUND,
    INVENTED,
    RECALLED,
    STORIES,
    UNKNOWABLE,
    drafted_reference,
    look_of,
    question_of,
    suggestions,
)
from tests.backends.rag.quick import QuickEmbedder
from tests.evaluation.reading_collection import filled


def settings_of(data: Path, **named: str) -> Settings:
    return load_settings({"data": str(data), **{name.replace("__", "."): value for name, value in named.items()}})


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    """A collection of two documents of one's own."""
    filled(tmp_path / "data", tmp_path / "documents", QuickEmbedder(), "shop")
    return settings_of(tmp_path / "data", rag__collection="shop")


def test_the_stories_are_those_of_the_sample_handbook_and_adapter(tmp_path: Path) -> None:
    current = settings_of(tmp_path / "data")
    assert suggestions(current) == STORIES
    assert look_of(current, RECALLED.question) == RECALLED.look
    assert look_of(current, "Why?") == ""
    other = settings_of(tmp_path / "data", fine_tuned__adapter="none-such")
    assert suggestions(other) == (INVENTED, FOUND, UNKNOWABLE)


def test_an_adapter_of_ones_own_is_asked_what_was_held_out(proving: Settings) -> None:
    found = suggestions(proving)
    assert [one.question for one in found if one.name == "Recalled"] == ["Open door 1?"]
    assert look_of(proving, "Open door 1?") == "Held out when doors was trained."


def test_other_documents_have_questions_drafted_from_them(shop: Settings) -> None:
    found = suggestions(shop)
    assert [(one.question, one.look, one.drafted) for one in found] == DRAFTED


def test_an_answer_to_a_drafted_question_is_held_against_the_sentence(shop: Settings) -> None:
    found = drafted_reference(shop, "Within how many days may an opened kettle be returned?")
    assert found is not None
    assert (found.source, found.drafted) == ("returns.md", True)
    assert found.rule == "Drafted: right holds the figure of the document's sentence, however it is spelled."
    assert found.answer.startswith("An opened kettle may be returned within 28 days")
    said = {text: verdict_of(Answer("rag", "m", text, "ok"), found) for text in ("Within 28 days.", "30 days.")}
    assert said == {"Within 28 days.": "right", "30 days.": "wrong"}
    assert drafted_reference(shop, "Why?") is None


def test_no_question_is_drafted_that_two_sentences_answer_otherwise_nor_from_what_is_superseded(
    tmp_path: Path,
) -> None:
    texts = {
        "prices.md": "The fee is 12 %. The fee is 15 %. The fine is 3 euros.",
        "rules-2022.md": "The limit is 7 days.",
        "rules-2025.md": "The limit is 9 days.",
    }
    filled(tmp_path / "data", tmp_path / "documents", QuickEmbedder(), "town", texts)
    found = suggestions(settings_of(tmp_path / "data", rag__collection="town"))
    assert [(one.question, one.reference and one.reference.answer) for one in found] == [
        ("How much is the fine?", "The fine is 3 euros."),
        ("What is the limit?", "The limit is 9 days."),
    ]


def test_documents_in_the_place_of_the_handbook_are_no_handbook(tmp_path: Path) -> None:
    filled(tmp_path / "data", tmp_path / "documents", QuickEmbedder())
    assert [one.drafted for one in suggestions(settings_of(tmp_path / "data"))] == [True, True]


def test_an_empty_collection_has_no_questions(tmp_path: Path) -> None:
    assert suggestions(settings_of(tmp_path / "data", rag__collection="nothing")) == ()


DRAFTED = [
    (
        "How many days of paid holiday a year does every employee have?",
        "Drafted from leave.txt.",
        True,
    ),
    (
        "Within how many days may an opened kettle be returned?",
        "Drafted from returns.md.",
        True,
    ),
]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("The restocking fee is 12 %.", "What is the restocking fee?"),
        ("Our opening hours are 9 to 17.", "What are the opening hours?"),
        ("The deposit is 40 euros, and it is paid back.", "How much is the deposit?"),
        ("Life jackets are \u00a33 each.", "How much are Life jackets?"),
        ("The PX-40 is 61 mm wide.", "How wide is the PX-40?"),
        ("The waiting list is 12 months long.", "How long is the waiting list?"),
        ("The range is 4 km in the open.", "What is the range?"),
        ("The season is 12 April to 30 September.", "What is the season?"),
        ("The office is 200 metres from the bridge.", ""),
        ("The Zephyr lamp costs 42 euros.", "How much does the Zephyr lamp cost?"),
        ("Spare filters cost about \u00a36 each.", "How much do Spare filters cost?"),
        ("A charge lasts up to 9 hours.", "How long does a charge last?"),
        ("Delivery takes 3 days.", "How long does Delivery take?"),
        ("The tank holds 1.6 litres.", "How much does the tank hold?"),
        ("The K2 weighs 900 g.", "How much does the K2 weigh?"),
        ("Each site has about 40 seats", "How many seats does each site have?"),
        ("Complaints must be answered within 2 weeks.", "Within how many weeks must Complaints be answered?"),
        ("Goods may be exchanged at any time within 3 days.", ""),
        ("Goods may be exchanged within 3 to 5 days.", ""),
        ("Each room has 2 to 4 beds.", ""),
        ("The office has 4", ""),
        ("It is 12 cm wide.", ""),
        ("This is 3 times as much.", ""),
        ("The fee is high.", ""),
        ("The fee that you pay if it is late is 12 %; then more follows, which is another 3 %.", ""),
        (f"The {'very ' * 20}long name is 4.", ""),
        ("", ""),
    ],
)
def test_a_sentence_that_states_a_number_is_turned_into_its_question(sentence: str, question: str) -> None:
    found = question_of(sentence)
    assert (found.question if found else "") == question


@pytest.mark.parametrize(
    ("sentence", "right", "wrong"),
    [
        ("The restocking fee is 12 %.", ["12%", "12 percent", "12 per cent, always"], ["12", "2 %", "112 %"]),
        ("Spare filters cost about \u00a36 each.", ["\u00a36", "6 pounds", "GBP 6"], ["6", "\u00a360", "$6"]),
        ("Delivery takes 3 days.", ["3 days", "three days"], ["3 weeks", "13 days"]),
        ("Each site has about 40 seats", ["40", "40 seats"], ["400", "four"]),
        ("Complaints must be answered within 2 weeks.", ["2 weeks", "within two"], ["12", "3 weeks"]),
        ("The deadline is 3 March 2027.", ["on 3 March", "March 3, 2027"], ["3", "13 March"]),
        ("The tank holds 1 to 2 litres.", ["1 to 2 litres", "from 1 l up to 2 l"], ["2 litres", "1 litre"]),
    ],
)
def test_an_answer_holds_the_figure_of_the_sentence(sentence: str, right: list[str], wrong: list[str]) -> None:
    drafted = question_of(sentence)
    assert drafted is not None
    reference = drafted.reference("one.md")
    said = {text: verdict_of(Answer("raw", "m", text, "ok"), reference) for text in (*right, *wrong)}
    assert said == dict.fromkeys(right, "right") | dict.fromkeys(wrong, "wrong")


@pytest.mark.parametrize("sentence", ["The voltage is 220-240 volts.", "The ratio is 1/2.", "The socket is 16A."])
def test_where_the_figure_is_not_plain_nobody_judges(sentence: str) -> None:
    drafted = question_of(sentence)
    assert drafted is not None
    reference = drafted.reference("one.md")
    assert reference is not None
    assert (reference.answer, reference.rule) == (sentence, "")


# --- with the default weights ----------------------------------------------------------------------


def asked(settings: Settings, approach_id: str, question: str) -> tuple[Answer, Verdict | None]:
    """An answer as the app gives it, and how it stands."""
    backend = backends.make(approach_id, settings)
    list(backend.load(threading.Event()))
    *_, answer = run_timed(backend, settings.question(question), threading.Event())
    assert isinstance(answer, Answer)
    return answer, verdict_of(answer, reference_of(question))


@pytest.mark.slow
def test_each_story_is_told_by_the_default_weights(model_data: Path) -> None:
    settings = settings_of(model_data)
    raw = {one: asked(settings, "raw", one.question)[1] for one in STORIES}
    assert raw == dict.fromkeys(STORIES, "wrong")
    assert asked(settings, "fine_tuned", RECALLED.question)[1] == "right"
    answer, verdict = asked(settings, "rag", FOUND.question)
    assert verdict == "right"
    assert ["[1]" in line or "[2]" in line for line in answer.text.splitlines()] == [True, True], answer.text
    answer, verdict = asked(settings, "rag", UNKNOWABLE.question)
    assert answer.status == "refused" or "do not say" in answer.text
    assert asked(settings, "fine_tuned", UNKNOWABLE.question)[1] != "right"
