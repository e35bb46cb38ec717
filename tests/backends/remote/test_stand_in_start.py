"""Starting the stand-in takes its turn, so that nobody's answer is timed beside it; whoever asks meanwhile waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from backends.base import Answer, Event, Loading, Question, Queued
from backends.errors import BackendError
from backends.models.weights import Weights
from backends.paid_api import STAND_IN_LABEL, make
from backends.remote import stand_in
from backends.remote.stand_in import TURN, Control, StandIn, control
from backends.run.compare import compare
from backends.run.lane import THIS_MACHINE, Cancelled, lane, turns
from backends.settings import load_settings
from tests.backends.openai_server import PATH, paris

QUESTION = Question("Capital of France?", max_tokens=20)


class Server:
    """The stand-in's process as the control sees it: it comes up when `ready` is set."""

    def __init__(self, url: str) -> None:
        self.entered, self.ready, self.up = threading.Event(), threading.Event(), False
        self.known = StandIn(url, "small-model", 1)
        self.starts = 0
        self.fault: BackendError | None = None

    def start(self, *_: object, cancelled: Callable[[], bool]) -> StandIn:
        if self.up:
            return self.known
        self.starts += 1
        self.entered.set()
        while not self.ready.wait(0.01):
            if cancelled():
                raise Cancelled
        if self.fault:
            raise self.fault
        self.up = True
        return self.known

    def running(self, data: Path) -> StandIn | None:
        return self.known if self.up else None

    def stop(self, *_: object) -> None:
        self.up = False


@pytest.fixture
def data() -> Path:
    """The data folder of this test."""
    return load_settings().data


@pytest.fixture
def server(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    httpserver.expect_request(PATH).respond_with_handler(lambda _: paris())
    made = Server(httpserver.url_for("/v1"))
    for name in ("start", "running", "stop"):
        monkeypatch.setattr(stand_in, name, getattr(made, name))
    weights = Weights("small-model", Path("small-model"), "1", None, "nowhere")
    monkeypatch.setattr(stand_in, "resolve", lambda *_: weights)
    monkeypatch.setattr("backends.paid_api.pending", lambda *_: None)
    yield made
    made.ready.set()


def asked() -> tuple[list[Event], Answer]:
    events = [event for _, event in compare([make(load_settings())], QUESTION, threading.Event())]
    (answer,) = [event for event in events if isinstance(event, Answer)]
    return events, answer


def test_a_question_waits_until_the_stand_in_has_started(server: Server, data: Path) -> None:
    beginning, line = control(data), lane(THIS_MACHINE)
    with turns("another answer", threading.Event())():
        beginning.begin()
        line_end = line.join("raw")
        assert line.behind(line_end) == ("another answer", TURN)  # its place is taken at once
        assert not server.entered.wait(0.2), "an answer is under way"
    assert server.entered.wait(60)
    assert line.behind(line_end) == (TURN,)
    server.ready.set()
    with line.turn(line_end, threading.Event()):
        assert server.up
    assert beginning.fault is None


def test_a_question_that_is_asked_while_it_starts_is_answered_by_it(server: Server, data: Path) -> None:
    control(data).begin()
    backend = make(load_settings())
    assert (backend.stand_in, backend.model, backend.lane) == (True, STAND_IN_LABEL, THIS_MACHINE)  # named beforehand
    events = compare([backend], QUESTION, threading.Event())
    assert next(events) == ("paid_api", Queued((TURN,)))
    server.ready.set()
    answer = [event for _, event in events][-1]
    assert isinstance(answer, Answer)
    assert (answer.status, answer.text, answer.stand_in) == ("ok", "Paris.", True)
    assert server.starts == 1


def test_the_first_question_starts_it_where_the_setting_says_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__STAND_IN", "true")
    server.ready.set()
    events, answer = asked()
    assert Loading(TURN, stand_in.USUAL_START_S) in events
    assert (answer.status, answer.text, answer.stand_in) == ("ok", "Paris.", True)
    assert answer.timings.load_s is not None  # the start is no part of the latency
    assert Loading(TURN, stand_in.USUAL_START_S) not in asked()[0]
    assert server.starts == 1


def test_without_the_setting_nobody_is_asked(server: Server) -> None:
    events, answer = asked()
    assert events == [answer]
    assert (answer.status, answer.stand_in, server.starts) == ("not_asked", False, 0)


def test_once_stopped_it_stays_stopped(server: Server, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__STAND_IN", "true")
    server.ready.set()
    assert asked()[1].stand_in
    control(data).stop()
    assert not server.up
    assert asked()[1].status == "not_asked"


def test_stopping_it_ends_a_start_that_is_under_way(server: Server, data: Path) -> None:
    beginning = control(data)
    beginning.begin()
    assert server.entered.wait(60)
    beginning.stop()
    with turns("the next", threading.Event())():
        assert not server.up
    assert beginning.fault is None


def test_one_that_cannot_start_is_not_tried_with_every_question(
    server: Server, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSROADS_PAID_API__STAND_IN", "true")
    server.fault = BackendError("The stand-in ended before it was ready.", "Close other programs.")
    server.ready.set()
    answer = asked()[1]
    assert (answer.status, answer.error) == (
        "not_asked",
        "The stand-in ended before it was ready. Close other programs.",
    )
    assert control(data).fault == answer.error
    assert asked()[1].error != answer.error
    assert server.starts == 1


def test_there_is_one_control_for_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert control(Path("data")) is control(tmp_path / "data")
    assert isinstance(control(tmp_path / "other"), Control)
