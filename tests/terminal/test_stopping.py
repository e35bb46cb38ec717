"""What Ctrl-C, SIGTERM and faults that no code expects leave behind: a sentence, and a status that tells."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner, Result

from terminal.commands import app
from terminal.stopping import Terminated, raise_on_signals
from tests.backends.openai_server import SSE_HEAD, STOP, USAGE, RawServer, event, text_chunk

HOME = Path(__file__).resolve().parents[2]
SIGNALS = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.fixture(autouse=True)
def _not_in_the_background() -> Iterator[None]:
    """A shell lets what it runs in the background ignore SIGINT, and programs that are started from there do so too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(HOME / "crossroads.py"), *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | environment, **streams) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], start: str) -> None:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line.startswith(start):
            return
        said.append(line)
    raise AssertionError("".join(said))


@SIGNALS
def test_a_program_that_is_stopped_while_it_starts_says_so(tmp_path: Path, number: int, status: int) -> None:
    slow = "import sys, threading\nprint('importing', file=sys.stderr, flush=True)\nthreading.Event().wait()\n"
    (tmp_path / "typer.py").write_text(slow)
    with running("prove", "some-adapter", PYTHONPATH=str(tmp_path)) as process:
        wait_for_line(process, "importing")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (status, "", "Stopped.\n")


@pytest.mark.parametrize(("number", "status", "as_json"), [(signal.SIGINT, 130, False), (signal.SIGTERM, 143, True)])
def test_ask_that_is_stopped_prints_the_answers_that_are_finished(number: int, status: int, as_json: bool) -> None:
    def finish(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Paris.")) + event(STOP) + event(USAGE) + event("[DONE]"))

    def go_on(server: RawServer, client: socket.socket) -> None:
        client.sendall(SSE_HEAD + event(text_chunk("Well")))
        server.wait_until_client_is_gone(client)

    arguments = ["ask", "hello", "--approach", "paid_api:quick", "--approach", "paid_api:slow"]
    with RawServer(finish).run() as quick, RawServer(go_on).run() as slow:
        for name, server in (("quick", quick), ("slow", slow)):
            for field, value in (("base_url", server.url), ("model", "some-model"), ("api_key", "key-0123456789")):
                arguments += ["--set", f"connections.{name}.{field}={value}"]
        with running(*arguments, *(["--json"] if as_json else [])) as process:
            wait_for_line(process, "paid_api:quick: done")
            assert slow.reached.wait(30)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    assert (process.returncode, err.splitlines()[-1]) == (status, "Stopped.")
    assert "Traceback" not in err
    unfinished = "Stopped before its answer had ended."
    if as_json:
        answers = json.loads(out)["answers"]
        assert [(one["approach"], one["status"], one["text"], one["error"]) for one in answers] == [
            ("paid_api:quick", "ok", "Paris.", None),
            ("paid_api:slow", "cancelled", "", unfinished),
        ]
    else:
        assert "\nParis.\n" in out
        assert f"[stopped] {unfinished}" in out


def test_a_program_that_is_stopped_while_it_works_on_this_machine_ends_at_once(tmp_path: Path) -> None:
    with running("ask", "endless", CROSSROADS_SCRIPTED="true", CROSSROADS_DATA=str(tmp_path)) as process:
        wait_for_line(process, "raw: reading the script")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err.splitlines()[-1]) == (143, "Stopped.")
    assert out.count("[stopped] Stopped before its answer had ended.") == 4
    assert "Traceback" not in err


def test_a_signal_that_comes_twice_in_a_moment_raises_once() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        raise_on_signals()
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_every_command_says_that_it_was_stopped(
    monkeypatch: pytest.MonkeyPatch, stop: KeyboardInterrupt, status: int
) -> None:
    result = indexing(monkeypatch, stop)
    assert (result.exit_code, result.stderr) == (status, "Stopped.\n")


def test_a_fault_that_no_code_expects_is_a_sentence_and_the_log_has_the_rest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    result = indexing(monkeypatch, ZeroDivisionError("division by zero"))
    sentence = "crossroads index failed unexpectedly (ZeroDivisionError). The log has the details; try again.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", sentence)
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage() == "crossroads index failed"
    assert record.exc_info
    assert "division by zero" in str(record.exc_info[1])


def test_lack_of_memory_is_called_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    result = indexing(monkeypatch, MemoryError())
    assert result.exit_code == 1
    assert result.stderr.startswith("crossroads index failed: there was not enough memory. Close other programs")


def indexing(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> Result:
    """`crossroads index .`, in which this happens."""

    def fail(settings: object) -> NoReturn:
        raise fault

    monkeypatch.setattr("backends.rag.approach.open_index", fail)
    return CliRunner().invoke(app, ["index", "."])
