"""Several prompts in one batch: each gets the tokens that it would get alone, and ends or fails for itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from backends.base import Finished, Question, TextDelta
from backends.models import together
from backends.models.generate import build_prompt, generate
from backends.models.local import LocalModel
from backends.models.together import Row, Together
from tests.scripted import PATIENCE_S

QUESTIONS = ("Which door is red?", "Who?", "What stands behind the third door from the left, and who put it there?")


def asked(text: str, most: int = 8) -> Question:
    return Question(text, max_tokens=most)


def alone(base: LocalModel, question: Question, model: Any = None) -> tuple[list[str], Finished]:
    events = list(generate(base, model or base.model, question, threading.Event()))
    assert isinstance(events[-1], Finished)
    return [one.text for one in events if isinstance(one, TextDelta)], events[-1]


def in_batch(works: Sequence[Callable[[], object]]) -> list[object]:
    """What came of each, faults included."""
    batch = Together(len(works))
    came: list[object] = [None] * len(works)

    def one(place: int) -> None:
        with batch.member():
            try:
                came[place] = works[place]()
            except Exception as fault:
                came[place] = fault

    threads = [threading.Thread(target=one, args=(place,), daemon=True) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    return came


def test_each_prompt_gets_the_tokens_that_it_gets_alone(exact: LocalModel) -> None:
    wanted = [alone(exact, asked(text, most)) for text, most in zip(QUESTIONS, (8, 3, 12), strict=True)]
    works = [
        lambda text=text, most=most: alone(exact, asked(text, most))
        for text, most in zip(QUESTIONS, (8, 3, 12), strict=True)
    ]
    assert in_batch(works) == wanted


def test_they_are_one_call_of_the_model(exact: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    plain = exact.model.generate
    monkeypatch.setattr(
        exact.model, "generate", lambda **given: sizes.append(len(given["input_ids"])) or plain(**given), raising=False
    )
    in_batch([lambda text=text: alone(exact, asked(text)) for text in QUESTIONS])
    assert sizes == [3]


def test_what_fails_together_is_asked_alone_and_goes_on_where_it_was(
    exact: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [alone(exact, asked(text)) for text in QUESTIONS]
    plain, left = exact.model.generate, [3]

    def failing(**given: Any) -> Any:
        count, long = given["input_ids"].shape
        if count > 1:
            given["stopping_criteria"].append(breaks)
        elif long > build_prompt(exact, asked(QUESTIONS[0])).tokens + 8:
            raise RuntimeError("not this one")
        return plain(**given)

    def breaks(*_: Any, **__: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("no memory")
        return False

    monkeypatch.setattr(exact.model, "generate", failing, raising=False)
    came = in_batch([lambda text=text: alone(exact, asked(text)) for text in QUESTIONS])
    assert came[:2] == wanted[:2]
    assert str(came[2]) == "not this one"


def test_one_that_is_stopped_ends_and_the_others_go_on(exact: LocalModel) -> None:
    wanted = alone(exact, asked(QUESTIONS[0], 12))
    stop = threading.Event()

    def stopped() -> object:
        events = []
        for event in generate(exact, exact.model, asked(QUESTIONS[1], 60), stop):
            events.append(event)
            stop.set()
        return events[-1]

    ended, whole = in_batch([stopped, lambda: alone(exact, asked(QUESTIONS[0], 12))])
    assert whole == wanted
    assert isinstance(ended, Finished)
    assert ended.finish_reason == "cancelled"
    assert (ended.usage.completion_tokens or 0) < 60


def test_those_without_a_prompt_keep_nobody_waiting_and_a_second_prompt_waits_again(exact: LocalModel) -> None:
    one, two = alone(exact, asked(QUESTIONS[0])), alone(exact, asked(QUESTIONS[1]))

    def nothing() -> object:
        raise ValueError("no prompt")

    def twice() -> object:
        return alone(exact, asked(QUESTIONS[0])), alone(exact, asked(QUESTIONS[1]))

    fault, both, other = in_batch([nothing, twice, lambda: alone(exact, asked(QUESTIONS[1]))])
    assert isinstance(fault, ValueError)
    assert (both, other) == ((one, two), two)


def test_what_comes_before_a_prompt_is_done_by_one_at_a_time() -> None:
    busy = threading.Lock()

    def search() -> bool:
        free = busy.acquire(blocking=False)
        busy.release()
        return free

    assert in_batch([search] * 8) == [True] * 8


def test_where_there_is_no_room_for_all_there_are_several_batches(
    exact: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [build_prompt(exact, asked(text)) for text in QUESTIONS]
    rows = [Row(one.ids, 8, (), queue.SimpleQueue()) for one in prompts]
    each = together.row_bytes(exact, max(one.tokens for one in prompts), 8)
    ordered = sorted(rows, key=lambda row: row.length)
    for free, fitting in ((2.2 * 2 * each, 2), (100 * each, 3), (0, 1)):
        monkeypatch.setattr(together, "free_memory", lambda device, free=free: free)
        assert together._fitting(exact, ordered) == fitting


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "computed again"])
def test_the_batch_shrinks_as_its_rows_end(exact: LocalModel, monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    works = [(text, most) for text in QUESTIONS for most in (2, 3, 12)]
    wanted = [alone(exact, asked(*one)) for one in works]
    shapes: list[tuple[int, int]] = []
    plain = exact.model.forward

    def forward(*args: Any, **given: Any) -> Any:
        shapes.append(tuple(given["input_ids"].shape))
        return plain(*args, **given)

    monkeypatch.setattr(exact.model, "forward", forward)
    if not kept:
        monkeypatch.setattr(
            "transformers.cache_utils.DynamicLayer", type("Other", (), {})
        )  # as if the model kept others
    assert in_batch([lambda one=one: alone(exact, asked(*one)) for one in works]) == wanted
    assert shapes[0][0] == 9
    assert shapes[-1] == (3, 1)
    assert (len([width for _, width in shapes if width > 1]) == 1) == kept
