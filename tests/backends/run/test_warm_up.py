"""Loading in advance: one after another, a fault stays a sentence, and a question waits its turn behind it."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Iterator

import pytest

from backends.base import Loading
from backends.errors import BackendError
from backends.run.lane import lane
from backends.run.warm_up import WarmUp
from tests.scripted import PATIENCE_S, Gate, Scripted

LANE = "warm-up-test"


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Nothing is out of the collector's rounds but what a warm-up takes out, and that comes back."""
    gc.unfreeze()
    yield
    gc.unfreeze()


class Finish:
    """A backend that comes last and stands still, so that the state before it can be looked at."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.backend = Scripted(loading=(self.gate,), approach="last", lane="warm-up-test-last")


def test_how_far_it_is() -> None:
    first, second = Gate(), Gate()
    warm_up = WarmUp(
        [
            Scripted(loading=(Loading("weights", 2.5), first), approach="raw", lane=LANE),
            Scripted(loading=(Loading("index"), second), approach="rag", lane=LANE),
        ]
    )
    assert (warm_up.state.what, warm_up.state.done, warm_up.state.total) == ("starting", 0, 2)
    assert not warm_up.state.finished
    assert warm_up.start() is warm_up
    assert first.reached.wait(PATIENCE_S)
    assert (warm_up.state.what, warm_up.state.expected_s, warm_up.state.done) == ("weights", 2.5, 0)
    first.opened.set()
    assert second.reached.wait(PATIENCE_S)
    assert (warm_up.state.what, warm_up.state.expected_s, warm_up.state.done) == ("index", None, 1)
    assert not warm_up.state.finished
    # The lane belongs to what is being loaded: a question waits behind it and is told so.
    place = lane(LANE).join("a question")
    assert lane(LANE).behind(place) == ("loading the models",)
    second.opened.set()
    with lane(LANE).turn(place, threading.Event()):
        pass
    wait_until_finished(warm_up)
    assert (warm_up.state.what, warm_up.state.done, warm_up.state.faults) == ("ready", 2, ())
    assert gc.get_freeze_count() > 10_000, "what is loaded is not looked through after each run of a page"


def wait_until_finished(warm_up: WarmUp) -> None:
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(PATIENCE_S)
    assert warm_up.state.finished


def test_a_fault_is_a_sentence_and_the_next_one_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    loaded = threading.Event()
    last = Finish()
    with caplog.at_level(logging.ERROR):
        warm_up = WarmUp(
            [
                Scripted(loading=(BackendError("No weights.", "Name others."),), approach="raw", lane=LANE),
                Scripted(loading=(Loading("x"), ValueError("details")), approach="fine_tuned", lane=LANE),
                Scripted(loading=(lambda cancel: loaded.set(),), approach="paid_api"),
                last.backend,
            ]
        ).start()
        assert last.gate.reached.wait(PATIENCE_S)
        assert loaded.is_set()
        last.gate.opened.set()
        wait_until_finished(warm_up)
    assert warm_up.state.done == 4
    assert warm_up.state.faults == (
        ("raw", "No weights. Name others."),
        ("fine_tuned", "It could not be loaded (ValueError)."),
    )
    assert [record.getMessage() for record in caplog.records] == ["loading fine_tuned in advance failed"]


def test_nothing_to_load_is_finished() -> None:
    assert WarmUp([]).state.finished


def test_where_nothing_had_to_be_loaded_nothing_is_looked_through_again() -> None:
    gc.collect()
    gc.freeze()
    frozen = gc.get_freeze_count()
    warm_up = WarmUp([Scripted(approach="raw", lane=LANE)]).start()
    wait_until_finished(warm_up)
    assert gc.get_freeze_count() >= frozen > 10_000
