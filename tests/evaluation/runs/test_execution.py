"""Running a question set: order, concurrency, what is stored, pausing, stopping, going on, and giving up."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal

import pytest

from backends.base import Question, TextDelta
from backends.errors import BackendError, CapReached, NotAsked
from backends.run.lane import THIS_MACHINE
from backends.scripted import Step
from backends.settings import Settings
from backends.spend.ledger import entries
from backends.storage.files import locked
from backends.store.database import Store
from evaluation.runs.execution import OTHER_RUN, Execution
from evaluation.runs.records import add_cell, all_runs, find_run
from tests.evaluation.answering import AnsweringBackend
from tests.evaluation.runs.made_runs import COLOURS, SAMPLES, begun, cell, executed, kept
from tests.scripted import PATIENCE_S, Gate, Scripted, finished

RIGHT = {one.question: one.reference_answer for one in SAMPLES}
LOST = BackendError("The server is away.", "Start it.")


def raw(**more: object) -> AnsweringBackend:
    return AnsweringBackend(RIGHT, lane=THIS_MACHINE, **more)  # type: ignore[arg-type]


def rag(**more: object) -> AnsweringBackend:
    return AnsweringBackend(RIGHT, approach="rag", lane=THIS_MACHINE, **more)  # type: ignore[arg-type]


def paid(**more: object) -> AnsweringBackend:
    return AnsweringBackend(RIGHT, approach="paid_api", **more)  # type: ignore[arg-type]


def asked(backend: Scripted) -> list[str]:
    return [question.text for question in backend.asked]


def test_every_cell_is_asked_and_kept_with_what_was_measured(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw", "rag", "paid_api"), repeats=2)
    backends = {"raw": raw(), "rag": rag(), "paid_api": paid()}
    execution = executed(store, run, settings, backends)
    found = kept(store, run)
    wanted = {(approach, position, repeat) for approach in backends for position in range(6) for repeat in range(2)}
    assert found.keys() == wanted
    for (approach, position, _), one in found.items():
        assert (one.status, one.text) == ("ok", f"It is {COLOURS[position]}.")
        assert (one.timings.latency_s, one.cost.usd, one.asked) == (1.0, Decimal("0.001"), 1)
        assert one.model == f"scripted answers ({approach})"
    assert [question.seed for question in backends["raw"].asked] == [0] * 6 + [1] * 6
    assert {question.run for question in backends["paid_api"].asked} == {run.id}
    assert [(one.done, one.total, one.failed, one.usd) for one in execution.progress] == [
        (12, 12, 0, Decimal("0.012"))
    ] * 3
    assert find_run(store, run.id).state == "done"
    assert len(entries(settings)) == 36  # the ledger has each answer once


def test_this_machine_is_asked_one_at_a_time_question_by_question(
    sqlite_store: Store, sqlite_settings: Settings
) -> None:
    order: list[str] = []
    busy = threading.Lock()

    class Watched(AnsweringBackend):
        def script(self, question: Question, cancel: threading.Event) -> Iterator[Step]:
            assert busy.acquire(blocking=False), "two at once"
            order.append(f"{self.approach} {question.text[-2]}")
            yield from super().script(question, cancel)
            busy.release()

    run = begun(sqlite_store, sqlite_settings)
    backends = {name: Watched(RIGHT, approach=name, lane=THIS_MACHINE) for name in ("raw", "rag")}
    executed(sqlite_store, run, sqlite_settings, backends)
    assert order == [f"{name} {number}" for number in range(6) for name in ("raw", "rag")]


def test_elsewhere_is_asked_as_often_at_once_as_it_allows(sqlite_store: Store, sqlite_settings: Settings) -> None:
    together = threading.Barrier(3, timeout=PATIENCE_S)
    made = []

    class Elsewhere(Scripted):
        at_once = 3

        def __init__(self) -> None:
            super().__init__(
                lambda cancel: together.wait() and None, TextDelta("Yes."), finished(), approach="paid_api"
            )
            made.append(self)

    run = begun(sqlite_store, sqlite_settings, ("paid_api",))
    executed(sqlite_store, run, sqlite_settings, {"paid_api": Elsewhere})
    assert len(kept(sqlite_store, run)) == 6  # twice three at once, or the barrier breaks
    assert 3 <= len(made) <= 4
    assert max(len(one.asked) for one in made) >= 2  # a thread keeps its backend


def test_a_failed_answer_is_a_cell_with_its_reason(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw",))
    execution = executed(store, run, settings, {"raw": AnsweringBackend(RIGHT | {SAMPLES[2].question: LOST})})
    found = kept(store, run)["raw", 2, 0]
    assert (found.status, found.error, found.text) == ("error", "The server is away. Start it.", "")
    assert [(one.done, one.failed, one.stopped) for one in execution.progress] == [(6, 1, "")]
    assert find_run(store, run.id).state == "done"


def test_retry_asks_what_failed_and_resume_what_is_missing(store: Store, settings: Settings) -> None:
    run = begun(store, settings, ("raw",))
    add_cell(store, run.id, cell(position=0))
    add_cell(store, run.id, cell(position=1, status="error", text="", error="no"))
    again = raw()
    execution = executed(store, run, settings, {"raw": again}, retry=True)
    assert asked(again) == [SAMPLES[1].question]
    assert [(one.done, one.failed, one.total) for one in execution.progress] == [(2, 0, 6)]
    assert kept(store, run)["raw", 1, 0].asked == 2
    rest = raw()
    executed(store, run, settings, {"raw": rest})
    assert asked(rest) == [one.question for one in SAMPLES[2:]]
    assert {one.status for one in kept(store, run).values()} == {"ok"}
    nobody = raw()
    executed(store, run, settings, {"raw": nobody})
    executed(store, run, settings, {"raw": nobody}, retry=True)
    assert asked(nobody) == []


def test_an_approach_whose_first_answers_fail_is_given_up_and_the_others_go_on(
    store: Store, settings: Settings
) -> None:
    run = begun(store, settings)
    broken, sound = AnsweringBackend(dict.fromkeys(RIGHT, LOST), lane=THIS_MACHINE), rag()
    execution = executed(store, run, settings, {"raw": broken, "rag": sound}, stop_after=3)
    assert (len(broken.asked), len(sound.asked)) == (3, 6)
    why = "Its first 3 answers failed. The last one: The server is away. Start it."
    assert [one.stopped for one in execution.progress] == [why, ""]
    assert find_run(store, run.id).approach("raw").stopped == why
    mended = raw()
    executed(store, run, settings, {"raw": mended, "rag": rag()}, stop_after=3)
    assert asked(mended) == [one.question for one in SAMPLES[3:]]
    assert find_run(store, run.id).approach("raw").stopped == ""


def test_failures_after_a_success_do_not_give_an_approach_up(sqlite_store: Store, sqlite_settings: Settings) -> None:
    answers = {one.question: "It is red." if not place else LOST for place, one in enumerate(SAMPLES)}
    run = begun(sqlite_store, sqlite_settings, ("raw",))
    executed(sqlite_store, run, sqlite_settings, {"raw": AnsweringBackend(answers)}, stop_after=2)
    assert len(kept(sqlite_store, run)) == 6


CAP = CapReached("The run's budget does not cover this question.", "Raise it.", "budget", Decimal(2), Decimal(1))
NO_KEY = NotAsked("There is no API key.", "Enter one.")


@pytest.mark.parametrize("refusal", [CAP, NO_KEY])
def test_what_was_never_asked_has_no_cell_and_can_be_asked_later(
    sqlite_store: Store, sqlite_settings: Settings, refusal: BackendError
) -> None:
    run = begun(sqlite_store, sqlite_settings, ("raw", "paid_api"))
    third = {one.question: refusal for one in SAMPLES[3:]}
    execution = executed(
        sqlite_store,
        run,
        sqlite_settings,
        {"raw": raw(), "paid_api": AnsweringBackend(RIGHT | third, approach="paid_api")},
    )
    assert [(one.done, one.failed) for one in execution.progress] == [(6, 0), (3, 0)]
    assert find_run(sqlite_store, run.id).approach("paid_api").stopped == str(refusal)
    rest = paid()
    executed(sqlite_store, run, sqlite_settings, {"raw": raw(), "paid_api": rest})
    assert asked(rest) == [one.question for one in SAMPLES[3:]]


def test_an_approach_that_cannot_be_made_is_given_up(sqlite_store: Store, sqlite_settings: Settings) -> None:
    def unusable() -> AnsweringBackend:
        raise LOST

    run = begun(sqlite_store, sqlite_settings)
    execution = executed(sqlite_store, run, sqlite_settings, {"raw": unusable, "rag": rag()})
    assert [(one.done, one.stopped) for one in execution.progress] == [(0, str(LOST)), (6, "")]


def test_cancelling_keeps_what_ended_and_going_on_asks_the_rest(store: Store, settings: Settings) -> None:
    cancel = threading.Event()
    run = begun(store, settings, ("raw",))
    stopped = raw(before=lambda _: cancel.set() if len(stopped.asked) == 3 else None)
    executed(store, run, settings, {"raw": stopped}, cancel)
    before = kept(store, run)
    assert [position for _, position, _ in before] == [0, 1]  # the third was cut off, so it has no answer
    assert find_run(store, run.id).state == "stopped"
    rest = raw()
    executed(store, run, settings, {"raw": rest})
    assert asked(rest) == [one.question for one in SAMPLES[2:]]
    after = kept(store, run)
    assert {key: after[key] for key in before} == before
    assert find_run(store, run.id).state == "done"


def test_pausing_lets_what_is_asked_end_and_begins_nothing(sqlite_store: Store, sqlite_settings: Settings) -> None:
    gate = Gate()
    first = raw(before=lambda cancel: gate(cancel) if len(first.asked) == 1 else None)
    other = paid()
    run = begun(sqlite_store, sqlite_settings, ("raw", "paid_api"))
    execution = Execution(
        sqlite_store, run, sqlite_settings, SAMPLES, make=lambda name, _: {"raw": first, "paid_api": other}[name]
    )
    steps = execution.steps(threading.Event())
    next(steps)
    assert gate.reached.wait(PATIENCE_S)
    execution.pause("raw")
    gate.opened.set()
    for step in steps:
        if step.done == 7:  # one of the raw model, and all six of the other
            break
    assert (len(first.asked), len(other.asked)) == (1, 6)
    assert [one.paused for one in execution.progress] == [True, False]
    execution.go_on("raw")
    for _ in steps:
        pass
    assert len(kept(sqlite_store, run)) == 12


def test_an_approach_that_is_not_what_it_was_is_given_up(sqlite_store: Store, sqlite_settings: Settings) -> None:
    class Versioned(AnsweringBackend):
        version = "1"

        @property
        def identity(self) -> dict[str, str]:
            return {"collection": "handbook", "version": self.version}

    run = begun(sqlite_store, sqlite_settings, ("raw",))
    cancel = threading.Event()
    first = Versioned(RIGHT, before=lambda _: cancel.set() if len(first.asked) == 2 else None)
    executed(sqlite_store, run, sqlite_settings, {"raw": first}, cancel)
    noted = find_run(sqlite_store, run.id)
    assert noted.approach("raw").identity == {"collection": "handbook", "version": "1"}
    second = Versioned(RIGHT)
    second.version = "2"
    executed(sqlite_store, noted, sqlite_settings, {"raw": second})
    assert asked(second) == []
    assert find_run(sqlite_store, run.id).approach("raw").stopped == (
        "Its version was 1 when the run began and is 2 now. Begin a new run."
    )
    second.version = "1"
    executed(sqlite_store, noted, sqlite_settings, {"raw": second})
    assert len(kept(sqlite_store, run)) == 6


def test_a_run_that_another_process_works_on_is_left_alone(store: Store, settings: Settings) -> None:
    run = begun(store, settings)
    refused = pytest.raises(BackendError, match="is being worked on by another process")
    with closing(Store(settings)) as other, other.claimed(run.id), refused:
        executed(store, run, settings, {"raw": raw(), "rag": rag()})


def test_a_store_that_fails_ends_the_run_and_it_can_go_on(
    sqlite_store: Store, sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(sqlite_store, sqlite_settings)
    calls = []

    def failing(*arguments: object, **more: object) -> None:
        calls.append(arguments)
        if len(calls) == 4:
            raise BackendError("The disk is full.", "Make room and try again.")
        add_cell(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("evaluation.runs.answering.add_cell", failing)
    with pytest.raises(BackendError, match="The disk is full"):
        executed(sqlite_store, run, sqlite_settings, {"raw": raw(), "rag": rag()})
    (found,) = all_runs(sqlite_store)
    assert (found.state, found.fault) == ("stopped", "The disk is full. Make room and try again.")
    monkeypatch.undo()
    executed(sqlite_store, run, sqlite_settings, {"raw": raw(), "rag": rag()})
    (found,) = all_runs(sqlite_store)
    assert (len(kept(sqlite_store, run)), found.state, found.fault) == (12, "done", "")


def test_a_question_that_cannot_be_asked_costs_nothing(sqlite_store: Store, sqlite_settings: Settings) -> None:
    from dataclasses import replace

    samples = (replace(SAMPLES[0], question="x" * 200_000), *SAMPLES[1:])
    run = begun(sqlite_store, sqlite_settings, ("raw",), samples)
    executed(sqlite_store, run, sqlite_settings, {"raw": raw()}, samples=samples)
    found = kept(sqlite_store, run)["raw", 0, 0]
    assert (found.status, found.cost.usd) == ("error", 0)


def test_a_run_of_another_process_has_the_machine_first_and_servers_are_asked_meanwhile(
    sqlite_store: Store, sqlite_settings: Settings
) -> None:
    backends = {"raw": raw(), "paid_api": paid()}
    run = begun(sqlite_store, sqlite_settings, ("raw", "paid_api"))
    execution = Execution(sqlite_store, run, sqlite_settings, SAMPLES, make=lambda name, _: backends[name])
    file = sqlite_settings.data.resolve() / "runs" / "this-machine.lock"
    with locked(file, "The lock", lambda: LOST):  # as the other process holds it
        steps = execution.steps(threading.Event())
        for step in steps:
            if step.done == 6 and execution.progress[0].waits:
                break
        assert [one.waits for one in execution.progress] == [OTHER_RUN, ""]
        assert asked(backends["raw"]) == []
    for _ in steps:
        pass
    assert [one.waits for one in execution.progress] == ["", ""]
    assert len(kept(sqlite_store, run)) == 12


def test_a_run_that_waits_for_the_machine_says_for_which_run_of_whom(
    sqlite_store: Store, sqlite_settings: Settings
) -> None:
    first, second = (begun(sqlite_store, sqlite_settings, ("raw",)) for _ in range(2))
    gate, cancel = Gate(), threading.Event()
    slow = Execution(sqlite_store, first, sqlite_settings, SAMPLES, make=lambda *_: raw(before=gate))
    other = threading.Thread(target=lambda: list(slow.steps(cancel)), daemon=True)
    other.start()
    assert gate.reached.wait(PATIENCE_S)
    waiting = Execution(sqlite_store, second, sqlite_settings, SAMPLES, make=lambda *_: raw())
    steps = waiting.steps(threading.Event())
    said = next(step.detail for step in steps if step.detail)
    assert said.startswith(f"waiting for the run {first.id} of {first.set_name}, which process {os.getpid()} of ")
    assert waiting.progress[0].waits == said.removeprefix("waiting for ")
    gate.opened.set()
    for _ in steps:
        pass
    other.join(PATIENCE_S)
    assert len(kept(sqlite_store, second)) == 6


def test_a_run_that_waits_for_the_machine_can_be_stopped(sqlite_store: Store, sqlite_settings: Settings) -> None:
    run, cancel = begun(sqlite_store, sqlite_settings, ("raw",)), threading.Event()
    file = sqlite_settings.data.resolve() / "runs" / "this-machine.lock"
    execution = Execution(sqlite_store, run, sqlite_settings, SAMPLES, make=lambda *_: raw())
    with locked(file, "The lock", lambda: LOST):
        for _ in execution.steps(cancel):
            if execution.progress[0].waits:
                cancel.set()
    assert (len(kept(sqlite_store, run)), find_run(sqlite_store, run.id).state) == (0, "stopped")
