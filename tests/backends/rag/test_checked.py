"""An answer that the passages do not support does not stand alone, and a writer that repeats itself is stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from backends.base import BackendEvent, Finished, Note, Passage, TextDelta, Usage, Withdrawn
from backends.rag.checked import Check, Unsupported, checked, repetition
from backends.rag.prompt import REFUSAL

QUESTION = "What is the fee for an opened machine?"
PASSAGES = (Passage("fees.md", None, "c1", 0.8, 0, 40, "An opened machine carries a fee of 12%."),)
QUOTE = "An opened machine carries a fee of 12%. [1]"


class Writer:
    """Writes words until it is stopped."""

    def __init__(self, text: str, reason: str = "stop") -> None:
        self.words = text.split(" ")
        self.written = 0
        self.reason = reason

    def __call__(self, stop: threading.Event) -> Iterator[BackendEvent]:
        for word in self.words:
            if stop.is_set():
                break
            self.written += 1
            yield TextDelta(f"{word} ")
        yield Finished(Usage(9, self.written), "cancelled" if stop.is_set() else self.reason)


def run(
    text: str, unsupported: Unsupported = "quote", watched: bool = True, reason: str = "stop"
) -> list[BackendEvent]:
    check = Check(QUESTION, PASSAGES, QUOTE, unsupported, watched)
    return list(checked(Writer(text, reason), check, threading.Event()))


def final_text(events: list[BackendEvent]) -> str:
    text = ""
    for event in events:
        if isinstance(event, Withdrawn):
            text = ""
        elif isinstance(event, TextDelta):
            text += event.text
    return text.strip()


def test_a_supported_answer_stands() -> None:
    events = run("The fee for an opened machine is 12%.")
    assert final_text(events) == "The fee for an opened machine is 12%."
    assert not any(isinstance(event, Withdrawn | Note) for event in events)


def test_what_is_not_found_is_withdrawn_for_the_quote() -> None:
    events = run("The fee for an opened machine is 15%.")
    assert final_text(events) == QUOTE
    assert [event.why for event in events if isinstance(event, Withdrawn)] == [
        "What the writer said was not found in the passages."
    ]
    assert events[-1] == Finished(Usage(9, 8), "stop")


def test_one_sentence_of_two_is_enough_to_withdraw_both() -> None:
    events = run("The fee is 12%. It was 15% before 2020.")
    assert [event.why for event in events if isinstance(event, Withdrawn)] == [
        "1 of the writer's 2 sentences was not found in the passages."
    ]


@pytest.mark.parametrize(("unsupported", "expected"), [("show", "The fee is 15%."), ("refuse", REFUSAL)])
def test_what_becomes_of_it_is_a_setting(unsupported: Unsupported, expected: str) -> None:
    events = run("The fee is 15%.", unsupported)
    assert final_text(events) == expected
    assert any(isinstance(event, Note) for event in events) == (unsupported == "show")


def test_a_refusal_of_the_writer_stands() -> None:
    assert final_text(run(REFUSAL)) == REFUSAL


def test_a_refusal_by_chance_does_not() -> None:
    def said(unsupported: Unsupported) -> str:
        check = Check(QUESTION, PASSAGES, QUOTE, unsupported, True, refusals_count=False)
        return final_text(list(checked(Writer(REFUSAL), check, threading.Event())))

    assert said("quote") == QUOTE
    assert said("refuse") == said("show") == REFUSAL


def test_a_writer_that_repeats_itself_is_stopped() -> None:
    round_and_round = "the fee that is due for the opened machine is " * 20
    writer = Writer(round_and_round)
    events = list(checked(writer, Check(QUESTION, PASSAGES, QUOTE, "quote", True), threading.Event()))
    assert writer.written < 25
    assert final_text(events) == QUOTE


def test_one_on_a_server_is_not_stopped_and_withdrawn_all_the_same() -> None:
    writer = Writer("the fee that is due for the opened machine is " * 20)
    events = list(checked(writer, Check(QUESTION, PASSAGES, QUOTE, "quote", False), threading.Event()))
    assert writer.written > 150
    assert final_text(events) == QUOTE


@pytest.mark.parametrize(
    "text",
    [
        "What is the fee for an opened machine? The fee is",
        "Question: What is the fee for an opened machine?",
        "It is red. It is blue. It is red.",
        "one two three four five six seven eight and one two three four five six seven eight",
        "The passage is:\n<<<\n[1] fees",
    ],
)
def test_repetitions(text: str) -> None:
    assert repetition(text, QUESTION)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The fee is 12%.",
        "Run cat <<< file.\n<<< is a here-string.",
        "Yes. Yes, the fee is 12% and the price is 12%.",
        "12%",
    ],
)
def test_no_repetitions(text: str) -> None:
    assert not repetition(text, QUESTION)


def test_a_user_who_stops_gets_what_was_written() -> None:
    cancel = threading.Event()
    events = []
    for event in checked(Writer("The fee is 15% and more."), Check(QUESTION, PASSAGES, QUOTE, "quote", True), cancel):
        events.append(event)
        cancel.set()
    assert final_text(events) == "The"
    assert isinstance(events[-1], Finished)
    assert events[-1].finish_reason == "cancelled"


def test_without_a_quote_the_text_stays_with_a_note() -> None:
    events = list(checked(Writer("It is 15%."), Check(QUESTION, PASSAGES, "", "quote", True), threading.Event()))
    assert final_text(events) == "It is 15%."
    assert any(isinstance(event, Note) for event in events)
