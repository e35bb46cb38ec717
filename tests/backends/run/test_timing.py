"""What is measured and how an answer ends, on a clock that moves only when the script says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest

from backends.base import (
    Answer,
    AttemptStarted,
    Cost,
    Event,
    Finished,
    Loading,
    Note,
    Passage,
    Question,
    Reasoning,
    Retrieved,
    Retry,
    Started,
    TextDelta,
    Timings,
    Trace,
    Usage,
    Waiting,
)
from backends.errors import BackendError
from backends.run.lane import lane
from backends.run.timing import run_timed
from backends.scripted import Step
from tests.scripted import PATIENCE_S, Clock, Scripted, finished

PASSAGE = Passage("handbook.md", None, "c1", 0.8, 0, 4, "text")
LANE = "timing-test"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(backend: Scripted, cancel: threading.Event | None = None) -> tuple[list[Event], Answer]:
    *events, answer = run_timed(backend, Question("q"), cancel or threading.Event())
    assert isinstance(answer, Answer)
    return events, answer


def answer_to(clock: Clock, *steps: Step, loading: tuple[Step, ...] = (), lane: str | None = None) -> Answer:
    return run(Scripted(*steps, loading=loading, clock=clock, lane=lane))[1]


# --- durations ----------------------------------------------------------------------------------


def test_every_duration_of_an_answer(clock: Clock) -> None:
    answer = answer_to(
        clock,
        0.5,
        Retrieved((PASSAGE,)),
        1.0,
        TextDelta("One"),
        0.25,
        TextDelta(" two"),
        0.25,
        TextDelta(" three"),
        0.125,
        finished(3),
        lane=LANE,
        loading=(Loading("weights"), 8.0),
    )
    assert answer.timings == Timings(
        queued_s=0.0,
        load_s=8.0,
        retry_s=None,
        retrieval_s=0.5,
        ttft_s=1.5,
        latency_s=2.125,
        tokens_per_s=4.0,
    )
    assert answer.sources == (PASSAGE,)
    assert answer.text == "One two three"


def test_what_did_not_happen_is_none(clock: Clock) -> None:
    answer = answer_to(clock, 2.0, TextDelta("Yes"), finished(1))
    assert answer.timings == Timings(queued_s=0.0, ttft_s=2.0, latency_s=2.0)


def test_getting_ready_without_loading_anything_is_no_load(clock: Clock) -> None:
    answer = answer_to(clock, TextDelta("Yes"), 1.0, finished(1), loading=(3.0,))
    assert answer.timings.load_s is None
    assert answer.timings.latency_s == 1.0


def test_waiting_for_a_turn_is_queued_and_not_latency(clock: Clock) -> None:
    line = lane(LANE)
    other = line.join("somebody else")
    backend = Scripted(1.0, TextDelta("Yes"), finished(1), clock=clock, lane=LANE)
    answers: list[Answer] = []
    worker = threading.Thread(target=lambda: answers.append(run(backend)[1]))
    worker.start()
    assert clock.read.wait(PATIENCE_S)  # the answer's clock has started
    clock.now += 30.0
    with line.turn(other, threading.Event()):
        pass
    worker.join(PATIENCE_S)
    assert answers[0].timings == Timings(queued_s=30.0, ttft_s=1.0, latency_s=1.0)


def test_failed_attempts_are_retry_and_not_latency(clock: Clock) -> None:
    answer = answer_to(
        clock,
        2.0,
        Retry("attempt 1 failed"),
        4.0,
        Retry("attempt 2 failed"),
        0.5,
        TextDelta("Yes"),
        0.25,
        finished(1),
    )
    assert answer.timings == Timings(queued_s=0.0, retry_s=6.0, ttft_s=0.5, latency_s=0.75)
    assert answer.notes == ("attempt 1 failed", "attempt 2 failed")


def test_what_was_lost_and_waited_for_before_the_search_is_not_retrieval(clock: Clock) -> None:
    waited = (Waiting("others go first", for_a_slot=True), 3.0, AttemptStarted())
    answer = answer_to(
        clock,
        2.0,
        Retry("the server was busy"),
        *waited,
        0.5,
        Retrieved((PASSAGE,)),
        1.0,
        TextDelta("Yes"),
        finished(1),
    )
    assert answer.timings == Timings(queued_s=3.0, retry_s=2.0, retrieval_s=0.5, ttft_s=1.5, latency_s=1.5)


def test_a_retry_after_the_search_leaves_retrieval_in_latency(clock: Clock) -> None:
    answer = answer_to(
        clock, 0.5, Retrieved((PASSAGE,)), 2.0, Retry("the server was busy"), 1.0, TextDelta("Yes"), finished(1)
    )
    assert answer.timings == Timings(queued_s=0.0, retry_s=2.0, retrieval_s=0.5, ttft_s=1.5, latency_s=1.5)


@pytest.mark.parametrize("unseen", ["", " ", "\n\n", "\t \u3000"])
def test_the_first_text_is_the_first_visible_character(clock: Clock, unseen: str) -> None:
    answer = answer_to(clock, 1.0, TextDelta(unseen), 2.0, TextDelta("x"), finished(2))
    assert answer.timings.ttft_s == 3.0


def test_an_answer_of_white_space_has_no_first_text(clock: Clock) -> None:
    answer = answer_to(clock, 1.0, TextDelta(" \n"), finished(1))
    assert answer.timings.ttft_s is None
    assert answer.timings.latency_s == 1.0


def test_the_engine_s_own_stamps_count_where_it_gives_them(clock: Clock) -> None:
    start = clock.now
    answer = answer_to(
        clock,
        10.0,
        TextDelta("a", at=start + 1.0),
        TextDelta("b", at=start + 2.0),
        TextDelta("", at=start + 3.0),
        finished(3),
    )
    assert answer.timings.ttft_s == 1.0
    assert answer.timings.tokens_per_s == 1.0
    assert answer.timings.latency_s == 10.0


@pytest.mark.parametrize(
    ("tokens", "rate"),
    [(None, None), (0, None), (1, None), (2, 0.5), (9, 4.0)],
)
def test_speed_is_the_tokens_after_the_first_by_the_time_between_first_and_last(
    clock: Clock, tokens: int | None, rate: float | None
) -> None:
    answer = answer_to(clock, 7.0, TextDelta("a"), 2.0, TextDelta("b"), 5.0, finished(tokens))
    assert answer.timings.tokens_per_s == rate


def test_text_that_came_all_at_once_has_no_speed(clock: Clock) -> None:
    assert answer_to(clock, 1.0, TextDelta("all of it"), finished(40)).timings.tokens_per_s is None


def test_reasoning_after_the_text_is_no_time_before_it(clock: Clock) -> None:
    answer = answer_to(clock, 1.0, TextDelta("a"), 1.0, TextDelta("b"), 1.0, Reasoning(clock.now + 3.0), finished(9))
    assert (answer.timings.first_reasoning_s, answer.timings.ttft_s) == (None, 1.0)
    assert answer.timings.tokens_per_s is None


@pytest.mark.parametrize(("waited", "span", "burst"), [(1.0, 0.001, True), (0.01, 0.001, False), (1.0, 0.02, False)])
def test_a_burst_after_a_long_wait_has_no_speed(clock: Clock, waited: float, span: float, burst: bool) -> None:
    answer = answer_to(clock, waited, TextDelta("a"), span, TextDelta("b"), finished(40))
    assert (answer.timings.tokens_per_s is None) is burst
    assert answer.timings.ttft_s == pytest.approx(waited)
    assert [note[:30] for note in answer.notes] == (["The text came in one burst, as"] if burst else [])


def test_reasoning_that_is_shown_has_its_own_first_time_and_counts_for_the_speed(clock: Clock) -> None:
    start = clock.now
    shown = (Reasoning(start + 0.5), Reasoning(start + 3.0))
    answer = answer_to(clock, 4.0, *shown, TextDelta("a"), 1.0, TextDelta("b"), finished(10))
    assert (answer.timings.first_reasoning_s, answer.timings.ttft_s) == (0.5, 4.0)
    assert answer.timings.tokens_per_s == 2.0  # 9 tokens in the 4.5 s from the first that was reasoned to the last
    assert answer.text == "ab"


def test_reasoning_of_an_attempt_that_broke_off_is_not_the_answers(clock: Clock) -> None:
    start = clock.now
    failed = (2.0, Reasoning(start + 1.0), 3.0, Retry("It broke off. Asked again."))
    silent = answer_to(clock, *failed, 4.0, TextDelta("a"), 1.0, TextDelta("b"), finished(3))
    assert (silent.timings.first_reasoning_s, silent.timings.ttft_s, silent.timings.tokens_per_s) == (None, 4.0, 2.0)
    start = clock.now
    failed = (2.0, Reasoning(start + 1.0), 3.0, Retry("It broke off. Asked again."))
    again = answer_to(clock, *failed, 4.0, Reasoning(start + 8.0), TextDelta("a"), finished(3))
    assert (again.timings.first_reasoning_s, again.timings.ttft_s) == (3.0, 4.0)


def test_reasoning_that_is_only_counted_does_not_flatter_the_speed(clock: Clock) -> None:
    hidden = Finished(Usage(7, 110, None, 100, "server"), "stop")
    answer = answer_to(clock, 4.0, TextDelta("a"), 3.0, TextDelta("b"), hidden)
    assert (answer.timings.first_reasoning_s, answer.timings.ttft_s) == (None, 4.0)
    assert answer.timings.tokens_per_s == 3.0  # 10 tokens were seen to come, in 3 s


def test_the_answer_ends_with_its_last_event_whatever_is_written_down_afterwards(clock: Clock) -> None:
    assert answer_to(clock, 1.0, TextDelta("a"), finished(2), 5.0).timings.latency_s == 1.0
    start = clock.now
    stamped = Finished(Usage(), "stop", start + 0.75)
    assert answer_to(clock, 0.5, TextDelta("a"), 3.0, stamped).timings.latency_s == 0.75


# --- statuses -----------------------------------------------------------------------------------


def test_ok(clock: Clock) -> None:
    trace = Trace("prompt", "the prompt")
    backend = Scripted(trace, Note("by the way"), TextDelta("Yes"), finished(1), clock=clock)
    events, answer = run(backend)
    assert events == [Started(), trace, Note("by the way"), TextDelta("Yes"), finished(1)]
    assert (answer.status, answer.error, answer.finish_reason) == ("ok", None, "stop")
    assert (answer.approach, answer.model, answer.text) == ("raw", "scripted answers (raw)", "Yes")
    assert (answer.notes, answer.traces) == (("by the way",), (trace,))
    assert answer.usage == Usage(7, 1, source="tokenizer")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("length", 'The token limit was reached. Raise "Answer length" (max_tokens) for a longer answer.'),
        (None, "The stream ended without saying why; the answer may be incomplete. Ask again."),
        ("content_filter", "The provider's content filter stopped the answer. Rephrase the question."),
    ],
)
def test_truncated(clock: Clock, reason: str | None, sentence: str) -> None:
    answer = answer_to(clock, TextDelta("Half an"), finished(2, reason))
    assert (answer.status, answer.text, answer.finish_reason) == ("truncated", "Half an", reason)
    assert answer.error == sentence


def test_a_stream_without_an_end_is_truncated(clock: Clock) -> None:
    answer = answer_to(clock, TextDelta("Half an"), 1.0)
    assert (answer.status, answer.text, answer.usage) == ("truncated", "Half an", Usage())
    assert answer.timings.latency_s == 1.0


@pytest.mark.parametrize("pieces", [(), ("",), (" ", "\n")])
def test_empty(clock: Clock, pieces: tuple[str, ...]) -> None:
    answer = answer_to(clock, *(TextDelta(piece) for piece in pieces), finished(1))
    assert (answer.status, answer.error) == (
        "empty",
        "The model answered with nothing. Ask again or rephrase the question.",
    )


def test_a_fault_before_any_text_is_an_error(clock: Clock) -> None:
    answer = answer_to(clock, 1.5, BackendError("The key was refused.", "Set another key."))
    assert (answer.status, answer.text) == ("error", "")
    assert answer.error == "The key was refused. Set another key."
    assert answer.timings == Timings(queued_s=0.0, latency_s=1.5)


def test_a_fault_after_some_text_keeps_the_text(clock: Clock) -> None:
    answer = answer_to(clock, TextDelta("Half an"), 1.0, BackendError("The line broke.", "Ask again."))
    assert (answer.status, answer.text, answer.error) == ("truncated", "Half an", "The line broke. Ask again.")
    assert answer.timings.latency_s == 1.0


def test_an_unexpected_fault_is_a_sentence_and_its_details_are_logged(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "key-0123456789"
    with caplog.at_level(logging.ERROR):
        answer = answer_to(clock, TextDelta("Half an"), ZeroDivisionError(secret))
    assert (answer.status, answer.text) == ("error", "Half an")
    assert answer.error == "raw failed unexpectedly (ZeroDivisionError). The log has the details; ask again."
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (BackendError("No weights.", "Name others."), "No weights. Name others."),
        (OSError("disk"), "raw failed unexpectedly (OSError). The log has the details; ask again."),
        (
            MemoryError(),
            "raw failed: there was not enough memory. Close other programs, or choose a smaller model.",
        ),
    ],
)
def test_a_fault_while_loading_has_no_latency(clock: Clock, fault: Exception, sentence: str) -> None:
    events, answer = run(Scripted(loading=(Loading("weights"), 2.0, fault), clock=clock))
    assert events == [Loading("weights")]
    assert (answer.status, answer.error, answer.timings) == ("error", sentence, Timings(queued_s=0.0))


def test_cancelled_before_it_began(clock: Clock) -> None:
    cancel = threading.Event()
    cancel.set()
    backend = Scripted(TextDelta("never"), finished(1), clock=clock)
    events, answer = run(backend, cancel)
    assert (events, backend.asked) == ([], [])
    assert (answer.status, answer.text, answer.error) == ("cancelled", "", "Stopped before it began.")
    assert answer.timings.latency_s is None


def test_cancelled_while_loading_asks_nothing(clock: Clock) -> None:
    backend = Scripted(TextDelta("never"), clock=clock, loading=(Loading("weights"), lambda cancel: cancel.set()))
    _, answer = run(backend)
    assert backend.asked == []
    assert (answer.status, answer.error) == ("cancelled", "Stopped before it began.")


@pytest.mark.parametrize("end", [[finished(2, "cancelled")], [finished(2, None)], []])
def test_cancelled_in_mid_stream_keeps_the_text(clock: Clock, end: list[Finished]) -> None:
    answer = answer_to(clock, TextDelta("Half an"), lambda cancel: cancel.set(), 1.0, *end)
    assert (answer.status, answer.text) == ("cancelled", "Half an")
    assert answer.error == "Stopped; the text is what had arrived."
    assert answer.timings.latency_s == 1.0


def test_a_fault_because_of_the_cancel_is_a_cancel(clock: Clock) -> None:
    fault = BackendError("The connection was closed.", "Ask again.")
    answer = answer_to(clock, TextDelta("Half an"), lambda cancel: cancel.set(), fault)
    assert (answer.status, answer.text) == ("cancelled", "Half an")


def test_a_cancel_that_came_after_the_end_changes_nothing(clock: Clock) -> None:
    answer = answer_to(clock, TextDelta("Yes"), finished(1), lambda cancel: cancel.set())
    assert (answer.status, answer.error) == ("ok", None)


# --- cost ---------------------------------------------------------------------------------------


def test_the_cost_is_asked_with_what_was_measured(clock: Clock) -> None:
    price = Cost(Decimal("0.0021"), "a price of the year")
    steps: tuple[Step, ...] = (0.5, TextDelta("a"), 1.5, TextDelta("b"), finished(4))
    backend = Scripted(*steps, clock=clock, price=price)
    _, answer = run(backend)
    timings = Timings(queued_s=0.0, ttft_s=0.5, latency_s=2.0, tokens_per_s=2.0)
    assert backend.priced == [(Usage(7, 4, source="tokenizer"), timings)]
    assert answer.cost == price


class _CannotPrice(Scripted):
    def cost(self, usage: Usage, timings: Timings) -> Cost:
        raise KeyError("price list")


def test_an_answer_survives_a_price_that_cannot_be_worked_out(clock: Clock) -> None:
    _, answer = run(_CannotPrice(TextDelta("Yes"), finished(1), clock=clock))
    assert (answer.text, answer.cost.usd) == ("Yes", None)


def test_the_lane_is_free_again_after_a_fault(clock: Clock) -> None:
    def faults() -> Iterator[Answer]:
        for fault in (BackendError("a", "b"), ValueError("c")):
            yield answer_to(clock, fault, lane=LANE)

    assert [answer.status for answer in faults()] == ["error", "error"]
    place = lane(LANE).join("next")
    assert lane(LANE).behind(place) == ()
    with lane(LANE).turn(place, threading.Event()):
        pass
