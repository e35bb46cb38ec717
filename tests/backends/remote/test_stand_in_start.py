"""Starting the stand-in takes its turn, so that nobody's answer is timed beside it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backends.remote import stand_in
from backends.remote.stand_in import TURN, StandInStart
from backends.run.lane import THIS_MACHINE, lane, turns


def test_a_question_waits_until_the_stand_in_has_started(model_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, ready = threading.Event(), threading.Event()

    def start(*_: object, **__: object) -> None:
        entered.set()
        assert ready.wait(60)

    monkeypatch.setattr(stand_in, "start", start)
    beginning, line = StandInStart(), lane(THIS_MACHINE)
    with turns("another answer", threading.Event())():
        beginning.begin(model_data)
        assert not entered.wait(0.2), "an answer is under way"
    assert entered.wait(60)
    place = line.join("raw")
    assert line.behind(place) == (TURN,)
    ready.set()
    with line.turn(place, threading.Event()):
        assert entered.is_set()
    assert beginning.fault is None
