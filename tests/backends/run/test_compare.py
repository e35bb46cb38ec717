"""One question to many backends: who takes turns, who does not wait for whom, and that each has one answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from backends.base import Answer, Cost, Event, Loading, Question, Queued, Started, TextDelta, Timings, Usage
from backends.errors import BackendError
from backends.run.compare import compare
from backends.run.lane import lane
from backends.text import MAX_CHARACTERS
from tests.scripted import PATIENCE_S, Gate, Scripted, finished

LANE = "compare-test"
YES = (TextDelta("Yes"), finished(1))


@pytest.fixture(autouse=True)
def _lane_is_left_empty() -> Iterator[None]:
    yield
    place = lane(LANE).join("after the test")
    with lane(LANE).turn(place, threading.Event()):
        pass


def answers_of(events: list[tuple[str, Event]]) -> dict[str, Answer]:
    found = [(approach, event) for approach, event in events if isinstance(event, Answer)]
    assert len(found) == len(dict(found)), "an approach answered twice"
    return dict(found)


class Inside:
    """Counts who is at work at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0
        self.order: list[str] = []

    def enter(self, name: str) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self.order.append(name)

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1


def watched(name: str, inside: Inside) -> Scripted:
    return Scripted(
        *YES,
        lambda cancel: inside.leave(),
        approach=name,
        lane=LANE,
        loading=(lambda cancel: inside.enter(name), Loading(f"weights of {name}")),
    )


def test_local_backends_take_turns_in_the_order_given_loading_included() -> None:
    inside = Inside()
    names = ["rag", "raw", "fine_tuned", "other"]
    events = list(compare([watched(name, inside) for name in names], Question("q"), threading.Event()))
    assert (inside.most, inside.order) == (1, names)
    assert {name: answer.status for name, answer in answers_of(events).items()} == dict.fromkeys(names, "ok")
    started = [name for name, event in events if isinstance(event, Started)]
    assert started == names


def test_those_who_wait_are_told_who_is_ahead_now() -> None:
    gates = {name: Gate() for name in ("raw", "fine_tuned", "rag")}
    backends = [Scripted(gate, *YES, approach=name, lane=LANE) for name, gate in gates.items()]
    stream = compare(backends, Question("q"), threading.Event())
    said: dict[str, list[tuple[str, ...]]] = {name: [] for name in gates}

    def until(name: str, behind: tuple[str, ...]) -> None:
        while behind not in said[name]:
            approach, event = next(stream)
            if isinstance(event, Queued):
                said[approach].append(event.behind)

    until("rag", ("raw", "fine_tuned"))
    until("fine_tuned", ("raw",))
    gates["raw"].opened.set()
    until("rag", ("fine_tuned",))
    for gate in gates.values():
        gate.opened.set()
    list(stream)
    assert said == {"raw": [], "fine_tuned": [("raw",)], "rag": [("raw", "fine_tuned"), ("fine_tuned",)]}


def test_remote_backends_answer_while_a_local_one_is_blocked() -> None:
    gate = Gate()
    backends = [
        Scripted(gate, *YES, approach="raw", lane=LANE),
        Scripted(*YES, approach="fine_tuned", lane=LANE),
        Scripted(*YES, approach="paid_api"),
        Scripted(*YES, approach="another_api"),
    ]
    stream = compare(backends, Question("q"), threading.Event())
    early: set[str] = set()
    while early < {"paid_api", "another_api"}:
        approach, event = next(stream)
        if isinstance(event, Answer):
            early.add(approach)
    assert gate.reached.wait(PATIENCE_S)
    assert early == {"paid_api", "another_api"}
    gate.opened.set()
    assert [name for name, event in stream if isinstance(event, Answer)] == ["raw", "fine_tuned"]


def test_remote_backends_work_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=PATIENCE_S)
    backends = [Scripted(lambda cancel: meeting.wait(), *YES, approach=name) for name in "abc"]
    answers = answers_of(list(compare(backends, Question("q"), threading.Event())))
    assert {name: answer.status for name, answer in answers.items()} == {"a": "ok", "b": "ok", "c": "ok"}


def test_a_fault_stays_in_its_column() -> None:
    backends = [
        Scripted(BackendError("No key.", "Set one."), approach="paid_api"),
        Scripted(ValueError("bug"), approach="raw", lane=LANE),
        Scripted(loading=(OSError("disk"),), approach="rag", lane=LANE),
        Scripted(*YES, approach="fine_tuned", lane=LANE),
    ]
    answers = answers_of(list(compare(backends, Question("q"), threading.Event())))
    assert {name: (answer.status, answer.error) for name, answer in answers.items()} == {
        "paid_api": ("error", "No key. Set one."),
        "raw": ("error", "raw failed unexpectedly (ValueError). The log has the details; ask again."),
        "rag": ("error", "rag failed unexpectedly (OSError). The log has the details; ask again."),
        "fine_tuned": ("ok", None),
    }


class _CannotPrice(Scripted):
    def cost(self, usage: Usage, timings: Timings) -> Cost:
        raise KeyError("price list")


def test_a_backend_that_cannot_price_has_an_answer_and_ends_the_comparison() -> None:
    """Without an answer for every column the stream never ends, so it is drained on a thread that may hang."""
    backends = [_CannotPrice(*YES, approach="paid_api"), Scripted(*YES, approach="raw", lane=LANE)]
    events: list[tuple[str, Event]] = []
    reader = threading.Thread(
        target=lambda: events.extend(compare(backends, Question("q"), threading.Event())), daemon=True
    )
    reader.start()
    reader.join(5)
    assert not reader.is_alive(), "the comparison never ends"
    assert {name: answer.text for name, answer in answers_of(events).items()} == {"paid_api": "Yes", "raw": "Yes"}


def test_a_backend_that_hangs_holds_up_nobody_and_closing_cancels_it() -> None:
    seen = threading.Event()

    def hang(cancel: threading.Event) -> None:
        assert cancel.wait(PATIENCE_S)
        seen.set()

    cancel = threading.Event()
    stream = compare(
        [Scripted(hang, approach="paid_api"), Scripted(*YES, approach="raw", lane=LANE)],
        Question("q"),
        cancel,
    )
    while not isinstance((event := next(stream))[1], Answer):
        pass
    assert event[0] == "raw"
    assert not cancel.is_set()
    stream.close()
    assert cancel.is_set()
    assert seen.wait(PATIENCE_S)


def test_closing_it_cancels_the_only_one_that_is_asked() -> None:
    left = threading.Event()

    class Endless(Scripted):
        def stream(self, question: Question, cancel: threading.Event) -> Iterator[TextDelta]:  # type: ignore[override]
            try:
                while True:
                    yield TextDelta("on and on ")
            finally:
                left.set()

    cancel = threading.Event()
    stream = compare([Endless(approach="paid_api")], Question("q"), cancel)
    while not isinstance(next(stream)[1], TextDelta):
        pass
    stream.close()
    assert cancel.is_set()
    assert left.is_set()


def test_draining_it_to_the_end_does_not_cancel() -> None:
    cancel = threading.Event()
    assert len(answers_of(list(compare([Scripted(*YES)], Question("q"), cancel)))) == 1
    assert not cancel.is_set()


def test_a_cancel_reaches_the_one_at_work_and_those_who_wait() -> None:
    cancel = threading.Event()
    stop = Gate()
    backends = [
        Scripted(TextDelta("Half an"), stop, finished(1, "cancelled"), approach="raw", lane=LANE),
        Scripted(*YES, approach="fine_tuned", lane=LANE),
        Scripted(*YES, approach="rag", lane=LANE),
    ]
    stream = compare(backends, Question("q"), cancel)
    while not isinstance(next(stream)[1], TextDelta):
        pass
    assert stop.reached.wait(PATIENCE_S)
    cancel.set()
    waiting = [next(answer for answer in stream if isinstance(answer[1], Answer)) for _ in range(2)]
    assert {name for name, _ in waiting} == {"fine_tuned", "rag"}
    place = lane(LANE).join("next")
    assert lane(LANE).behind(place) == ("raw",)
    stop.opened.set()
    ((last, answer),) = [(name, event) for name, event in stream if isinstance(event, Answer)]
    assert (last, answer.status, answer.text) == ("raw", "cancelled", "Half an")
    assert [backend.asked for backend in backends[1:]] == [[], []]
    with lane(LANE).turn(place, threading.Event()):
        pass


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The question is empty. Type a question first."),
        (" \n\t\x00\u202e ", "The question is empty. Type a question first."),
        (
            "x" * (MAX_CHARACTERS + 1),
            "The question has 100,001 characters; the limit is 100,000. "
            "Shorten it, or put long texts into documents for the RAG approach.",
        ),
    ],
)
def test_an_unusable_question_is_an_error_in_every_column(text: str, sentence: str) -> None:
    backends = [Scripted(*YES, approach="raw", lane=LANE), Scripted(*YES, approach="paid_api")]
    events = list(compare(backends, Question(text), threading.Event()))
    assert [(name, event.approach, event.status, event.error, event.text) for name, event in events] == [
        ("raw", "raw", "error", sentence, ""),
        ("paid_api", "paid_api", "error", sentence, ""),
    ]
    assert [backend.asked for backend in backends] == [[], []]


def test_a_stand_in_is_labelled_when_the_question_is_unusable_too() -> None:
    backend = Scripted(*YES, approach="paid_api")
    backend.stand_in = True
    ((_, answer),) = compare([backend], Question(""), threading.Event())
    assert isinstance(answer, Answer)
    assert answer.stand_in


def test_every_backend_gets_the_same_cleaned_question() -> None:
    backends = [Scripted(*YES, approach="raw", lane=LANE), Scripted(*YES, approach="paid_api")]
    asked = Question(" a\x00b\r\nc\u202e ", system_prompt="\x07Be brief. ", max_tokens=9, temperature=0.5, seed=3)
    list(compare(backends, asked, threading.Event()))
    cleaned = Question("ab\nc", system_prompt="Be brief.", max_tokens=9, temperature=0.5, seed=3)
    assert [backend.asked for backend in backends] == [[cleaned], [cleaned]]


def test_nobody_asked_is_an_end_at_once() -> None:
    assert list(compare([], Question("q"), threading.Event())) == []
